/**
 * Find in trace. Terms are joined by "and": plain text looks everywhere, `key=value` in tags, `service:` and `name:` in
 * names, `err` for errors, `>100ms` and `<1s` for durations. Quotes keep blanks together. Case does not matter.
 */
import { parseDuration } from '../address/duration';
import type { FindIndex } from './findIndex';
import { FLAG_ERROR, type Layout } from './layout';
import { NO_SPAN, type Rows } from './rows';

export type FindTerm =
  | { kind: 'text'; text: string }
  | { kind: 'tag'; key: string; value: string }
  | { kind: 'service'; text: string }
  | { kind: 'name'; text: string }
  | { kind: 'error' }
  | { kind: 'longer'; us: number }
  | { kind: 'shorter'; us: number };

/** More terms than this are ignored: nobody types them, and each costs a pass. */
const TERMS_MAX = 16;

export function parseFind(query: string): FindTerm[] {
  const words = query.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
  return words.slice(0, TERMS_MAX).map(parseTerm);
}

function parseTerm(word: string): FindTerm {
  if (/^(err|error|errors)$/i.test(word)) return { kind: 'error' };
  const duration = /^([<>])=?(.+)$/.exec(word);
  const us = duration ? parseDuration(duration[2]!) : undefined;
  if (duration && us !== undefined) return { kind: duration[1] === '>' ? 'longer' : 'shorter', us };
  const field = /^(service|name):(.*)$/is.exec(word);
  if (field) return { kind: field[1]!.toLowerCase() as 'service' | 'name', text: unquote(field[2]!) };
  const at = word.startsWith('"') ? -1 : word.indexOf('=');
  if (at > 0) return { kind: 'tag', key: unquote(word.slice(0, at)), value: unquote(word.slice(at + 1)) };
  return { kind: 'text', text: unquote(word) };
}

function unquote(text: string): string {
  return text.replaceAll('"', '');
}

/** Text to mark in names and values. */
export function wordsToMark(terms: readonly FindTerm[]): string[] {
  return terms.flatMap((term) => {
    if (term.kind === 'tag') return term.value === '' ? [] : [term.value];
    return 'text' in term && term.text !== '' ? [term.text] : [];
  });
}

/** Rows that match every term, in order. */
export function findRows(query: string, index: FindIndex, rows: Rows, layout: Layout): Int32Array {
  const terms = parseFind(query);
  if (terms.length === 0) return new Int32Array(0);
  const tests = terms.map((term) => testOf(term, index, rows, layout));
  const found = new Int32Array(layout.rowCount);
  let count = 0;
  for (let row = 0; row < layout.rowCount; row++) {
    if (tests.every((test) => test(row))) found[count++] = row;
  }
  return found.slice(0, count);
}

type RowTest = (row: number) => boolean;

function testOf(term: FindTerm, index: FindIndex, rows: Rows, layout: Layout): RowTest {
  switch (term.kind) {
    case 'error':
      return (row) => (layout.flags[row]! & FLAG_ERROR) !== 0;
    case 'longer':
      return (row) => layout.duration[row]! > term.us;
    case 'shorter':
      return (row) => layout.duration[row]! < term.us;
    case 'service': {
      const words = index.containing(term.text);
      return anyHalf(rows, (span) => index.serviceIn(span, words));
    }
    case 'name': {
      const words = index.containing(term.text);
      return anyHalf(rows, (span) => index.nameIn(span, words));
    }
    case 'tag': {
      const keys = index.equalTo(term.key);
      const values = index.containing(term.value);
      return anyHalf(rows, (span) => index.tagIn(span, keys, values));
    }
    case 'text': {
      const words = index.containing(term.text);
      const ids = index.withId(term.text);
      return anyHalf(
        rows,
        (span) =>
          index.serviceIn(span, words) || index.nameIn(span, words) || ids?.[span] === 1 || index.factIn(span, words),
      );
    }
  }
}

function anyHalf(rows: Rows, test: (span: number) => boolean): RowTest {
  return (row) => {
    const main = rows.main[row]!;
    const inner = rows.inner[row]!;
    return (main !== NO_SPAN && test(main)) || (inner !== NO_SPAN && test(inner));
  };
}
