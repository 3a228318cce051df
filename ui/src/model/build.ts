/** Puts the parts together: spans as received ▸ cleaned ▸ tree ▸ skew ▸ rows ▸ layout. */
import { type CleanSpan, cleanSpans, longestTraceId } from './clean';
import { criticalPath } from './critical';
import {
  FLAG_ASYNC,
  FLAG_CLIENT_HALF,
  FLAG_CYCLE,
  FLAG_DEBUG,
  FLAG_ERROR,
  FLAG_EXTRA_ROOT,
  FLAG_HALVES,
  FLAG_ORPHAN,
  FLAG_REPEATED,
  FLAG_SERVER_HALF,
  FLAG_SKEWED,
  FLAG_VIRTUAL,
  FLAG_WARNING,
  KIND_CLIENT,
  KIND_CONSUMER,
  KIND_MESSAGE,
  KIND_NONE,
  KIND_PRODUCER,
  KIND_RPC,
  KIND_SERVER,
  type Layout,
  type Times,
} from './layout';
import { buildRows, NO_SPAN, type Rows } from './rows';
import { selfTimes } from './selftime';
import { correctSkew, type SkewResult } from './skew';
import type { Span, SpanKind } from './span';
import { buildTree, type Children, CYCLE, childrenOf, EXTRA_ROOT, ORPHAN, type Tree } from './tree';

/** All that does not depend on how halves are shown. */
export interface Trace {
  traceId: string;
  received: readonly Span[];
  spans: CleanSpan[];
  tree: Tree;
  children: Children;
  skew: SkewResult;
}

/** Annotations drawn per row; the detail panel shows all. */
export const TICKS_PER_ROW_MAX = 64;

export function readTrace(received: readonly Span[]): Trace {
  const spans = cleanSpans(received);
  const tree = buildTree(spans);
  const children = childrenOf(tree.parent);
  return {
    traceId: longestTraceId(received),
    received,
    spans,
    tree,
    children,
    skew: correctSkew(spans, tree, children),
  };
}

export interface LaidOut {
  layout: Layout;
  rows: Rows;
}

export function layOut(trace: Trace, split: boolean): LaidOut {
  const { spans, tree, skew } = trace;
  const startOf = (i: number) => (spans[i]!.timestamp ? spans[i]!.timestamp + skew.shift[i]! : 0);
  const rows = buildRows(spans, tree, trace.children, startOf, split);
  const durations = rowDurations(spans, rows);
  const tickStart = tickStarts(spans, rows);
  const times = readTimes(spans, rows, durations, tickStart, skew.shift);
  const corrected = skew.findings.length > 0;
  const rawTimes = corrected ? readTimes(spans, rows, durations, tickStart, new Float64Array(spans.length)) : times;
  if (tree.root < 0 && rows.count > 0) durations.duration[0] = times.durationUs;
  const facts = rowFacts(trace, rows);
  const timed = {
    count: rows.count,
    start: times.start,
    duration: durations.duration,
    size: rows.size,
    flags: facts.flags,
  };
  markAsync(rows, timed.start, timed.duration, facts);
  const layout: Layout = {
    traceId: trace.traceId,
    rowCount: rows.count,
    spanCount: trace.received.length,
    serviceCount: facts.services.filter((name) => name !== '').length,
    depthMax: rows.depth.reduce((max, depth) => Math.max(max, depth), 0),
    split,
    times,
    rawTimes,
    skewChecked: skew.checked,
    skews: skew.findings.map(({ span, service, address, shiftUs }) => ({
      service,
      address,
      shiftUs,
      row: rows.rowOfSpan[span]!,
    })),
    duration: durations.duration,
    innerDuration: durations.innerDuration,
    tickStart,
    self: selfTimes(timed),
    parent: rows.parent,
    size: rows.size,
    depth: rows.depth,
    posInSet: rows.posInSet,
    setSize: rows.setSize,
    errorsBelow: errorsBelow(rows, facts.flags),
    ...facts,
    critical: criticalPath(timed),
  };
  return { layout, rows };
}

interface Durations {
  duration: Float64Array;
  innerDuration: Float64Array;
}

