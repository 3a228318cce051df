// @vitest-environment node
import { describe, expect, it } from 'vitest';
import { layOut, readTrace } from './build';
import { FLAG_ASYNC, type Layout } from './layout';
import type { Span } from './span';
import { deepTrace, LARGE_MS, largeTrace, randomTrace, span } from './testing';

const layoutOf = (spans: readonly Span[]): Layout => layOut(readTrace(spans), false).layout;

function path(layout: Layout): [string, number, number][] {
  const segments: [string, number, number][] = [];
  const { rowStart, from, to } = layout.critical;
  for (let row = 0; row < layout.rowCount; row++) {
    for (let i = rowStart[row]!; i < rowStart[row + 1]!; i++) {
      segments.push([layout.operations[layout.operation[row]!]!, from[i]!, to[i]!]);
    }
  }
  return segments.sort((a, b) => a[1] - b[1]);
}

describe('critical path', () => {
  it('goes from the end back through what was waited for', () => {
    const layout = layoutOf([
      span(1, undefined, 0, 100),
      span(2, 1, 10, 30),
      span(3, 1, 15, 60),
      span(4, 3, 20, 20),
      span(5, 1, 80, 15),
    ]);
    expect(path(layout)).toEqual([
      ['op1', 0, 15],
      ['op3', 15, 20],
      ['op4', 20, 40],
      ['op3', 40, 75],
      ['op1', 75, 80],
      ['op5', 80, 95],
      ['op1', 95, 100],
    ]);
  });

  it('leaves out what nobody waits for', () => {
    const layout = layoutOf([
      span(1, undefined, 0, 100),
      span(2, 1, 10, 80, { kind: 'CONSUMER' }),
      span(3, 1, 100, 50),
      span(4, 1, 20, 10),
    ]);
    expect(path(layout)).toEqual([
      ['op1', 0, 20],
      ['op4', 20, 30],
      ['op1', 30, 100],
    ]);
  });

  it('cuts a child that outlives its parent, and its children with it', () => {
    const layout = layoutOf([span(1, undefined, 0, 100), span(2, 1, 50, 100), span(3, 2, 60, 80)]);
    expect(path(layout)).toEqual([
      ['op1', 0, 50],
      ['op2', 50, 60],
      ['op3', 60, 100],
    ]);
  });

  it('takes the longer of two children that end together', () => {
    const layout = layoutOf([span(1, undefined, 0, 100), span(2, 1, 50, 40), span(3, 1, 10, 80)]);
    expect(path(layout).map(([name]) => name)).toEqual(['op1', 'op3', 'op1']);
  });

  it('partitions the time of the root in 1,000 random trees', () => {
    for (let seed = 1; seed <= 1_000; seed++) {
      const layout = layoutOf(randomTrace(seed, 40));
      const segments = path(layout);
      let reached = layout.times.start[0]!;
      for (const [, from, to] of segments) {
        expect(from).toBe(reached);
        expect(to).toBeGreaterThan(from);
        reached = to;
      }
      expect(reached - layout.times.start[0]!).toBe(layout.duration[0]);
      expect(layout.critical.totalUs).toBe(layout.duration[0]);
      for (let row = 0; row < layout.rowCount; row++) {
        if (layout.flags[row]! & FLAG_ASYNC) expect(layout.critical.share[row]).toBe(0);
      }
    }
  });

  it(
    'is found in 50,000 spans and 10,000 levels',
    () => {
      const deep = layoutOf(deepTrace(10_000));
      expect(deep.critical.totalUs).toBe(deep.duration[0]);
      const large = layoutOf(largeTrace(50_000));
      expect(large.critical.totalUs).toBeCloseTo(large.duration[0]!, 3);
    },
    LARGE_MS,
  );
});

describe('self time', () => {
  it('equals a count of the microseconds without a child', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const layout = layoutOf(randomTrace(seed, 25).map((one) => scaled(one, 0.05)));
      for (let row = 0; row < layout.rowCount; row++)
        expect(layout.self[row], `seed ${seed} row ${row}`).toBe(counted(layout, row));
    }
  });

  it('is that of the whole call for two halves', () => {
    const layout = layoutOf([
      span(1, undefined, 0, 100, { kind: 'CLIENT' }),
      span(1, undefined, 20, 60, { kind: 'SERVER', shared: true, service: 'api' }),
      span(2, 1, 30, 10, { service: 'api' }),
    ]);
    expect(layout.self[0]).toBe(90);
  });
});

function scaled(one: Span, factor: number): Span {
  const result: { -readonly [K in keyof Span]: Span[K] } = { ...one };
  if (result.duration !== undefined) result.duration = Math.max(1, Math.round(result.duration * factor));
  if (result.timestamp !== undefined)
    result.timestamp = 1_000 + Math.round((result.timestamp - 1_795_200_000_000_000) * factor);
  return result;
}

/** By brute force, one microsecond after the other. */
function counted(layout: Layout, row: number): number {
  const start = layout.times.start[row]!;
  const duration = layout.duration[row]!;
  if (Number.isNaN(start) || Number.isNaN(duration)) return duration;
  let self = 0;
  for (let us = start; us < start + duration; us++) {
    let busy = false;
    for (let child = row + 1; child < row + layout.size[row]!; child++) {
      if (layout.parent[child] !== row) continue;
      const from = layout.times.start[child]!;
      if (us >= from && us < from + layout.duration[child]!) busy = true;
    }
    if (!busy) self++;
  }
  return self;
}
