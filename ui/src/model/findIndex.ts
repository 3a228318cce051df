/**
 * The words of a trace, each once: names, tag keys and values, annotations. A search looks at every distinct word once,
 * as one long string, and then only at numbers.
 */
import type { CleanSpan } from './clean';

/** Between the words of the long string. In a query it matches nothing. */
const SEPARATOR = '\0';
const NO_WORD = -1;

/** One byte per word: 1 when it matches. */
export type MatchingWords = Uint8Array;

export class FindIndex {
  /** All words in lower case, each between separators. */
  private readonly text: string;
  /** Where each word begins in `text`. */
  private readonly offsets: Int32Array;
  private readonly service: Int32Array;
  private readonly remote: Int32Array;
  private readonly name: Int32Array;
  /** Key and value, key and value; those of span `i` from `tagStart[i]` on. */
  private readonly tags: Int32Array;
  private readonly tagStart: Int32Array;
  private readonly annotations: Int32Array;
  private readonly annotationStart: Int32Array;
  private readonly ids: string;

  constructor(spans: readonly CleanSpan[]) {
    const n = spans.length;
    const words = new Words();
    this.service = new Int32Array(n).fill(NO_WORD);
    this.remote = new Int32Array(n).fill(NO_WORD);
    this.name = new Int32Array(n).fill(NO_WORD);
    this.tagStart = new Int32Array(n + 1);
    this.annotationStart = new Int32Array(n + 1);
    const tags: number[] = [];
    const annotations: number[] = [];
    const ids: string[] = new Array(n);
    for (let i = 0; i < n; i++) {
      const span = spans[i]!;
      ids[i] = span.id;
      this.service[i] = words.codeOf(span.local?.serviceName);
      this.remote[i] = words.codeOf(span.remote?.serviceName);
      this.name[i] = words.codeOf(span.name);
      for (const key in span.tags) tags.push(words.codeOf(key), words.codeOf(span.tags[key]));
      for (const annotation of span.annotations) annotations.push(words.codeOf(annotation.value));
      this.tagStart[i + 1] = tags.length;
      this.annotationStart[i + 1] = annotations.length;
    }
    this.tags = Int32Array.from(tags);
    this.annotations = Int32Array.from(annotations);
    this.ids = ids.join(SEPARATOR);
    ({ text: this.text, offsets: this.offsets } = words.joined());
  }

  /** The words that contain a text, whatever the case. */
  containing(wanted: string): MatchingWords {
    if (wanted === '') return new Uint8Array(this.offsets.length - 1).fill(1);
    if (wanted.includes(SEPARATOR)) return new Uint8Array(this.offsets.length - 1);
    return this.matching(wanted.toLowerCase(), (at) => at);
  }

  /** The words that are equal to a text but for the case. */
  equalTo(wanted: string): MatchingWords {
    return this.matching(`${SEPARATOR}${wanted.toLowerCase()}${SEPARATOR}`, (at) => at + 1);
  }

  private matching(needle: string, wordAt: (at: number) => number): MatchingWords {
    const result = new Uint8Array(this.offsets.length - 1);
    for (let at = this.text.indexOf(needle); at >= 0 && at < this.text.length; ) {
      const word = this.wordOf(wordAt(at));
      if (word >= result.length) break;
      result[word] = 1;
      // The separator before the next word may begin the next match.
      at = this.text.indexOf(needle, Math.max(at + 1, this.offsets[word + 1]! - 1));
    }
    return result;
  }

  private wordOf(at: number): number {
    let low = 0;
    let high = this.offsets.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.offsets[middle]! <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Spans whose id contains a text. */
  withId(wanted: string): Uint8Array | undefined {
    const needle = wanted.toLowerCase();
    if (!/^[0-9a-f]{1,16}$/.test(needle)) return undefined;
    const result = new Uint8Array(this.service.length);
    for (let at = this.ids.indexOf(needle); at >= 0; ) {
      const span = Math.floor(at / ID_STRIDE);
      result[span] = 1;
      at = this.ids.indexOf(needle, (span + 1) * ID_STRIDE);
    }
    return result;
  }

  serviceIn(span: number, words: MatchingWords): boolean {
    return words[this.service[span]!] === 1 || words[this.remote[span]!] === 1;
  }

  nameIn(span: number, words: MatchingWords): boolean {
    return words[this.name[span]!] === 1;
  }

  /** True when a tag has such a key and such a value. */
  tagIn(span: number, keys: MatchingWords, values: MatchingWords): boolean {
    const end = this.tagStart[span + 1]!;
    for (let at = this.tagStart[span]!; at < end; at += 2) {
      if (keys[this.tags[at]!] === 1 && values[this.tags[at + 1]!] === 1) return true;
    }
    return false;
  }

  /** True when a key, a value or an annotation matches. */
  factIn(span: number, words: MatchingWords): boolean {
    for (let at = this.tagStart[span]!; at < this.tagStart[span + 1]!; at++) {
      if (words[this.tags[at]!] === 1) return true;
    }
    for (let at = this.annotationStart[span]!; at < this.annotationStart[span + 1]!; at++) {
      if (words[this.annotations[at]!] === 1) return true;
    }
    return false;
  }
}

/** Ids have 16 digits and a separator. */
const ID_STRIDE = 17;

class Words {
  private readonly codes = new Map<string, number>();
  private readonly list: string[] = [];

  codeOf(word: string | undefined): number {
    if (word === undefined) return NO_WORD;
    let code = this.codes.get(word);
    if (code === undefined) {
      code = this.list.length;
      this.codes.set(word, code);
      this.list.push(word.toLowerCase());
    }
    return code;
  }

  joined(): { text: string; offsets: Int32Array } {
    const offsets = new Int32Array(this.list.length + 1);
    let at = 1;
    for (let i = 0; i < this.list.length; i++) {
      offsets[i] = at;
      at += this.list[i]!.length + 1;
    }
    offsets[this.list.length] = at;
    return { text: `${SEPARATOR}${this.list.join(SEPARATOR)}${SEPARATOR}`, offsets };
  }
}