function rowDurations(spans: readonly CleanSpan[], rows: Rows): Durations {
  const duration = new Float64Array(rows.count).fill(Number.NaN);
  const innerDuration = new Float64Array(rows.count).fill(Number.NaN);
  for (let row = 0; row < rows.count; row++) {
    const main = spans[rows.main[row]!];
    const inner = spans[rows.inner[row]!];
    duration[row] = main?.duration || inner?.duration || Number.NaN;
    if (inner?.duration) innerDuration[row] = inner.duration;
  }
  return { duration, innerDuration };
}

function readTimes(
  spans: readonly CleanSpan[],
  rows: Rows,
  durations: Durations,
  tickStart: Int32Array,
  shift: Float64Array,
): Times {
  const start = new Float64Array(rows.count).fill(Number.NaN);
  const innerStart = new Float64Array(rows.count).fill(Number.NaN);
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  const widen = (from: number, duration: number) => {
    if (from < first) first = from;
    const to = duration > 0 ? from + duration : from;
    if (to > last) last = to;
  };
  for (let row = 0; row < rows.count; row++) {
    const main = rows.main[row]!;
    const inner = rows.inner[row]!;
    if (main === NO_SPAN) continue;
    const mainStart = spans[main]!.timestamp ? spans[main]!.timestamp + shift[main]! : Number.NaN;
    const half = inner !== NO_SPAN && spans[inner]!.timestamp ? spans[inner]!.timestamp + shift[inner]! : Number.NaN;
    start[row] = Number.isNaN(mainStart) ? half : mainStart;
    if (Number.isNaN(start[row]!)) continue;
    widen(start[row]!, durations.duration[row]!);
    if (Number.isNaN(mainStart) || Number.isNaN(half)) continue;
    innerStart[row] = half;
    widen(half, durations.innerDuration[row]!);
  }
  const known = first <= last;
  const originUs = known ? first : 0;
  for (let row = 0; row < rows.count; row++) {
    start[row]! -= originUs;
    innerStart[row]! -= originUs;
  }
  if (known && rows.count > 0 && rows.main[0] === NO_SPAN) start[0] = 0;
  const durationUs = known ? last - first : Math.max(0, ...durations.duration.filter((d) => d > 0).slice(0, 1));
  return { originUs, durationUs, start, innerStart, ticks: readTicks(spans, rows, tickStart, shift, originUs) };
}

function tickStarts(spans: readonly CleanSpan[], rows: Rows): Int32Array {
  const result = new Int32Array(rows.count + 1);
  for (let row = 0; row < rows.count; row++) {
    const main = spans[rows.main[row]!]?.annotations.length ?? 0;
    const inner = spans[rows.inner[row]!]?.annotations.length ?? 0;
    result[row + 1] = result[row]! + Math.min(main + inner, TICKS_PER_ROW_MAX);
  }
  return result;
}

function readTicks(
  spans: readonly CleanSpan[],
  rows: Rows,
  tickStart: Int32Array,
  shift: Float64Array,
  originUs: number,
): Float64Array {
  const ticks = new Float64Array(tickStart[rows.count]!);
  for (let row = 0; row < rows.count; row++) {
    let at = tickStart[row]!;
    const end = tickStart[row + 1]!;
    if (at === end) continue;
    for (const i of [rows.main[row]!, rows.inner[row]!]) {
      for (const annotation of spans[i]?.annotations ?? []) {
        if (at === end) break;
        ticks[at++] = annotation.timestamp + shift[i]! - originUs;
      }
    }
  }
  return ticks;
}

interface Facts {
  kind: Uint8Array;
  flags: Int32Array;
  service: Int32Array;
  operation: Int32Array;
  services: string[];
  operations: string[];
  ids: string;
}

function rowFacts(trace: Trace, rows: Rows): Facts {
  const { spans, tree } = trace;
  const services = new Dictionary();
  const operations = new Dictionary();
  const kind = new Uint8Array(rows.count);
  const flags = new Int32Array(rows.count);
  const service = new Int32Array(rows.count);
  const operation = new Int32Array(rows.count);
  const ids: string[] = new Array(rows.count);
  const halves = splitHalves(rows, spans);
  const seen = new Set<string>();
  for (let row = 0; row < rows.count; row++) {
    const main = spans[rows.main[row]!];
    const inner = spans[rows.inner[row]!];
    if (!main) {
      flags[row] = FLAG_VIRTUAL;
      service[row] = services.codeOf('');
      operation[row] = operations.codeOf('');
      ids[row] = '0'.repeat(16);
      continue;
    }
    kind[row] = kindOf(main.kind, inner?.kind);
    service[row] = services.codeOf(serviceOf(main, inner, rows.size[row] === 1));
    operation[row] = operations.codeOf(inner?.name || main.name);
    ids[row] = main.id;
    const half = halves[row]!;
    let flag =
      half | spanFlags(main) | (inner ? spanFlags(inner) | FLAG_HALVES : 0) | MARK_FLAGS[tree.mark[rows.main[row]!]!]!;
    if (trace.skew.shift[rows.main[row]!] !== 0 || (inner && trace.skew.shift[rows.inner[row]!] !== 0))
      flag |= FLAG_SKEWED;
    const key = half === 0 ? main.id : `${main.id}${half}`;
    if (seen.has(key)) flag |= FLAG_REPEATED;
    else seen.add(key);
    flags[row] = flag;
  }
  return { kind, flags, service, operation, services: services.words, operations: operations.words, ids: ids.join('') };
}

