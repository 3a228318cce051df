import { startWorker } from '../api/worker';
import type { OpenAnswer, OpenFailure } from './open.worker';
import workerUrl from './open.worker?worker&url';
import { keepLocalTraces, type LocalTrace } from './store';

export interface OpenedFile {
  readonly name: string;
  readonly size: number;
  /** Trace ids, in the order of the file; absent when it could not be read. */
  readonly traceIds?: readonly string[];
  readonly failure?: OpenFailure;
}

/** Reads a file in a worker and keeps its traces in this browser. */
export async function openFile(file: File, signal: AbortSignal): Promise<OpenedFile & { readonly kept: boolean }> {
  const answer = await readFile(file, signal);
  const facts = { name: file.name, size: file.size };
  if ('failure' in answer) return { ...facts, failure: answer.failure, kept: true };
  const openedMs = Date.now();
  const traces = answer.traces.map(
    ({ summary, json }): LocalTrace => ({ traceId: summary.traceId, fileName: file.name, openedMs, summary, json }),
  );
  const kept = await keepLocalTraces(traces);
  return { ...facts, traceIds: traces.map(({ traceId }) => traceId), kept };
}

function readFile(file: File, signal: AbortSignal): Promise<OpenAnswer> {
  const worker = startWorker(workerUrl);
  return new Promise<OpenAnswer>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
    worker.onmessage = ({ data }: MessageEvent<OpenAnswer>) => resolve(data);
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(file);
  }).finally(() => worker.terminate());
}
