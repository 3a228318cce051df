import { describe, expect, test } from 'vitest';
import { emptySearch } from '../address/search';
import { filtersOf, type Known, suggest, suggestionsMax, textOf, withFilter, withoutFilter } from './suggest';

const known: Known = {
  services: ['checkout', 'frontend', 'my-checkout'],
  spans: ['get /cart', 'post /checkout'],
  remotes: ['mysql'],
  tagKeys: ['environment'],
  tagValues: ['prod', 'stage'],
};
const texts = (text: string, search = emptySearch) =>
  suggest(text, known, search).map((one) =>
    one.kind === 'filter' ? textOf(one.filter) : one.kind === 'key' ? one.text : one.traceId,
  );

describe('suggestions', () => {
  test('an empty box offers the keys and the errors', () => {
    expect(texts('')).toEqual(['service:', 'span:', 'remote:', 'tag:', 'minDuration:', 'maxDuration:', 'error']);
  });

  test('a service name comes before everything that may be meant, names that start with the text first', () => {
    expect(texts('check').slice(0, 3)).toEqual(['service:checkout', 'service:my-checkout', 'span:post /checkout']);
  });

  test('after a key its values are offered, and the text itself when it is none of them', () => {
    expect(texts('service:front')).toEqual(['service:frontend', 'service:front']);
    expect(texts('service:frontend')).toEqual(['service:frontend']);
    expect(texts('Remote = ')).toEqual(['remote:mysql']);
  });

  test('values of an autocomplete key become tags', () => {
    expect(texts('environment=')).toEqual(['environment=prod', 'environment=stage', 'environment']);
    expect(texts('environment:st')).toEqual(['environment=stage', 'environment=st']);
  });

  test('a bare number of a duration is offered with its units', () => {
    expect(texts('minDuration:100')).toEqual(['minDuration:100ms', 'minDuration:100s', 'minDuration:100']);
    expect(texts('minDuration:fast')).toEqual([]);
  });

  test('text without a key may be a trace id, a tag or a span name', () => {
    expect(texts('4bf92f3577b34da6a3ce929d0e0e4736')[0]).toBe('4bf92f3577b34da6a3ce929d0e0e4736');
    expect(texts('http.path=/a')).toEqual(['http.path=/a', 'span:http.path=/a']);
  });

  test('what is set already is not offered, and the list has a limit', () => {
    expect(texts('service:', { ...emptySearch, serviceName: 'checkout' })).not.toContain('service:checkout');
    const many = { ...known, services: Array.from({ length: 5_000 }, (_, i) => `s${i}`) };
    expect(suggest('service:', many, emptySearch)).toHaveLength(suggestionsMax);
  });

  test('a tag with the word that separates terms is not offered: it could not be asked for', () => {
    expect(texts('a=b and c')).toEqual(['span:a=b and c']);
  });
});

test('filters are added, replaced and removed', () => {
  let search = withFilter(emptySearch, { key: 'service', value: 'a' });
  search = withFilter(search, { key: 'service', value: 'b' });
  search = withFilter(search, { key: 'tag', value: 'x=1', term: { key: 'x', value: '1' } });
  search = withFilter(search, { key: 'tag', value: 'x=2', term: { key: 'x', value: '2' } });
  search = withFilter(search, { key: 'minDuration', value: '5ms' });
  expect(filtersOf(search).map(textOf)).toEqual(['service:b', 'x=2', 'minDuration:5ms']);
  for (const one of filtersOf(search)) search = withoutFilter(search, one);
  expect(search).toEqual(emptySearch);
});
