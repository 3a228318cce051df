/** Sums over the rows of a trace: per service, per operation, or per value of a tag. */
import type { CleanSpan } from './clean';
import { FLAG_ERROR, FLAG_VIRTUAL, type Layout } from './layout';
import { NO_SPAN, type Rows } from './rows';

/** `tag:` is followed by the key. */
export type StatsBy = 'service' | 'operation' | `tag:${string}`;

export interface StatsGroup {
  service: string;
  /** The operation or the tag's value; undefined when grouped by service. */
  name: string | undefined;
  count: number;
  errors: number;
  totalUs: number;
  selfUs: number;
  /** Microseconds on the critical path. */
  criticalUs: number;
  averageUs: number;
  p50Us: number;
  p95Us: number;
  maxUs: number;
}

export interface Stats {
  groups: StatsGroup[];
  /** Groups beyond the limit, which are left out: those with the least self time. */
  leftOut: number;
}

/** More groups than this cannot be read; a tag with a value per span would make as many. */
export const GROUPS_MAX = 1_000;

interface Gathered extends Omit<StatsGroup, 'averageUs' | 'p50Us' | 'p95Us' | 'maxUs'> {
  durations: number[];
}

export function statistics(by: StatsBy, spans: readonly CleanSpan[], rows: Rows, layout: Layout): Stats {
  const groups = new Map<string, Gathered>();
  for (let row = 0; row < layout.rowCount; row++) {
    if (layout.flags[row]! & FLAG_VIRTUAL) continue;
    const service = layout.services[layout.service[row]!]!;
    const name = nameOf(by, row, spans, rows, layout);
    if (name === null) continue;
    const key = by === 'service' ? service : by === 'operation' ? `${service}\n${name}` : `${name}`;
    let group = groups.get(key);
    if (!group) {
      group = {
        service: by.startsWith('tag:') ? '' : service,
        name,
        count: 0,
        errors: 0,
        totalUs: 0,
        selfUs: 0,
        criticalUs: 0,
        durations: [],
      };
      groups.set(key, group);
    }
    add(group, row, layout);
  }
  const all = [...groups.values()].sort((a, b) => b.selfUs - a.selfUs);
  return { groups: all.slice(0, GROUPS_MAX).map(finish), leftOut: Math.max(0, all.length - GROUPS_MAX) };
}

/** Null leaves the row out: it does not carry the tag. */
function nameOf(
  by: StatsBy,
  row: number,
  spans: readonly CleanSpan[],
  rows: Rows,
  layout: Layout,
): string | undefined | null {
  if (by === 'service') return undefined;
  if (by === 'operation') return layout.operations[layout.operation[row]!]!;
  return tagOf(by.slice('tag:'.length), row, spans, rows) ?? null;
}

/** A tag of a row: the server half's, else the client half's. */
export function tagOf(key: string, row: number, spans: readonly CleanSpan[], rows: Rows): string | undefined {
  for (const half of [rows.inner[row]!, rows.main[row]!]) {
    if (half === NO_SPAN) continue;
    const tags = spans[half]!.tags;
    if (Object.hasOwn(tags, key)) return tags[key];
  }
  return undefined;
}

function add(group: Gathered, row: number, layout: Layout): void {
  group.count++;
  if (layout.flags[row]! & FLAG_ERROR) group.errors++;
  group.criticalUs += layout.critical.share[row]!;
  const duration = layout.duration[row]!;
  if (Number.isNaN(duration)) return;
  group.durations.push(duration);
  group.totalUs += duration;
  group.selfUs += layout.self[row]!;
}

function finish({ durations, ...group }: Gathered): StatsGroup {
  const sorted = Float64Array.from(durations).sort();
  return {
    ...group,
    averageUs: sorted.length === 0 ? Number.NaN : group.totalUs / sorted.length,
    p50Us: percentile(sorted, 0.5),
    p95Us: percentile(sorted, 0.95),
    maxUs: sorted.at(-1) ?? Number.NaN,
  };
}

/** The smallest value that at least a share `q` of all does not exceed. */
export function percentile(sorted: Float64Array, q: number): number {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

/** Tag keys of the trace with the number of rows that carry them, most frequent first. */
export function tagKeys(spans: readonly CleanSpan[]): { key: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const span of spans) {
    for (const key in span.tags) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts]
    .map(([key, count]) => ({ key, count }))
    .sort((a, b) => b.count - a.count || (a.key < b.key ? -1 : 1))
    .slice(0, GROUPS_MAX);
}
