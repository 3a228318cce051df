/** Text of data made safe to look at: what cannot be seen, or turns the reading direction, becomes a marked escape. */

export interface TextPart {
  text: string;
  /** True for an escape such as `U+202E`, to be shown apart from the text. */
  escaped: boolean;
}

/** Controls but tab and line feed, format characters, separators of lines, lone surrogates, fillers and selectors. */
const INVISIBLE = /(?![\t\n])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
const INVISIBLE_RUN = new RegExp(`(${INVISIBLE.source})`, 'gu');
const JOINED_EMOJI =
  /\p{Extended_Pictographic}(?:\ufe0f|\p{Emoji_Modifier})?(?:\u200d\p{Extended_Pictographic}(?:\ufe0f|\p{Emoji_Modifier})?)*/gu;

/** True for almost all text: nothing to escape. */
export function isPlain(text: string): boolean {
  return !INVISIBLE.test(text);
}

/** Splits text into what is shown as it is and escapes. Joiners inside an emoji stay: there they are part of the picture. */
export function visibleParts(text: string): TextPart[] {
  if (isPlain(text)) return [{ text, escaped: false }];
  const parts: TextPart[] = [];
  const push = (piece: string, escaped: boolean) => {
    const last = parts[parts.length - 1];
    if (piece === '') return;
    if (last && !last.escaped && !escaped) last.text += piece;
    else parts.push({ text: piece, escaped });
  };
  let at = 0;
  for (const emoji of text.matchAll(JOINED_EMOJI)) {
    escapeInto(text.slice(at, emoji.index), push);
    push(emoji[0], false);
    at = emoji.index + emoji[0].length;
  }
  escapeInto(text.slice(at), push);
  return parts;
}

function escapeInto(text: string, push: (piece: string, escaped: boolean) => void): void {
  for (const piece of text.split(INVISIBLE_RUN)) {
    if (INVISIBLE.test(piece)) push(`U+${piece.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`, true);
    else push(piece, false);
  }
}

/** The same as one string, for titles and canvas. */
export function visibleText(text: string): string {
  return isPlain(text)
    ? text
    : visibleParts(text)
        .map((part) => (part.escaped ? `‹${part.text}›` : part.text))
        .join('');
}

/** Cuts text so that no character is torn. */
export function cut(text: string, lengthMax: number): string {
  if (text.length <= lengthMax) return text;
  const last = text.charCodeAt(lengthMax - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? lengthMax - 1 : lengthMax);
}
