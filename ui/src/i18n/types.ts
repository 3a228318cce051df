import type { en } from './en';

/** Plural categories as `Intl.PluralRules` names them. */
type PluralCategory = 'zero' | 'one' | 'two' | 'few' | 'many' | 'other';
type PluralBase<K> = K extends `${infer B}_other` ? B : never;
type PluralKey<T> = `${PluralBase<keyof T>}_${PluralCategory}`;

/** One area of a language: every key of the English area, with the plural forms `F` that the language has. */
export type Area<T, F extends PluralCategory> = {
  readonly [K in Exclude<keyof T, PluralKey<T>>]: string;
} & {
  readonly [K in `${PluralBase<keyof T>}_${F}`]: string;
};

export type English = typeof en;
export type AreaName = keyof English;

/** Spanish and French tell one, many (a million and more) and the rest apart; Chinese and Korean do not. */
export type RomanceArea<N extends AreaName> = Area<English[N], 'one' | 'many' | 'other'>;
export type PlainArea<N extends AreaName> = Area<English[N], 'other'>;
