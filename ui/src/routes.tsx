import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  type RouterHistory,
} from '@tanstack/react-router';
import { formatRaw, parseRaw, type RawSearch } from './address/raw';
import { basePath } from './api/base';
import { Crash } from './layout/Crash';
import { Layout } from './layout/Layout';
import { inOurWords } from './layout/missingChunk';
import { NotFound } from './pages/NotFound';

/** Search parameters stay text here; `address/*` gives them meaning, page by page. */
const validateSearch = (raw: Record<string, unknown>): RawSearch => raw as RawSearch;

const root = createRootRoute({ component: Layout, notFoundComponent: NotFound, validateSearch });
const parent = { getParentRoute: () => root };

const search = createRoute({
  ...parent,
  path: '/',
  component: lazyRouteComponent(() => import('./pages/Search').catch(inOurWords), 'Search'),
});
const index = createRoute({
  ...parent,
  path: '/index.html',
  component: lazyRouteComponent(() => import('./pages/Search').catch(inOurWords), 'Search'),
});
const trace = createRoute({
  ...parent,
  path: '/traces/$traceId',
  component: lazyRouteComponent(() => import('./pages/Trace').catch(inOurWords), 'Trace'),
});
const map = createRoute({
  ...parent,
  path: '/dependency',
  component: lazyRouteComponent(() => import('./pages/Map').catch(inOurWords), 'ServiceMap'),
});
const file = createRoute({
  ...parent,
  path: '/traceViewer',
  component: lazyRouteComponent(() => import('./pages/File').catch(inOurWords), 'File'),
});
const settings = createRoute({
  ...parent,
  path: '/settings',
  component: lazyRouteComponent(() => import('./pages/Settings').catch(inOurWords), 'Settings'),
});

const routeTree = root.addChildren([search, index, trace, map, file, settings]);

/** The router of the page; tests hand in a history of their own. */
export function makeRouter(history?: RouterHistory) {
  return createRouter({
    routeTree,
    ...(history && { history }),
    basepath: basePath() || '/',
    parseSearch: parseRaw,
    stringifySearch: formatRaw,
    trailingSlash: 'preserve',
    defaultErrorComponent: Crash,
    defaultPreload: 'intent',
    scrollRestoration: true,
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
