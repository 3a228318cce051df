import type { JsonSpan } from '../model/types';

/** What the list shows of one service of a trace. */
export interface ServiceSummary {
  readonly name: string;
  readonly spanCount: number;
  readonly errorCount: number;
  readonly maxDurationUs: number;
  /** Share of the critical path, 0-1, when the server knows it. */
  readonly criticalShare?: number;
}

/** What the list shows of a trace: no spans. */
export interface TraceSummary {
  readonly traceId: string;
  readonly startUs: number;
  readonly durationUs: number;
  readonly spanCount: number;
  readonly errorCount: number;
  /** Absent when no root was received. */
  readonly root?: { readonly serviceName: string; readonly name: string };
  /** By number of spans, the most first. */
  readonly services: readonly ServiceSummary[];
}

/** Reads the answer of `GET /api/ext/v1/summaries`; undefined when it has another shape. */
export function parseSummaries(data: unknown): { traces: TraceSummary[]; more: boolean } | undefined {
  const { summaries, nextCursor } = (data ?? {}) as { summaries?: unknown; nextCursor?: unknown };
  if (!Array.isArray(summaries) || !(summaries as unknown[]).every(isSummary)) return undefined;
  return { traces: summaries as TraceSummary[], more: nextCursor !== undefined };
}

function isSummary(value: unknown): value is TraceSummary {
  const one = (value ?? {}) as Record<keyof TraceSummary, unknown>;
  const numbers = [one.startUs, one.durationUs, one.spanCount, one.errorCount];
  return (
    typeof one.traceId === 'string' &&
    numbers.every((number) => typeof number === 'number') &&
    (one.root === undefined || typeof one.root === 'object') &&
    Array.isArray(one.services) &&
    (one.services as unknown[]).every((service) => typeof (service as ServiceSummary | null)?.name === 'string')
  );
}

/** Reduces traces as `GET /traces` answers them. Traces without any time keep start 0. */
export function summarise(traces: readonly (readonly JsonSpan[])[]): TraceSummary[] {
  return traces.filter((spans) => spans.length > 0).map(summariseTrace);
}

interface MutableService {
  name: string;
  spanCount: number;
  errorCount: number;
  maxDurationUs: number;
}

function summariseTrace(spans: readonly JsonSpan[]): TraceSummary {
  let startUs = Number.POSITIVE_INFINITY;
  let endUs = 0;
  let errorCount = 0;
  let root: JsonSpan | undefined;
  const services = new Map<string, MutableService>();
  for (const span of spans) {
    const durationUs = span.duration ?? 0;
    const failed = span.tags !== undefined && Object.hasOwn(span.tags, 'error');
    if (span.timestamp !== undefined) {
      startUs = Math.min(startUs, span.timestamp);
      endUs = Math.max(endUs, span.timestamp + durationUs);
    }
    if (failed) errorCount += 1;
    if (isRoot(span) && (root === undefined || rootRank(span) < rootRank(root))) root = span;
    countService(services, span.localEndpoint?.serviceName, durationUs, failed);
  }
  const extentUs = startUs === Number.POSITIVE_INFINITY ? 0 : endUs - startUs;
  return {
    traceId: spans[0]?.traceId ?? '',
    startUs: startUs === Number.POSITIVE_INFINITY ? 0 : startUs,
    durationUs: root?.duration ?? extentUs,
    spanCount: spans.length,
    errorCount,
    ...(root && { root: { serviceName: root.localEndpoint?.serviceName ?? '', name: root.name ?? '' } }),
    services: [...services.values()].sort((a, b) => b.spanCount - a.spanCount || (a.name < b.name ? -1 : 1)),
  };
}

function isRoot(span: JsonSpan): boolean {
  return span.parentId === undefined || span.parentId === span.id;
}

/** Of several roots the one that starts first; the server's half names the root better than the client's. */
function rootRank(span: JsonSpan): number {
  return (span.timestamp ?? Number.MAX_SAFE_INTEGER) + (span.shared ? -0.5 : 0);
}

function countService(
  services: Map<string, MutableService>,
  name: string | undefined,
  durationUs: number,
  failed: boolean,
): void {
  if (name === undefined) return;
  const known = services.get(name) ?? { name, spanCount: 0, errorCount: 0, maxDurationUs: 0 };
  known.spanCount += 1;
  if (failed) known.errorCount += 1;
  known.maxDurationUs = Math.max(known.maxDurationUs, durationUs);
  services.set(name, known);
}
