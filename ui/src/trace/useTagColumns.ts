import { useEffect, useState } from 'react';
import type { TagColumn } from '../worker/protocol';
import type { TraceView } from './useTraceView';

/** The tags that the address wants as columns, asked of the worker one by one. */
export function useTagColumns({ trace, layout, address }: TraceView): ReadonlyMap<string, TagColumn> {
  const [state, setState] = useState<{ layout: typeof layout; columns: ReadonlyMap<string, TagColumn> }>({
    layout,
    columns: new Map(),
  });
  const known = state.layout === layout ? state.columns : NONE;
  useEffect(() => {
    const missing = address.columns.filter((key) => !known.has(key));
    if (missing.length === 0) return;
    const abort = new AbortController();
    for (const key of missing) {
      trace.call('tagColumn', layout.split, { key }, abort.signal).then(
        (column) =>
          setState((last) => ({
            layout,
            columns: new Map([...(last.layout === layout ? last.columns : NONE), [key, column]]),
          })),
        () => undefined,
      );
    }
    return () => abort.abort();
  }, [trace, layout, address.columns, known]);
  return known;
}

const NONE: ReadonlyMap<string, TagColumn> = new Map();
