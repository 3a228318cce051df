import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { inOurWords, mayReload, reloadOnce } from './missingChunk';

const missing = [
  'Failed to fetch dynamically imported module: http://localhost/zipkin/assets/Map-1a2b.js',
  'error loading dynamically imported module: http://localhost/zipkin/assets/Map-1a2b.js',
  'Importing a module script failed.',
  'Unable to preload CSS for /zipkin/assets/Map-1a2b.css',
].map((message) => new Error(message));

beforeEach(() => {
  sessionStorage.clear();
  vi.spyOn(location, 'reload').mockImplementation(() => undefined);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('a missing chunk is known in the words of each browser, also through the router', () => {
  for (const error of missing) {
    expect(mayReload(error), error.message).toBe(true);
    let thrown: unknown;
    try {
      inOurWords(error);
    } catch (caught) {
      thrown = caught;
    }
    expect(mayReload(thrown), error.message).toBe(true);
    // What the router looks for at the beginning of a message.
    expect((thrown as Error).message).toMatch(/^a part of the page is missing/);
  }
  const other = new TypeError('x is undefined');
  expect(mayReload(other)).toBe(false);
  expect(() => inOurWords(other)).toThrow(other);
});

test('a page reloads once, and again for another upgrade later', () => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
  expect(reloadOnce()).toBe(true);
  expect(location.reload).toHaveBeenCalledTimes(1);
  for (const error of missing) expect(mayReload(error)).toBe(false);
  vi.setSystemTime(1_800_000_000_000 + 10 * 60_000);
  for (const error of missing) expect(mayReload(error)).toBe(true);
});

test('what cannot be remembered reloads nothing', () => {
  const full = () => {
    throw new DOMException('full', 'QuotaExceededError');
  };
  vi.stubGlobal('sessionStorage', { getItem: () => null, setItem: full });
  expect(mayReload(missing[0])).toBe(true);
  expect(reloadOnce()).toBe(false);
  expect(location.reload).not.toHaveBeenCalled();
});
