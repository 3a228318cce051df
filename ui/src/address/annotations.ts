/** One term of `annotationQuery`: `key=value`, or only a key (a tag or an annotation). */
export interface AnnotationTerm {
  readonly key: string;
  readonly value: string;
}

/** Splits at ` and ` as zipkin-server does: a later value replaces an earlier one of the same key. */
export function parseAnnotationQuery(text: string): AnnotationTerm[] {
  const terms = new Map<string, string>();
  for (const piece of text.split(' and ')) {
    const at = piece.indexOf('=');
    const key = (at < 0 ? piece : piece.slice(0, at)).trim();
    if (key === '') continue;
    if (at >= 0) terms.set(key, piece.slice(at + 1).trim());
    else if (!terms.has(key)) terms.set(key, '');
  }
  return Array.from(terms, ([key, value]) => ({ key, value }));
}

export function formatTerm({ key, value }: AnnotationTerm): string {
  return value === '' ? key : `${key}=${value}`;
}

export function formatAnnotationQuery(terms: readonly AnnotationTerm[]): string {
  return terms.map(formatTerm).join(' and ');
}
