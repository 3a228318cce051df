import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useRouter } from '@tanstack/react-router';
import { useEffect, useMemo, useRef } from 'react';
import { asksForSearch, formatSearch, parseSearch, type SearchAddress } from '../address/search';
import { useRawAddress } from '../address/useRaw';
import { configQuery, defaultConfig, useConfig } from '../api/config';
import { autocompleteKeysQuery } from '../api/names';
import { defaultLookback, endingAt, type SearchRequest, toRequest } from './request';

/** Changes of an address; undefined takes the part away. */
export type SearchChange = { readonly [K in keyof SearchAddress]?: SearchAddress[K] | undefined };

export interface SearchState {
  readonly search: SearchAddress;
  /** What the address asks the server for; undefined on the start screen, or while settings are awaited. */
  readonly request: SearchRequest | undefined;
  /** Changes how results are shown: takes the place of the address in the history. */
  readonly show: (change: SearchChange) => void;
  /** Runs a search: a new entry of the history, ending now unless it is a range. */
  readonly run: (search: SearchAddress) => unknown;
}

/** The search page's state, which is its address. */
export function useSearchState(): SearchState {
  const { raw, now } = useRawAddress();
  const client = useQueryClient();
  const navigate = useNavigate();
  const router = useRouter();
  const runs = useRef(0);
  const { config, ready } = useConfig();
  const keys = useQuery(autocompleteKeysQuery());
  const search = useMemo(() => parseSearch(raw, keys.data ?? []), [raw, keys.data]);
  // An address without an end, or without a window: both are filled in, so that it can be shared.
  const incomplete = asksForSearch(search) && search.lookback?.endTs === undefined;
  // A parameter that we do not know may be an autocomplete key: wait for the list rather than search twice.
  const settled = ready && (Object.keys(search.unknown).length === 0 || !keys.isPending);
  useEffect(() => {
    if (!incomplete || !ready) return;
    const lookback = endingAt(search.lookback ?? defaultLookback(config), Date.now());
    void navigate({ to: '/', search: formatSearch({ ...search, lookback }), replace: true });
  }, [incomplete, ready, search, config, navigate]);
  return {
    search,
    request: useMemo(() => (settled ? toRequest(search, config) : undefined), [settled, search, config]),
    show: (change) => {
      const next = { ...parseSearch(now(), keys.data ?? []), ...change } as SearchAddress;
      void navigate({ to: '/', search: formatSearch(next), replace: true });
    },
    run: async ({ brush: _, ...next }) => {
      // Not with defaults of our own while the operator's are on their way.
      runs.current += 1;
      const asked = { run: runs.current, href: router.latestLocation.href };
      const known = ready ? config : await client.ensureQueryData(configQuery).catch(() => defaultConfig);
      // Meanwhile a newer search was asked for, or the reader went elsewhere.
      if (asked.run !== runs.current || asked.href !== router.latestLocation.href) return;
      const lookback = endingAt(next.lookback ?? defaultLookback(known), Date.now());
      const limit = next.limit ?? String(known.queryLimit);
      await navigate({ to: '/', search: formatSearch({ ...next, limit, services: [], errorsOnly: false, lookback }) });
    },
  };
}
