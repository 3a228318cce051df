import type { Format } from '../i18n/format';

/** Smaller shares are only told to be small. */
const LEAST = 0.0005;

/** A share from 0 to 1 as a percentage that stays short. */
export function shareText(format: Format, share: number): string {
  if (share > 0 && share < LEAST) return `<${format.percent(LEAST)}`;
  return format.percent(Math.round(share * 10_000) / 10_000);
}
