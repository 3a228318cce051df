/**
 * From spans as received to one record per reported half of a span: ids normalised, reports of the same half merged.
 * Order of the input does not matter to the result, except where two reports contradict each other.
 */
import { type Annotation, type Endpoint, NO_ANNOTATIONS, NO_TAGS, type Span, type SpanKind, type Tags } from './span';

/** Zero stands for an absent timestamp or duration, as on the wire. */
export interface CleanSpan {
  id: string;
  parentId: string | undefined;
  kind: SpanKind | undefined;
  name: string;
  timestamp: number;
  duration: number;
  local: Endpoint | undefined;
  remote: Endpoint | undefined;
  annotations: readonly Annotation[];
  tags: Tags;
  shared: boolean;
  debug: boolean;
  /** Position in the list as received of the first report. */
  source: number;
  /** Positions of the further reports that were merged into this one. */
  merged: number[] | undefined;
}

export const SPAN_ID_LENGTH = 16;
const ZERO_ID = '0'.repeat(SPAN_ID_LENGTH);

/** Lower case, padded to 16 digits; a longer id keeps its last 16 as zipkin does with ids of v1. */
export function normaliseSpanId(id: string): string {
  const lower = id.toLowerCase();
  if (lower.length === SPAN_ID_LENGTH) return lower;
  return lower.length < SPAN_ID_LENGTH ? lower.padStart(SPAN_ID_LENGTH, '0') : lower.slice(-SPAN_ID_LENGTH);
}

/** Lower case, padded to 16 or 32 digits. */
export function normaliseTraceId(id: string): string {
  const lower = id.toLowerCase();
  return lower.padStart(lower.length <= 16 ? 16 : 32, '0');
}

/** One record per id, shared state and endpoint. Records of one id stand together, the client half first. */
export function cleanSpans(spans: readonly Span[]): CleanSpan[] {
  const groups = new Map<string, CleanSpan[]>();
  for (let i = 0; i < spans.length; i++) {
    const clean = cleanSpan(spans[i]!, i);
    const group = groups.get(clean.id);
    if (group) group.push(clean);
    else groups.set(clean.id, [clean]);
  }
  const result: CleanSpan[] = [];
  for (const group of groups.values()) {
    if (group.length === 1) result.push(group[0]!);
    else for (const span of mergeGroup(group)) result.push(span);
  }
  return result;
}

/** The longest trace id of the list: one instrumentation may have kept only 64 of 128 bits. */
export function longestTraceId(spans: readonly Span[]): string {
  let best = '';
  for (const span of spans) {
    const id = span.traceId;
    if (typeof id === 'string' && id.length > best.length) best = id;
    if (best.length >= 32) break;
  }
  return best === '' ? '' : normaliseTraceId(best);
}

function cleanSpan(span: Span, source: number): CleanSpan {
  const id = normaliseSpanId(String(span.id ?? ''));
  let parentId = span.parentId ? normaliseSpanId(String(span.parentId)) : undefined;
  if (parentId === id || parentId === ZERO_ID) parentId = undefined;
  return {
    id,
    parentId,
    kind: span.kind,
    name: span.name ?? '',
    timestamp: positive(span.timestamp),
    duration: positive(span.duration),
    local: span.localEndpoint,
    remote: span.remoteEndpoint,
    annotations: span.annotations ? sortedAnnotations(span.annotations) : NO_ANNOTATIONS,
    tags: span.tags ?? NO_TAGS,
    shared: span.shared === true && span.kind !== 'CLIENT',
    debug: span.debug === true,
    source,
    merged: undefined,
  };
}

function positive(value: number | undefined): number {
  return typeof value === 'number' && value > 0 && Number.isFinite(value) ? value : 0;
}

function sortedAnnotations(list: readonly Annotation[]): readonly Annotation[] {
  for (let i = 1; i < list.length; i++) {
    if (compareAnnotations(list[i - 1]!, list[i]!) > 0) {
      return [...list].sort(compareAnnotations);
    }
  }
  return list;
}

function compareAnnotations(a: Annotation, b: Annotation): number {
  return a.timestamp - b.timestamp || compareText(a.value, b.value);
}

