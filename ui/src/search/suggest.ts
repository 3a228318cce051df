import { type AnnotationTerm, formatTerm } from '../address/annotations';
import { parseDuration } from '../address/duration';
import type { SearchAddress } from '../address/search';
import { parseTraceId } from '../address/traceId';

/** The keys of the filter box that are not tags. */
export const filterKeys = ['service', 'span', 'remote', 'tag', 'minDuration', 'maxDuration'] as const;
export type FilterKey = (typeof filterKeys)[number];

/** One filter: a chip. */
export type Filter =
  | { readonly key: Exclude<FilterKey, 'tag'>; readonly value: string }
  | { readonly key: 'tag'; readonly value: string; readonly term: AnnotationTerm };

/** What the box offers: a key to go on with, a filter to add, or a trace to open. */
export type Suggestion =
  | { readonly id: string; readonly kind: 'key'; readonly key: string; readonly text: string }
  | { readonly id: string; readonly kind: 'filter'; readonly filter: Filter; readonly free?: boolean }
  | { readonly id: string; readonly kind: 'trace'; readonly traceId: string };

/** What is known for suggestions; a list that could not be loaded is empty and text stays free. */
export interface Known {
  readonly services: readonly string[];
  readonly spans: readonly string[];
  readonly remotes: readonly string[];
  readonly tagKeys: readonly string[];
  /** Values of the tag key that is being typed. */
  readonly tagValues: readonly string[];
}

export const suggestionsMax = 50;
const fieldOf = {
  service: 'serviceName',
  span: 'spanName',
  remote: 'remoteServiceName',
  minDuration: 'minDuration',
  maxDuration: 'maxDuration',
} as const;

/** Splits `service:che` at the first colon or equals sign behind a known key; other text has no key. */
export function splitInput(text: string, tagKeys: readonly string[]): { key?: string; value: string } {
  const match = /^\s*([^:=\s]+)\s*[:=]\s*(.*)$/s.exec(text);
  const [, key = '', value = ''] = match ?? [];
  const known = filterKeys.find((one) => one.toLowerCase() === key.toLowerCase());
  if (known !== undefined) return { key: known, value };
  if (match && tagKeys.includes(key)) return { key, value };
  return { value: text.trim() };
}

/** Suggestions for what was typed, the best first. */
export function suggest(text: string, known: Known, search: SearchAddress): Suggestion[] {
  const { key, value } = splitInput(text, known.tagKeys);
  const found = key === undefined ? withoutKey(value, known) : ofKey(key, value.trim(), known);
  const unique = new Map(found.map((suggestion) => [suggestion.id, suggestion]));
  return [...unique.values()].filter((one) => !isSet(one, search)).slice(0, suggestionsMax);
}

function ofKey(key: string, value: string, known: Known): Suggestion[] {
  switch (key) {
    case 'service':
    case 'span':
    case 'remote': {
      const names = { service: known.services, span: known.spans, remote: known.remotes }[key];
      const exact = names.includes(value.toLowerCase());
      return [
        ...matching(names, value).map((name) => filter({ key, value: name })),
        ...(value === '' || exact ? [] : [filter({ key, value }, true)]),
      ];
    }
    case 'minDuration':
    case 'maxDuration': {
      const steps = ['1ms', '10ms', '100ms', '500ms', '1s', '5s'];
      const given = parseDuration(value) === undefined ? [] : [filter({ key, value })];
      const units = /^\d+(\.\d+)?$/.test(value) ? ['ms', 's'].map((unit) => filter({ key, value: value + unit })) : [];
      return value === '' ? steps.map((step) => filter({ key, value: step })) : [...units, ...given];
    }
    case 'tag': {
      const keys = matching(known.tagKeys, value).map((one) => keySuggestion(one, `${one}=`));
      return value === '' ? [tag({ key: 'error', value: '' }), ...keys] : [...keys, ...tagsOf(value)];
    }
    default:
      return [
        ...matching(known.tagValues, value).map((one) => tag({ key, value: one })),
        tag({ key, value }, !known.tagValues.includes(value)),
      ];
  }
}

