import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  RouterProvider,
} from '@tanstack/react-router';
import { act, render, waitFor } from '@testing-library/react';
import { expect, test } from 'vitest';
import { formatRaw, parseRaw, type RawSearch } from '../address/raw';
import { useTraceAddress } from './useTraceAddress';

type Shown = ReturnType<typeof useTraceAddress>;

/** A page that keeps its state in the address, with these addresses in its history, at the last one. */
async function open(...addresses: string[]) {
  const seen: { last?: Shown } = {};
  const root = createRootRoute({ validateSearch: (raw: Record<string, unknown>) => raw as RawSearch });
  const trace = createRoute({
    getParentRoute: () => root,
    path: '/traces/$traceId',
    component: function Trace() {
      seen.last = useTraceAddress();
      return null;
    },
  });
  const history = createMemoryHistory({ initialEntries: addresses });
  const router = createRouter({
    routeTree: root.addChildren([trace]),
    history,
    parseSearch: parseRaw,
    stringifySearch: formatRaw,
  });
  await router.load();
  render(<RouterProvider router={router} />);
  await waitFor(() => expect(seen.last).toBeDefined());
  const settled = (search: string) =>
    waitFor(() => {
      expect(router.state.status).toBe('idle');
      expect(router.state.location.searchStr).toBe(search);
    });
  return { history, settled, page: () => seen.last! };
}

test('a choice stands on the page at once and soon in the address', async () => {
  const { settled, page } = await open('/traces/1');
  act(() => page().update({ criticalPath: true }));
  expect(page().address.criticalPath).toBe(true);
  await settled('?cp=1');
});

test('a change that was taken back before it was shown leaves no mark: Back to it is followed', async () => {
  const { history, settled, page } = await open('/traces/1?cp=1', '/traces/1');
  act(() => {
    page().update({ criticalPath: true });
    page().update({ criticalPath: false });
  });
  await settled('');
  act(() => history.back());
  await settled('?cp=1');
  await waitFor(() => expect(page().address.criticalPath).toBe(true));
});

test('Back and Forward win over what is on the page', async () => {
  const { history, settled, page } = await open('/traces/1?q=one', '/traces/1?q=two');
  expect(page().address.find).toBe('two');
  act(() => history.back());
  await waitFor(() => expect(page().address.find).toBe('one'));
  await settled('?q=one');
  act(() => history.forward());
  await waitFor(() => expect(page().address.find).toBe('two'));
});
