/** Why a request has no answer that can be shown. */
export type FailureKind = 'status' | 'network' | 'timeout' | 'format' | 'size';

/** A failed request, with what a person needs to report it. */
export class RequestError extends Error {
  readonly kind: FailureKind;
  readonly url: string;
  /** 0 when there was no answer. */
  readonly status: number;
  /** The reason the server gave, or what was wrong with its answer; cut to `reasonMax` characters. */
  readonly reason: string;

  constructor(kind: FailureKind, url: string, status: number, reason: string) {
    super(`${kind} ${status} ${url}: ${reason}`);
    this.name = 'RequestError';
    this.kind = kind;
    this.url = url;
    this.status = status;
    this.reason = reason.slice(0, reasonMax);
  }
}

const reasonMax = 2_000;
/** The server ends its queries after 11 s by default; twice that, and we stop waiting for the first byte. */
export const answerTimeoutMs = 30_000;

export interface Progress {
  readonly receivedBytes: number;
  /** Absent when the answer is compressed or has no length. */
  readonly totalBytes?: number;
}

export interface RequestOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** Asked when the length is known, before the body is read: false gives up with a failure of kind `size`. */
  readonly acceptBytes?: (totalBytes: number) => boolean;
}

/** Reads a whole body, telling the progress. */
export async function requestBytes(url: URL, options: RequestOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
  const response = await answer(url, options);
  const length = response.headers.has('content-encoding') ? Number.NaN : Number(response.headers.get('content-length'));
  const totalBytes = Number.isFinite(length) && length > 0 ? length : undefined;
  if (totalBytes !== undefined && options.acceptBytes && !options.acceptBytes(totalBytes)) {
    await response.body?.cancel();
    throw new RequestError('size', url.href, response.status, String(totalBytes));
  }
  try {
    return await readBody(response, totalBytes, options.onProgress);
  } catch (error) {
    throw asFailure(error, url, options.signal);
  }
}

/** Reads JSON; an answer that is none is a failure of kind `format`. */
export async function requestJson(url: URL, options: RequestOptions = {}): Promise<unknown> {
  const text = new TextDecoder().decode(await requestBytes(url, options));
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RequestError('format', url.href, 200, error instanceof Error ? error.message : String(error));
  }
}

async function answer(url: URL, { signal }: RequestOptions): Promise<Response> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), answerTimeoutMs);
  let response: Response;
  try {
    const signals = signal ? [signal, timeout.signal] : [timeout.signal];
    response = await fetch(url, { signal: AbortSignal.any(signals), headers: { accept: 'application/json' } });
  } catch (error) {
    if (timeout.signal.aborted) throw new RequestError('timeout', url.href, 0, String(answerTimeoutMs));
    throw asFailure(error, url, signal);
  } finally {
    clearTimeout(timer);
  }
  if (response.ok) return response;
  const reason = await response.text().catch(() => '');
  throw new RequestError('status', url.href, response.status, reason.trim() || response.statusText);
}

async function readBody(
  response: Response,
  totalBytes: number | undefined,
  onProgress: RequestOptions['onProgress'],
): Promise<Uint8Array<ArrayBuffer>> {
  if (!response.body) return new Uint8Array(await response.arrayBuffer());
  const chunks: Uint8Array[] = [];
  let receivedBytes = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    receivedBytes += value.byteLength;
    onProgress?.(totalBytes === undefined ? { receivedBytes } : { receivedBytes, totalBytes });
  }
  const whole = new Uint8Array(receivedBytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

/** An abort of the caller stays what it is; everything else is the network's. */
function asFailure(error: unknown, url: URL, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  return new RequestError('network', url.href, 0, error instanceof Error ? error.message : String(error));
}