const MARK_FLAGS: readonly number[] = (() => {
  const result = [0, 0, 0, 0];
  result[ORPHAN] = FLAG_ORPHAN;
  result[CYCLE] = FLAG_CYCLE;
  result[EXTRA_ROOT] = FLAG_EXTRA_ROOT;
  return result;
})();

/** With halves apart, both rows of a call are told apart by a flag. */
function splitHalves(rows: Rows, spans: readonly CleanSpan[]): Int32Array {
  const result = new Int32Array(rows.count);
  for (let row = 0; row < rows.count; row++) {
    const parent = rows.parent[row]!;
    const span = spans[rows.main[row]!];
    if (parent < 0 || !span?.shared) continue;
    if (spans[rows.main[parent]!]?.id !== span.id) continue;
    result[row] = FLAG_SERVER_HALF;
    if (rows.inner[parent] === NO_SPAN) result[parent] = FLAG_CLIENT_HALF;
  }
  return result;
}

function spanFlags(span: CleanSpan): number {
  let flags = span.debug ? FLAG_DEBUG : 0;
  if (Object.hasOwn(span.tags, 'error')) flags |= FLAG_ERROR;
  else if (span.annotations.some((a) => a.value === 'error')) flags |= FLAG_WARNING;
  return flags;
}

const KINDS: Readonly<Record<SpanKind, number>> = {
  CLIENT: KIND_CLIENT,
  SERVER: KIND_SERVER,
  PRODUCER: KIND_PRODUCER,
  CONSUMER: KIND_CONSUMER,
};

function kindOf(main: SpanKind | undefined, inner: SpanKind | undefined): number {
  const own = main ? KINDS[main] : KIND_NONE;
  if (!inner) return own;
  return inner === 'CONSUMER' || own === KIND_PRODUCER ? KIND_MESSAGE : KIND_RPC;
}

/** The server's name wins; the last client of a branch stands for the service it called. */
function serviceOf(main: CleanSpan, inner: CleanSpan | undefined, leaf: boolean): string {
  const own = inner?.local?.serviceName || main.local?.serviceName || '';
  if (!inner && leaf && main.kind === 'CLIENT') return main.remote?.serviceName || own;
  return own || main.remote?.serviceName || '';
}

function markAsync(rows: Rows, start: Float64Array, duration: Float64Array, facts: Facts): void {
  for (let row = 0; row < rows.count; row++) {
    const parent = rows.parent[row]!;
    if (parent < 0 || rows.main[parent] === NO_SPAN) continue;
    const afterParent = start[row]! >= start[parent]! + duration[parent]! && duration[parent]! > 0;
    if (facts.kind[row] === KIND_CONSUMER || afterParent) facts.flags[row]! |= FLAG_ASYNC;
  }
}

function errorsBelow(rows: Rows, flags: Int32Array): Int32Array {
  const result = new Int32Array(rows.count);
  for (let row = rows.count - 1; row > 0; row--) {
    const parent = rows.parent[row]!;
    if (parent >= 0) result[parent]! += result[row]! + (flags[row]! & FLAG_ERROR ? 1 : 0);
  }
  return result;
}

/** Numbers for words, in order of first appearance. */
class Dictionary {
  readonly words: string[] = [];
  private readonly codes = new Map<string, number>();

  codeOf(word: string): number {
    let code = this.codes.get(word);
    if (code === undefined) {
      code = this.words.length;
      this.codes.set(word, code);
      this.words.push(word);
    }
    return code;
  }
}
