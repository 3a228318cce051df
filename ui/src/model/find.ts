/**
 * Find in trace. Terms are joined by "and": plain text looks everywhere, `key=value` in tags, `service:` and `name:` in
 * names, `err` for errors, `>100ms` and `<1s` for durations. Quotes keep blanks together. Case does not matter.
 */
import { parseDuration } from '../address/duration';
import type { CleanSpan } from './clean';
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

/** Answers for a word are kept per text, since names, keys and values repeat from span to span. */
class Matcher {
  private readonly answers = new Map<string, boolean>();
  private readonly pattern: RegExp;

  constructor(word: string) {
    this.pattern = new RegExp(escapePattern(word), 'iu');
  }

  matches(text: string): boolean {
    if (text.length > REMEMBERED_LENGTH_MAX) return this.pattern.test(text);
    let answer = this.answers.get(text);
    if (answer === undefined) {
      answer = this.pattern.test(text);
      if (this.answers.size < REMEMBERED_MAX) this.answers.set(text, answer);
    }
    return answer;
  }
}

const REMEMBERED_LENGTH_MAX = 24;
const REMEMBERED_MAX = 5_000;

export function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** Rows that match every term, in order. */
export function findRows(query: string, spans: readonly CleanSpan[], rows: Rows, layout: Layout): Int32Array {
  const terms = parseFind(query);
  if (terms.length === 0) return new Int32Array(0);
  let found: Int32Array | undefined;
  for (const term of terms) found = keepMatching(found, testOf(term, spans, rows, layout), layout.rowCount);
  return found ?? new Int32Array(0);
}

type RowTest = (row: number) => boolean;

function keepMatching(candidates: Int32Array | undefined, test: RowTest, rowCount: number): Int32Array {
  if (candidates) return candidates.filter((row) => test(row));
  const found = new Int32Array(rowCount);
  let count = 0;
  for (let row = 0; row < rowCount; row++) if (test(row)) found[count++] = row;
  return found.slice(0, count);
}

function testOf(term: FindTerm, spans: readonly CleanSpan[], rows: Rows, layout: Layout): RowTest {
  switch (term.kind) {
    case 'error':
      return (row) => (layout.flags[row]! & FLAG_ERROR) !== 0;
    case 'longer':
      return (row) => layout.duration[row]! > term.us;
    case 'shorter':
      return (row) => layout.duration[row]! < term.us;
    case 'service':
      return anyHalf(
        spans,
        rows,
        serviceTest(new Matcher(term.text)),
        wordTest(layout.service, layout.services, term.text),
      );
    case 'name':
      return anyHalf(
        spans,
        rows,
        nameTest(new Matcher(term.text)),
        wordTest(layout.operation, layout.operations, term.text),
      );
    case 'tag':
      return anyHalf(spans, rows, tagTest(term.key.toLowerCase(), new Matcher(term.value)));
    case 'text':
      return anyHalf(
        spans,
        rows,
        textTest(new Matcher(term.text)),
        wordTest(layout.service, layout.services, term.text),
      );
  }
}

function anyHalf(
  spans: readonly CleanSpan[],
  rows: Rows,
  test: (span: CleanSpan) => boolean,
  shown?: RowTest,
): RowTest {
  return (row) => {
    const main = rows.main[row]!;
    const inner = rows.inner[row]!;
    if (shown?.(row)) return true;
    return (main !== NO_SPAN && test(spans[main]!)) || (inner !== NO_SPAN && test(spans[inner]!));
  };
}

/** What a row shows is searched by its dictionary: each word is looked at once. */
function wordTest(codes: Int32Array, words: readonly string[], text: string): RowTest {
  const matcher = new Matcher(text);
  const matching = words.map((word) => matcher.matches(word));
  return (row) => matching[codes[row]!]!;
}

function serviceTest(matcher: Matcher): (span: CleanSpan) => boolean {
  return (span) => {
    const local = span.local?.serviceName;
    const remote = span.remote?.serviceName;
    return (local !== undefined && matcher.matches(local)) || (remote !== undefined && matcher.matches(remote));
  };
}

function nameTest(matcher: Matcher): (span: CleanSpan) => boolean {
  return (span) => matcher.matches(span.name);
}

function tagTest(key: string, matcher: Matcher): (span: CleanSpan) => boolean {
  return (span) => {
    for (const name in span.tags) {
      if (name.length === key.length && name.toLowerCase() === key && matcher.matches(span.tags[name]!)) return true;
    }
    return false;
  };
}

function textTest(matcher: Matcher): (span: CleanSpan) => boolean {
  const service = serviceTest(matcher);
  return (span) => {
    if (service(span) || matcher.matches(span.name) || matcher.matches(span.id)) return true;
    for (const key in span.tags) if (matcher.matches(key) || matcher.matches(span.tags[key]!)) return true;
    for (const annotation of span.annotations) if (matcher.matches(annotation.value)) return true;
    return false;
  };
}
