import { useTranslation } from 'react-i18next';
import { usePreferences } from '../settings/preferences';
import { formatLocale } from '.';

/** Formats of one language and time zone: everything that is shown as a number, a time or a list comes from here. */
export interface Format {
  /** `1.69 s`: three significant digits. */
  duration(us: number): string;
  /** `1,690,123 µs`, for titles. */
  durationExact(us: number): string;
  /** For screen readers: `34 milliseconds`. */
  durationSpoken(us: number): string;
  /** `02:27:04.469` */
  time(ms: number): string;
  /** `21 Nov 2026, 02:27:04.469 UTC` */
  dateTime(ms: number): string;
  /** `21 Nov, 02:12 – 02:27 UTC`: a window in words. */
  range(startMs: number, endMs: number): string;
  /** `21 Nov, 02:27:04.469`: where the day is not clear. */
  dayTime(ms: number): string;
  /** A time on an axis of a given length: with seconds, minutes or the day. */
  clock(ms: number, lengthMs: number): string;
  /** `UTC`, `CET`: the zone that times are shown in. */
  zone(ms: number): string;
  /** `15 minutes`, `2 days`: a length of time in whole units. */
  span(ms: number): string;
  /** `5 min ago` */
  ago(ms: number, nowMs: number): string;
  number(value: number): string;
  /** `12.3K` */
  compact(value: number): string;
  /** `12.5 %` of a share from 0 to 1. */
  percent(share: number): string;
  bytes(count: number): string;
  list(items: readonly string[]): string;
  compare(a: string, b: string): number;
}

const durationSteps = [
  { below: 1_000, per: 1, unit: 'microsecond', short: 'µs' },
  { below: 1_000_000, per: 1_000, unit: 'millisecond', short: 'ms' },
  { below: 60_000_000, per: 1_000_000, unit: 'second', short: 's' },
  { below: Number.POSITIVE_INFINITY, per: 60_000_000, unit: 'minute', short: 'min' },
] as const;

/** What rounds up to the next unit is at least one of it: 59.96 s is 1 min. */
function inUnit(us: number, per: number): number {
  return per > 1 ? Math.sign(us) * Math.max(1, Math.abs(us) / per) : us;
}

const spanUnits = [
  { unit: 'day', per: 86_400_000 },
  { unit: 'hour', per: 3_600_000 },
  { unit: 'minute', per: 60_000 },
  { unit: 'second', per: 1_000 },
] as const;

/** The unit for a duration: the one in which three digits, once rounded, stay below the next unit. */
function step(us: number) {
  const size = Math.abs(us);
  return durationSteps.find(({ below }) => Number(size.toPrecision(3)) < below) ?? durationSteps[3];
}

/** From here on durations are shown in minutes, of which three digits are not three digits of the microseconds. */
const MINUTES_FROM_US = 59_000_000;

/** Texts of durations are asked for by every row, and there are few: with three digits shown, 900 for each power of ten. */
function remembered(make: (us: number) => string): (us: number) => string {
  const texts = new Map<number, string>();
  return (us) => {
    if (!(Math.abs(us) < MINUTES_FROM_US)) return make(us);
    const shown = Number(us.toPrecision(3));
    const known = texts.get(shown);
    if (known !== undefined) return known;
    const text = make(shown);
    texts.set(shown, text);
    return text;
  };
}

