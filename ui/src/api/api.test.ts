import { afterEach, describe, expect, test, vi } from 'vitest';
import { RequestError, requestBytes, requestJson } from './client';
import { defaultConfig, parseConfig } from './config';
import { defaultMaxTraceBytes, parseUiSettings } from './extensions';
import { fillUrl, safeUrl } from './links';

afterEach(() => vi.unstubAllGlobals());

describe('links', () => {
  test.each(['http://a/b?c=d#e', 'https://user.example/', 'https://пример.рф/x'])('%s is one', (text) =>
    expect(safeUrl(text)).toBeDefined(),
  );

  test.each([
    'javascript:alert(1)',
    'JAVASCRIPT:alert(1)',
    'java\nscript:alert(1)',
    'data:text/html,<script>alert(1)</script>',
    'vbscript:x',
    '//host/path',
    '/path',
    'http://user:secret@host/',
    'https://user@host/',
    'http:\\\\host',
    'http://ho st/',
    'http://a/\u202e',
    'ftp://host/',
    'http://',
    '',
  ])('%s is text', (text) => expect(safeUrl(text)).toBeUndefined());

  test('values in a template are encoded, and the whole is checked', () => {
    expect(fillUrl('https://logs/?q={traceId}&x={other}', { traceId: 'a&b' })).toBe('https://logs/?q=a%26b&x={other}');
    expect(fillUrl('javascript:alert({traceId})', { traceId: '1' })).toBeUndefined();
    expect(fillUrl('{traceId}', { traceId: 'javascript:alert(1)' })).toBeUndefined();
  });
});

describe('settings of the server', () => {
  test('null and wrong shapes take the defaults', () => {
    expect(parseConfig(null)).toEqual(defaultConfig);
    expect(
      parseConfig({
        environment: 5,
        queryLimit: -1,
        defaultLookback: 'x',
        logsUrl: null,
        dependency: { lowErrorRate: -7 },
      }),
    ).toEqual(defaultConfig);
  });

  test('addresses that are no http links are dropped', () => {
    expect(parseConfig({ supportUrl: 'javascript:1', archivePostUrl: 'data:x' })).toEqual(defaultConfig);
    expect(parseConfig({ supportUrl: 'https://help/', searchEnabled: false })).toMatchObject({
      supportUrl: 'https://help/',
      searchEnabled: false,
    });
  });

  test('a page without the element has no extensions', () => {
    expect(parseUiSettings(undefined)).toEqual({
      extensions: new Set(),
      linkPatterns: [],
      own: false,
      maxTraceBytes: defaultMaxTraceBytes,
    });
    const settings = parseUiSettings('{"extensions":["summaries",7],"linkPatterns":[{"tag":"a","url":"u"},{"tag":1}]}');
    expect([...settings.extensions]).toEqual(['summaries']);
    expect(settings.linkPatterns).toEqual([{ tag: 'a', url: 'u' }]);
    expect(parseUiSettings('{broken').extensions.size).toBe(0);
  });
});

describe('requests', () => {
  const url = new URL('http://host/zipkin/api/v2/services');
  const answer = (body: string, init: ResponseInit = {}) =>
    vi.stubGlobal('fetch', async () => new Response(body, init));

  test('a status carries the reason of the body', async () => {
    answer('storage is down\n', { status: 503 });
    const failure = await requestJson(url).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RequestError);
    expect(failure).toMatchObject({ kind: 'status', status: 503, reason: 'storage is down' });
  });

  test('broken JSON and a lost connection are told apart', async () => {
    answer('{"a":');
    await expect(requestJson(url)).rejects.toMatchObject({ kind: 'format' });
    vi.stubGlobal('fetch', async () => Promise.reject(new TypeError('failed to fetch')));
    await expect(requestJson(url)).rejects.toMatchObject({ kind: 'network', status: 0 });
  });

  test('progress is told with the length, and a length that is not accepted stops before the body', async () => {
    answer('["abc"]', { headers: { 'content-length': '7' } });
    const seen: unknown[] = [];
    await expect(requestJson(url, { onProgress: (progress) => seen.push(progress) })).resolves.toEqual(['abc']);
    expect(seen.at(-1)).toEqual({ receivedBytes: 7, totalBytes: 7 });
    answer('["abc"]', { headers: { 'content-length': '7' } });
    await expect(requestBytes(url, { acceptBytes: (bytes) => bytes < 5 })).rejects.toMatchObject({ kind: 'size' });
  });
});
