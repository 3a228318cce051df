import { useLocation, useRouter } from '@tanstack/react-router';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { formatRaw, parseRaw } from '../address/raw';
import { formatTrace, parseTrace, type TraceAddress } from '../address/trace';
import { WriteBudget } from './writeBudget';

/** Parts to change; `undefined` takes an optional part away. */
export type AddressChange = { readonly [K in keyof TraceAddress]?: TraceAddress[K] | undefined };
export type UpdateAddress = (change: AddressChange, history?: 'replace' | 'push') => void;

/** Together less than the 100 changes in 30 s that browsers allow. */
const WRITES_AT_ONCE = 15;
const WRITE_EVERY_MS = 400;

export function changed(address: TraceAddress, change: AddressChange): TraceAddress {
  const next = { ...address, ...change } as Record<string, unknown>;
  for (const name of Object.keys(change)) if (next[name] === undefined) delete next[name];
  return next as unknown as TraceAddress;
}

/**
 * The state of the page, kept here so that it changes at once, and written to the address: single choices now, a stream
 * of them a moment later. Back, Forward and links win over what is here.
 */
export function useTraceAddress(): { address: TraceAddress; update: UpdateAddress; flush: () => void } {
  const router = useRouter();
  const searchStr = useLocation({ select: (location) => location.searchStr });
  const [address, setAddress] = useState(() => parseTrace(parseRaw(searchStr)));
  const latest = useRef(address);
  // What was written and is not yet seen as the router's location, oldest first.
  const pending = useRef([searchStr]);
  const shown = useRef(searchStr);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const [budget] = useState(() => new WriteBudget(WRITES_AT_ONCE, WRITE_EVERY_MS, performance.now()));

  const write = useCallback(
    (replace: boolean) => {
      clearTimeout(timer.current);
      timer.current = undefined;
      const search = formatTrace(latest.current);
      const text = formatRaw(search);
      if (text === router.latestLocation.searchStr) return;
      // What is shown already comes with no change of the location that could take it off the list.
      if (text === shown.current) pending.current = [];
      else pending.current.push(text);
      budget.spend(performance.now());
      const { pathname } = router.latestLocation;
      void router.navigate({ to: pathname, search: search as never, replace, resetScroll: false });
    },
    [router, budget],
  );

  const update = useCallback<UpdateAddress>(
    (change, history = 'replace') => {
      // What was not yet written belongs to the entry that is left.
      if (history === 'push' && timer.current !== undefined) write(true);
      latest.current = changed(latest.current, change);
      setAddress(latest.current);
      if (history === 'push') {
        write(false);
        return;
      }
      const waitMs = budget.waitMs(performance.now());
      if (waitMs <= 0) write(true);
      else timer.current ??= setTimeout(() => write(true), waitMs);
    },
    [write, budget],
  );

  const flush = useCallback(() => {
    if (timer.current !== undefined) write(true);
  }, [write]);

  useEffect(() => {
    shown.current = searchStr;
    const seen = pending.current.lastIndexOf(searchStr);
    if (seen >= 0) {
      pending.current.splice(0, seen + 1);
      return;
    }
    pending.current = [];
    clearTimeout(timer.current);
    timer.current = undefined;
    latest.current = parseTrace(parseRaw(searchStr));
    setAddress(latest.current);
  }, [searchStr]);

  useEffect(() => {
    addEventListener('pagehide', flush);
    return () => {
      removeEventListener('pagehide', flush);
      clearTimeout(timer.current);
    };
  }, [flush]);

  return useMemo(() => ({ address, update, flush }), [address, update, flush]);
}
