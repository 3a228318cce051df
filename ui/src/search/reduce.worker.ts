import type { JsonSpan } from '../model/types';
import { summarise, type TraceSummary } from './summary';

/** Reduces the answer of `GET /traces` away from the page: one huge trace in the window must not stop the list. */
export type ReduceAnswer = { readonly summaries: TraceSummary[] } | { readonly failure: string };

self.addEventListener('message', ({ data }: MessageEvent<Uint8Array>) => {
  self.postMessage(reduce(data));
});

function reduce(bytes: Uint8Array): ReduceAnswer {
  try {
    const traces: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (!Array.isArray(traces) || !traces.every(Array.isArray)) return { failure: 'not a list of traces' };
    return { summaries: summarise(traces as JsonSpan[][]) };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}
