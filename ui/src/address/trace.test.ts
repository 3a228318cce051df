import { describe, expect, test } from 'vitest';
import { formatRaw, parseRaw } from './raw';
import { collapsedIdsMax, emptyTrace, formatTrace, parseTrace, type TraceAddress } from './trace';

const read = (query: string) => parseTrace(parseRaw(query));
const write = (trace: TraceAddress) => formatRaw(formatTrace(trace));

test('an address without parameters is the timeline as it opens', () => {
  expect(read('')).toEqual(emptyTrace);
  expect(write(emptyTrace)).toBe('');
});

test.each([
  '?src=file&v=flame&s=00000000000000ab-c&z=10-2000&c=*-00000000000000ab&root=00000000000000cd&q=service:a&cp=1&skew=raw&split=1&errs=1&only=1&d=0',
  '?s=00000000000000ab-s-2',
  '?v=table&sort=-duration&col=http.path&col=error',
  '?v=stats&by=tag:http.path&f=path&t=1',
  '?c=',
  '?c=*',
  '?c=00000000000000ab,00000000000000cd-s',
  '?c=d3',
  '?c=d12-00000000000000ab',
])('%s is written as it was read', (query) => {
  expect(write(read(query))).toBe(query);
});

test('a closed list that is empty is not the default: everything is open', () => {
  expect(read('?c=').collapsed).toEqual({ kind: 'these', ids: [] });
  expect(read('').collapsed).toEqual({ kind: 'default' });
});

test('ids are padded and made lower case, others are dropped', () => {
  expect(read('?s=AB').span).toBe('00000000000000ab');
  expect(read('?s=javascript:alert(1)').span).toBeUndefined();
  expect(read('?c=zz,1').collapsed).toEqual({ kind: 'these', ids: ['0000000000000001'] });
});

describe('the length of an address', () => {
  test('twice the largest number of names stays below 8 KiB', () => {
    const except = Array.from({ length: 5_000 }, (_, i) => `${(i + 1).toString(16).padStart(16, '0')}-s`);
    const query = write({ ...emptyTrace, collapsed: { kind: 'depth', depth: 4, except } });
    expect(query.length).toBeLessThan(8 * 1024);
    expect(read(query).collapsed).toMatchObject({ kind: 'depth', depth: 4 });
    expect(collapsedIdsMax).toBe(200);
  });
});
