import { useSyncExternalStore } from 'react';
import { readStored, writeStored } from '../api/storage';

/** A search kept under a name: the query part of its address. Relative windows carry no `endTs`, so they stay relative. */
export interface SavedSearch {
  readonly name: string;
  readonly query: string;
}

/** What this browser remembers, beside the theme and the language, which keep the keys of lens. */
export interface Preferences {
  readonly utc: boolean;
  readonly density: 'compact' | 'comfortable';
  /** Single-letter shortcuts (WCAG 2.1.4: they can be switched off). */
  readonly shortcuts: boolean;
  /** Widths in px of resizable columns and panels, by name. */
  readonly widths: Readonly<Record<string, number>>;
  readonly saved: readonly SavedSearch[];
}

const storedKey = 'zipkinUi';
const version = 1;
/** More would make the list useless and the stored text large. */
export const savedSearchesMax = 100;

const defaults: Preferences = { utc: false, density: 'compact', shortcuts: true, widths: {}, saved: [] };

const listeners = new Set<() => void>();
/** The text that `current` stands for. */
let seen = readStored(storedKey);
let current: Preferences = parsePreferences(seen);

/** Reads the stored text strictly: what is not of the right shape takes its default. */
export function parsePreferences(text: string | null): Preferences {
  let data: unknown;
  try {
    data = JSON.parse(text ?? 'null');
  } catch {
    return defaults;
  }
  if (typeof data !== 'object' || data === null || !('version' in data) || data.version !== version) return defaults;
  const stored = data as Partial<Record<keyof Preferences, unknown>>;
  const widths = Object.entries(typeof stored.widths === 'object' && stored.widths !== null ? stored.widths : {});
  return {
    utc: stored.utc === true,
    density: stored.density === 'comfortable' ? 'comfortable' : 'compact',
    shortcuts: stored.shortcuts !== false,
    widths: Object.fromEntries(widths.filter((entry): entry is [string, number] => Number.isFinite(entry[1]))),
    saved: parseSaved(stored.saved),
  };
}

/** The entries of a list of saved searches that have the right shape; names are unique, the first counts. */
export function parseSaved(data: unknown): SavedSearch[] {
  if (!Array.isArray(data)) return [];
  const found = new Map<string, SavedSearch>();
  for (const one of data as unknown[]) {
    if (typeof one !== 'object' || one === null || !('name' in one) || !('query' in one)) continue;
    const { name, query } = one;
    if (typeof name !== 'string' || typeof query !== 'string' || name.trim() === '' || found.has(name)) continue;
    if (found.size < savedSearchesMax) found.set(name, { name, query });
  }
  return [...found.values()];
}

/** Two lists as one: the added ones replace those of the same name, and come first. */
export function mergeSaved(kept: readonly SavedSearch[], added: readonly SavedSearch[]): SavedSearch[] {
  return parseSaved([...added, ...kept]);
}

export function preferences(): Preferences {
  return current;
}

/** Changes some preferences; when the browser refuses to store them they hold until the page is left. */
export function setPreferences(change: Partial<Preferences>): void {
  // Another tab may have written a moment ago, and its word of it be still on the way.
  const stored = readStored(storedKey);
  if (stored !== null && stored !== seen) current = parsePreferences(stored);
  current = { ...current, ...change };
  const text = JSON.stringify({ version, ...current });
  seen = writeStored(storedKey, text) ? text : stored;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

// Another tab changed them.
globalThis.addEventListener?.('storage', (event) => {
  if (event.key !== storedKey) return;
  seen = event.newValue;
  current = parsePreferences(seen);
  for (const listener of listeners) listener();
});

export function usePreferences(): Preferences {
  return useSyncExternalStore(subscribe, preferences);
}
