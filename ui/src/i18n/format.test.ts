import { describe, expect, test } from 'vitest';
import { makeFormat } from './format';

const english = makeFormat('en', true);

describe('durations have three significant digits and the unit that fits', () => {
  test.each([
    [0, '0 µs'],
    [1, '1 µs'],
    [999, '999 µs'],
    [1_000, '1 ms'],
    [1_234, '1.23 ms'],
    [1_235, '1.24 ms'],
    [1_225, '1.23 ms'],
    [-1_234, '-1.23 ms'],
    [999_400, '999 ms'],
    [999_600, '1 s'],
    [1_690_123, '1.69 s'],
    [59_940_000, '59.9 s'],
    [59_960_000, '1 min'],
    [108_000_000_000, '1800 min'],
  ])('%i µs is %s, however often it is asked', (us, text) => {
    expect([english.duration(us), english.duration(us)]).toEqual([text, text]);
  });

  test('in five languages', () => {
    const texts = ['en', 'es', 'fr', 'zh-Hans', 'ko'].map((tag) => makeFormat(tag, true).duration(1_690_000));
    expect(texts).toEqual(['1.69 s', '1,69 s', '1,69 s', '1.69 s', '1.69 s']);
    expect(makeFormat('fr', true).durationSpoken(34_000)).toMatch(/^34.millisecondes$/);
    expect(makeFormat('ko', true).durationSpoken(34_000)).toContain('34');
  });

  test('the exact number of microseconds is grouped', () => {
    expect(english.durationExact(1_690_123)).toBe('1,690,123 µs');
  });
});

describe('times', () => {
  const ms = Date.UTC(2026, 10, 21, 2, 27, 4, 469);

  test('say their zone and milliseconds', () => {
    expect(english.time(ms)).toBe('02:27:04.469');
    expect(english.dateTime(ms)).toContain('UTC');
    expect(english.dateTime(ms)).toContain('02:27:04.469');
    expect(english.zone(ms)).toBe('UTC');
  });

  test('a window names the day once when it lies in one', () => {
    const text = english.range(ms, ms + 900_000);
    expect(text.match(/2026/g)).toHaveLength(1);
    expect(text).toContain('02:27');
    expect(text).toContain('02:42');
  });

  test('marks of an axis are as fine as its length asks for', () => {
    expect(english.clock(ms, 5_000)).toBe('02:27:04.469');
    expect(english.clock(ms, 300_000)).toBe('02:27:04');
    expect(english.clock(ms, 3_600_000)).toBe('02:27');
    expect(english.clock(ms, 172_800_000)).toContain('21');
  });

  test('ages are in the unit that fits', () => {
    expect(english.ago(ms, ms + 30_000)).toMatch(/30 sec/);
    expect(english.ago(ms, ms + 7_200_000)).toMatch(/2 hr/);
    expect(english.ago(ms, ms + 20 * 86_400_000)).toMatch(/20 days/);
  });

  test('lengths are whole units', () => {
    expect(english.span(900_000)).toBe('15 minutes');
    expect(english.span(172_800_000)).toBe('2 days');
    expect(english.span(90_000)).toBe('90 seconds');
  });
});

test('bytes are counted in powers of 1024', () => {
  expect([0, 1023, 1024, 1536, 67_108_864].map((count) => english.bytes(count))).toEqual([
    '0 B',
    '1023 B',
    '1 KiB',
    '1.5 KiB',
    '64 MiB',
  ]);
});
