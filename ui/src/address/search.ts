import { type AnnotationTerm, formatAnnotationQuery, parseAnnotationQuery } from './annotations';
import { all, first, integer, type RawSearch, unknownOf } from './raw';

/** The fixed steps of lens, in milliseconds. */
export const lookbackSteps = {
  '1m': 60_000,
  '5m': 300_000,
  '15m': 900_000,
  '30m': 1_800_000,
  '1h': 3_600_000,
  '2h': 7_200_000,
  '3h': 10_800_000,
  '6h': 21_600_000,
  '12h': 43_200_000,
  '1d': 86_400_000,
  '2d': 172_800_000,
  '7d': 604_800_000,
} as const;
export type LookbackStep = keyof typeof lookbackSteps;

/** The window that is searched. Without `endTs` the query has not been run with this window yet. */
export type Lookback =
  | { readonly kind: 'step'; readonly step: LookbackStep; readonly endTs?: number }
  | { readonly kind: 'range'; readonly startTs: number; readonly endTs: number }
  | { readonly kind: 'millis'; readonly millis: number; readonly endTs?: number };

export const orders = ['longest', 'errors', 'spans'] as const;
export type Order = (typeof orders)[number];

export const views = ['list', 'scatter', 'heatmap'] as const;
/** What is above the list: nothing, a point for each trace, or how many lie where. */
export type View = (typeof views)[number];

export type SortKey = 'duration' | 'start' | 'spans' | 'errors';
export interface Sort {
  readonly key: SortKey;
  readonly descending: boolean;
}

/** A rectangle of the scatter: epoch milliseconds and microseconds of duration. */
export interface Brush {
  readonly startMs: number;
  readonly endMs: number;
  readonly minUs: number;
  readonly maxUs: number;
}

export interface SearchAddress {
  readonly serviceName?: string;
  readonly remoteServiceName?: string;
  readonly spanName?: string;
  /** As typed: what cannot be read is marked at its chip rather than lost. */
  readonly minDuration?: string;
  readonly maxDuration?: string;
  readonly annotations: readonly AnnotationTerm[];
  /** As typed, 1-10,000. */
  readonly limit?: string;
  readonly lookback?: Lookback;
  /** Which traces are found first where more match than the limit; the newest when absent. Servers with summaries only. */
  readonly order?: Order;
  readonly view: View;
  readonly sort: Sort;
  /** Services that a shown trace must have: a filter of the results, not of the query. */
  readonly services: readonly string[];
  readonly errorsOnly: boolean;
  readonly brush?: Brush;
  readonly group?: 'root' | 'service';
  /** Parameters that are not ours: kept, shown as ignored, never sent. */
  readonly unknown: RawSearch;
}

export const defaultSort: Sort = { key: 'duration', descending: true };
export const emptySearch: SearchAddress = {
  annotations: [],
  view: 'list',
  sort: defaultSort,
  services: [],
  errorsOnly: false,
  unknown: {},
};

const names = ['serviceName', 'remoteServiceName', 'spanName', 'minDuration', 'maxDuration', 'limit'] as const;
const known = new Set<string>([
  ...names,
  ...['annotationQuery', 'lookback', 'startTs', 'endTs', 'millis', 'order', 'view', 'sort', 'svc', 'err', 'sel', 'g'],
]);

/**
 * Reads the search page's parameters. `autocompleteKeys` are taken into the annotation query, as lens does with keys
 * such as `?environment=stage`.
 */
export function parseSearch(raw: RawSearch, autocompleteKeys: readonly string[] = []): SearchAddress {
  const extra = autocompleteKeys.filter((key) => !known.has(key));
  const terms = parseAnnotationQuery(first(raw, 'annotationQuery') ?? '');
  for (const key of extra) {
    const value = first(raw, key);
    if (value !== undefined && !terms.some((term) => term.key === key)) terms.push({ key, value });
  }
  const texts: Partial<Record<(typeof names)[number], string>> = {};
  for (const name of names) {
    const value = first(raw, name)?.trim();
    if (value) texts[name] = value;
  }
  // Lens writes `all` where no span or service name was chosen.
  if (texts.spanName?.toLowerCase() === 'all') delete texts.spanName;
  const lookback = parseLookback(raw);
  const brush = parseBrush(first(raw, 'sel'));
  const order = orders.find((one) => one === first(raw, 'order'));
  const group = first(raw, 'g');
  return {
    ...texts,
    annotations: terms,
    ...(lookback && { lookback }),
    ...(order && { order }),
    view: views.find((one) => one === first(raw, 'view')) ?? 'list',
    sort: parseSort(first(raw, 'sort')),
    services: [...new Set(all(raw, 'svc').filter((name) => name !== ''))],
    errorsOnly: first(raw, 'err') === '1',
    ...(brush && { brush }),
    ...((group === 'root' || group === 'service') && { group }),
    unknown: unknownOf(raw, new Set([...known, ...extra])),
  };
}

