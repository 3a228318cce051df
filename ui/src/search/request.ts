import { formatAnnotationQuery } from '../address/annotations';
import { parseDuration } from '../address/duration';
import { isLookbackStep, type Lookback, lookbackSteps, type Order, type SearchAddress } from '../address/search';
import type { ServerConfig } from '../api/config';

export const limitMax = 10_000;

/** The parameters of `GET /traces`, checked. */
export interface SearchRequest {
  readonly serviceName?: string;
  readonly remoteServiceName?: string;
  readonly spanName?: string;
  readonly annotationQuery?: string;
  readonly minDuration?: number;
  readonly maxDuration?: number;
  readonly endTs: number;
  readonly lookback: number;
  readonly limit: number;
  /** What comes first, for servers with summaries. */
  readonly order?: Order;
}

/** A part of a search that cannot be sent as it is. */
export type Problem = 'minDuration' | 'maxDuration' | 'durationOrder' | 'limit';

export function problemsOf(search: SearchAddress): Problem[] {
  const problems: Problem[] = [];
  const min = search.minDuration === undefined ? undefined : parseDuration(search.minDuration);
  const max = search.maxDuration === undefined ? undefined : parseDuration(search.maxDuration);
  if (search.minDuration !== undefined && min === undefined) problems.push('minDuration');
  if (search.maxDuration !== undefined && max === undefined) problems.push('maxDuration');
  if (min !== undefined && max !== undefined && max < min) problems.push('durationOrder');
  if (search.limit !== undefined && parseLimit(search.limit) === undefined) problems.push('limit');
  return problems;
}

export function parseLimit(text: string): number | undefined {
  if (!/^\d{1,6}$/.test(text)) return undefined;
  const limit = Number(text);
  return limit >= 1 && limit <= limitMax ? limit : undefined;
}

/** Length of the window in ms. */
export function lookbackMs(lookback: Lookback): number {
  if (lookback.kind === 'step') return lookbackSteps[lookback.step];
  return lookback.kind === 'millis' ? lookback.millis : lookback.endTs - lookback.startTs;
}

/** The operator's default window: a fixed step when it is one. */
export function defaultLookback(config: ServerConfig): Lookback {
  const step = Object.entries(lookbackSteps).find(([, ms]) => ms === config.defaultLookbackMs)?.[0];
  return step !== undefined && isLookbackStep(step)
    ? { kind: 'step', step }
    : { kind: 'millis', millis: config.defaultLookbackMs };
}

/** The window with its end at `nowMs`; a range keeps its own. */
export function endingAt(lookback: Lookback, nowMs: number): Lookback {
  return lookback.kind === 'range' ? lookback : { ...lookback, endTs: nowMs };
}

/** Without its end a window means "until now": what saved searches keep. */
export function relative(lookback: Lookback): Lookback {
  if (lookback.kind === 'step') return { kind: 'step', step: lookback.step };
  return lookback.kind === 'millis' ? { kind: 'millis', millis: lookback.millis } : lookback;
}

/** What is sent for an address that was run; undefined when it was not, or cannot be sent. */
export function toRequest(search: SearchAddress, config: ServerConfig): SearchRequest | undefined {
  const endTs = search.lookback?.endTs;
  if (search.lookback === undefined || endTs === undefined || problemsOf(search).length > 0) return undefined;
  const max = search.maxDuration === undefined ? undefined : parseDuration(search.maxDuration);
  // The server takes no maximum without a minimum.
  const min =
    search.minDuration === undefined ? (max === undefined ? undefined : 1) : parseDuration(search.minDuration);
  const annotationQuery = formatAnnotationQuery(search.annotations);
  return {
    ...(search.serviceName !== undefined && { serviceName: search.serviceName }),
    ...(search.remoteServiceName !== undefined && { remoteServiceName: search.remoteServiceName }),
    ...(search.spanName !== undefined && { spanName: search.spanName }),
    ...(annotationQuery !== '' && { annotationQuery }),
    ...(min !== undefined && { minDuration: min }),
    ...(max !== undefined && { maxDuration: max }),
    endTs,
    lookback: lookbackMs(search.lookback),
    limit: parseLimit(search.limit ?? '') ?? config.queryLimit,
    ...(search.order && { order: search.order }),
  };
}
