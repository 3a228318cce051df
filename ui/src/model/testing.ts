/** Traces for tests: small ones by hand, large ones by rule, random ones by seed. */
import type { Span, SpanKind } from './span';

export const hex = (n: number): string => n.toString(16).padStart(16, '0');

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export interface SpanSketch extends Partial<Span> {
  service?: string;
  ip?: string;
}

/** A span with id `n`; times are microseconds from `EPOCH_US`. */
export function span(
  n: number,
  parent: number | undefined,
  from: number,
  duration: number,
  more: SpanSketch = {},
): Mutable<Span> {
  const { service = 'shop', ip, ...rest } = more;
  return {
    traceId: hex(1),
    id: hex(n),
    ...(parent !== undefined && { parentId: hex(parent) }),
    name: `op${n}`,
    timestamp: EPOCH_US + from,
    duration,
    localEndpoint: { serviceName: service, ...(ip !== undefined && { ipv4: ip }) },
    ...rest,
  };
}

export const EPOCH_US = 1_795_200_000_000_000;

/** A generator that gives the same numbers for the same seed. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}

export function shuffled<T>(list: readonly T[], random: () => number): T[] {
  const result = [...list];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}

const KINDS: readonly (SpanKind | undefined)[] = ['CLIENT', 'SERVER', 'PRODUCER', 'CONSUMER', undefined, undefined];

/** A random tree: children inside, across the end of, and after their parents; some without time. */
export function randomTrace(seed: number, count: number): Span[] {
  const random = randomOf(seed);
  const spans: Span[] = [span(1, undefined, 0, 10_000)];
  for (let n = 2; n <= count; n++) {
    const parent = 1 + Math.floor(random() * (n - 1));
    const above = spans[parent - 1]!;
    const offset = (above.timestamp ?? EPOCH_US) - EPOCH_US;
    const length = above.duration ?? 100;
    const from = Math.round(offset + random() * length * (random() < 0.1 ? 1.5 : 0.9));
    const made = span(n, parent, from, Math.max(1, Math.round(random() * length)), {
      service: `s${Math.floor(random() * 7)}`,
    });
    const kind = KINDS[Math.floor(random() * KINDS.length)];
    if (kind) made.kind = kind;
    if (random() < 0.03) delete made.timestamp;
    if (random() < 0.03) delete made.duration;
    if (random() < 0.1) made.tags = { error: '' };
    spans.push(made);
  }
  return spans;
}

/** A chain of `levels` spans, each inside the one above. */
export function deepTrace(levels: number): Span[] {
  return Array.from({ length: levels }, (_, i) => span(i + 1, i === 0 ? undefined : i, i, 2 * levels - 2 * i));
}

/** `count` spans of about 360 bytes over 40 services, mixed depths, with tags. */
export function largeTrace(count: number): Span[] {
  const random = randomOf(7);
  const spans: Span[] = [span(1, undefined, 0, 60_000_000, { service: 'svc0', kind: 'SERVER' })];
  for (let n = 2; n <= count; n++) {
    const parent = Math.max(1, n - 1 - Math.floor(random() * random() * 400));
    const above = spans[parent - 1]!;
    const from = above.timestamp! - EPOCH_US + Math.floor(random() * above.duration! * 0.5);
    const made = span(n, parent, from, Math.max(1, Math.floor(above.duration! * (0.2 + random() * 0.5))), {
      service: `svc${n % 40}`,
      kind: n % 2 ? 'CLIENT' : 'SERVER',
      tags: { 'http.method': 'GET', 'http.path': `/api/items/${n}`, 'http.status_code': n % 97 ? '200' : '500' },
    });
    if (n % 97 === 0) made.tags = { ...made.tags, error: 'boom' };
    spans.push(made);
  }
  return spans;
}

/** How long a test of a large trace may take: what takes quadratic time does not end in it, what is linear needs seconds. */
export const LARGE_MS = 60_000;