/** The parameters of an address: what is at its default is left out, what is unknown comes last. */
export function formatSearch(search: SearchAddress): Record<string, string | readonly string[]> {
  const raw: Record<string, string | readonly string[]> = Object.create(null);
  for (const name of names) {
    const value = search[name];
    if (value !== undefined && value !== '') raw[name] = value;
  }
  if (search.annotations.length > 0) raw.annotationQuery = formatAnnotationQuery(search.annotations);
  if (search.lookback) Object.assign(raw, formatLookback(search.lookback));
  if (search.order) raw.order = search.order;
  if (search.view !== 'list') raw.view = search.view;
  const { key, descending } = search.sort;
  if (key !== defaultSort.key || descending !== defaultSort.descending) raw.sort = `${descending ? '-' : ''}${key}`;
  if (search.services.length > 0) raw.svc = search.services;
  if (search.errorsOnly) raw.err = '1';
  if (search.brush) raw.sel = formatBrush(search.brush);
  if (search.group) raw.g = search.group;
  return Object.assign(raw, search.unknown);
}

/** Whether the address asks for a search: without `lookback` and `limit` the start screen is shown. */
export function asksForSearch(search: SearchAddress): boolean {
  return search.lookback !== undefined || search.limit !== undefined;
}

export function isLookbackStep(text: string): text is LookbackStep {
  return Object.hasOwn(lookbackSteps, text);
}

function parseLookback(raw: RawSearch): Lookback | undefined {
  const kind = first(raw, 'lookback');
  const endTs = positive(integer(first(raw, 'endTs')));
  if (kind === undefined) return undefined;
  if (isLookbackStep(kind)) return { kind: 'step', step: kind, ...(endTs !== undefined && { endTs }) };
  if (kind === 'range') {
    const startTs = positive(integer(first(raw, 'startTs')));
    if (startTs === undefined || endTs === undefined || startTs >= endTs) return undefined;
    return { kind, startTs, endTs };
  }
  if (kind === 'millis') {
    const millis = positive(integer(first(raw, 'millis')));
    return millis === undefined ? undefined : { kind, millis, ...(endTs !== undefined && { endTs }) };
  }
  return undefined;
}

function formatLookback(lookback: Lookback): Record<string, string> {
  const end: Record<string, string> = lookback.endTs === undefined ? {} : { endTs: String(lookback.endTs) };
  if (lookback.kind === 'step') return { lookback: lookback.step, ...end };
  if (lookback.kind === 'range') return { lookback: 'range', startTs: String(lookback.startTs), ...end };
  return { lookback: 'millis', millis: String(lookback.millis), ...end };
}

function positive(value: number | undefined): number | undefined {
  return value !== undefined && value > 0 ? value : undefined;
}

function parseSort(text: string | undefined): Sort {
  const match = /^(-?)(duration|start|spans|errors)$/.exec(text ?? '');
  return match ? { key: match[2] as SortKey, descending: match[1] === '-' } : defaultSort;
}

function parseBrush(text: string | undefined): Brush | undefined {
  const match = /^(\d{1,15})-(\d{1,15}),(\d{1,15})-(\d{1,15})$/.exec(text ?? '');
  if (!match) return undefined;
  const [startMs = 0, endMs = 0, minUs = 0, maxUs = 0] = match.slice(1).map(Number);
  return startMs <= endMs && minUs <= maxUs ? { startMs, endMs, minUs, maxUs } : undefined;
}

function formatBrush({ startMs, endMs, minUs, maxUs }: Brush): string {
  return `${startMs}-${endMs},${minUs}-${maxUs}`;
}
