import { Fragment } from 'react';
import { PlainText } from '../widgets/PlainText';

/** Text of data with the words that were looked for marked. */
export function Marked(props: { readonly text: string; readonly words: readonly string[] | undefined }) {
  const { text, words } = props;
  if (!words || words.length === 0) return <PlainText text={text} />;
  const parts = markedParts(text, words);
  if (parts.length === 1 && !parts[0]!.marked) return <PlainText text={text} />;
  return parts.map((part) => (
    <Fragment key={part.at}>
      {part.marked ? (
        <mark>
          <PlainText text={part.text} />
        </mark>
      ) : (
        <PlainText text={part.text} />
      )}
    </Fragment>
  ));
}

export interface MarkedPart {
  readonly at: number;
  readonly text: string;
  readonly marked: boolean;
}

/** Cuts a text at the words in it, whatever the case; overlapping words are one mark. */
export function markedParts(text: string, words: readonly string[]): MarkedPart[] {
  const lower = text.toLowerCase();
  // Lower case may be longer than the text (`İ`): then places would not agree.
  if (lower.length !== text.length) return [{ at: 0, text, marked: false }];
  const hits: [number, number][] = [];
  for (const word of words) {
    const needle = word.toLowerCase();
    if (needle === '') continue;
    for (let at = lower.indexOf(needle); at >= 0; at = lower.indexOf(needle, at + needle.length)) {
      hits.push([at, at + needle.length]);
    }
  }
  hits.sort((a, b) => a[0] - b[0]);
  const parts: MarkedPart[] = [];
  let at = 0;
  for (const [from, to] of hits) {
    if (to <= at) continue;
    const begin = Math.max(from, at);
    if (begin > at) parts.push({ at, text: text.slice(at, begin), marked: false });
    parts.push({ at: begin, text: text.slice(begin, to), marked: true });
    at = to;
  }
  if (at < text.length || parts.length === 0) parts.push({ at, text: text.slice(at), marked: false });
  return parts;
}
