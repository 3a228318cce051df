// @vitest-environment node
import { describe, expect, it, vi } from 'vitest';
import { layOut, readTrace } from './build';
import { findRows, parseFind, wordsToMark } from './find';
import { FindIndex } from './findIndex';
import { EPOCH_US, LARGE_MS, largeTrace, span } from './testing';

const trace = readTrace([
  span(1, undefined, 0, 200_000, { service: 'Frontend', name: 'get /', tags: { 'http.path': '/a b', user: 'Ana' } }),
  span(2, 1, 10, 150_000, {
    service: 'cart',
    tags: { error: '500 at /x' },
    annotations: [{ timestamp: EPOCH_US, value: 'cache.miss' }],
  }),
  span(0xabcdef, 1, 20, 50, {
    service: 'db',
    kind: 'CLIENT',
    name: 'select',
    remoteEndpoint: { serviceName: 'mysql' },
  }),
]);
const { layout, rows } = layOut(trace, false);
const index = new FindIndex(trace.spans);
const find = (query: string) => [...findRows(query, index, rows, layout)];

describe('find', () => {
  it.each([
    ['frontend', [0]],
    ['CACHE.MISS', [1]],
    ['abcdef', [2]],
    ['mysql', [2]],
    ['ana', [0]],
    ['http.path', [0]],
    ['err', [1]],
    ['>100ms', [0, 1]],
    ['<1ms', [2]],
    ['>100ms err', [1]],
    ['service:db', [2]],
    ['service:mysql', [2]],
    ['name:select', [2]],
    ['name:frontend', []],
    ['user=an', [0]],
    ['USER=ana', [0]],
    ['error=', [1]],
    ['rro=500', []],
    ['user=', [0]],
    ['e', [0, 1, 2]],
    ['\u0000', []],
    ['http.path="/a b"', [0]],
    ['"/a b"', [0]],
    ['', []],
    ['   ', []],
    ['nothing', []],
  ])('%s', (query, expected) => {
    expect(find(query)).toEqual(expected);
  });

  it.each(['(', '[a', 'a+*', '\\', '.*', '^$', '{1}', '/x'])('takes %s as text, not as a pattern', (query) => {
    const matching = query === '/x' ? [1] : [];
    expect(find(query)).toEqual(matching);
  });

  it('marks the words that were looked for', () => {
    expect(wordsToMark(parseFind('err >1ms service:db user=ana plain'))).toEqual(['db', 'ana', 'plain']);
  });

  it(
    'looks at each of 50,000 spans once, whatever is looked for',
    () => {
      const large = readTrace(largeTrace(50_000));
      const laidOut = layOut(large, false);
      const largeIndex = new FindIndex(large.spans);
      const looks = (['serviceIn', 'nameIn', 'factIn', 'tagIn'] as const).map((look) => vi.spyOn(largeIndex, look));
      const scans = (['containing', 'equalTo', 'withId'] as const).map((scan) => vi.spyOn(largeIndex, scan));
      for (const query of ['items/4999', 'svc7', 'no such thing', 'http.status_code=500']) {
        findRows(query, largeIndex, laidOut.rows, laidOut.layout);
        for (const look of looks) expect(look.mock.calls.length, query).toBeLessThanOrEqual(3 * 50_000);
        expect(
          scans.reduce((sum, scan) => sum + scan.mock.calls.length, 0),
          query,
        ).toBeLessThanOrEqual(6);
        for (const spy of [...looks, ...scans]) spy.mockClear();
      }
    },
    LARGE_MS,
  );
});
