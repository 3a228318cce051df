// @vitest-environment node
import { describe, expect, it } from 'vitest';
import { layOut, readTrace } from './build';
import { flameByPath, flameByTime } from './flame';
import { countLines, JsonLines } from './jsonLines';
import { serviceMap } from './serviceMap';
import type { Span } from './span';
import { percentile, statistics, tagKeys } from './stats';
import { deepTrace, LARGE_MS, largeTrace, randomTrace, span } from './testing';
import { niceTicks } from './ticks';

const open = (spans: readonly Span[]) => {
  const trace = readTrace(spans);
  return { trace, ...layOut(trace, false) };
};

const shop = [
  span(1, undefined, 0, 100, { service: 'web', name: 'get /' }),
  span(2, 1, 10, 40, { service: 'api', name: 'list', tags: { region: 'eu' } }),
  span(3, 1, 20, 60, { service: 'api', name: 'list', tags: { region: 'us', error: 'x' } }),
  span(4, 3, 30, 10, { service: 'db', name: 'select', kind: 'CLIENT' }),
];

describe('statistics', () => {
  const { trace, rows, layout } = open(shop);

  it('sum per service', () => {
    const { groups } = statistics('service', trace.spans, rows, layout);
    expect(
      groups.map((g) => [g.service, g.count, g.errors, g.totalUs, g.selfUs, g.criticalUs, g.p50Us, g.maxUs]),
    ).toEqual([
      ['api', 2, 1, 100, 90, 50, 40, 60],
      ['web', 1, 0, 100, 30, 40, 100, 100],
      ['db', 1, 0, 10, 10, 10, 10, 10],
    ]);
  });

  it('sum per operation and per value of a tag', () => {
    const names = (by: Parameters<typeof statistics>[0]) =>
      statistics(by, trace.spans, rows, layout).groups.map((g) => [g.name, g.count]);
    expect(names('operation')).toEqual([
      ['list', 2],
      ['get /', 1],
      ['select', 1],
    ]);
    expect(names('tag:region')).toEqual([
      ['us', 1],
      ['eu', 1],
    ]);
    expect(tagKeys(trace.spans)).toEqual([
      { key: 'region', count: 2 },
      { key: 'error', count: 1 },
    ]);
  });

  it('take the least value that covers the share', () => {
    expect(percentile(Float64Array.of(1, 2, 3, 4), 0.5)).toBe(2);
    expect(percentile(Float64Array.of(1, 2, 3, 4), 0.95)).toBe(4);
    expect(percentile(Float64Array.of(), 0.5)).toBeNaN();
  });

  it('partition the time on the critical path', () => {
    const large = open(randomTrace(11, 500));
    const { groups } = statistics('operation', large.trace.spans, large.rows, large.layout);
    const sum = groups.reduce((total, group) => total + group.criticalUs, 0);
    expect(sum).toBe(large.layout.critical.totalUs);
  });
});

describe('flame graph', () => {
  it('never lays two boxes of one lane over each other, nor a child above its parent', () => {
    for (let seed = 1; seed <= 100; seed++) {
      const { layout } = open(randomTrace(seed, 80));
      const flame = flameByTime(layout, layout.times);
      const lanes = new Map<number, [number, number][]>();
      for (let box = 0; box < flame.count; box++) {
        const lane = lanes.get(flame.y[box]!) ?? [];
        lane.push([flame.x[box]!, flame.x[box]! + flame.width[box]!]);
        lanes.set(flame.y[box]!, lane);
        if (flame.parent[box]! >= 0) expect(flame.y[box]).toBeGreaterThan(flame.y[flame.parent[box]!]!);
      }
      for (const lane of lanes.values()) {
        lane.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
        for (let i = 1; i < lane.length; i++) expect(lane[i]![0]).toBeGreaterThanOrEqual(lane[i - 1]![1]);
      }
    }
  });

  it('merges calls of one path; the box is as wide as their time together', () => {
    const { layout } = open(shop);
    const flame = flameByPath(layout);
    expect(flame.count).toBe(3);
    expect([...flame.rows]).toEqual([1, 2, 1]);
    expect([...flame.boxOf]).toEqual([0, 1, 1, 2]);
    expect([...flame.totalOf]).toEqual([100, 100, 10]);
    expect([...flame.selfOf]).toEqual([30, 90, 10]);
    expect([...flame.width]).toEqual([100, 100, 10]);
    expect([...flame.errors]).toEqual([0, 1, 0]);
    expect([...flame.size]).toEqual([3, 2, 1]);
  });

  it('keeps children inside their box', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const flame = flameByPath(open(randomTrace(seed, 120)).layout);
      for (let box = 0; box < flame.count; box++) {
        const parent = flame.parent[box]!;
        if (parent < 0) continue;
        expect(flame.x[box]).toBeGreaterThanOrEqual(flame.x[parent]!);
        expect(flame.x[box]! + flame.width[box]!).toBeLessThanOrEqual(flame.x[parent]! + flame.width[parent]!);
      }
    }
  });

  it(
    'is laid out for 50,000 spans and 10,000 levels',
    () => {
      for (const { layout } of [open(largeTrace(50_000)), open(deepTrace(10_000))]) {
        expect(flameByTime(layout, layout.times).count).toBe(layout.rowCount);
        expect(flameByPath(layout).count).toBeLessThanOrEqual(layout.rowCount);
      }
    },
    LARGE_MS,
  );
});

describe('service map', () => {
  it('counts calls between services', () => {
    const map = serviceMap(open(shop).layout);
    expect(map.nodes.map((node) => [node.service, node.rows, node.errors])).toEqual([
      ['web', 1, 0],
      ['api', 2, 1],
      ['db', 1, 0],
    ]);
    expect(map.calls).toEqual([
      { parent: 'web', child: 'api', calls: 2, errors: 1, totalUs: 100 },
      { parent: 'api', child: 'db', calls: 1, errors: 0, totalUs: 10 },
    ]);
  });
});

describe('JSON by lines', () => {
  it('is what JSON.stringify prints, from any line to any line', () => {
    const spans = [...randomTrace(4, 20), ...shop];
    const expected = JSON.stringify(spans, null, 2).split('\n');
    const lines = new JsonLines(spans);
    expect(lines.lineCount).toBe(expected.length);
    expect(lines.lines(0, expected.length)).toEqual(expected);
    for (let from = 0; from < expected.length; from += 7) {
      expect(lines.lines(from, from + 13)).toEqual(expected.slice(from, from + 13));
    }
    expect(expected[lines.lineOf(5) + 1]).toContain(spans[5]!.traceId);
  });

  it.each([[{}], [[]], [{ a: [], b: {} }], [{ a: [1, [2, { c: null }]] }], ['x'], [null]])(
    'counts the lines of %j',
    (value) => {
      expect(countLines(value)).toBe(JSON.stringify(value, null, 2).split('\n').length);
    },
  );
});

describe('ticks of an axis', () => {
  it.each([
    [0, 151_000, 5, [0, 50_000, 100_000, 150_000]],
    [17, 23, 6, [17, 18, 19, 20, 21, 22, 23]],
    [0, 600e6, 6, [0, 120e6, 240e6, 360e6, 480e6, 600e6]],
    [590e6, 600e6, 5, [590e6, 592e6, 594e6, 596e6, 598e6, 600e6]],
    [0, 0, 5, []],
  ])('from %d to %d', (from, to, countMax, expected) => {
    expect(niceTicks(from, to, countMax)).toEqual(expected);
  });
});
