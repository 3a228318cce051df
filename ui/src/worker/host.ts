/** The worker's side: holds traces by number and answers calls. Knows nothing of the global scope, so tests can drive it. */
import { type Progress, RequestError, requestBytes } from '../api/client';
import type { Span } from '../model/span';
import { HeldTrace } from './heldTrace';
import type { Failure, FromWorker, Method, OnTrace, Opened, OpenParams, ToWorker, TraceHandle } from './protocol';

type Send = (message: FromWorker, transfer?: Transferable[]) => void;

export class TraceHost {
  private readonly traces = new Map<TraceHandle, HeldTrace>();
  private readonly running = new Map<number, AbortController>();
  private nextHandle = 1;

  constructor(private readonly send: Send) {}

  async receive(message: ToWorker): Promise<void> {
    if (message.method === 'cancel') {
      this.running.get(message.id)?.abort();
      return;
    }
    try {
      const result = await this.answer(message);
      const { value, transfer } = IN_ARRAYS.has(message.method) ? detach(result) : { value: result, transfer: [] };
      this.send({ id: message.id, result: value }, transfer);
    } catch (error) {
      this.send({ id: message.id, failure: failureOf(error) });
    } finally {
      this.running.delete(message.id);
    }
  }

  private answer(message: Exclude<ToWorker, { method: 'cancel' }>): unknown {
    switch (message.method) {
      case 'open':
        return this.open(message.id, message.params);
      case 'close':
        this.traces.delete(message.params.handle);
        return null;
      default:
        return this.onTrace(message);
    }
  }

  private onTrace(message: Exclude<ToWorker, { method: 'cancel' | 'open' | 'close' }>): unknown {
    const { split } = message.params;
    const trace = this.held(message.params);
    switch (message.method) {
      case 'layOut':
        return trace.layOut(split).layout;
      case 'detail':
        return trace.detail(split, message.params.row);
      case 'value':
        return trace.value(message.params.span, message.params.key);
      case 'find':
        return trace.find(split, message.params.query);
      case 'stats':
        return trace.stats(split, message.params.by);
      case 'tagKeys':
        return trace.tagKeys();
      case 'tagColumn':
        return trace.tagColumn(split, message.params.key);
      case 'flame':
        return trace.flame(split, message.params.mode);
      case 'map':
        return trace.map(split);
      case 'jsonLines':
        return trace.jsonLines(message.params.from, message.params.to);
      case 'jsonLineOf':
        return trace.jsonLineOf(split, message.params.row);
      case 'json':
        return trace.json(message.params.form);
    }
  }

  private held({ handle }: OnTrace): HeldTrace {
    const trace = this.traces.get(handle);
    if (!trace) throw new Error(`no trace ${handle} in the worker`);
    return trace;
  }

  private async open(id: number, params: OpenParams): Promise<Opened> {
    const abort = new AbortController();
    this.running.set(id, abort);
    const bytes = params.bytes ?? (await this.fetch(id, params, abort.signal));
    const trace = new HeldTrace(parseSpans(bytes, params.url ?? ''), bytes);
    const handle = this.nextHandle++;
    this.traces.set(handle, trace);
    return { handle, byteLength: bytes.byteLength, layout: trace.layOut(false).layout };
  }

  private async fetch(id: number, params: OpenParams, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const url = new URL(params.url ?? '');
    let toldMs = 0;
    const bytes = await requestBytes(url, {
      signal,
      acceptBytes: (total) => total <= params.bytesMax,
      onProgress: (progress: Progress) => {
        const nowMs = performance.now();
        if (nowMs - toldMs < PROGRESS_EVERY_MS) return;
        toldMs = nowMs;
        this.send({ id, progress });
      },
    });
    // A compressed answer tells its length only once it is here.
    if (bytes.byteLength > params.bytesMax) throw new RequestError('size', url.href, 200, String(bytes.byteLength));
    return bytes;
  }
}

const PROGRESS_EVERY_MS = 100;

function parseSpans(bytes: Uint8Array, url: string): Span[] {
  let data: unknown;
  try {
    data = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new RequestError('format', url, 200, error instanceof Error ? error.message : String(error));
  }
  if (!Array.isArray(data)) throw new RequestError('format', url, 200, 'not a list of spans');
  return data.filter((span): span is Span => typeof span === 'object' && span !== null && typeof span.id === 'string');
}

function failureOf(error: unknown): Failure {
  if (error instanceof RequestError) {
    return { kind: error.kind, url: error.url, status: error.status, reason: error.reason };
  }
  return {
    kind: 'bug',
    url: '',
    status: 0,
    reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
  };
}

/**
 * Copies the arrays of an answer and names them for transfer: the worker goes on computing with its own, and the page
 * takes over the copies without any work.
 */
export function detach<T>(value: T): { value: T; transfer: Transferable[] } {
  const copies = new Map<ArrayBufferView, ArrayBufferView>();
  const transfer: Transferable[] = [];
  const copy = (part: unknown): unknown => {
    if (ArrayBuffer.isView(part)) {
      let known = copies.get(part);
      if (!known) {
        known = (part as Float64Array<ArrayBuffer>).slice();
        copies.set(part, known);
        transfer.push(known.buffer as ArrayBuffer);
      }
      return known;
    }
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).map(([name, member]) => [name, copy(member)]));
  };
  return { value: copy(value) as T, transfer };
}

/** The methods whose answers are made of arrays. */
const IN_ARRAYS: ReadonlySet<Method> = new Set<Method>(['open', 'layOut', 'find', 'flame', 'tagColumn']);
