/** Traces that the worker holds for this page: the last few stay, so that Back is instant. */
import { serverUrl } from '../api/base';
import { RequestError } from '../api/client';
import { readLocalTrace } from '../file/store';
import type { Layout } from '../model/layout';
import { type CallOptions, TraceWorker } from '../worker/client';
import type { Calls, Method, OnTrace, Opened, OpenParams } from '../worker/protocol';

/** Limits of what stays in memory beside the trace on the screen. */
const KEPT_TRACES_MAX = 10;
const KEPT_BYTES_MAX = 128 * 1024 * 1024;

type TraceMethod = Exclude<Method, 'open' | 'close' | 'layOut'>;

/** A trace on the screen: its rows, and the way to ask for the rest. */
export class OpenTrace {
  readonly byteLength: number;
  private readonly layouts = new Map<boolean, Promise<Layout>>();

  constructor(
    private readonly worker: TraceWorker,
    readonly handle: number,
    readonly layout: Layout,
    byteLength: number,
  ) {
    this.byteLength = byteLength;
    this.layouts.set(false, Promise.resolve(layout));
  }

  /** The rows with halves together or apart. */
  layOut(split: boolean): Promise<Layout> {
    let layout = this.layouts.get(split);
    if (!layout) {
      layout = this.worker.call('layOut', { handle: this.handle, split });
      this.layouts.set(split, layout);
    }
    return layout;
  }

  call<M extends TraceMethod>(
    method: M,
    split: boolean,
    params: Omit<Calls[M]['params'], keyof OnTrace>,
    signal?: AbortSignal,
  ): Promise<Calls[M]['result']> {
    return this.worker.call(method, { handle: this.handle, split, ...params } as Calls[M]['params'], { signal });
  }
}

export type TraceSource = 'server' | 'file';

export class OpenTraces {
  /** The most recently used last. */
  private readonly kept = new Map<string, OpenTrace>();

  constructor(private readonly worker: TraceWorker = new TraceWorker()) {}

  /** A trace that is held already. */
  peek(traceId: string, source: TraceSource): OpenTrace | undefined {
    const key = `${source} ${traceId}`;
    const trace = this.kept.get(key);
    if (trace) this.keep(key, trace);
    return trace;
  }

  async open(traceId: string, source: TraceSource, bytesMax: number, options: CallOptions): Promise<OpenTrace> {
    const params = await openParams(traceId, source, bytesMax);
    const transfer = params.bytes ? [params.bytes.buffer] : [];
    const opened: Opened = await this.worker.call('open', params, { ...options, transfer });
    const trace = new OpenTrace(this.worker, opened.handle, opened.layout, opened.byteLength);
    this.forget(traceId, source);
    this.keep(`${source} ${traceId}`, trace);
    return trace;
  }

  forget(traceId: string, source: TraceSource): void {
    const key = `${source} ${traceId}`;
    const trace = this.kept.get(key);
    this.kept.delete(key);
    if (trace) void this.worker.call('close', { handle: trace.handle });
  }

  private keep(key: string, trace: OpenTrace): void {
    this.kept.delete(key);
    this.kept.set(key, trace);
    let bytes = 0;
    for (const one of this.kept.values()) bytes += one.byteLength;
    for (const [oldest, one] of this.kept) {
      if (oldest === key || (this.kept.size <= KEPT_TRACES_MAX && bytes <= KEPT_BYTES_MAX)) break;
      bytes -= one.byteLength;
      this.kept.delete(oldest);
      void this.worker.call('close', { handle: one.handle });
    }
  }
}

async function openParams(traceId: string, source: TraceSource, bytesMax: number): Promise<OpenParams> {
  if (source === 'server') return { url: serverUrl(['api', 'v2', 'trace', traceId]).href, bytesMax };
  const local = await readLocalTrace(traceId);
  if (!local) throw new RequestError('status', `file:${traceId}`, 404, '');
  // A copy: the store keeps its own, and the worker takes the bytes over.
  return { bytes: local.json.slice(), bytesMax };
}

export const openTraces = new OpenTraces();
