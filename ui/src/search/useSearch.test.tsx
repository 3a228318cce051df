import { QueryClientProvider } from '@tanstack/react-query';
import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  RouterProvider,
} from '@tanstack/react-router';
import { act, render, waitFor } from '@testing-library/react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { formatRaw, parseRaw, type RawSearch } from '../address/raw';
import { parseSearch } from '../address/search';
import { makeQueryClient } from '../api/cache';
import { type SearchState, useSearchState } from './useSearch';

/** Lets the server's settings arrive, which every test here begins without. */
let releaseSettings: () => void;

beforeEach(() => {
  const held = new Promise<void>((resolve) => {
    releaseSettings = resolve;
  });
  vi.stubGlobal('fetch', async (url: URL) => {
    if (!url.pathname.endsWith('/config.json')) return new Response('[]');
    await held;
    return new Response('{"queryLimit":7}');
  });
});
afterEach(() => vi.unstubAllGlobals());

/** The search page and another one. */
async function open() {
  const seen: { last?: SearchState } = {};
  const root = createRootRoute({ validateSearch: (raw: Record<string, unknown>) => raw as RawSearch });
  const routes = [
    createRoute({
      getParentRoute: () => root,
      path: '/',
      component: function Search() {
        seen.last = useSearchState();
        return null;
      },
    }),
    createRoute({ getParentRoute: () => root, path: '/settings', component: () => <p>elsewhere</p> }),
  ];
  const history = createMemoryHistory({ initialEntries: ['/'] });
  const router = createRouter({
    routeTree: root.addChildren(routes),
    history,
    parseSearch: parseRaw,
    stringifySearch: formatRaw,
  });
  await router.load();
  const view = render(
    <QueryClientProvider client={makeQueryClient()}>
      <RouterProvider router={router} />
    </QueryClientProvider>,
  );
  await waitFor(() => expect(seen.last).toBeDefined());
  const run = (query: string) => Promise.resolve(seen.last!.run(parseSearch(parseRaw(query), [])));
  return { history, run, view };
}

test('a search that waits for the settings is made with them', async () => {
  const { history, run } = await open();
  const asked = run('?serviceName=one');
  expect(history.location.search).toBe('');
  await act(async () => {
    releaseSettings();
    await asked;
  });
  expect(history.location.search).toMatch(/serviceName=one.*limit=7/);
});

test('a search that waits for the settings gives way to the page that the reader went to', async () => {
  const { history, run, view } = await open();
  const asked = run('?serviceName=one');
  act(() => history.push('/settings'));
  await view.findByText('elsewhere');
  await act(async () => {
    releaseSettings();
    await asked;
  });
  expect(history.location.pathname).toBe('/settings');
});

test('of two searches that wait for the settings the later one is made, alone', async () => {
  const { history, run } = await open();
  const asked = [run('?serviceName=one'), run('?serviceName=two')];
  await act(async () => {
    releaseSettings();
    await Promise.all(asked);
  });
  expect(history.location.search).toMatch(/serviceName=two/);
  expect(history.length).toBe(2);
});
