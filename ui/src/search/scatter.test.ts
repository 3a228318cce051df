import { expect, test } from 'vitest';
import { bin, brushBetween, growBrush, logTicks, nearest, scatterData } from './scatter';
import type { TraceSummary } from './summary';

const trace = (startUs: number, durationUs: number, errorCount = 0): TraceSummary => ({
  traceId: String(startUs),
  startUs,
  durationUs,
  spanCount: 1,
  errorCount,
  services: [],
});

test('points stand in order of time, and a duration of nothing has a place on the logarithmic axis', () => {
  const data = scatterData([trace(3_000, 50), trace(1_000, 0)]);
  expect(data.x).toEqual([1, 3]);
  expect(data.y).toEqual([1, 50]);
  expect(data.yRange[0]).toBeLessThan(1);
  expect(data.yRange[1]).toBeGreaterThan(50);
  expect(scatterData([]).yRange[0]).toBeGreaterThan(0);
});

test('ticks are decades, with steps between them on short axes', () => {
  expect(logTicks([0.5, 30])).toEqual([0.5, 1, 2, 5, 10, 20]);
  expect(logTicks([1, 100_000])).toEqual([1, 10, 100, 1_000, 10_000, 100_000]);
});

test('a brush holds whole numbers and grows on one side by keys, within the plot', () => {
  const brush = brushBetween(20.6, 10.2, 7.7, 3.1);
  expect(brush).toEqual({ startMs: 10, endMs: 21, minUs: 3, maxUs: 8 });
  expect(growBrush(brush, 'ArrowRight', [0, 100], [1, 1_000]).endMs).toBe(26);
  expect(growBrush(brush, 'ArrowLeft', [8, 100], [1, 1_000]).startMs).toBe(8);
  expect(growBrush(brush, 'ArrowUp', [0, 100], [1, 9]).maxUs).toBe(9);
});

test('the nearest point within reach is found, and cells count points and errors', () => {
  const data = scatterData([trace(1_000, 10), trace(2_000, 10, 1), trace(2_100, 10)]);
  const place = (index: number) => [[0, 0] as const, [100, 0] as const, [104, 2] as const][index] ?? ([0, 0] as const);
  expect(nearest(data, place, 96, 0, 14)).toBe(1);
  expect(nearest(data, place, 50, 0, 14)).toBeUndefined();
  expect([...bin(data, place, 10).values()]).toEqual([
    { column: 0, row: 0, count: 1, errorCount: 0 },
    { column: 10, row: 0, count: 2, errorCount: 1 },
  ]);
});
