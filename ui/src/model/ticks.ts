/** Round numbers for a time axis, in microseconds. */

const MINUTE = 60_000_000;
/** Above ten seconds people count in parts of a minute, then of an hour. */
const CLOCK_STEPS = [10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400].map(
  (seconds) => seconds * 1_000_000,
);

/** At most about `countMax` round times inside the range. */
export function niceTicks(from: number, to: number, countMax: number): number[] {
  const span = to - from;
  if (!(span > 0) || countMax < 1) return [];
  const step = to >= MINUTE ? clockStep(span / countMax) : niceStep(span / countMax);
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

function clockStep(least: number): number {
  if (least <= CLOCK_STEPS[0]!) return niceStep(least);
  const day = CLOCK_STEPS.at(-1)!;
  return CLOCK_STEPS.find((step) => step >= least) ?? niceStep(least / day) * day;
}
