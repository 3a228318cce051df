import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { file as english } from '../../i18n/en/file';
import { inflate } from '../inflate';
import { groupByTrace, readSpans } from './read';
import { FormatError } from './values';

const corpora = '../tests/corpora';
const v2 = {
  traceId: 'A1',
  id: '1',
  name: 'get',
  timestamp: 5,
  duration: 2,
  localEndpoint: { serviceName: 'web' },
  tags: { a: 'b' },
};

/** The body of a request that a real client sent. */
function captured(client: string): string {
  const { requests } = JSON.parse(readFileSync(`${corpora}/clients/${client}.json`, 'utf8'));
  const { headers, body_base64: body } = requests[0] as { headers: [string, string][]; body_base64: string };
  const bytes = Buffer.from(body, 'base64');
  const zipped = headers.some(([name, value]) => name.toLowerCase() === 'content-encoding' && value === 'gzip');
  return (zipped ? gunzipSync(bytes) : bytes).toString('utf8');
}

describe('zipkin v2', () => {
  test('a list, a list of lists, a single span and one a line give the same span', () => {
    const expected = [{ ...v2, traceId: '00000000000000a1', id: '0000000000000001' }];
    const text = JSON.stringify(v2);
    for (const content of [`[${text}]`, `[[${text}]]`, text]) expect(readSpans(content)).toEqual(expected);
    expect(readSpans(`[${text}]\n[${text}]\n`)).toEqual([...expected, ...expected]);
  });

  test.each(readdirSync(`${corpora}/lens`).filter((name) => name.endsWith('.json')))(
    '%s of zipkin-lens is read',
    (name) => {
      expect(readSpans(readFileSync(`${corpora}/lens/${name}`, 'utf8')).length).toBeGreaterThan(0);
    },
  );

  test('traces are told apart', () => {
    const spans = readSpans(JSON.stringify([v2, { ...v2, traceId: 'b2' }, { ...v2, id: '2' }]));
    expect(groupByTrace(spans).map((trace) => trace.length)).toEqual([2, 1]);
  });

  test('tag keys of object prototypes are tags', () => {
    const [span] = readSpans('[{"traceId":"1","id":"1","tags":{"__proto__":"x","constructor":"y"}}]');
    expect(Object.entries(span?.tags ?? {})).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
  });
});

test('Jaeger JSON becomes v2 spans', () => {
  const file = {
    data: [
      {
        traceID: '5b8aa5a2d2c872e8321cf37308d69df2',
        spans: [
          {
            traceID: '5b8aa5a2d2c872e8321cf37308d69df2',
            spanID: '51581bf3cb55c13',
            operationName: 'GET /api',
            references: [
              { refType: 'CHILD_OF', traceID: '5b8aa5a2d2c872e8321cf37308d69df2', spanID: '5b8aa5a2d2c872e8' },
            ],
            startTime: 1_600_000_000_000_000,
            duration: 1_500,
            tags: [
              { key: 'span.kind', type: 'string', value: 'client' },
              { key: 'error', type: 'bool', value: true },
              { key: 'peer.service', type: 'string', value: 'db' },
              { key: 'http.status_code', type: 'int64', value: 500 },
            ],
            logs: [
              { timestamp: 1_600_000_000_000_100, fields: [{ key: 'event', type: 'string', value: 'retry' }] },
              { timestamp: 1_600_000_000_000_200, fields: [{ key: 'level', type: 'string', value: 'warn' }] },
            ],
            processID: 'p1',
          },
        ],
        processes: { p1: { serviceName: 'Web', tags: [{ key: 'ip', type: 'string', value: '10.0.0.1' }] } },
      },
    ],
  };
  expect(readSpans(JSON.stringify(file))).toEqual([
    {
      traceId: '5b8aa5a2d2c872e8321cf37308d69df2',
      id: '051581bf3cb55c13',
      parentId: '5b8aa5a2d2c872e8',
      kind: 'CLIENT',
      name: 'GET /api',
      timestamp: 1_600_000_000_000_000,
      duration: 1_500,
      localEndpoint: { serviceName: 'web', ipv4: '10.0.0.1' },
      remoteEndpoint: { serviceName: 'db' },
      annotations: [
        { timestamp: 1_600_000_000_000_100, value: 'retry' },
        { timestamp: 1_600_000_000_000_200, value: '{"level":"warn"}' },
      ],
      tags: { error: 'true', 'peer.service': 'db', 'http.status_code': '500' },
    },
  ]);
});

