import { useRouter } from '@tanstack/react-router';
import { useCallback, useMemo, useRef, useSyncExternalStore } from 'react';
import { parseRaw, type RawSearch } from './raw';

export interface RawAddress {
  /** As of this drawing of the page. */
  readonly raw: RawSearch;
  /** As of now: what a change of the address starts from. */
  readonly now: () => RawSearch;
}

/**
 * The parameters of a page's address, taken from the history itself: the router shows a change only once it has loaded
 * for it, and until then a second change would undo the first, and a box would lose what is typed. When the address
 * becomes that of another page the last one of this page stays.
 */
export function useRawAddress(): RawAddress {
  const { history } = useRouter();
  const own = useRef({ pathname: history.location.pathname, search: history.location.search });
  const read = useCallback(() => {
    if (history.location.pathname === own.current.pathname) own.current.search = history.location.search;
    return own.current.search;
  }, [history]);
  const text = useSyncExternalStore(history.subscribe, read);
  return { raw: useMemo(() => parseRaw(text), [text]), now: useCallback(() => parseRaw(read()), [read]) };
}
