import { describe, expect, test } from 'vitest';
import { parseRaw } from '../address/raw';
import { parseSearch } from '../address/search';
import { defaultConfig } from '../api/config';
import { defaultLookback, problemsOf, relative, toRequest } from './request';

const read = (query: string) => parseSearch(parseRaw(query));
const request = (query: string) => toRequest(read(query), defaultConfig);

describe('what is sent', () => {
  test('durations in microseconds and the window in milliseconds', () => {
    expect(
      request('?serviceName=a&minDuration=1.5s&maxDuration=2m&annotationQuery=error&limit=7&lookback=1h&endTs=9000000'),
    ).toEqual({
      serviceName: 'a',
      annotationQuery: 'error',
      minDuration: 1_500_000,
      maxDuration: 120_000_000,
      endTs: 9_000_000,
      lookback: 3_600_000,
      limit: 7,
    });
    expect(request('?lookback=range&startTs=1000&endTs=5000')).toEqual({ endTs: 5_000, lookback: 4_000, limit: 10 });
  });

  test('a longest duration alone gets a shortest, which the server asks for', () => {
    expect(request('?maxDuration=5ms&lookback=1m&endTs=1')).toMatchObject({ minDuration: 1, maxDuration: 5_000 });
  });

  test('nothing before the end of the window is known', () => {
    expect(request('?lookback=1m')).toBeUndefined();
    expect(request('?limit=5')).toBeUndefined();
  });

  test.each([
    ['minDuration=fast', 'minDuration'],
    ['maxDuration=1h', 'maxDuration'],
    ['minDuration=2s&maxDuration=1s', 'durationOrder'],
    ['limit=0', 'limit'],
    ['limit=10001', 'limit'],
    ['limit=abc', 'limit'],
  ])('nothing with %s', (query, problem) => {
    expect(problemsOf(read(`?${query}`))).toEqual([problem]);
    expect(request(`?${query}&lookback=1m&endTs=1`)).toBeUndefined();
  });
});

test('a default window that is no fixed step becomes milliseconds', () => {
  expect(defaultLookback(defaultConfig)).toEqual({ kind: 'step', step: '15m' });
  expect(defaultLookback({ ...defaultConfig, defaultLookbackMs: 42 })).toEqual({ kind: 'millis', millis: 42 });
});

test('a saved window is relative, a range keeps its ends', () => {
  expect(relative({ kind: 'step', step: '1h', endTs: 5 })).toEqual({ kind: 'step', step: '1h' });
  expect(relative({ kind: 'range', startTs: 1, endTs: 5 })).toEqual({ kind: 'range', startTs: 1, endTs: 5 });
});
