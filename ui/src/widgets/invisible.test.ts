import { expect, test } from 'vitest';
import { showInvisible, splitInvisible } from './invisible';

test.each([
  ['a\u202eb', 'a\\u202eb'],
  ['\u200b', '\\u200b'],
  ['x\u0000y', 'x\\u0000y'],
  ['\ufeff', '\\ufeff'],
  ['\ud800', '\\ud800'],
  ['\u{e0041}', '\\u{e0041}'],
])('%j shows its escape', (text, shown) => expect(showInvisible(text)).toBe(shown));

test.each(['plain', 'tab\tand\nline', '日本語', 'é', '👩‍💻', '<img src=x>', ''])('%j is left alone', (text) => {
  expect(splitInvisible(text)).toEqual([{ text, escaped: false }]);
});
