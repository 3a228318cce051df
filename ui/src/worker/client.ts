/** The page's side of the trace worker. */
import { type Progress, RequestError } from '../api/client';
import { startWorker } from '../api/worker';
import type { Calls, Failure, FromWorker, Method, ToWorker } from './protocol';
import workerUrl from './trace.worker?worker&url';

export interface CallOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
  transfer?: Transferable[];
}

interface Waiting {
  resolve: (result: never) => void;
  reject: (reason: unknown) => void;
  onProgress: CallOptions['onProgress'];
}

/** What the worker needs of `Worker`: tests put a host in its place. */
export interface Port {
  postMessage(message: ToWorker, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent<FromWorker>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
}

export class TraceWorker {
  private readonly waiting = new Map<number, Waiting>();
  private port: Port | undefined;
  private nextId = 1;

  constructor(private readonly start: () => Port = () => startWorker(workerUrl) as Port) {}

  call<M extends Method>(
    method: M,
    params: Calls[M]['params'],
    options: CallOptions = {},
  ): Promise<Calls[M]['result']> {
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, onProgress: options.onProgress });
      signal?.addEventListener('abort', () => this.cancel(id, signal.reason), { once: true });
      this.connected().postMessage({ id, method, params } as ToWorker, options.transfer ?? []);
    });
  }

  private cancel(id: number, reason: unknown): void {
    const call = this.waiting.get(id);
    if (!call) return;
    this.waiting.delete(id);
    this.port?.postMessage({ id, method: 'cancel' }, []);
    call.reject(reason);
  }

  private connected(): Port {
    if (this.port) return this.port;
    const port = this.start();
    port.onmessage = (event) => this.receive(event.data);
    port.onerror = (event) => this.fail(event.message);
    this.port = port;
    return port;
  }

  private receive(message: FromWorker): void {
    const call = this.waiting.get(message.id);
    if (!call) return;
    if ('progress' in message) {
      call.onProgress?.(message.progress);
      return;
    }
    this.waiting.delete(message.id);
    if ('failure' in message) call.reject(errorOf(message.failure));
    else call.resolve(message.result as never);
  }

  /** The worker itself broke (its script did not load): all that wait are told, the next call starts a new one. */
  private fail(reason: string): void {
    const calls = [...this.waiting.values()];
    this.waiting.clear();
    this.port = undefined;
    for (const call of calls) call.reject(new Error(reason));
  }
}

function errorOf({ kind, url, status, reason }: Failure): Error {
  return kind === 'bug' ? new Error(reason) : new RequestError(kind, url, status, reason);
}
