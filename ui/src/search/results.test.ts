import { describe, expect, test } from 'vitest';
import { filterResults, percentile, resultItems, sortResults, statsOf } from './results';
import type { TraceSummary } from './summary';

const trace = (id: string, change: Partial<TraceSummary> = {}): TraceSummary => ({
  traceId: id,
  startUs: 1_000_000,
  durationUs: 100,
  spanCount: 1,
  errorCount: 0,
  root: { serviceName: 'a', name: 'get' },
  services: [{ name: 'a', spanCount: 1, errorCount: 0, maxDurationUs: 100 }],
  ...change,
});
const none = new Set<string>();

describe('the result list', () => {
  test('is sorted by each column in both directions, equal ones newest first', () => {
    const traces = [
      trace('1', { durationUs: 5, startUs: 1 }),
      trace('2', { durationUs: 9, startUs: 2 }),
      trace('3', { durationUs: 5, startUs: 3 }),
    ];
    const ids = (descending: boolean) => sortResults(traces, { key: 'duration', descending }).map((one) => one.traceId);
    expect(ids(true)).toEqual(['2', '3', '1']);
    expect(ids(false)).toEqual(['3', '1', '2']);
  });

  test('keeps only what the filters of the results leave', () => {
    const traces = [trace('1'), trace('2', { errorCount: 1 }), trace('3', { startUs: 9_000_000, durationUs: 50 })];
    const ids = (filter: Parameters<typeof filterResults>[1]) =>
      filterResults(traces, filter).map((one) => one.traceId);
    expect(ids({ services: [], errorsOnly: false })).toEqual(['1', '2', '3']);
    expect(ids({ services: [], errorsOnly: true })).toEqual(['2']);
    expect(ids({ services: ['b'], errorsOnly: false })).toEqual([]);
    const brush = { startMs: 8_000, endMs: 9_000, minUs: 50, maxUs: 60 };
    expect(ids({ services: [], errorsOnly: false, brush })).toEqual(['3']);
  });

  test('groups by root, the largest first, and hides the traces of closed groups', () => {
    const traces = [trace('1', { root: { serviceName: 'b', name: 'x' } }), trace('2'), trace('3')];
    const keys = (closed: ReadonlySet<string>) => resultItems(traces, 'root', none, closed).map((item) => item.key);
    expect(keys(none)).toEqual(['group a get', 'group a get 2', 'group a get 3', 'group b x', 'group b x 1']);
    expect(keys(new Set(['group a get']))).toEqual(['group a get', 'group b x', 'group b x 1']);
  });

  test('shows the services of opened traces below them', () => {
    expect(resultItems([trace('1'), trace('2')], undefined, new Set(['1']), none).map((item) => item.kind)).toEqual([
      'trace',
      'services',
      'trace',
    ]);
  });
});

test('percentiles are values that occur', () => {
  expect(percentile([1, 2, 3, 4], 0.5)).toBe(2);
  expect(percentile([1, 2, 3, 4], 0.95)).toBe(4);
  expect(percentile([], 0.5)).toBe(0);
  expect(statsOf([trace('1', { durationUs: 7, errorCount: 3 })])).toEqual({
    count: 1,
    errorCount: 1,
    p50Us: 7,
    p95Us: 7,
  });
});
