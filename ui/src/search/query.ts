import { queryOptions } from '@tanstack/react-query';
import { serverUrl } from '../api/base';
import { RequestError, requestBytes } from '../api/client';
import { uiSettings } from '../api/extensions';
import { forgetProgress, reportProgress } from '../api/progress';
import { startWorker } from '../api/worker';
import type { ReduceAnswer } from './reduce.worker';
import workerUrl from './reduce.worker?worker&url';
import type { SearchRequest } from './request';
import type { TraceSummary } from './summary';

export const searchProgress = 'search';

/** The traces of a search, without their spans. The server that can summarise does; else a worker reduces them here. */
export function summariesQuery(request: SearchRequest | undefined) {
  return queryOptions({
    queryKey: ['search', request],
    queryFn: ({ signal }) => search(request, signal),
    enabled: request !== undefined,
  });
}

async function search(request: SearchRequest | undefined, signal: AbortSignal): Promise<TraceSummary[]> {
  if (!request) return [];
  forgetProgress(searchProgress);
  const url = serverUrl(['api', 'v2', 'traces'], { ...request });
  const bytes = await requestBytes(url, { signal, onProgress: (progress) => reportProgress(searchProgress, progress) });
  const answer = await reduce(bytes, signal);
  if ('failure' in answer) throw new RequestError('format', url.href, 200, answer.failure);
  return answer.summaries;
}

export const serverSummarises = () => uiSettings().extensions.has('summaries');

function reduce(bytes: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<ReduceAnswer> {
  const worker = startWorker(workerUrl);
  return new Promise<ReduceAnswer>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
    worker.onmessage = ({ data }: MessageEvent<ReduceAnswer>) => resolve(data);
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(bytes, [bytes.buffer]);
  }).finally(() => worker.terminate());
}
