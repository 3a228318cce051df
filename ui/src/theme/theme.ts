import { useSyncExternalStore } from 'react';
import { readStored, writeStored } from '../api/storage';

/** `system` follows the operating system; the others are what lens stores. */
export type ThemeChoice = 'system' | 'light' | 'dark';

const storedKey = 'zipkinThemeOverride';
const listeners = new Set<() => void>();
const dark = globalThis.matchMedia?.('(prefers-color-scheme: dark)');
let choice: ThemeChoice = parse(readStored(storedKey));

function parse(text: string | null): ThemeChoice {
  return text === 'light' || text === 'dark' ? text : 'system';
}

function notify(): void {
  for (const listener of listeners) listener();
}

dark?.addEventListener('change', notify);
globalThis.addEventListener?.('storage', (event) => {
  if (event.key === storedKey) apply(parse(event.newValue));
});

function apply(next: ThemeChoice): void {
  choice = next;
  if (next === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  notify();
}

export function setTheme(next: ThemeChoice): void {
  writeStored(storedKey, next === 'system' ? null : next);
  apply(next);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function shown(): 'light' | 'dark' {
  if (choice !== 'system') return choice;
  return dark?.matches ? 'dark' : 'light';
}

export function useThemeChoice(): ThemeChoice {
  return useSyncExternalStore(subscribe, () => choice);
}

/** The theme on the screen: canvases draw again when it changes. */
export function useTheme(): 'light' | 'dark' {
  return useSyncExternalStore(subscribe, shown);
}
