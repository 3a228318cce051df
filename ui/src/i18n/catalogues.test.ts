import { describe, expect, test } from 'vitest';
import { chooseLanguage, matchLanguage } from '.';
import { en } from './en';
import { catalogue as es } from './es';
import { catalogue as fr } from './fr';
import { catalogue as ko } from './ko';
import { catalogue as zh_cn } from './zh_cn';

type Messages = Readonly<Record<string, string>>;
const languages: Readonly<Record<string, Readonly<Record<string, Messages>>>> = { en, es, fr, ko, zh_cn };

const base = (key: string) => key.replace(/_(zero|one|two|few|many|other)$/, '');
const placeholders = (message: string) => [...new Set(message.match(/\{\{\w+\}\}/g) ?? [])].sort();

describe.each(Object.keys(languages).filter((language) => language !== 'en'))('%s', (language) => {
  test('has the placeholders of English in every message, and no empty one', () => {
    for (const [area, messages] of Object.entries(languages[language] ?? {})) {
      const english = Object.entries(en[area as keyof typeof en]) as [string, string][];
      for (const [key, message] of Object.entries(messages)) {
        const original =
          english.find(([name]) => name === key) ?? english.find(([name]) => name === `${base(key)}_other`);
        expect(message, `${area}:${key}`).not.toBe('');
        expect(placeholders(message), `${area}:${key}`).toEqual(placeholders(original?.[1] ?? ''));
      }
    }
  });

  test('has every plural form that the language knows', () => {
    const tag = language === 'zh_cn' ? 'zh-Hans' : language;
    const forms = new Intl.PluralRules(tag).resolvedOptions().pluralCategories;
    for (const messages of Object.values(languages[language] ?? {})) {
      const plurals = new Set(
        Object.keys(messages)
          .filter((key) => key !== base(key))
          .map(base),
      );
      for (const key of plurals) for (const form of forms) expect(messages).toHaveProperty(`${key}_${form}`);
    }
  });
});

describe('the language is chosen', () => {
  test('by the stored choice, then by the browser, then English', () => {
    expect(chooseLanguage('ko', ['fr'])).toBe('ko');
    expect(chooseLanguage('xx', ['de', 'fr-CA'])).toBe('fr');
    expect(chooseLanguage(null, ['de', 'pt'])).toBe('en');
  });

  test.each([
    ['zh-CN', 'zh_cn'],
    ['zh-Hant-TW', 'zh_cn'],
    ['EN-gb', 'en'],
    ['es-419', 'es'],
    ['de', undefined],
  ])('%s is %s', (tag, language) => expect(matchLanguage(tag)).toBe(language));
});
