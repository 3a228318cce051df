/** Traces for the journeys: small, with one of everything. Times are a minute ago, so that searches find them, too. */

export interface TestSpan {
  traceId: string;
  id: string;
  parentId?: string;
  kind?: string;
  name?: string;
  timestamp?: number;
  duration?: number;
  localEndpoint?: object;
  remoteEndpoint?: object;
  tags?: Record<string, string>;
  annotations?: { timestamp: number; value: string }[];
  shared?: boolean;
}

let traces = 0;

/** A trace id that no other trace of this run has. */
export function newTraceId(): string {
  traces += 1;
  return `${process.pid.toString(16).padStart(8, '0')}${traces.toString(16).padStart(8, '0')}${Date.now().toString(16).padStart(16, '0')}`;
}

export const startUs = (Date.now() - 120_000) * 1_000;
const ms = (n: number) => startUs + n * 1_000;
const at = (serviceName: string, ipv4: string) => ({ serviceName, ipv4, port: 8080 });

/**
 * frontend (1.2 s) calls cart (shared halves, clock 4 s behind), which asks a database; payment fails and with it what
 * it called; a message is sent and taken later.
 */
export function shopTrace(traceId: string): TestSpan[] {
  const frontend = at('frontend', '10.0.0.1');
  const cart = at('cart', '10.0.0.2');
  const payment = at('payment', '10.0.0.3');
  return [
    {
      traceId,
      id: '0000000000000001',
      kind: 'SERVER',
      name: 'post /checkout',
      timestamp: ms(0),
      duration: 1_200_000,
      localEndpoint: frontend,
      tags: { 'http.method': 'POST', 'http.path': '/checkout' },
    },
    {
      traceId,
      id: '0000000000000002',
      parentId: '0000000000000001',
      kind: 'CLIENT',
      name: 'get',
      timestamp: ms(100),
      duration: 300_000,
      localEndpoint: frontend,
      remoteEndpoint: { serviceName: 'cart' },
    },
    {
      traceId,
      id: '0000000000000002',
      parentId: '0000000000000001',
      kind: 'SERVER',
      name: 'get /cart',
      timestamp: ms(-3_850),
      duration: 200_000,
      localEndpoint: cart,
      shared: true,
      tags: { 'cart.items': '3', 'cart.link': 'https://example.com/cart/3' },
      annotations: [{ timestamp: ms(-3_800), value: 'cache.miss' }],
    },
    {
      traceId,
      id: '0000000000000003',
      parentId: '0000000000000002',
      kind: 'CLIENT',
      name: 'select',
      timestamp: ms(-3_800),
      duration: 50_000,
      localEndpoint: cart,
      remoteEndpoint: { serviceName: 'cart-db' },
      tags: { 'sql.query': 'SELECT *\nFROM cart' },
    },
    {
      traceId,
      id: '0000000000000004',
      parentId: '0000000000000001',
      kind: 'CLIENT',
      name: 'charge',
      timestamp: ms(450),
      duration: 700_000,
      localEndpoint: frontend,
      tags: { error: 'payment failed' },
    },
    {
      traceId,
      id: '0000000000000005',
      parentId: '0000000000000004',
      kind: 'SERVER',
      name: 'post /charge',
      timestamp: ms(470),
      duration: 650_000,
      localEndpoint: payment,
      tags: { error: '', 'card.json': '{"brand":"visa","tries":[1,2]}' },
    },
    {
      traceId,
      id: '0000000000000006',
      parentId: '0000000000000005',
      name: 'score',
      timestamp: ms(500),
      duration: 400_000,
      localEndpoint: payment,
    },
    {
      traceId,
      id: '0000000000000007',
      parentId: '0000000000000001',
      kind: 'CONSUMER',
      name: 'send mail',
      timestamp: ms(1_300),
      duration: 100_000,
      localEndpoint: at('mailer', '10.0.0.4'),
    },
  ];
}

/** `count` spans below one root, in `levels` levels of equal size. */
export function wideTrace(traceId: string, count: number, levels = 4): TestSpan[] {
  const id = (n: number) => n.toString(16).padStart(16, '0');
  const spans: TestSpan[] = [
    {
      traceId,
      id: id(1),
      kind: 'SERVER',
      name: 'root',
      timestamp: ms(0),
      duration: 10_000_000,
      localEndpoint: at('root', '10.0.0.1'),
    },
  ];
  const perLevel = Math.ceil((count - 1) / levels);
  for (let n = 2; n <= count; n++) {
    const level = Math.floor((n - 2) / perLevel);
    const parent = level === 0 ? 1 : n - perLevel;
    const offset = level * 500_000 + (n % perLevel) * Math.floor(4_000_000 / perLevel);
    spans.push({
      traceId,
      id: id(n),
      parentId: id(parent),
      name: `step ${n}`,
      timestamp: startUs + offset,
      duration: 1_000_000 - level * 100_000,
      localEndpoint: at(`worker-${n % 12}`, '10.0.0.2'),
      tags: { n: String(n) },
    });
  }
  return spans;
}
