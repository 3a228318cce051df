import { useCallback, useEffect, useState } from 'react';
import type { Progress } from '../api/client';
import { type OpenTrace, openTraces, type TraceSource } from './openTraces';

export type TraceState =
  | { readonly status: 'loading'; readonly progress: Progress | undefined; readonly cancel: () => void }
  | { readonly status: 'cancelled' }
  | { readonly status: 'failed'; readonly error: unknown }
  | { readonly status: 'ready'; readonly trace: OpenTrace };

/**
 * Opens a trace in the worker. `reload` asks the server again, also for a trace that is held; with `bytesMax` it takes
 * a larger answer than before.
 */
export function useOpenTrace(
  traceId: string,
  source: TraceSource,
  bytesMax: number,
): { state: TraceState; reload: (bytesMax?: number) => void } {
  const [attempt, setAttempt] = useState({ traceId, source, bytesMax, number: 0 });
  // Another trace in the same page starts afresh.
  if (attempt.traceId !== traceId || attempt.source !== source) setAttempt({ traceId, source, bytesMax, number: 0 });
  const [state, setState] = useState<{ attempt: typeof attempt; state: TraceState }>();

  useEffect(() => {
    const held = attempt.number === 0 ? openTraces.peek(attempt.traceId, attempt.source) : undefined;
    const show = (next: TraceState) => setState({ attempt, state: next });
    if (held) {
      show({ status: 'ready', trace: held });
      return;
    }
    const abort = new AbortController();
    const cancel = () => {
      abort.abort();
      show({ status: 'cancelled' });
    };
    show({ status: 'loading', progress: undefined, cancel });
    openTraces
      .open(attempt.traceId, attempt.source, attempt.bytesMax, {
        signal: abort.signal,
        onProgress: (progress) => show({ status: 'loading', progress, cancel }),
      })
      .then(
        (trace) => show({ status: 'ready', trace }),
        (error: unknown) => {
          if (!abort.signal.aborted) show({ status: 'failed', error });
        },
      );
    return () => abort.abort();
  }, [attempt]);

  const reload = useCallback(
    (larger?: number) =>
      setAttempt((last) => ({ ...last, bytesMax: larger ?? last.bytesMax, number: last.number + 1 })),
    [],
  );
  const shown =
    state?.attempt.traceId === traceId && state.attempt.source === source
      ? state.state
      : ({ status: 'loading', progress: undefined, cancel: () => undefined } as const);
  return { state: shown, reload };
}
