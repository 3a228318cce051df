import type { TraceSummary } from '../search/summary';

/**
 * Traces opened from files, kept in this browser so that a reload of `traces/{id}?src=file` shows them again. The
 * oldest are dropped beyond the limits; a browser that refuses IndexedDB keeps them until the page is left.
 */
export interface LocalTrace {
  readonly traceId: string;
  readonly fileName: string;
  readonly openedMs: number;
  readonly summary: TraceSummary;
  /** A v2 JSON list of spans, UTF-8. */
  readonly json: Uint8Array<ArrayBuffer>;
}

/** What the list of opened traces needs: no spans. */
export interface LocalEntry extends Omit<LocalTrace, 'json'> {
  readonly bytes: number;
}

export const localTracesMax = 10_000;
const localBytesMax = 256 * 1024 * 1024;
const databaseName = 'zipkinUi';
/** The spans, by trace id; and apart from them what the list shows. */
const spansStore = 'traces';
const entriesStore = 'entries';

const memory = new Map<string, LocalTrace>();

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function ended(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onerror = () => reject(transaction.error);
    transaction.onabort = () => reject(transaction.error);
  });
}

async function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(databaseName, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(spansStore);
    request.result.createObjectStore(entriesStore, { keyPath: 'traceId' });
  };
  return done(request);
}

async function withDatabase<T>(use: (database: IDBDatabase) => Promise<T>): Promise<T> {
  const database = await open();
  try {
    return await use(database);
  } finally {
    database.close();
  }
}

const entryOf = ({ json, ...rest }: LocalTrace): LocalEntry => ({ ...rest, bytes: json.byteLength });

/** Keeps traces; returns whether they survive a reload. */
export async function keepLocalTraces(traces: readonly LocalTrace[]): Promise<boolean> {
  for (const trace of traces) memory.set(trace.traceId, trace);
  try {
    await withDatabase(async (database) => {
      const transaction = database.transaction([spansStore, entriesStore], 'readwrite');
      const spans = transaction.objectStore(spansStore);
      const entries = transaction.objectStore(entriesStore);
      const stored = (await done(entries.getAll())) as LocalEntry[];
      for (const trace of traces) {
        spans.put(trace.json, trace.traceId);
        entries.put(entryOf(trace));
      }
      for (const traceId of tooOld(stored, traces)) {
        spans.delete(traceId);
        entries.delete(traceId);
      }
      await ended(transaction);
    });
    return true;
  } catch {
    return false;
  }
}

/** The stored traces that have no room beside the new ones: the oldest go first. */
export function tooOld(stored: readonly LocalEntry[], added: readonly LocalTrace[]): string[] {
  const replaced = new Set(added.map(({ traceId }) => traceId));
  let count = added.length;
  let bytes = added.reduce((sum, { json }) => sum + json.byteLength, 0);
  const dropped: string[] = [];
  for (const entry of [...stored].sort((a, b) => b.openedMs - a.openedMs)) {
    if (replaced.has(entry.traceId)) continue;
    count += 1;
    bytes += entry.bytes;
    if (count > localTracesMax || bytes > localBytesMax) dropped.push(entry.traceId);
  }
  return dropped;
}

export async function readLocalTrace(traceId: string): Promise<LocalTrace | undefined> {
  const known = memory.get(traceId);
  if (known) return known;
  try {
    return await withDatabase(async (database) => {
      const transaction = database.transaction([spansStore, entriesStore], 'readonly');
      const [entry, json] = await Promise.all([
        done(transaction.objectStore(entriesStore).get(traceId) as IDBRequest<LocalEntry | undefined>),
        done(transaction.objectStore(spansStore).get(traceId) as IDBRequest<LocalTrace['json'] | undefined>),
      ]);
      if (!entry || !json) return undefined;
      const { bytes: _, ...rest } = entry;
      return { ...rest, json };
    });
  } catch {
    return undefined;
  }
}

/** What is kept, the newest first. */
export async function listLocalTraces(): Promise<LocalEntry[]> {
  const found = new Map<string, LocalEntry>();
  try {
    const stored = await withDatabase((database) =>
      done(
        database.transaction(entriesStore, 'readonly').objectStore(entriesStore).getAll() as IDBRequest<LocalEntry[]>,
      ),
    );
    for (const entry of stored) found.set(entry.traceId, entry);
  } catch {
    // Refused: what this page opened is all there is.
  }
  for (const trace of memory.values()) found.set(trace.traceId, entryOf(trace));
  return [...found.values()].sort((a, b) => b.openedMs - a.openedMs);
}

export async function forgetLocalTraces(): Promise<void> {
  memory.clear();
  try {
    await withDatabase(async (database) => {
      const transaction = database.transaction([spansStore, entriesStore], 'readwrite');
      transaction.objectStore(spansStore).clear();
      transaction.objectStore(entriesStore).clear();
      await ended(transaction);
    });
  } catch {
    // Nothing was stored.
  }
}
