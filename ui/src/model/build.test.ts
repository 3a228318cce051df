// @vitest-environment node
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { layOut, readTrace } from './build';
import {
  ancestorsOf,
  FLAG_ASYNC,
  FLAG_CYCLE,
  FLAG_EXTRA_ROOT,
  FLAG_HALVES,
  FLAG_ORPHAN,
  FLAG_SKEWED,
  FLAG_VIRTUAL,
  FLAG_WARNING,
  KIND_RPC,
  type Layout,
  rowKey,
  rowOfKey,
  spanIdOf,
} from './layout';
import type { Span } from './span';
import { deepTrace, EPOCH_US, hex, LARGE_MS, largeTrace, randomOf, randomTrace, shuffled, span } from './testing';

const layoutOf = (spans: readonly Span[], split = false): Layout => layOut(readTrace(spans), split).layout;

function fixture(name: string): Span[] {
  const bytes = readFileSync(new URL(`../../test/fixtures/traces/${name}`, import.meta.url));
  return JSON.parse((name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString());
}

/** Rows as text: indentation, service, operation. */
function outline(layout: Layout): string[] {
  return Array.from({ length: layout.rowCount }, (_, row) => {
    const name = `${layout.services[layout.service[row]!]} ${layout.operations[layout.operation[row]!]}`;
    return `${'  '.repeat(layout.depth[row]!)}${name.trim() || '?'}`;
  });
}

describe('tree', () => {
  it('puts children below their parents by start, then by name', () => {
    const layout = layoutOf([
      span(4, 1, 20, 5),
      span(3, 1, 10, 5, { name: 'b' }),
      span(1, undefined, 0, 100),
      span(2, 1, 10, 5, { name: 'a' }),
      span(5, 2, 11, 1),
    ]);
    expect(outline(layout)).toEqual(['shop op1', '  shop a', '    shop op5', '  shop b', '  shop op4']);
    expect([...layout.size]).toEqual([5, 2, 1, 1, 1]);
    expect([...layout.posInSet]).toEqual([1, 1, 1, 2, 3]);
    expect([...layout.setSize]).toEqual([1, 3, 1, 3, 3]);
  });

  it('does not depend on the order in which spans came', () => {
    for (const name of [
      'messaging.json',
      'duplicated-ids.json',
      'missing-parents.json',
      'clock-skew.json',
      'yelp.json',
    ]) {
      const spans = fixture(name);
      const expected = outline(layoutOf(spans));
      for (let seed = 1; seed <= 20; seed++)
        expect(outline(layoutOf(shuffled(spans, randomOf(seed))))).toEqual(expected);
    }
  });

  it('shows a span reported twice once, with the facts of both reports', () => {
    const twice = [
      span(1, undefined, 5, 10, { tags: { a: '1', b: '1' }, annotations: [{ timestamp: 9, value: 'x' }] }),
      span(1, undefined, 0, 30, {
        tags: { b: '2' },
        annotations: [
          { timestamp: 9, value: 'x' },
          { timestamp: 3, value: 'y' },
        ],
      }),
    ];
    const trace = readTrace(twice);
    expect(trace.spans).toHaveLength(1);
    expect({ ...trace.spans[0]!.tags }).toEqual({ a: '1', b: '2' });
    expect(trace.spans[0]!.annotations).toEqual([
      { timestamp: 3, value: 'y' },
      { timestamp: 9, value: 'x' },
    ]);
    const layout = layOut(trace, false).layout;
    expect([layout.rowCount, layout.times.originUs, layout.duration[0]]).toEqual([1, EPOCH_US, 30]);
  });

  it('keeps tag keys of the object prototype as data', () => {
    const tags = JSON.parse('{"__proto__": "p", "constructor": "c"}');
    const trace = readTrace([span(1, undefined, 0, 1, { tags }), span(1, undefined, 0, 1, { tags: { x: '1' } })]);
    expect(Object.entries(trace.spans[0]!.tags).sort()).toEqual([
      ['__proto__', 'p'],
      ['constructor', 'c'],
      ['x', '1'],
    ]);
  });

  it('cuts a cycle at its earliest span, whatever the order', () => {
    const cycle = [span(1, 3, 10, 5), span(2, 1, 20, 5), span(3, 2, 30, 5), span(4, 2, 25, 1)];
    for (let seed = 1; seed <= 10; seed++) {
      const layout = layoutOf(shuffled(cycle, randomOf(seed)));
      expect(outline(layout)).toEqual(['?', '  shop op1', '    shop op2', '      shop op4', '      shop op3']);
      expect(layout.flags[0]! & FLAG_VIRTUAL).toBeTruthy();
      expect(layout.flags[1]! & FLAG_CYCLE).toBeTruthy();
    }
  });

  it('treats a span that names itself as parent as a root', () => {
    expect(outline(layoutOf([span(1, 1, 0, 5)]))).toEqual(['shop op1']);
  });

  it('hangs everything below one row without span when no root was received', () => {
    const layout = layoutOf([span(2, 9, 10, 5), span(3, 8, 5, 50)]);
    expect(outline(layout)).toEqual(['?', '  shop op3', '  shop op2']);
    expect(layout.flags[0]! & FLAG_VIRTUAL).toBeTruthy();
    expect(layout.flags[1]! & FLAG_ORPHAN).toBeTruthy();
    expect([layout.times.originUs - EPOCH_US, layout.duration[0], layout.skewChecked]).toEqual([5, 50, false]);
  });

  it('puts spans whose parent is missing beside the root, marked', () => {
    const layout = layoutOf([span(1, undefined, 0, 50), span(3, 8, 5, 60)]);
    expect(outline(layout)).toEqual(['shop op1', 'shop op3']);
    expect(layout.flags[1]! & FLAG_ORPHAN).toBeTruthy();
    expect(layout.times.durationUs).toBe(65);
  });

  it('marks a second root and then leaves the clocks alone', () => {
    const layout = layoutOf([span(1, undefined, 10, 50), span(2, undefined, 5, 5)]);
    expect(layout.flags[1]! & FLAG_EXTRA_ROOT).toBeTruthy();
    expect(layout.skewChecked).toBe(false);
  });

  it('lives with spans that have no times at all', () => {
    const bare: Span[] = [1, 2, 3].map((n) => ({ traceId: '1', id: hex(n), ...(n > 1 && { parentId: hex(1) }) }));
    const layout = layoutOf(bare);
    expect(layout.rowCount).toBe(3);
    expect(layout.times.durationUs).toBe(0);
    expect([...layout.times.start].every(Number.isNaN)).toBe(true);
    expect(layout.critical.totalUs).toBe(0);
  });

  it('answers an empty list with no rows', () => {
    const layout = layoutOf([]);
    expect([layout.rowCount, layout.times.durationUs]).toEqual([1, 0]);
  });
});

describe('halves', () => {
  const client = span(2, 1, 10, 100, { service: 'web', kind: 'CLIENT', name: 'get', ip: '10.0.0.1' });
  const server = span(2, 1, 30, 60, { service: 'api', kind: 'SERVER', name: 'get /x', shared: true, ip: '10.0.0.2' });
  const below = span(3, 2, 40, 20, { service: 'api', ip: '10.0.0.2' });
  const root = span(1, undefined, 0, 200, { service: 'web', ip: '10.0.0.1' });

  it('are one row with the name of the server, its bar inside', () => {
    const layout = layoutOf([root, client, server, below]);
    expect(outline(layout)).toEqual(['web op1', '  api get /x', '    api op3']);
    expect(layout.kind[1]).toBe(KIND_RPC);
    expect(layout.flags[1]! & FLAG_HALVES).toBeTruthy();
    expect([layout.times.start[1], layout.duration[1], layout.times.innerStart[1], layout.innerDuration[1]]).toEqual([
      10, 100, 30, 60,
    ]);
  });

  it('are two rows when split, each with a key of its own', () => {
    const layout = layoutOf([root, client, server, below], true);
    expect(outline(layout)).toEqual(['web op1', '  web get', '    api get /x', '      api op3']);
    expect([rowKey(layout, 1), rowKey(layout, 2)]).toEqual([`${hex(2)}-c`, `${hex(2)}-s`]);
    expect([rowOfKey(layout, `${hex(2)}-s`), rowOfKey(layout, hex(2)), rowOfKey(layout, '3')]).toEqual([2, 1, 3]);
    expect(layout.self[1]).toBe(40);
  });

  it('are recognised without the shared flag', () => {
    const { shared, ...unmarked } = server;
    expect(outline(layoutOf([root, client, unmarked, below]))).toEqual(['web op1', '  api get /x', '    api op3']);
  });

  it('find their place when the client half is missing', () => {
    expect(outline(layoutOf([root, server, below]))).toEqual(['web op1', '  api get /x', '    api op3']);
  });

  it('give a second server of the same call a row of its own', () => {
    const second = span(2, 1, 35, 10, { service: 'mirror', kind: 'SERVER', name: 'get /x', shared: true });
    const layout = layoutOf([root, client, server, below, second]);
    expect(outline(layout)).toEqual(['web op1', '  api get /x', '    mirror get /x', '    api op3']);
    const keys = [0, 1, 2, 3].map((row) => rowKey(layout, row));
    expect(new Set(keys).size).toBe(4);
    expect(keys.map((key) => rowOfKey(layout, key))).toEqual([0, 1, 2, 3]);
  });

  it('let the last client of a branch stand for the service it called', () => {
    const query = span(4, 1, 10, 5, { kind: 'CLIENT', service: 'web', remoteEndpoint: { serviceName: 'mysql' } });
    expect(outline(layoutOf([root, query]))).toEqual(['web op1', '  mysql op4']);
  });
});

describe('marks', () => {
  it('counts errors below every row; an empty error tag is one, an annotation is a warning', () => {
    const layout = layoutOf([
      span(1, undefined, 0, 100),
      span(2, 1, 1, 50),
      span(3, 2, 2, 20, { tags: { error: '' } }),
      span(4, 3, 3, 10, { tags: { error: 'x' } }),
      span(5, 1, 60, 10, { annotations: [{ timestamp: EPOCH_US + 61, value: 'error' }] }),
    ]);
    expect([...layout.errorsBelow]).toEqual([2, 2, 1, 0, 0]);
    expect(layout.flags[4]! & FLAG_WARNING).toBeTruthy();
  });

  it('says who is not waited for: consumers, and what starts after its parent ended', () => {
    const layout = layoutOf([
      span(1, undefined, 0, 100),
      span(2, 1, 10, 20, { kind: 'CONSUMER' }),
      span(3, 1, 100, 20),
      span(4, 1, 50, 90),
    ]);
    expect([...layout.flags].map((flags) => (flags & FLAG_ASYNC) !== 0)).toEqual([false, true, false, true]);
  });
});

describe('clock skew', () => {
  it('is corrected with the numbers of zipkin', () => {
    const layout = layoutOf(fixture('lens-skew.json'));
    // Client 1470150004074202 + 94539, server 1470150004008761 + 93577: half the difference is 481.
    expect(layout.skews).toMatchObject([{ service: 'serviceb', address: '192.0.0.0', shiftUs: 65922 }]);
    expect(outline(layout)).toEqual(['servicea get', '  serviceb post', '    serviceb async']);
    const at = (row: number) => layout.times.originUs + layout.times.start[row]!;
    expect([at(0), at(1), at(2)]).toEqual([1470150004071068, 1470150004074202, 1470150004074684]);
    expect(layout.times.originUs + layout.times.innerStart[1]!).toBe(1470150004074683);
    expect(layout.rawTimes.originUs).toBe(1470150004008761);
    expect(layout.flags[1]! & FLAG_SKEWED).toBeTruthy();
  });

  it('moves a clock that is behind and its annotations; spans of other hosts stay', () => {
    const layout = layoutOf(fixture('clock-skew.json'));
    expect(layout.skews[0]).toMatchObject({ service: 'behind', shiftUs: 240_000_000 });
    const behind = rowOfKey(layout, '3d17da425b74a10c');
    expect(layout.times.innerStart[behind]! - layout.times.start[behind]!).toBe(50_000);
    expect(layout.times.ticks[layout.tickStart[behind]!]! - layout.times.innerStart[behind]!).toBe(50_000);
    expect(layout.rawTimes.innerStart[behind]! - layout.rawTimes.start[behind]!).toBe(-239_950_000);
  });

  const cases: [string, number, number | undefined, number, number | undefined, number][] = [
    ['centres the server in its client', 20, 20, 10, 10, 15],
    ['moves a longer server to just after its client', 20, 5, 10, 10, 11],
    ['moves by one microsecond when a duration is missing', 20, undefined, 10, 10, 11],
    ['sees skew when both start at once', 20, 20, 20, 10, 5],
    ['sees none when the server starts later', 20, 20, 30, 10, 0],
  ];
  it.each(cases)('%s', (_, clientStart, clientDuration, serverStart, serverDuration, shiftUs) => {
    const half = (from: number, duration: number | undefined, more: object) => {
      const made = span(2, undefined, from, duration ?? 0, more);
      if (duration === undefined) delete made.duration;
      return made;
    };
    const layout = layoutOf([
      half(clientStart, clientDuration, { kind: 'CLIENT', ip: '10.0.0.1' }),
      half(serverStart, serverDuration, { kind: 'SERVER', shared: true, service: 'api', ip: '10.0.0.2' }),
    ]);
    expect(layout.skews.map((skew) => skew.shiftUs)).toEqual(shiftUs === 0 ? [] : [shiftUs]);
  });

  it('is not looked for between spans of one host, or without addresses', () => {
    for (const ip of ['10.0.0.1', undefined]) {
      const more = ip === undefined ? {} : { ip };
      const layout = layoutOf([
        span(2, undefined, 20, 20, { kind: 'CLIENT', ...more }),
        span(2, undefined, 10, 10, { kind: 'SERVER', shared: true, service: 'api', ...more }),
      ]);
      expect(layout.skews).toEqual([]);
    }
  });
});

describe('size', () => {
  it(
    'reads 50,000 spans',
    () => {
      const spans = largeTrace(50_000);
      const layout = layoutOf(spans);
      expect(layout.rowCount).toBe(50_000);
    },
    LARGE_MS,
  );

  it(
    'reads a chain of 10,000 levels, and a ring of as many',
    () => {
      const chain = deepTrace(10_000);
      const layout = layoutOf(chain);
      expect(layout.depthMax).toBe(9_999);
      expect(ancestorsOf(layout, 9_999)).toHaveLength(9_999);
      const ring = layoutOf([{ ...chain[0]!, parentId: hex(10_000) }, ...chain.slice(1)]);
      expect(ring.depthMax).toBe(10_000);
    },
    LARGE_MS,
  );

  it(
    'reads 50,000 reports of one id, equal or not',
    () => {
      const same = Array.from({ length: 50_000 }, (_, i) =>
        span(1, undefined, i, 5, { annotations: [{ timestamp: i + 1, value: 'x' }] }),
      );
      const other = Array.from({ length: 50_000 }, (_, i) =>
        span(1, undefined, i, 5, { shared: i > 0, service: `s${i}`, kind: i > 0 ? 'SERVER' : 'CLIENT' }),
      );
      const below = Array.from({ length: 5_000 }, (_, i) => span(2 + i, 1, i, 5, { service: `s${i}` }));
      expect(layoutOf(same).rowCount).toBe(1);
      expect(layoutOf([...other, ...below]).rowCount).toBe(54_999);
    },
    LARGE_MS,
  );

  it.each([
    ['large-10000.json.gz', 10_000, 15],
    ['deep-300.json', 300, 299],
    ['wide-3000.json.gz', 3_001, 1],
  ])('reads %s: one row for each span id', (name, spanCount, depthMax) => {
    const spans = fixture(name);
    const layout = layoutOf(spans);
    expect([layout.spanCount, layout.depthMax]).toEqual([spanCount, depthMax]);
    expect(layout.rowCount).toBe(new Set(spans.map((one) => one.id)).size);
  });

  it('numbers rows so that a subtree is one stretch', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const layout = layoutOf(randomTrace(seed, 200));
      for (let row = 1; row < layout.rowCount; row++) {
        const parent = layout.parent[row]!;
        expect(parent).toBeLessThan(row);
        if (parent >= 0) expect(row + layout.size[row]!).toBeLessThanOrEqual(parent + layout.size[parent]!);
        expect(rowOfKey(layout, spanIdOf(layout, row))).toBe(row);
      }
    }
  });
});
