import { describe, expect, test } from 'vitest';
import { parseRaw } from '../address/raw';
import { parseSearch } from '../address/search';
import { asksTheSame, nextDraft } from './draft';

const read = (query: string) => parseSearch(parseRaw(query));

describe('a search that is being edited', () => {
  const shown = read('?serviceName=a&limit=5&lookback=15m&endTs=1000');
  const edited = read('?serviceName=a&spanName=b&limit=5&lookback=15m&endTs=1000');

  test('stays while results are shown in another way, and takes that over', () => {
    const next = read('?serviceName=a&limit=5&lookback=15m&endTs=1000&sort=start&err=1&view=scatter&g=root');
    expect(nextDraft(edited, shown, next)).toEqual({ ...next, spanName: 'b' });
  });

  test('stays when the address is only completed', () => {
    const incomplete = read('?serviceName=a');
    const draft = read('?serviceName=a&annotationQuery=error');
    const next = read('?serviceName=a&lookback=15m&endTs=7');
    expect(nextDraft(draft, incomplete, next)).toMatchObject({ annotations: [{ key: 'error', value: '' }] });
    // The same parameters read again are no reason to forget anything either.
    expect(nextDraft(draft, incomplete, read('?serviceName=a'))).toEqual(draft);
  });

  test('keeps a filter that was taken away', () => {
    const draft = read('?limit=5&lookback=15m&endTs=1000');
    expect(nextDraft(draft, shown, { ...shown, errorsOnly: true }).serviceName).toBeUndefined();
  });

  test('gives way to another search, and to one that was run', () => {
    const other = read('?serviceName=c&limit=5&lookback=15m&endTs=1000');
    expect(nextDraft(edited, shown, other)).toBe(other);
    const run = read('?serviceName=a&spanName=b&limit=5&lookback=15m&endTs=2000');
    expect(nextDraft(edited, shown, run)).toBe(run);
  });

  test('that was not edited follows the address', () => {
    const later = read('?serviceName=a&limit=5&lookback=15m&endTs=9000');
    expect(nextDraft(shown, shown, later)).toBe(later);
  });
});

test('two searches ask the same whenever they end, unless that was chosen', () => {
  expect(asksTheSame(read('?lookback=1h&endTs=1'), read('?lookback=1h&endTs=2&sort=start'))).toBe(true);
  expect(asksTheSame(read('?lookback=range&startTs=1&endTs=5'), read('?lookback=range&startTs=1&endTs=6'))).toBe(false);
});
