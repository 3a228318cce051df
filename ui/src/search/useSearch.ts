import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch as useRawSearch } from '@tanstack/react-router';
import { useEffect, useMemo } from 'react';
import type { RawSearch } from '../address/raw';
import { asksForSearch, formatSearch, parseSearch, type SearchAddress } from '../address/search';
import { useConfig } from '../api/config';
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
  readonly run: (search: SearchAddress) => void;
}

/** The search page's state, which is its address. */
export function useSearchState(): SearchState {
  const raw = useRawSearch({ strict: false }) as RawSearch;
  const navigate = useNavigate();
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
    show: (change) =>
      void navigate({ to: '/', search: formatSearch({ ...search, ...change } as SearchAddress), replace: true }),
    run: (next) => {
      const lookback = endingAt(next.lookback ?? defaultLookback(config), Date.now());
      const { brush: _, ...rest } = next;
      void navigate({ to: '/', search: formatSearch({ ...rest, services: [], errorsOnly: false, lookback }) });
    },
  };
}
