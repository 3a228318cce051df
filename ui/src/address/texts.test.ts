import { describe, expect, test } from 'vitest';
import { formatAnnotationQuery, parseAnnotationQuery } from './annotations';
import { formatDurationParameter, parseDuration } from './duration';
import { formatMap, parseMap } from './map';
import { formatRaw, parseRaw } from './raw';
import { parseTraceId, plain } from './traceId';

describe('durations', () => {
  test.each([
    ['100', 100],
    ['100us', 100],
    ['100ms', 100_000],
    ['2s', 2_000_000],
    ['1.5s', 1_500_000],
    ['2m', 120_000_000],
    [' 3 MS ', 3_000],
  ])('%s is %i µs', (text, us) => expect(parseDuration(text)).toBe(us));

  test.each(['', '0', '-5', '1.5', '5h', 'ms', '1e3', '0.0000001s', '1,5s'])('"%s" is none', (text) =>
    expect(parseDuration(text)).toBeUndefined(),
  );

  test.each([1, 999, 1_000, 1_500, 2_000_000, 60_000_000])('%i µs is read back', (us) =>
    expect(parseDuration(formatDurationParameter(us))).toBe(us),
  );
});

describe('trace ids', () => {
  test.each([
    ['2F6E51C414034E79E74D00DBB0E5C4CA', '2f6e51c414034e79e74d00dbb0e5c4ca'],
    ['2f6e51c4-1403-4e79-e74d-00dbb0e5c4ca', '2f6e51c414034e79e74d00dbb0e5c4ca'],
    [' 1 ', '1'],
    ['http://zipkin:9411/zipkin/traces/00ab?s=1', '00ab'],
    ['https://host/x/trace/00ab/', '00ab'],
    ['00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '4bf92f3577b34da6a3ce929d0e0e4736'],
    ['traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '4bf92f3577b34da6a3ce929d0e0e4736'],
    ['b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90', '80f198ee56343ba864fe8b2a57d3eff7'],
    ['463ac35c9f6413ad-a2fb4a1d1a96d312-1', '463ac35c9f6413ad'],
  ])('%s is %s', (text, id) => expect(parseTraceId(text)).toBe(id));

  test.each(['', 'checkout', '0', '0000', '123456789012345678901234567890123', 'http://host/zipkin/', '../../etc'])(
    '"%s" has none',
    (text) => expect(parseTraceId(text)).toBeUndefined(),
  );

  test('in a path only the plain form counts', () => {
    expect(plain('http://h/traces/1')).toBeUndefined();
  });
});

describe('annotation queries', () => {
  test('split at the word and, as the server does', () => {
    expect(parseAnnotationQuery('error  and  http.path=/a and http.path=/b=c and =x and band')).toEqual([
      { key: 'error', value: '' },
      { key: 'http.path', value: '/b=c' },
      { key: 'band', value: '' },
    ]);
    expect(formatAnnotationQuery(parseAnnotationQuery('a=1 and b'))).toBe('a=1 and b');
  });
});

describe('raw parameters', () => {
  test('names of object prototypes are data', () => {
    const raw = parseRaw('?__proto__=1&constructor=2&a=1&a=2');
    expect(formatRaw(raw)).toBe('?__proto__=1&constructor=2&a=1&a=2');
    expect(({} as Record<string, unknown>).a).toBeUndefined();
  });

  test('broken escapes and lone surrogates do not throw', () => {
    expect(formatRaw(parseRaw('?a=%zz&b=%'))).toBe('?a=%25zz&b=%25');
    expect(formatRaw({ a: '\ud800' })).toBe('?a=%EF%BF%BD');
  });
});

test('the service map keeps the names of lens and its limits', () => {
  const query = '?startTime=1000&endTime=2000&focus=a%20b&depth=3&edge=rate&view=table&sort=parent&q=x';
  expect(formatRaw(formatMap(parseMap(parseRaw(query))))).toBe(query);
  expect(parseMap(parseRaw('?startTime=5&endTime=2&depth=999&edge=x'))).toMatchObject({ depth: 20, edge: 'calls' });
  expect(parseMap(parseRaw('?startTime=5&endTime=2')).range).toBeUndefined();
});
