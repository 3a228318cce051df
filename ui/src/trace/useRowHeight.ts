import { useSyncExternalStore } from 'react';
import { usePreferences } from '../settings/preferences';

const ROW_PX = { compact: 24, comfortable: 30 } as const;

/** Text as large as the reader has set it: rows grow with the font size of the root. */
function subscribe(changed: () => void): () => void {
  addEventListener('resize', changed);
  return () => removeEventListener('resize', changed);
}

const fontSize = () => Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;

/** Height of a row in px. */
export function useRowHeight(): number {
  const { density } = usePreferences();
  const size = useSyncExternalStore(subscribe, fontSize);
  return Math.round((ROW_PX[density] * size) / 16);
}
