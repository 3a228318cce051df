/** Round numbers for a time axis. */

/** At most `countMax` multiples of 1, 2 or 5 times a power of ten inside the range. */
export function niceTicks(from: number, to: number, countMax: number): number[] {
  const span = to - from;
  if (!(span > 0) || countMax < 1) return [];
  const step = niceStep(span / countMax);
  const ticks: number[] = [];
  // The index is counted, so that no rounding error adds up.
  for (let i = Math.ceil(from / step); i * step <= to; i++) ticks.push(i * step);
  return ticks;
}

/** The least of 1, 2, 5, 10, 20, 50 … that is not below `least`. */
export function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  for (const factor of [1, 2, 5]) if (factor * power >= least) return factor * power;
  return 10 * power;
}
