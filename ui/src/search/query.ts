import { queryOptions } from '@tanstack/react-query';
import type { Order } from '../address/search';
import { serverUrl } from '../api/base';
import { type Progress, RequestError, requestBytes, requestJson } from '../api/client';
import { uiSettings } from '../api/extensions';
import { forgetProgress, reportProgress } from '../api/progress';
import { startWorker } from '../api/worker';
import type { ReduceAnswer } from './reduce.worker';
import workerUrl from './reduce.worker?worker&url';
import type { SearchRequest } from './request';
import { parseSummaries, type TraceSummary } from './summary';

export const searchProgress = 'search';

/** The traces of a search, without their spans. The server that can summarise does; else a worker reduces them here. */
export function summariesQuery(request: SearchRequest | undefined) {
  return queryOptions({
    queryKey: ['search', request],
    queryFn: ({ signal }) => search(request, signal),
    enabled: request !== undefined,
  });
}

/** What was found; `more` when further traces match. */
export interface Found {
  readonly traces: readonly TraceSummary[];
  readonly more: boolean;
}

async function search(request: SearchRequest | undefined, signal: AbortSignal): Promise<Found> {
  if (!request) return { traces: [], more: false };
  forgetProgress(searchProgress);
  const { order, ...parameters } = request;
  const options = { signal, onProgress: (progress: Progress) => reportProgress(searchProgress, progress) };
  if (serverSummarises()) {
    const sort = order && sortNames[order];
    const url = serverUrl(['api', 'ext', 'v1', 'summaries'], { ...parameters, ...(sort && { sort }) });
    const found = parseSummaries(await requestJson(url, options));
    if (!found) throw new RequestError('format', url.href, 200, 'not a list of summaries');
    return found;
  }
  const url = serverUrl(['api', 'v2', 'traces'], parameters);
  const answer = await reduce(await requestBytes(url, options), signal);
  if ('failure' in answer) throw new RequestError('format', url.href, 200, answer.failure);
  return { traces: answer.summaries, more: answer.summaries.length >= request.limit };
}

/** The orders as `GET /api/ext/v1/summaries` calls them. */
const sortNames: Readonly<Record<Order, string>> = { longest: 'longest', errors: 'mostErrors', spans: 'mostSpans' };

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
