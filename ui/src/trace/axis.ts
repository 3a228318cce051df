/** Labels of a time axis: one unit for all ticks, and as many decimals as tell them apart. */
import { niceTicks } from '../model/ticks';

export interface Tick {
  readonly us: number;
  readonly label: string;
}

const UNITS = [
  { from: 60_000_000, per: 60_000_000, short: 'min' },
  { from: 1_000_000, per: 1_000_000, short: 's' },
  { from: 1_000, per: 1_000, short: 'ms' },
  { from: 0, per: 1, short: 'µs' },
] as const;

/** At most `countMax` ticks between two times, in microseconds from the start of the trace. */
export function axisTicks(from: number, to: number, countMax: number, locale: string): Tick[] {
  const ticks = niceTicks(from, to, countMax);
  const step = ticks.length > 1 ? ticks[1]! - ticks[0]! : to - from;
  const label = axisLabel(Math.max(Math.abs(from), Math.abs(to)), step, locale);
  return ticks.map((us) => ({ us, label: label(us) }));
}

/** Writes times up to `largest` so that a difference of `step` shows; from a minute on as minutes and seconds. */
export function axisLabel(largest: number, step: number, locale: string): (us: number) => string {
  const unit = UNITS.find(({ from }) => largest >= from)!;
  if (unit.short === 'min' && step % unit.per !== 0) return clockLabel(step, locale);
  const format = digits(step / unit.per, locale);
  return (us) => (us === 0 ? '0' : `${format.format(us / unit.per)} ${unit.short}`);
}

/** `1:30`, or `9:52.5` where ticks are nearer than a second. */
function clockLabel(step: number, locale: string): (us: number) => string {
  const minute = 60_000_000;
  const format = new Intl.NumberFormat(locale, {
    minimumIntegerDigits: 2,
    minimumFractionDigits: 0,
    maximumFractionDigits: decimals(step / 1_000_000),
  });
  return (us) => {
    if (us === 0) return '0';
    const minutes = Math.floor((us + 0.5) / minute);
    return `${minutes}:${format.format(Math.max(0, us - minutes * minute) / 1_000_000)}`;
  };
}

function decimals(step: number): number {
  return Math.min(9, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)));
}

function digits(step: number, locale: string): Intl.NumberFormat {
  return new Intl.NumberFormat(locale, {
    minimumFractionDigits: 0,
    maximumFractionDigits: decimals(step),
    useGrouping: false,
  });
}

/** A time as a percentage of what is shown. */
export function percentOf(us: number, from: number, to: number): number {
  return ((us - from) / (to - from)) * 100;
}