describe('OTLP JSON', () => {
  test('is mapped as OpenTelemetry maps to zipkin', () => {
    const file = {
      resourceSpans: [
        {
          resource: { attributes: [{ key: 'service.name', value: { stringValue: 'Shop' } }] },
          scopeSpans: [
            {
              scope: { name: 'lib' },
              spans: [
                {
                  traceId: '5B8EFFF798038103D269B633813FC60C',
                  spanId: 'EEE19B7EC3C1B174',
                  parentSpanId: 'EEE19B7EC3C1B173',
                  name: 'pay',
                  kind: 3,
                  startTimeUnixNano: '1544712660000000000',
                  endTimeUnixNano: '1544712661000500000',
                  attributes: [
                    { key: 'n', value: { intValue: '7' } },
                    { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a' }, { boolValue: true }] } } },
                    { key: 'server.address', value: { stringValue: 'DB' } },
                  ],
                  events: [
                    {
                      timeUnixNano: '1544712660100000000',
                      name: 'retry',
                      attributes: [{ key: 'k', value: { stringValue: 'v' } }],
                    },
                  ],
                  status: { code: 2, message: 'refused' },
                },
              ],
            },
          ],
        },
      ],
    };
    expect(readSpans(JSON.stringify(file))).toEqual([
      {
        traceId: '5b8efff798038103d269b633813fc60c',
        id: 'eee19b7ec3c1b174',
        parentId: 'eee19b7ec3c1b173',
        kind: 'CLIENT',
        name: 'pay',
        timestamp: 1_544_712_660_000_000,
        duration: 1_000_500,
        localEndpoint: { serviceName: 'shop' },
        remoteEndpoint: { serviceName: 'db' },
        annotations: [{ timestamp: 1_544_712_660_100_000, value: '"retry": {"k":"v"}' }],
        tags: {
          n: '7',
          list: '["a",true]',
          'server.address': 'DB',
          'otel.scope.name': 'lib',
          'otel.status_code': 'ERROR',
          error: 'refused',
        },
      },
    ]);
  });
});

test('what a real v1 client sent is read', () => {
  const spans = readSpans(captured('brave-okhttp-json-v1'));
  expect(spans.length).toBeGreaterThan(1);
  expect(spans.every(({ localEndpoint }) => localEndpoint?.serviceName !== undefined)).toBe(true);
});

describe('a file that cannot be read says where and why', () => {
  test.each([
    ['[{"traceId":"1","id":"1"},{"traceId":"1","id":"xyz"}]', 'span 2: id is not hex'],
    ['[{"traceId":"1"}]', 'span 1: id is missing'],
    ['[{"traceId":"1","id":"1","kind":"client"}]', 'span 1: kind is none of'],
    ['[{"traceId":"1","id":"1","tags":{"a":{}}}]', 'span 1: tags: "a" is not a text'],
    ['[[{"traceId":"1","id":"1"}],[{"id":"1"}]]', 'trace 2, span 1: traceId is missing'],
    ['[{"traceId":"1","id":"1","annotations":[{"value":"a"},{"timestamp":1}]}]', 'span 1: annotation 2 has no value'],
    ['{"hello":1}', 'no known form'],
    ['[]', 'no spans'],
    ['["a"]', 'span 1 is not an object'],
    ['{"a":', 'not JSON'],
    ['[{"traceId":"1","id":"1"}]\n{oops', 'line 2 is not JSON'],
    ['', 'not JSON'],
    [`${'['.repeat(300)}${']'.repeat(300)}`, 'nested deeper'],
    ['{"data":[{"spans":[{"traceID":"1","spanID":"q"}]}]}', 'trace 1, span 1: spanID is not hex'],
    ['{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"1"}]}]}]}', 'OTLP, resource 1, span 1: spanId is missing'],
  ])('%s: %s', (content, message) => {
    expect(said(() => readSpans(content))).toContain(message);
  });
});

/** The problem in English, as the page says it. */
function said(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const facts: Readonly<Record<string, unknown>> = error.facts;
    return english[error.problem].replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => String(facts[name]));
  }
  return '';
}

describe('gzip', () => {
  test('is told by its first bytes', async () => {
    const zipped = new Blob([readFileSync(`${corpora}/traces/large-10000.json.gz`)]);
    expect(readSpans(new TextDecoder().decode(await inflate(zipped)))).toHaveLength(10_000);
    const plain = await inflate(new Blob(['[]']));
    expect(new TextDecoder().decode(plain)).toBe('[]');
  });

  test('that is damaged or inflates without end is refused', async () => {
    const bytes = readFileSync(`${corpora}/traces/wide-3000.json.gz`);
    await expect(inflate(new Blob([bytes.subarray(0, 500)]))).rejects.toThrow('badGzip');
    await expect(inflate(new Blob([bytes]), 1_000)).rejects.toThrow('badInflated');
  });
});
