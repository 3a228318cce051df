/**
 * Traces opened from files, kept in this browser so that a reload of `traces/{id}?src=file` shows them again. The
 * oldest are dropped beyond the limits; a browser that refuses IndexedDB keeps them until the page is left.
 */
export interface LocalTrace {
  readonly traceId: string;
  readonly fileName: string;
  readonly openedMs: number;
  readonly spanCount: number;
  /** A v2 JSON list of spans, UTF-8. */
  readonly json: Uint8Array<ArrayBuffer>;
}

export const localTracesMax = 50;
const localBytesMax = 256 * 1024 * 1024;
const databaseName = 'zipkinUi';
const storeName = 'traces';

const memory = new Map<string, LocalTrace>();

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(databaseName, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(storeName, { keyPath: 'traceId' });
  return done(request);
}

async function withStore<T>(mode: IDBTransactionMode, use: (store: IDBObjectStore) => Promise<T>): Promise<T> {
  const database = await open();
  try {
    return await use(database.transaction(storeName, mode).objectStore(storeName));
  } finally {
    database.close();
  }
}

/** Keeps traces, the newest first in the list; returns whether they survive a reload. */
export async function keepLocalTraces(traces: readonly LocalTrace[]): Promise<boolean> {
  for (const trace of traces) memory.set(trace.traceId, trace);
  try {
    await withStore('readwrite', async (store) => {
      for (const trace of traces) await done(store.put(trace));
      await dropOldest(store);
    });
    return true;
  } catch {
    return false;
  }
}

async function dropOldest(store: IDBObjectStore): Promise<void> {
  const kept = ((await done(store.getAll())) as LocalTrace[]).sort((a, b) => b.openedMs - a.openedMs);
  let bytes = 0;
  for (const [index, trace] of kept.entries()) {
    bytes += trace.json.byteLength;
    if (index > 0 && (index >= localTracesMax || bytes > localBytesMax)) await done(store.delete(trace.traceId));
  }
}

export async function readLocalTrace(traceId: string): Promise<LocalTrace | undefined> {
  const known = memory.get(traceId);
  if (known) return known;
  try {
    return await withStore('readonly', (store) => done(store.get(traceId) as IDBRequest<LocalTrace | undefined>));
  } catch {
    return undefined;
  }
}

/** What is kept, without the spans, the newest first. */
export async function listLocalTraces(): Promise<Omit<LocalTrace, 'json'>[]> {
  const found = new Map<string, LocalTrace>(memory);
  try {
    const stored = await withStore('readonly', (store) => done(store.getAll() as IDBRequest<LocalTrace[]>));
    for (const trace of stored) found.set(trace.traceId, trace);
  } catch {
    // Refused: what this page opened is all there is.
  }
  return [...found.values()]
    .sort((a, b) => b.openedMs - a.openedMs)
    .map(({ traceId, fileName, openedMs, spanCount }) => ({ traceId, fileName, openedMs, spanCount }));
}

export async function forgetLocalTraces(): Promise<void> {
  memory.clear();
  try {
    await withStore('readwrite', (store) => done(store.clear()));
  } catch {
    // Nothing was stored.
  }
}
