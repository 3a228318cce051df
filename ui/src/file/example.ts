import type { JsonSpan } from '../model/types';

type Kind = NonNullable<JsonSpan['kind']>;
/** One line: id, parent, kind, service, name, start and length in µs, remote service, tags. */
type Line = readonly [string, string, Kind | '', string, string, number, number, string, Record<string, string>];

const addresses: Readonly<Record<string, string>> = {
  gateway: '10.1.0.4',
  checkout: '10.1.0.17',
  cart: '10.1.0.21',
  payment: '10.1.0.33',
  fraud: '10.1.0.40',
  inventory: '10.1.0.52',
  email: '10.1.0.61',
};

const post = { 'http.method': 'POST', 'http.path': '/checkout' };
const lines: readonly Line[] = [
  ['01', '', 'SERVER', 'gateway', 'post /checkout', 0, 412_000, '', { ...post, 'http.status_code': '200' }],
  ['02', '01', 'CLIENT', 'gateway', 'post', 3_100, 405_600, 'checkout', post],
  ['02', '01', 'SERVER', 'checkout', 'post /checkout', 4_400, 402_900, '', { ...post, 'customer.tier': 'gold' }],
  ['03', '02', 'CLIENT', 'checkout', 'get', 7_900, 38_300, 'cart', { 'http.method': 'GET' }],
  ['03', '02', 'SERVER', 'cart', 'get /cart/{user}', 8_800, 36_100, '', { 'http.path': '/cart/4711' }],
  ['04', '03', 'CLIENT', 'cart', 'hgetall', 11_200, 2_400, 'redis', { 'cart.items': '3' }],
  ['05', '02', 'CLIENT', 'checkout', 'reserve', 48_700, 61_200, 'inventory', { 'rpc.method': 'Reserve' }],
  ['05', '02', 'SERVER', 'inventory', 'reserve', 49_900, 58_400, '', { 'rpc.method': 'Reserve' }],
  [
    '06',
    '05',
    'CLIENT',
    'inventory',
    'select',
    52_000,
    11_800,
    'mysql',
    { 'sql.query': 'SELECT sku, free FROM stock WHERE sku IN (?, ?, ?) FOR UPDATE' },
  ],
  [
    '07',
    '05',
    'CLIENT',
    'inventory',
    'update',
    65_100,
    39_700,
    'mysql',
    { 'sql.query': 'UPDATE stock SET free = free - ? WHERE sku = ?' },
  ],
  [
    '08',
    '02',
    'CLIENT',
    'checkout',
    'post',
    112_000,
    60_300,
    'payment',
    { 'http.path': '/charge', error: 'connect timed out' },
  ],
  [
    '09',
    '02',
    'CLIENT',
    'checkout',
    'post',
    192_500,
    203_400,
    'payment',
    { 'http.path': '/charge', 'retry.attempt': '2' },
  ],
  ['09', '02', 'SERVER', 'payment', 'post /charge', 193_600, 200_100, '', { 'http.path': '/charge' }],
  ['0a', '09', 'CLIENT', 'payment', 'score', 197_000, 88_900, 'fraud', { 'rpc.method': 'Score' }],
  ['0a', '09', 'SERVER', 'fraud', 'score', 198_300, 86_000, '', { 'fraud.score': '0.07', 'model.version': '2026-11' }],
  ['0b', '09', 'CLIENT', 'payment', 'post /v1/charges', 288_400, 101_500, 'bank', { 'http.status_code': '201' }],
  ['0c', '02', 'PRODUCER', 'checkout', 'send order-placed', 397_800, 1_900, 'kafka', { 'kafka.topic': 'order-placed' }],
  [
    '0d',
    '0c',
    'CONSUMER',
    'email',
    'receive order-placed',
    431_000,
    52_700,
    'kafka',
    { 'kafka.topic': 'order-placed' },
  ],
];

/** A checkout with a retried payment, as a shop could report it, that starts at a time. */
export function exampleTrace(startMs: number): JsonSpan[] {
  const startUs = Math.floor(startMs) * 1000;
  const traceId = `${Math.floor(startMs).toString(16).padStart(16, '0')}00c0ffee00c0ffee`;
  const id = (short: string) => short.padStart(16, '0');
  const seen = new Set<string>();
  return lines.map(([short, parent, kind, service, name, at, duration, remote, tags]) => {
    const shared = kind === 'SERVER' && seen.has(short);
    seen.add(short);
    const retried = short === '08' ? [{ timestamp: startUs + at + 60_000, value: 'retry scheduled in 20 ms' }] : [];
    return {
      traceId,
      id: id(short),
      ...(parent !== '' && { parentId: id(parent) }),
      ...(kind !== '' && { kind }),
      name,
      timestamp: startUs + at,
      duration,
      localEndpoint: { serviceName: service, ...(addresses[service] !== undefined && { ipv4: addresses[service] }) },
      ...(remote !== '' && { remoteEndpoint: { serviceName: remote } }),
      ...(retried.length > 0 && { annotations: retried }),
      tags,
      ...(shared && { shared }),
    };
  });
}
