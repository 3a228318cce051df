export interface TextPart {
  readonly text: string;
  readonly escaped: boolean;
}

/**
 * Characters that show nothing or turn the text round: controls but for tab and line feed, format characters (bidi,
 * zero width, soft hyphen, byte order mark), variation of blanks that cannot be seen, lone surrogates. The joiner and
 * the variation selector inside emoji are left alone.
 */
const invisible =
  /(?!\u200d(?=\p{Extended_Pictographic}))[\p{Cf}\p{Cs}\u115f\u1160\u3164\uffa0\u2028\u2029]|(?![\t\n])\p{Cc}/gu;

/** Cuts a text into visible parts and escapes such as `\u202e`. */
export function splitInvisible(text: string): TextPart[] {
  const parts: TextPart[] = [];
  let at = 0;
  for (const match of text.matchAll(invisible)) {
    if (match.index > at) parts.push({ text: text.slice(at, match.index), escaped: false });
    parts.push({ text: escapeOf(match[0]), escaped: true });
    at = match.index + match[0].length;
  }
  if (at < text.length || parts.length === 0) parts.push({ text: text.slice(at), escaped: false });
  return parts;
}

/** The same as one string: for titles, labels and canvases. */
export function showInvisible(text: string): string {
  return text.replace(invisible, escapeOf);
}

function escapeOf(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, '0')}`;
}
