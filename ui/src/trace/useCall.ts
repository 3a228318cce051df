import { useEffect, useState } from 'react';
import type { Calls, Method, OnTrace } from '../worker/protocol';
import type { OpenTrace } from './openTraces';

type TraceMethod = Exclude<Method, 'open' | 'close' | 'layOut'>;

export interface Answer<T> {
  /** The last answer; while `current` is false it belongs to an earlier question. */
  readonly value: T | undefined;
  readonly current: boolean;
}

/** Asks the worker whenever the question changes. The old answer stays until the new one is here. */
export function useCall<M extends TraceMethod>(
  trace: OpenTrace,
  method: M,
  split: boolean,
  params: Omit<Calls[M]['params'], keyof OnTrace> | undefined,
): Answer<Calls[M]['result']> {
  const question = params && `${trace.handle} ${method} ${split} ${JSON.stringify(params)}`;
  const [answer, setAnswer] = useState<{
    question: string;
    handle: number;
    value?: Calls[M]['result'];
    error?: unknown;
  }>();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the question stands for the parameters
  useEffect(() => {
    if (question === undefined || params === undefined) return;
    const abort = new AbortController();
    trace.call(method, split, params, abort.signal).then(
      (value) => setAnswer({ question, handle: trace.handle, value }),
      (error: unknown) => {
        if (!abort.signal.aborted) setAnswer({ question, handle: trace.handle, error });
      },
    );
    return () => abort.abort();
  }, [trace, question]);
  const known = answer?.handle === trace.handle ? answer : undefined;
  const current = known?.question === question;
  // The worker answers every question about a trace it holds: a failure is a fault, which the page's frame shows.
  if (current && known?.error !== undefined) throw known.error;
  return { value: known?.value, current };
}
