/** Traces to measure with: the corpora's, and made ones of 50,000 spans and of many levels. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

export interface MeasuredTrace {
  readonly traceId: string;
  readonly spanCount: number;
  /** Messages below the size that servers take. */
  readonly messages: readonly string[];
}

const fixtures = new URL('../test/fixtures/traces/', import.meta.url);
/** Spans a message: below 5 MiB, the peer's limit for JSON it can take in one go. */
const spansPerMessage = 5_000;

interface Span {
  traceId: string;
  id: string;
  parentId?: string;
  [more: string]: unknown;
}

function measured(spans: readonly Span[]): MeasuredTrace {
  const messages: string[] = [];
  for (let at = 0; at < spans.length; at += spansPerMessage)
    messages.push(JSON.stringify(spans.slice(at, at + spansPerMessage)));
  return { traceId: spans[0]?.traceId ?? '', spanCount: spans.length, messages };
}

/** A file of `test/fixtures/traces`. */
export function corpusTrace(name: string): MeasuredTrace {
  const bytes = readFileSync(new URL(name, fixtures));
  return measured(JSON.parse((name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()));
}

/** `count` spans of which each has a parent among those before it, at most `levelsMax` deep; about 360 bytes of JSON each. */
export function madeTrace(traceId: string, count: number, levelsMax: number): MeasuredTrace {
  const hex = (n: number) => n.toString(16).padStart(16, '0');
  const startUs = (Date.now() - 600_000) * 1_000;
  const from = new Float64Array(count + 1);
  const duration = new Float64Array(count + 1);
  const level = new Int32Array(count + 1);
  const spans: Span[] = [];
  for (let n = 1; n <= count; n++) {
    // The first spans are a chain of all levels, the others hang below earlier ones.
    const parent = n === 1 ? 0 : n <= levelsMax ? n - 1 : (n * 7_919) % Math.min(n - 1, count >> 1) || 1;
    if (n > 1 && (level[parent] ?? 0) >= levelsMax - 1 && n > levelsMax) {
      level[n] = 1;
    } else level[n] = n === 1 ? 0 : (level[parent] ?? 0) + 1;
    const above = n > 1 && level[n] === 1 ? 1 : parent;
    from[n] = n === 1 ? 0 : (from[above] ?? 0) + 1 + (n % 7);
    duration[n] = n === 1 ? 4 * count + 60_000_000 : Math.max(1, (duration[above] ?? 0) * 0.6 - 10);
    const service = `service-${n % 40}`;
    spans.push({
      traceId,
      id: hex(n),
      ...(n > 1 && { parentId: hex(above) }),
      kind: n % 2 ? 'SERVER' : 'CLIENT',
      name: `get /items/${n % 200}`,
      timestamp: startUs + Math.floor(from[n] ?? 0),
      duration: Math.floor(duration[n] ?? 1) || 1,
      localEndpoint: { serviceName: service, ipv4: `10.0.${n % 40}.1`, port: 8080 },
      tags: {
        'http.method': 'GET',
        'http.path': `/api/v2/items/${n}/details`,
        'http.status_code': n % 97 ? '200' : '500',
        ...(n % 97 === 0 && { error: 'internal server error' }),
      },
    });
  }
  return measured(spans);
}

/** `count` small traces of one service, to be found by a search. */
export function smallTraces(service: string, count: number): MeasuredTrace {
  const startUs = (Date.now() - 300_000) * 1_000;
  const spans: Span[] = [];
  for (let n = 1; n <= count; n++) {
    const traceId = `5ea7c4${n.toString(16).padStart(26, '0')}`;
    for (let at = 0; at < 20; at++) {
      spans.push({
        traceId,
        id: (at + 1).toString(16).padStart(16, '0'),
        ...(at > 0 && {
          parentId: Math.ceil(at / 3)
            .toString(16)
            .padStart(16, '0'),
        }),
        kind: 'SERVER',
        name: `get /list/${at}`,
        timestamp: startUs + n * 1_000_000 + at * 100,
        duration: 500_000 - at * 20_000,
        localEndpoint: { serviceName: at === 0 ? service : `${service}-${at % 12}` },
      });
    }
  }
  return measured(spans);
}
