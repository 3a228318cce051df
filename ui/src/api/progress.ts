import { useSyncExternalStore } from 'react';
import type { Progress } from './client';

/** How far requests are, by a name of their own; shown at most ten times a second. */
const known = new Map<string, { progress: Progress; shownMs: number }>();
const listeners = new Set<() => void>();
const stepMs = 100;

export function reportProgress(name: string, progress: Progress): void {
  const now = performance.now();
  const last = known.get(name);
  const finished = progress.receivedBytes === progress.totalBytes;
  if (last && now - last.shownMs < stepMs && !finished) return;
  known.set(name, { progress, shownMs: now });
  for (const listener of listeners) listener();
}

export function forgetProgress(name: string): void {
  known.delete(name);
}

export function useProgress(name: string): Progress | undefined {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => known.get(name)?.progress,
  );
}
