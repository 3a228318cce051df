import type { Brush, SearchAddress, Sort } from '../address/search';
import type { TraceSummary } from './summary';

export interface ResultStats {
  readonly count: number;
  readonly errorCount: number;
  readonly p50Us: number;
  readonly p95Us: number;
}

export interface ResultGroup {
  readonly id: string;
  readonly name: string;
  readonly stats: ResultStats;
}

/** A line of the result list. */
export type ResultItem =
  | { readonly kind: 'group'; readonly key: string; readonly group: ResultGroup }
  | { readonly kind: 'trace'; readonly key: string; readonly trace: TraceSummary }
  | { readonly kind: 'services'; readonly key: string; readonly trace: TraceSummary };

/** The traces left by the filters that act on the results, not on the query. */
export function filterResults(
  traces: readonly TraceSummary[],
  { services, errorsOnly, brush }: Pick<SearchAddress, 'services' | 'errorsOnly' | 'brush'>,
): readonly TraceSummary[] {
  if (services.length === 0 && !errorsOnly && !brush) return traces;
  return traces.filter(
    (trace) =>
      (!errorsOnly || trace.errorCount > 0) &&
      (!brush || inBrush(trace, brush)) &&
      services.every((name) => trace.services.some((service) => service.name === name)),
  );
}

export function inBrush({ startUs, durationUs }: TraceSummary, brush: Brush): boolean {
  const startMs = startUs / 1000;
  return startMs >= brush.startMs && startMs <= brush.endMs && durationUs >= brush.minUs && durationUs <= brush.maxUs;
}

const measures: Readonly<Record<Sort['key'], (trace: TraceSummary) => number>> = {
  duration: (trace) => trace.durationUs,
  start: (trace) => trace.startUs,
  spans: (trace) => trace.spanCount,
  errors: (trace) => trace.errorCount,
};

/** Sorted copy; equal ones stand newest first. */
export function sortResults(traces: readonly TraceSummary[], sort: Sort): TraceSummary[] {
  const measure = measures[sort.key];
  const sign = sort.descending ? -1 : 1;
  return [...traces].sort((a, b) => sign * (measure(a) - measure(b)) || b.startUs - a.startUs);
}

export function statsOf(traces: readonly TraceSummary[]): ResultStats {
  const durations = traces.map((trace) => trace.durationUs).sort((a, b) => a - b);
  return {
    count: traces.length,
    errorCount: traces.reduce((count, trace) => count + (trace.errorCount > 0 ? 1 : 0), 0),
    p50Us: percentile(durations, 0.5),
    p95Us: percentile(durations, 0.95),
  };
}

/** Nearest rank: a value that did occur. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

/** What a trace is grouped by; the empty text is "no root". */
export function groupName(trace: TraceSummary, by: 'root' | 'service'): string {
  if (!trace.root) return '';
  return by === 'service' ? trace.root.serviceName : `${trace.root.serviceName} ${trace.root.name}`.trim();
}

/**
 * The lines of the list: groups (the largest first) with their traces unless closed, and the services of opened
 * traces. `closed` holds group ids, `opened` trace ids.
 */
export function resultItems(
  traces: readonly TraceSummary[],
  by: 'root' | 'service' | undefined,
  opened: ReadonlySet<string>,
  closed: ReadonlySet<string>,
): ResultItem[] {
  const items: ResultItem[] = [];
  const add = (trace: TraceSummary, prefix: string) => {
    items.push({ kind: 'trace', key: `${prefix}${trace.traceId}`, trace });
    if (opened.has(trace.traceId)) items.push({ kind: 'services', key: `${prefix}${trace.traceId} services`, trace });
  };
  if (by === undefined) {
    for (const trace of traces) add(trace, '');
    return items;
  }
  for (const [name, members] of groupResults(traces, by)) {
    const id = `group ${name}`;
    items.push({ kind: 'group', key: id, group: { id, name, stats: statsOf(members) } });
    if (!closed.has(id)) for (const trace of members) add(trace, `${id} `);
  }
  return items;
}

function groupResults(traces: readonly TraceSummary[], by: 'root' | 'service'): [string, TraceSummary[]][] {
  const groups = new Map<string, TraceSummary[]>();
  for (const trace of traces) {
    const name = groupName(trace, by);
    const members = groups.get(name);
    if (members) members.push(trace);
    else groups.set(name, [trace]);
  }
  return [...groups].sort((a, b) => b[1].length - a[1].length);
}