function withoutKey(text: string, known: Known): Suggestion[] {
  if (text === '') return [...filterKeys.map((key) => keySuggestion(key)), tag({ key: 'error', value: '' })];
  const traceId = parseTraceId(text);
  const trace: Suggestion[] = traceId === undefined ? [] : [{ id: `trace ${traceId}`, kind: 'trace', traceId }];
  const keys = matching(filterKeys, text).map((key) => keySuggestion(key));
  const tagKeys = matching(known.tagKeys, text).map((key) => keySuggestion(key, `${key}=`));
  return [
    ...(text.length >= 16 || text.includes('/') ? trace : []),
    ...(text.includes('=') ? tagsOf(text) : []),
    ...matching(known.services, text)
      .slice(0, 8)
      .map((value) => filter({ key: 'service', value })),
    ...keys,
    ...matching(known.spans, text)
      .slice(0, 8)
      .map((value) => filter({ key: 'span', value })),
    ...tagKeys,
    ...('error'.startsWith(text.toLowerCase()) ? [tag({ key: 'error', value: '' })] : []),
    ...tagsOf(text),
    filter({ key: 'span', value: text }, true),
    ...trace,
  ];
}

/** Names that start with the text first, then those that hold it. */
function matching(names: readonly string[], text: string): string[] {
  const wanted = text.trim().toLowerCase();
  const starts: string[] = [];
  const holds: string[] = [];
  for (const name of names) {
    const at = name.toLowerCase().indexOf(wanted);
    if (at === 0) starts.push(name);
    else if (at > 0) holds.push(name);
  }
  return [...starts, ...holds].slice(0, suggestionsMax);
}

function tagsOf(text: string): Suggestion[] {
  const at = text.indexOf('=');
  const key = (at < 0 ? text : text.slice(0, at)).trim();
  const value = at < 0 ? '' : text.slice(at + 1).trim();
  // The server would cut the query at the word.
  return key === '' || / and /.test(text) ? [] : [tag({ key, value }, true)];
}

function keySuggestion(key: string, text = `${key}:`): Suggestion {
  return { id: `key ${key}`, kind: 'key', key, text };
}

function filter(one: Filter, free = false): Suggestion {
  return { id: `${one.key} ${one.value}`, kind: 'filter', filter: one, ...(free && { free }) };
}

function tag(term: AnnotationTerm, free = false): Suggestion {
  return filter({ key: 'tag', value: formatTerm(term), term }, free);
}

function isSet(suggestion: Suggestion, search: SearchAddress): boolean {
  return (
    suggestion.kind === 'filter' &&
    filtersOf(search).some((one) => one.key === suggestion.filter.key && one.value === suggestion.filter.value)
  );
}

/** The filters of a search, in the order of their chips. */
export function filtersOf(search: SearchAddress): Filter[] {
  const filters: Filter[] = [];
  for (const key of ['service', 'span', 'remote'] as const) {
    const value = search[fieldOf[key]];
    if (value !== undefined) filters.push({ key, value });
  }
  for (const term of search.annotations) filters.push({ key: 'tag', value: formatTerm(term), term });
  for (const key of ['minDuration', 'maxDuration'] as const) {
    const value = search[key];
    if (value !== undefined) filters.push({ key, value });
  }
  return filters;
}

/** A search with one more filter; one of the same kind is replaced, tags come together. */
export function withFilter(search: SearchAddress, added: Filter): SearchAddress {
  if (added.key !== 'tag') return { ...search, [fieldOf[added.key]]: added.value };
  const others = search.annotations.filter((term) => term.key !== added.term.key);
  return { ...search, annotations: [...others, added.term] };
}

export function withoutFilter(search: SearchAddress, removed: Filter): SearchAddress {
  if (removed.key === 'tag') {
    return { ...search, annotations: search.annotations.filter((term) => formatTerm(term) !== removed.value) };
  }
  const { [fieldOf[removed.key]]: _, ...rest } = search;
  return rest;
}

/** The text that stands for a filter in the box, when its chip is edited. */
export function textOf(one: Filter): string {
  return one.key === 'tag' ? one.value : `${one.key}:${one.value}`;
}
