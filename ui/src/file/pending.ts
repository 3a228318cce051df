import { useSyncExternalStore } from 'react';

/** Files that were dropped somewhere and wait for the file page to open them. */
let pending: readonly File[] = [];
const listeners = new Set<() => void>();

export function offerFiles(files: readonly File[]): void {
  pending = files;
  for (const listener of listeners) listener();
}

/** Takes the files away: they are opened once. */
export function takeFiles(): readonly File[] {
  const taken = pending;
  if (taken.length > 0) offerFiles([]);
  return taken;
}

export function usePendingFiles(): readonly File[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => pending,
  );
}
