/** The search as it is edited, before it is run. */
import type { SearchAddress } from '../address/search';
import { relative } from './request';

/** What is asked of the server; how the answer is shown is no part of it, nor when a window ends that ends now. */
function question(search: SearchAddress): Pick<SearchAddress, (typeof asked)[number]> {
  const parts: Record<string, unknown> = {};
  for (const name of asked) if (search[name] !== undefined) parts[name] = search[name];
  return parts as unknown as Pick<SearchAddress, (typeof asked)[number]>;
}

const asked = [
  'serviceName',
  'remoteServiceName',
  'spanName',
  'minDuration',
  'maxDuration',
  'limit',
  'annotations',
  'order',
  'lookback',
] as const satisfies readonly (keyof SearchAddress)[];

const text = (search: SearchAddress) =>
  JSON.stringify(question({ ...search, ...(search.lookback && { lookback: relative(search.lookback) }) }));

export function asksTheSame(a: SearchAddress, b: SearchAddress): boolean {
  return text(a) === text(b);
}

/**
 * The draft once the address has changed from `shown` to `next`. Another search takes its place; one that is only shown
 * in another way, or that was completed by a default, leaves what is being edited as it is.
 */
export function nextDraft(draft: SearchAddress, shown: SearchAddress, next: SearchAddress): SearchAddress {
  const { lookback: _, ...before } = shown;
  const completed = { ...before, ...(next.lookback && { lookback: next.lookback }) };
  const same = asksTheSame(shown, next) || (shown.lookback === undefined && asksTheSame(completed, next));
  if (!same || asksTheSame(draft, shown)) return next;
  const rest: Record<string, unknown> = { ...next };
  for (const name of asked) delete rest[name];
  return { ...(rest as unknown as SearchAddress), ...question(draft) };
}
