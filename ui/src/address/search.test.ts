import { describe, expect, test } from 'vitest';
import { formatRaw, parseRaw } from './raw';
import {
  asksForSearch,
  emptySearch,
  formatSearch,
  lookbackSteps,
  parseSearch,
  type SearchAddress,
  views,
} from './search';

const read = (query: string, keys: string[] = []) => parseSearch(parseRaw(query), keys);
const write = (search: SearchAddress) => formatRaw(formatSearch(search));

describe('addresses of lens', () => {
  test('a search with every filter is read', () => {
    const search = read(
      '?serviceName=checkout&spanName=placeorder&annotationQuery=error%20and%20http.method%3DGET&minDuration=100ms&maxDuration=2s&limit=20&lookback=15m&endTs=1795226845000',
    );
    expect(search).toMatchObject({
      serviceName: 'checkout',
      spanName: 'placeorder',
      annotations: [
        { key: 'error', value: '' },
        { key: 'http.method', value: 'GET' },
      ],
      minDuration: '100ms',
      maxDuration: '2s',
      limit: '20',
      lookback: { kind: 'step', step: '15m', endTs: 1795226845000 },
    });
    expect(asksForSearch(search)).toBe(true);
  });

  test('a range and a number of milliseconds are read', () => {
    expect(read('?lookback=range&startTs=1000&endTs=2000').lookback).toEqual({
      kind: 'range',
      startTs: 1000,
      endTs: 2000,
    });
    expect(read('?lookback=millis&millis=600000&endTs=5').lookback).toEqual({
      kind: 'millis',
      millis: 600000,
      endTs: 5,
    });
  });

  test('an empty address asks for no search', () => {
    expect(asksForSearch(read(''))).toBe(false);
    expect(read('')).toEqual(emptySearch);
  });
});

describe('what cannot be read', () => {
  test.each(['range&startTs=9&endTs=2', 'range&endTs=2', 'millis', 'millis&millis=-5', 'never'])(
    'lookback=%s is no window',
    (tail) => expect(read(`?lookback=${tail}`).lookback).toBeUndefined(),
  );

  test('unknown parameters are kept and written back', () => {
    const search = read('?limit=5&utm_source=mail&utm_source=chat&__proto__=x');
    expect(Object.keys(search.unknown)).toEqual(['utm_source', '__proto__']);
    expect(write(search)).toBe('?limit=5&utm_source=mail&utm_source=chat&__proto__=x');
  });

  test('a bad brush is dropped', () => {
    expect(read('?sel=5-1,1-2').brush).toBeUndefined();
    expect(read('?sel=1-5,1-2').brush).toEqual({ startMs: 1, endMs: 5, minUs: 1, maxUs: 2 });
  });
});

test('autocomplete keys become terms of the annotation query, unless it has them', () => {
  const search = read('?environment=stage&site=a&annotationQuery=site%3Db', ['environment', 'site']);
  expect(search.annotations).toEqual([
    { key: 'site', value: 'b' },
    { key: 'environment', value: 'stage' },
  ]);
  expect(search.unknown).toEqual({});
});

test('random searches survive being written and read', () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed % below;
  };
  const texts = ['a', 'Ünï', 'x=y', 'a&b', '100%', '<img src=x>', '日本', '\u202e'];
  const pick = () => texts[random(texts.length)] as string;
  for (let i = 0; i < 500; i += 1) {
    const steps = Object.keys(lookbackSteps) as (keyof typeof lookbackSteps)[];
    const search: SearchAddress = {
      ...emptySearch,
      ...(random(2) && { serviceName: pick() }),
      ...(random(2) && { remoteServiceName: pick() }),
      ...(random(2) && { spanName: pick() }),
      ...(random(2) && { minDuration: `${random(99)}ms` }),
      ...(random(2) && { limit: String(random(500)) }),
      annotations: random(2) ? [{ key: `k${random(9)}`, value: pick() }] : [],
      lookback: random(2)
        ? { kind: 'step', step: steps[random(steps.length)] as keyof typeof lookbackSteps, endTs: 1 + random(1e9) }
        : { kind: 'range', startTs: 1 + random(1000), endTs: 2000 + random(1000) },
      ...(random(2) && { order: 'longest' as const }),
      view: views[random(views.length)] ?? 'list',
      sort: { key: random(2) ? 'errors' : 'start', descending: random(2) === 1 },
      services: random(2) ? [`s${random(9)}`, pick()] : [],
      errorsOnly: random(2) === 1,
      ...(random(2) && { brush: { startMs: 1, endMs: 1 + random(99), minUs: 0, maxUs: random(99) } }),
      ...(random(2) && { group: 'root' as const }),
      unknown: random(2) ? { other: pick() } : {},
    };
    const back = read(write(search));
    expect({ ...back, unknown: { ...back.unknown } }).toEqual(search);
  }
});
