/** Each region of data in its five states: idle, loading, content, empty, error. Content is what the other journeys see. */
import type { Page, Route } from '@playwright/test';
import { expect, test } from './fixtures';
import { found, newService, run, store } from './pages';
import { Zipkind } from './server';

interface Region {
  readonly name: string;
  readonly path: string;
  /** The request that fills it. */
  readonly request: RegExp;
  readonly failed: string;
  readonly loading: string;
  readonly cancelled?: string;
}

const regions: readonly Region[] = [
  {
    name: 'services',
    path: '',
    request: /api\/v2\/services$/,
    failed: 'The services could not be loaded',
    loading: 'Loading the services…',
  },
  {
    name: 'results',
    path: '?lookback=15m&limit=10&endTs=1795226845000',
    request: /api\/(ext\/v1\/summaries|v2\/traces)\?/,
    failed: 'The search failed',
    loading: 'Searching…',
    cancelled: 'The search was cancelled',
  },
  {
    name: 'map',
    path: 'dependency?startTime=1795226000000&endTime=1795226845000',
    request: /api\/v2\/dependencies\?/,
    failed: 'The service map could not be loaded',
    loading: 'Loading the calls between services…',
    cancelled: 'Loading was cancelled',
  },
];

/** The browser itself reports a failed request in the console; the page must report it, too. */
const ownReport = /Failed to load resource/;
const once = async (page: Page, pattern: RegExp, answer: (route: Route) => Promise<void>) => {
  let done = false;
  await page.route(pattern, (route) => {
    if (done) return route.continue();
    done = true;
    return answer(route);
  });
};

for (const region of regions) {
  test.describe(region.name, () => {
    for (const [status, body] of [
      [500, 'storage is down: connection refused'],
      [503, 'too busy, try again'],
      [400, 'limit <= 0'],
    ] as const) {
      test(`of a failure with status ${status} say why, and are retried`, async ({ page, server, watch }) => {
        watch.allow(ownReport);
        await once(page, region.request, (route) => route.fulfill({ status, contentType: 'text/plain', body }));
        await page.goto(server.ui(region.path));
        const alert = page.getByRole('alert').filter({ hasText: region.failed });
        await expect(alert).toContainText(`The server answered with status ${status}: ${body}`);
        await expect(alert.getByRole('button', { name: 'Copy details' })).toBeVisible();
        await alert.getByRole('button', { name: 'Retry' }).click();
        await expect(alert).toHaveCount(0);
      });
    }

    test('of an answer that is no JSON say so', async ({ page, server }) => {
      await once(page, region.request, (route) => route.fulfill({ contentType: 'application/json', body: '[{"trace' }));
      await page.goto(server.ui(region.path));
      const alert = page.getByRole('alert').filter({ hasText: region.failed });
      await expect(alert).toContainText('The server’s answer could not be read');
    });

    test('of an answer of another shape say so', async ({ page, server }) => {
      await once(page, region.request, (route) => route.fulfill({ contentType: 'application/json', body: '{"a":1}' }));
      await page.goto(server.ui(region.path));
      await expect(page.getByRole('alert').filter({ hasText: region.failed })).toBeVisible();
    });

    test('of a lost connection say so', async ({ page, server, watch }) => {
      watch.allow(ownReport);
      await once(page, region.request, (route) => route.abort('connectionrefused'));
      await page.goto(server.ui(region.path));
      const alert = page.getByRole('alert').filter({ hasText: region.failed });
      await expect(alert).toContainText('The server could not be reached');
    });

    test('of a server that does not answer say so after half a minute', async ({ page, server }) => {
      await page.clock.install();
      const held: Route[] = [];
      await once(page, region.request, async (route) => void held.push(route));
      await page.goto(server.ui(region.path));
      await expect.poll(() => held.length).toBe(1);
      await page.clock.fastForward(31_000);
      const alert = page.getByRole('alert').filter({ hasText: region.failed });
      await expect(alert).toContainText('The server did not answer within 30 s');
      await held[0]?.abort().catch(() => undefined);
    });

    test('that are slow show that they load, and can be cancelled', async ({ page, server }) => {
      let release = () => undefined as unknown;
      await once(page, region.request, async (route) => {
        await new Promise((resolve) => {
          release = () => resolve(undefined);
        });
        await route.continue().catch(() => undefined);
      });
      await page.goto(server.ui(region.path));
      await expect(page.getByRole('status').filter({ hasText: region.loading })).toBeVisible();
      if (region.cancelled !== undefined) {
        await page.getByRole('button', { name: 'Cancel' }).click();
        await expect(page.getByText(region.cancelled)).toBeVisible();
      }
      release();
    });
  });
}

