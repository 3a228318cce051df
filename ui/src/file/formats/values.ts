import type { English } from '../../i18n/types';

/** What can be wrong with a file: keys of the catalogue. */
export type FormatProblem = Extract<keyof English['file'], `bad${string}`>;
/** What the text of a problem may name: `place` is the way to the element, `span 17: id`. */
export const noFacts = { place: '', digits: 0, number: 0, size: '', detail: '' };
export type ProblemFacts = Readonly<Partial<typeof noFacts>>;

/** What is wrong with a file, and where. The page says it in its language: `span 17: id is not hex`. */
export class FormatError extends Error {
  override readonly name = 'FormatError';

  constructor(
    readonly problem: FormatProblem,
    readonly facts: ProblemFacts = {},
  ) {
    super(`${problem} ${JSON.stringify(facts)}`);
  }
}

export type Members = Readonly<Record<string, unknown>>;

/** An object's members; `where` names it in the message when it is none. */
export function members(value: unknown, where: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new FormatError('badObject', { place: where });
  return value as Members;
}

export function list(value: unknown, where: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new FormatError('badList', { place: where });
  return value;
}

/** An id of at most `digits` hex digits, lower-cased and padded to 16 or 32; undefined when absent. */
export function hexId(value: unknown, digits: 16 | 32, where: string): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const text = String(value).toLowerCase();
  if (!/^[0-9a-f]+$/.test(text)) throw new FormatError('badHex', { place: where });
  if (text.length > digits) throw new FormatError('badDigits', { place: where, digits });
  return text.padStart(text.length > 16 ? 32 : 16, '0');
}

export function neededId(value: unknown, digits: 16 | 32, where: string): string {
  const id = hexId(value, digits, where);
  if (id === undefined || /^0+$/.test(id)) throw new FormatError('badMissing', { place: where });
  return id;
}

/** A parent that is absent, zero or the span itself is none. */
export function parentOf(value: unknown, id: string, where: string): string | undefined {
  const parent = hexId(value, 16, where);
  return parent === undefined || parent === id || /^0+$/.test(parent) ? undefined : parent;
}

/** Whole microseconds above zero; undefined when absent or not positive. */
export function micros(value: unknown, where: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  const us = Number(value);
  if (!Number.isFinite(us)) throw new FormatError('badNumber', { place: where });
  return us > 0 ? Math.floor(us) : undefined;
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Tags on a null prototype: `__proto__` and `constructor` are keys like others. */
export function newTags(): Record<string, string> {
  return Object.create(null);
}
