import { expect, test } from 'vitest';
import { parseSummaries, summarise } from './summary';

test('a trace is reduced to what the list shows', () => {
  const [summary] = summarise([
    [
      {
        traceId: 'a',
        id: '2',
        parentId: '1',
        timestamp: 1_200,
        duration: 300,
        localEndpoint: { serviceName: 'db' },
        tags: { error: '' },
      },
      { traceId: 'a', id: '1', name: 'get', timestamp: 1_000, duration: 900, localEndpoint: { serviceName: 'web' } },
      { traceId: 'a', id: '3', parentId: '1', timestamp: 5_000, duration: 100, localEndpoint: { serviceName: 'db' } },
    ],
  ]);
  expect(summary).toEqual({
    traceId: 'a',
    startUs: 1_000,
    durationUs: 900,
    spanCount: 3,
    errorCount: 1,
    root: { serviceName: 'web', name: 'get' },
    services: [
      { name: 'db', spanCount: 2, errorCount: 1, maxDurationUs: 300 },
      { name: 'web', spanCount: 1, errorCount: 0, maxDurationUs: 900 },
    ],
  });
});

test('without a root the extent of the spans counts, and without times nothing breaks', () => {
  const [rootless, timeless] = summarise([
    [
      { traceId: 'a', id: '2', parentId: '1', timestamp: 100, duration: 10 },
      { traceId: 'a', id: '3', parentId: '1', timestamp: 500 },
    ],
    [{ traceId: 'b', id: '1', localEndpoint: { serviceName: '__proto__' } }],
    [],
  ]);
  expect(rootless).toMatchObject({ startUs: 100, durationUs: 400, services: [] });
  expect(rootless?.root).toBeUndefined();
  expect(timeless).toMatchObject({ startUs: 0, durationUs: 0, services: [{ name: '__proto__', spanCount: 1 }] });
});

test('summaries of the server are read strictly', () => {
  const one = { traceId: 'a', startUs: 1, durationUs: 2, spanCount: 1, errorCount: 0, services: [] };
  expect(parseSummaries({ summaries: [one], nextCursor: '1.5.1', complete: true })).toEqual({
    traces: [one],
    more: true,
  });
  expect(parseSummaries({ summaries: [], complete: true })).toEqual({ traces: [], more: false });
  for (const wrong of [null, {}, { summaries: {} }, { summaries: [{ ...one, startUs: '1' }] }, { summaries: [null] }]) {
    expect(parseSummaries(wrong)).toBeUndefined();
  }
});