export function makeFormat(locale: string, utc: boolean): Format {
  const timeZone: Intl.DateTimeFormatOptions = utc ? { timeZone: 'UTC' } : {};
  const clock = {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    fractionalSecondDigits: 3,
    hourCycle: 'h23',
    ...timeZone,
  } as const;
  const day = { day: 'numeric', month: 'short', year: 'numeric' } as const;
  const digits = new Intl.NumberFormat(locale, { maximumSignificantDigits: 3, useGrouping: false });
  const whole = new Intl.NumberFormat(locale);
  const compact = new Intl.NumberFormat(locale, { notation: 'compact', maximumSignificantDigits: 3 });
  const percent = new Intl.NumberFormat(locale, { style: 'percent', maximumSignificantDigits: 3 });
  const dayTime = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', ...clock });
  const hours = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', ...timeZone } as const;
  const clocks = {
    seconds: new Intl.DateTimeFormat(locale, { ...hours, second: '2-digit' }),
    minutes: new Intl.DateTimeFormat(locale, hours),
    days: new Intl.DateTimeFormat(locale, { ...hours, day: 'numeric', month: 'short' }),
  };
  const zone = new Intl.DateTimeFormat(locale, { timeZoneName: 'short', ...timeZone });
  const time = new Intl.DateTimeFormat(locale, clock);
  const dateTime = new Intl.DateTimeFormat(locale, { ...day, ...clock, timeZoneName: 'short' });
  const range = new Intl.DateTimeFormat(locale, {
    ...day,
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'short',
    ...timeZone,
  });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' });
  const list = new Intl.ListFormat(locale, { type: 'unit', style: 'short' });
  const collator = new Intl.Collator(locale, { numeric: true });
  const spoken = new Map<string, Intl.NumberFormat>();
  const speak = (unit: string) => {
    const known = spoken.get(unit);
    if (known) return known;
    const made = new Intl.NumberFormat(locale, {
      style: 'unit',
      unit,
      unitDisplay: 'long',
      maximumSignificantDigits: 3,
    });
    spoken.set(unit, made);
    return made;
  };
  return {
    duration: remembered((us) => {
      const { per, short } = step(us);
      return `${digits.format(inUnit(us, per))} ${short}`;
    }),
    durationExact: (us) => `${whole.format(us)} µs`,
    durationSpoken: remembered((us) => {
      const { per, unit } = step(us);
      return speak(unit).format(inUnit(us, per));
    }),
    time: (ms) => time.format(ms),
    dateTime: (ms) => dateTime.format(ms),
    range: (startMs, endMs) => range.formatRange(startMs, endMs),
    dayTime: (ms) => dayTime.format(ms),
    clock: (ms, lengthMs) =>
      lengthMs <= 20_000
        ? time.format(ms)
        : clocks[lengthMs <= 600_000 ? 'seconds' : lengthMs <= 86_400_000 ? 'minutes' : 'days'].format(ms),
    zone: (ms) => zone.formatToParts(ms).find(({ type }) => type === 'timeZoneName')?.value ?? '',
    span: (ms) => {
      const { unit, per } = spanUnits.find((one) => ms >= one.per && ms % one.per === 0) ?? spanUnits[3];
      return speak(unit).format(ms / per);
    },
    ago: (ms, nowMs) => formatAgo(relative, nowMs - ms),
    number: (value) => whole.format(value),
    compact: (value) => compact.format(value),
    percent: (share) => percent.format(share),
    bytes: (count) => formatBytes(digits, count),
    list: (items) => list.format(items),
    compare: collator.compare,
  };
}

function formatAgo(relative: Intl.RelativeTimeFormat, agoMs: number): string {
  const seconds = Math.round(agoMs / 1000);
  if (Math.abs(seconds) < 60) return relative.format(-seconds, 'second');
  if (Math.abs(seconds) < 3_600) return relative.format(-Math.round(seconds / 60), 'minute');
  if (Math.abs(seconds) < 172_800) return relative.format(-Math.round(seconds / 3_600), 'hour');
  return relative.format(-Math.round(seconds / 86_400), 'day');
}

function formatBytes(digits: Intl.NumberFormat, count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'] as const;
  let value = count;
  let unit = 0;
  while (value >= 1023.5 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? String(value) : digits.format(value)} ${units[unit]}`;
}

/** Making the formats of the platform costs more than all their use: they are shared by what is on the page. */
const made = new Map<string, Format>();

/** The formats of the chosen language and time zone. */
export function useFormat(): Format {
  const { i18n } = useTranslation();
  const { utc } = usePreferences();
  const locale = formatLocale(i18n.language);
  const key = `${locale} ${utc}`;
  const known = made.get(key);
  if (known) return known;
  const format = makeFormat(locale, utc);
  made.set(key, format);
  return format;
}