function compareText(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  if (a === undefined) return -1;
  if (b === undefined) return 1;
  return a < b ? -1 : 1;
}

/** Merges the reports of one id; what remains differs in shared state or endpoint. */
function mergeGroup(group: CleanSpan[]): CleanSpan[] {
  group.sort(compareReports);
  const result: CleanSpan[] = [];
  for (let from = 0; from < group.length; ) {
    const first = group[from]!;
    let local = first.local;
    let to = from + 1;
    for (; to < group.length; to++) {
      const next = group[to]!;
      if (next.shared !== first.shared || !compatible(local, next.local)) break;
      local = mergeEndpoint(local, next.local);
    }
    result.push(to === from + 1 ? first : mergeRun(group.slice(from, to), local));
    from = to;
  }
  return linkHalves(result);
}

/** A server after a client of the same id is its other half even if it forgot to say so. */
function linkHalves(halves: CleanSpan[]): CleanSpan[] {
  const first = halves[0]!;
  for (let i = 1; i < halves.length; i++) {
    const half = halves[i]!;
    if (first.kind === 'CLIENT' && half.kind === 'SERVER') half.shared = true;
    if (half.shared && !half.parentId) half.parentId = first.parentId;
  }
  return halves;
}

function compareReports(a: CleanSpan, b: CleanSpan): number {
  if (a.shared !== b.shared) return a.shared ? 1 : -1;
  const aClient = a.kind === 'CLIENT';
  if (aClient !== (b.kind === 'CLIENT')) return aClient ? -1 : 1;
  return compareEndpoints(a.local, b.local) || a.source - b.source;
}

function compareEndpoints(a: Endpoint | undefined, b: Endpoint | undefined): number {
  if (a === b) return 0;
  if (!a) return -1;
  if (!b) return 1;
  return (
    compareText(a.serviceName, b.serviceName) ||
    compareText(a.ipv4, b.ipv4) ||
    compareText(a.ipv6, b.ipv6) ||
    (a.port ?? 0) - (b.port ?? 0)
  );
}

/** True when no member that both sides state differs. */
function compatible(a: Endpoint | undefined, b: Endpoint | undefined): boolean {
  if (!a || !b) return true;
  return agree(a.serviceName, b.serviceName) && agree(a.ipv4, b.ipv4) && agree(a.ipv6, b.ipv6) && agree(a.port, b.port);
}

function agree<T>(a: T | undefined, b: T | undefined): boolean {
  return !a || !b || a === b;
}

/** Earliest start, longest duration, first text, united facts: a span may be reported in parts or again. */
function mergeRun(run: CleanSpan[], local: Endpoint | undefined): CleanSpan {
  const result = { ...run[0]!, local, merged: [] as number[] };
  for (let i = 1; i < run.length; i++) {
    const next = run[i]!;
    result.parentId ??= next.parentId;
    result.kind ??= next.kind;
    result.name ||= next.name;
    if (next.timestamp && (!result.timestamp || next.timestamp < result.timestamp)) result.timestamp = next.timestamp;
    result.duration = Math.max(result.duration, next.duration);
    result.remote = mergeEndpoint(result.remote, next.remote);
    result.debug ||= next.debug;
    result.merged.push(next.source);
  }
  result.annotations = uniteAnnotations(run);
  result.tags = uniteTags(run);
  return result;
}

function mergeEndpoint(a: Endpoint | undefined, b: Endpoint | undefined): Endpoint | undefined {
  if (!a || !b) return a ?? b;
  return { ...b, ...a };
}

function uniteAnnotations(run: CleanSpan[]): readonly Annotation[] {
  const all = run.flatMap((span) => span.annotations).sort(compareAnnotations);
  return all.filter((next, i) => i === 0 || compareAnnotations(all[i - 1]!, next) !== 0);
}

/** Later wins. The result has no prototype, so that any key is data. */
function uniteTags(run: CleanSpan[]): Tags {
  const result = Object.create(null) as Record<string, string>;
  for (const span of run) {
    for (const key of Object.keys(span.tags)) result[key] = span.tags[key]!;
  }
  return result;
}
