const unitUs: Readonly<Record<string, number>> = { us: 1, µs: 1, ms: 1_000, s: 1_000_000, m: 60_000_000 };

/**
 * Microseconds of `100`, `100us`, `100ms`, `2s` (as lens reads them) and of `1.5s`, `2m`; undefined for anything else.
 * The result is whole and at least 1.
 */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,12})(?:\.(\d{1,9}))?\s*(us|µs|ms|s|m)?$/.exec(text.trim().toLowerCase());
  if (!match) return undefined;
  const [, whole, fraction, unit] = match;
  if (fraction !== undefined && unit === undefined) return undefined;
  const us = Math.round(Number(`${whole}.${fraction ?? 0}`) * (unitUs[unit ?? 'us'] ?? 1));
  return us >= 1 && us <= Number.MAX_SAFE_INTEGER ? us : undefined;
}

/** The shortest text that `parseDuration` reads back to the same number: `100ms`, `1500us`. */
export function formatDurationParameter(us: number): string {
  if (us % 1_000_000 === 0) return `${us / 1_000_000}s`;
  if (us % 1_000 === 0) return `${us / 1_000}ms`;
  return `${us}us`;
}
