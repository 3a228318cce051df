// @vitest-environment node
import { afterEach, describe, expect, it, vi } from 'vitest';
import { RequestError } from '../api/client';
import { span } from '../model/testing';
import { type Port, TraceWorker } from './client';
import { TraceHost } from './host';
import type { FromWorker, ToWorker } from './protocol';

/** A worker without a thread: messages pass through the same copying as between two. */
function connected(): TraceWorker {
  return new TraceWorker(() => {
    const port: Port = { postMessage: () => undefined, onmessage: null, onerror: null };
    const host = new TraceHost((message: FromWorker, transfer) => {
      const data = structuredClone(message, { transfer: transfer ?? [] });
      queueMicrotask(() => port.onmessage?.({ data } as MessageEvent<FromWorker>));
    });
    port.postMessage = (message: ToWorker, transfer) => void host.receive(structuredClone(message, { transfer }));
    return port;
  });
}

const bytesOf = (data: unknown) => new TextEncoder().encode(JSON.stringify(data));
const long = 'x'.repeat(5_000);
const trace = [
  span(1, undefined, 0, 100, { tags: { long, a: '1' } }),
  span(2, 1, 10, 20, { service: 'api', tags: { a: '2' }, annotations: [{ timestamp: 5, value: 'hit' }] }),
];

afterEach(() => vi.unstubAllGlobals());

describe('the worker', () => {
  it('opens a trace, answers about it, and goes on after arrays were transferred', async () => {
    const worker = connected();
    const { handle, layout } = await worker.call('open', { bytes: bytesOf(trace), bytesMax: 1e6 });
    expect([layout.rowCount, layout.services, [...layout.depth]]).toEqual([2, ['shop', 'api'], [0, 1]]);
    const on = { handle, split: false };
    expect([...(await worker.call('find', { ...on, query: 'hit' }))]).toEqual([1]);
    expect([...(await worker.call('find', { ...on, query: 'a=1' }))]).toEqual([0]);
    const flame = await worker.call('flame', { ...on, mode: 'time' });
    expect([...flame.y]).toEqual([0, 1]);
    expect([...(await worker.call('layOut', on)).size]).toEqual([2, 1]);
    expect(await worker.call('tagColumn', { ...on, key: 'a' })).toMatchObject({ values: ['1', '2'] });
  });

  it('cuts long values and gives them whole when asked', async () => {
    const worker = connected();
    const { handle } = await worker.call('open', { bytes: bytesOf(trace), bytesMax: 1e6 });
    const [half] = await worker.call('detail', { handle, split: false, row: 0 });
    const tag = half!.tags.find(({ key }) => key === 'long')!;
    expect([tag.text.length, tag.length]).toEqual([2_048, 5_000]);
    expect(await worker.call('value', { handle, split: false, span: half!.span, key: 'long' })).toBe(long);
    expect(await worker.call('value', { handle, split: false, span: half!.span, key: '__proto__' })).toBe('');
  });

  it('gives the JSON as received, and marked for the archive', async () => {
    const worker = connected();
    const bytes = bytesOf(trace);
    const { handle } = await worker.call('open', { bytes, bytesMax: 1e6 });
    const json = async (form: 'raw' | 'archived') =>
      new TextDecoder().decode(await worker.call('json', { handle, split: false, form }));
    expect(await json('raw')).toBe(JSON.stringify(trace));
    expect(JSON.parse(await json('archived'))[0].tags).toEqual({ long, a: '1', 'zipkin.archived': 'true' });
  });

  it('tells progress, and failures with what the server said', async () => {
    const worker = connected();
    vi.stubGlobal('fetch', async () => new Response(JSON.stringify(trace)));
    const progress = vi.fn();
    const opened = await worker.call('open', { url: 'http://x/t', bytesMax: 1e6 }, { onProgress: progress });
    expect(opened.layout.rowCount).toBe(2);
    expect(progress).toHaveBeenCalled();
    vi.stubGlobal('fetch', async () => new Response('gone', { status: 404 }));
    const failure = await worker.call('open', { url: 'http://x/t', bytesMax: 1e6 }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RequestError);
    expect(failure).toMatchObject({ kind: 'status', status: 404, reason: 'gone' });
    vi.stubGlobal('fetch', async () => new Response(JSON.stringify(trace)));
    await expect(worker.call('open', { url: 'http://x/t', bytesMax: 10 })).rejects.toMatchObject({ kind: 'size' });
  });

  it('refuses what is no list, and stays alive', async () => {
    const worker = connected();
    const open = (text: string) => worker.call('open', { bytes: new TextEncoder().encode(text), bytesMax: 1e6 });
    await expect(open('{}')).rejects.toMatchObject({ kind: 'format', reason: 'not a list of spans' });
    await expect(open('[')).rejects.toMatchObject({ kind: 'format' });
    await expect(worker.call('find', { handle: 99, split: false, query: 'x' })).rejects.toThrow('no trace 99');
    await expect(open('[]')).resolves.toMatchObject({ layout: { spanCount: 0 } });
  });

  it('stops a request that is cancelled', async () => {
    const worker = connected();
    let signal: AbortSignal | undefined;
    vi.stubGlobal('fetch', (_: unknown, init: RequestInit) => {
      signal = init.signal ?? undefined;
      return new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal?.reason)));
    });
    const abort = new AbortController();
    const waiting = worker.call('open', { url: 'http://x/t', bytesMax: 1 }, { signal: abort.signal });
    await vi.waitFor(() => expect(signal).toBeDefined(), { timeout: 60_000 });
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await vi.waitFor(() => expect(signal?.aborted).toBe(true), { timeout: 60_000 });
  });
});