test('a server that stops is told, and a search works again when it is back', async ({ page, watch }) => {
  watch.allow(ownReport);
  const server = await Zipkind.start();
  watch.allowOrigin(server.origin);
  const service = newService('stops');
  await store(server, { service });
  await page.goto(server.ui(`?serviceName=${service}&lookback=1h&limit=10`));
  await expect(found(page)).toHaveCount(1);
  await server.stop();
  await run(page).click();
  await expect(page.getByRole('alert')).toContainText('The server could not be reached');
  const again = await Zipkind.start({ QUERY_PORT: new URL(server.origin).port });
  try {
    await store(again, { service });
    await page.getByRole('button', { name: 'Retry' }).click();
    await expect(found(page).or(page.getByText('No trace matched'))).toBeVisible();
  } finally {
    await again.stop();
  }
});

test('settings of the server that cannot be read do not stop the page', async ({ page, server, watch }) => {
  watch.allow(ownReport);
  await page.route(/config\.json/, (route) => route.fulfill({ status: 500, body: '' }));
  await page.goto(server.ui(''));
  await expect(page.getByText('The server’s settings could not be read; defaults are used.')).toBeVisible();
  await expect(page.getByRole('spinbutton', { name: 'Limit' })).toHaveValue('10');
  await page.getByRole('button', { name: 'Dismiss' }).click();
  await expect(page.getByText('The server’s settings could not be read')).toHaveCount(0);
});

test('names that cannot be loaded leave the text free', async ({ page, server, watch }) => {
  watch.allow(ownReport);
  await page.route(/api\/v2\/(services|spans|remoteServices|autocomplete)/, (route) =>
    route.fulfill({ status: 503, body: '' }),
  );
  await page.goto(server.ui('?lookback=15m&limit=10&endTs=1795226845000'));
  await page.getByRole('textbox', { name: 'Filters' }).click();
  await expect(page.getByText('Some names could not be loaded')).toBeVisible();
  await page.keyboard.type('service:anything');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'service: anything', exact: true })).toBeVisible();
});

test('a browser that refuses to store anything searches, opens and changes theme and language', async ({
  page,
  server,
}) => {
  await page.addInitScript(() => {
    for (const store of ['localStorage', 'sessionStorage', 'indexedDB']) {
      Object.defineProperty(window, store, {
        get: () => {
          throw new DOMException('refused', 'SecurityError');
        },
      });
    }
  });
  const service = newService('refused');
  await store(server, { service, name: 'kept nowhere' });
  await page.goto(server.ui(`?serviceName=${service}&lookback=1h&limit=10`));
  await found(page).click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText('kept nowhere');
  await page
    .getByRole('banner')
    .getByRole('button', { name: /^Theme/ })
    .click();
  await expect(page.locator('html')).toHaveAttribute('data-theme', /light|dark/);
  await page.getByRole('banner').getByRole('combobox').selectOption('fr');
  await expect(page.getByRole('link', { name: 'Rechercher', exact: true })).toBeVisible();
});

test('a chunk that is gone after an upgrade is fetched by one reload', async ({ page, server, watch }) => {
  watch.allow(/Failed to (load resource|fetch dynamically imported module)/);
  await page.goto(server.ui(''));
  let refused = 0;
  await page.route(/assets\/Settings-[^/]*\.js$/, (route) => {
    refused += 1;
    return refused === 1 ? route.fulfill({ status: 404, body: '' }) : route.continue();
  });
  await page.getByRole('link', { name: 'Settings' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Settings' })).toBeVisible();
});

test('a chunk that stays away is told after one reload; to point at its link reloads nothing', async ({
  page,
  server,
  watch,
}) => {
  watch.allow(/Failed to (load resource|fetch dynamically imported module)/);
  let refused = 0;
  let loads = 0;
  page.on('domcontentloaded', () => {
    loads += 1;
  });
  await page.route(/assets\/Settings-[^/]*\.js$/, (route) => {
    refused += 1;
    return route.fulfill({ status: 404, body: '' });
  });
  await page.goto(server.ui(''));
  await page.getByRole('link', { name: 'Settings' }).hover();
  await expect.poll(() => refused).toBeGreaterThan(0);
  // What is typed now would be lost.
  await page.getByRole('textbox', { name: 'Filters' }).fill('tag:kept');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'tag: kept', exact: true })).toBeVisible();
  expect(loads).toBe(1);
  await page.getByRole('link', { name: 'Settings' }).click();
  await expect(page.getByRole('button', { name: 'Reload' })).toBeVisible();
  expect(loads).toBe(2);
});
