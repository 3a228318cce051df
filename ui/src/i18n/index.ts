import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import { readStored, writeStored } from '../api/storage';
import type { AreaName, English } from './types';

/** The languages of zipkin-lens, by the codes it stores. */
export const languages = ['en', 'es', 'fr', 'zh_cn', 'ko'] as const;
export type Language = (typeof languages)[number];

/** What a language is called by those who speak it: the same in every catalogue. */
export const languageNames: Record<Language, string> = {
  en: 'English',
  es: 'Español',
  fr: 'Français',
  zh_cn: '中文 (简体)',
  ko: '한국어',
};

const languageTags: Record<Language, string> = { en: 'en', es: 'es', fr: 'fr', zh_cn: 'zh-Hans', ko: 'ko' };
const storedKey = 'i18nextLng';

type Catalogue = { readonly [N in AreaName]: { readonly [K in keyof English[N]]?: string } };

const loaders: Record<Language, () => Promise<Catalogue>> = {
  en: () => import('./en').then((m) => m.en),
  es: () => import('./es').then((m) => m.catalogue as Catalogue),
  fr: () => import('./fr').then((m) => m.catalogue as Catalogue),
  zh_cn: () => import('./zh_cn').then((m) => m.catalogue as Catalogue),
  ko: () => import('./ko').then((m) => m.catalogue as Catalogue),
};

const isLanguage = (value: string): value is Language => (languages as readonly string[]).includes(value);

/** The language for a browser's preference such as `zh-Hans-CN`, or nothing when we do not have it. */
export function matchLanguage(tag: string): Language | undefined {
  const code = tag.toLowerCase().replace('-', '_');
  if (isLanguage(code)) return code;
  const base = code.split('_')[0] ?? '';
  if (base === 'zh') return 'zh_cn';
  return isLanguage(base) ? base : undefined;
}

/** Stored choice first, then the browser's list, then English. */
export function chooseLanguage(stored: string | null, preferred: readonly string[]): Language {
  if (stored !== null && isLanguage(stored)) return stored;
  for (const tag of preferred) {
    const match = matchLanguage(tag);
    if (match) return match;
  }
  return 'en';
}

/** The tag for `<html lang>` and for `Intl`. */
export function languageTag(language: string): string {
  return isLanguage(language) ? languageTags[language] : 'en';
}

/** The locale for numbers and dates: the browser's regional form of the language (`en-GB`) when it has one. */
export function formatLocale(tag: string): string {
  const language = languages.find((one) => languageTags[one] === tag);
  return (navigator.languages ?? []).find((one) => matchLanguage(one) === language) ?? tag;
}

async function load(language: Language): Promise<void> {
  const catalogue = await loaders[language]();
  for (const [area, messages] of Object.entries(catalogue)) {
    i18next.addResourceBundle(languageTags[language], area, messages, true, true);
  }
}

let chosen: Language | undefined;

/** Shows the page in another language, without a reload, and remembers the choice. Of quick choices the last one counts. */
export async function switchLanguage(language: Language): Promise<void> {
  chosen = language;
  await load(language);
  if (chosen !== language) return;
  writeStored(storedKey, language);
  await i18next.changeLanguage(languageTags[language]);
  document.documentElement.lang = languageTags[language];
}

/** The chosen language's code as stored. */
export function currentLanguage(): Language {
  const found = languages.find((language) => languageTags[language] === i18next.language);
  return found ?? 'en';
}

/** Loads the catalogue of the chosen language; called once, before the first render. */
export async function startI18n(): Promise<void> {
  const language = chooseLanguage(readStored(storedKey), navigator.languages ?? []);
  await i18next.use(initReactI18next).init({
    lng: languageTags[language],
    fallbackLng: false,
    defaultNS: 'common',
    ns: [],
    partialBundledLanguages: true,
    resources: {},
    keySeparator: false,
    // React escapes text already; escaping twice would show entities.
    interpolation: { escapeValue: false },
    react: { useSuspense: false },
  });
  await load(language);
  document.documentElement.lang = languageTags[language];
}
