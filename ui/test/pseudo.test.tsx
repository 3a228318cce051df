import { QueryClientProvider } from '@tanstack/react-query';
import { createMemoryHistory, RouterProvider } from '@tanstack/react-router';
import { render, waitFor } from '@testing-library/react';
import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { makeQueryClient } from '../src/api/cache';
import { en } from '../src/i18n/en';
import type { JsonSpan } from '../src/model/types';
import { makeRouter } from '../src/routes';
import { summarise } from '../src/search/summary';

// Workers do not exist here: the one of the search page is answered by the function that it runs.
vi.mock('../src/api/worker', () => ({
  startWorker: () => {
    const worker = {
      onmessage: undefined as ((event: { data: unknown }) => void) | undefined,
      postMessage: (data: unknown) => {
        if (!(data instanceof Uint8Array)) return;
        const traces = JSON.parse(new TextDecoder().decode(data)) as JsonSpan[][];
        queueMicrotask(() => worker.onmessage?.({ data: { summaries: summarise(traces) } }));
      },
      addEventListener: () => undefined,
      terminate: () => undefined,
    };
    return worker;
  },
}));

const open = '⟦';
const close = '⟧';
const spans: JsonSpan[] = [
  {
    traceId: 'a1',
    id: '1',
    name: 'datum',
    timestamp: 1_795_226_000_000_000,
    duration: 42,
    localEndpoint: { serviceName: 'datum' },
  },
  { traceId: 'a1', id: '2', parentId: '1', localEndpoint: { serviceName: 'datum2' }, tags: { error: 'datum' } },
];
const answers: Readonly<Record<string, unknown>> = {
  'config.json': { environment: 'datum', supportUrl: 'https://datum/', queryLimit: 2 },
  'api/v2/services': ['datum'],
  'api/v2/spans': ['datum'],
  'api/v2/remoteServices': ['datum'],
  'api/v2/autocompleteKeys': [],
  'api/v2/traces': [spans, spans.map((span) => ({ ...span, traceId: 'b2' }))],
  'api/v2/dependencies': [{ parent: 'datum', child: 'datum2', callCount: 7, errorCount: 6 }],
};

/** Every message between brackets, so that whatever stands outside them did not come from the catalogue. */
function pseudo(): Record<string, Record<string, string>> {
  return Object.fromEntries(
    Object.entries(en).map(([area, messages]) => [
      area,
      Object.fromEntries(Object.entries(messages).map(([key, message]) => [key, `${open}${message}${close}`])),
    ]),
  );
}

beforeAll(async () => {
  document.head.innerHTML = '<base href="http://localhost/zipkin/">';
  await i18next.use(initReactI18next).init({
    lng: 'en',
    defaultNS: 'common',
    resources: { en: pseudo() },
    keySeparator: false,
    interpolation: { escapeValue: false },
    react: { useSuspense: false },
  });
});
afterEach(() => vi.unstubAllGlobals());

function serve(change: Readonly<Record<string, unknown>> = {}): void {
  vi.stubGlobal('fetch', async (url: URL) => {
    const path = url.pathname.replace('/zipkin/', '');
    const all = { ...answers, ...change };
    if (!Object.hasOwn(all, path)) return new Response('datum not found', { status: 404 });
    const answer = all[path];
    return answer instanceof Response ? answer.clone() : new Response(JSON.stringify(answer));
  });
}

/** What is not from the catalogue and may stand outside: data, names that no language changes, units, dates. */
const allowed =
  /\b(\d+us|Zipkin|datum2?|DA|English|Español|Français|UTC|CSV|JSON|GMT|Infinity|ms|min|KiB|MiB|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|AM|PM|p50|p95|Ctrl|Enter|Shift|Home|End|Tab|Backspace|Esc|localhost|zipkin|minutes?|hours?|days?)\b/g;

/** Visible and spoken texts with letters outside the brackets. */
function plainTexts(root: Element): string[] {
  const texts: string[] = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (parent && !['SCRIPT', 'STYLE', 'PRE', 'CODE', 'KBD'].includes(parent.tagName))
      texts.push(node.textContent ?? '');
  }
  for (const element of root.querySelectorAll('*')) {
    for (const name of ['aria-label', 'title', 'placeholder', 'alt', 'aria-description']) {
      const value = element.getAttribute(name);
      if (value !== null) texts.push(value);
    }
  }
  return texts.map(outside).filter((text) => /[A-Za-z]{2,}/.test(text));
}

function outside(text: string): string {
  let depth = 0;
  let kept = '';
  for (const character of text) {
    if (character === open) depth += 1;
    else if (character === close) depth -= 1;
    else if (depth === 0) kept += character;
  }
  return kept.replace(allowed, '').trim();
}

async function show(path: string) {
  const router = makeRouter(createMemoryHistory({ initialEntries: [`/zipkin${path}`] }));
  await router.load();
  const view = render(
    <QueryClientProvider client={makeQueryClient()}>
      <RouterProvider router={router} />
    </QueryClientProvider>,
  );
  return view.container;
}

describe('every visible text comes from the catalogue', () => {
  const end = '&endTs=1795226845000';
  test.each([
    ['the start screen', '/', 'h2', {}],
    ['the first run', '/', 'pre', { 'api/v2/services': [] }],
    ['failed services', '/', '[role=alert]', { 'api/v2/services': new Response('datum', { status: 503 }) }],
    [
      'results',
      `/?limit=2&lookback=15m&serviceName=datum&annotationQuery=datum&minDuration=1us&datum=1${end}`,
      '[role=table]',
      {},
    ],
    ['grouped results', `/?limit=2&lookback=15m&g=root&svc=datum${end}`, '[role=table]', {}],
    ['no results', `/?limit=2&lookback=15m&serviceName=datum2${end}`, '[role=status] button', { 'api/v2/traces': [] }],
    [
      'a failed search',
      `/?limit=2&lookback=15m${end}`,
      '[role=alert]',
      { 'api/v2/traces': new Response('datum', { status: 500 }) },
    ],
    ['a search that cannot be sent', `/?limit=0&lookback=15m&minDuration=x${end}`, '[role=alert]', {}],
    ['search switched off', '/', '[role=status]', { 'config.json': { searchEnabled: false } }],
    ['the map as a table', '/dependency?startTime=1&endTime=2&view=table', 'table', {}],
    ['the map in focus', '/dependency?startTime=1&endTime=2&view=table&focus=datum', 'aside', {}],
    ['an empty map', '/dependency?startTime=1&endTime=2', '[role=status] button', { 'api/v2/dependencies': [] }],
    ['a failed map', '/dependency?startTime=1&endTime=2', '[role=alert]', { 'api/v2/dependencies': {} }],
    ['the map switched off', '/dependency', '[role=status]', { 'config.json': { dependency: { enabled: false } } }],
    ['open a file', '/traceViewer', 'h1', {}],
    ['settings', '/settings', 'kbd', {}],
    ['an unknown page', '/datum', '[role=status]', {}],
    ['failed settings of the server', '/', 'h2', { 'config.json': new Response('', { status: 500 }) }],
  ] as const)('%s', async (_, path, ready, change) => {
    serve(change);
    const container = await show(path);
    await waitFor(() => expect(container.querySelector(`main ${ready}, main${ready}`)).not.toBeNull(), {
      timeout: 60_000,
    });
    expect(plainTexts(container)).toEqual([]);
  });
});
