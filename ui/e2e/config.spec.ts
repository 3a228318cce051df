/** The settings of the server, one by one, and the base paths. */
import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from './fixtures';
import { found, newService, store } from './pages';
import { Zipkind } from './server';

/** A server with settings of its own, for one test. */
async function withServer(
  watch: { allowOrigin(origin: string): void },
  variables: Record<string, string>,
  use: (server: Zipkind) => Promise<void>,
): Promise<void> {
  const server = await Zipkind.start(variables);
  watch.allowOrigin(server.origin);
  try {
    await use(server);
  } finally {
    await server.stop();
  }
}

test('the environment stands in the header and in the title', async ({ page, watch }) => {
  await withServer(watch, { ZIPKIN_UI_ENVIRONMENT: 'stage <1>' }, async (server) => {
    await page.goto(server.ui(''));
    await expect(page.getByRole('banner').getByText('stage <1>')).toBeVisible();
    await expect(page).toHaveTitle('Search – Zipkin [stage <1>]');
  });
});

test('the default limit and window are used', async ({ page, watch }) => {
  await withServer(watch, { ZIPKIN_UI_QUERY_LIMIT: '33', ZIPKIN_UI_DEFAULT_LOOKBACK: '7200000' }, async (server) => {
    await store(server, { service: 'a' });
    await page.goto(server.ui(''));
    await expect(page.getByRole('spinbutton', { name: 'Limit' })).toHaveValue('33');
    await expect(page.getByRole('combobox', { name: 'Time' })).toHaveValue('2h');
    await page.getByRole('button', { name: 'Run query' }).click();
    await expect(page).toHaveURL(/limit=33&lookback=2h&endTs=\d+/);
  });
});

test('a default window that is no fixed step becomes milliseconds', async ({ page, watch }) => {
  await withServer(watch, { ZIPKIN_UI_DEFAULT_LOOKBACK: '420000' }, async (server) => {
    await page.goto(server.ui(''));
    await expect(page.getByRole('combobox', { name: 'Time' }).locator('option:checked')).toHaveText('Last 7 minutes');
    await page.getByRole('button', { name: 'Run query' }).click();
    await expect(page).toHaveURL(/lookback=millis&millis=420000&endTs=\d+/);
  });
});

test('search switched off is explained, and a trace id still works', async ({ page, watch }) => {
  await withServer(watch, { SEARCH_ENABLED: 'false' }, async (server) => {
    const [id = ''] = await store(server, { service: 'a', name: 'hidden' });
    await page.goto(server.ui('?lookback=15m&limit=10'));
    await expect(page.getByText('Search is switched off on this server')).toBeVisible();
    await expect(page.getByRole('link', { name: 'Open a file' }).last()).toBeVisible();
    await page.getByRole('textbox', { name: 'Go to a trace' }).fill(id);
    await page.keyboard.press('Enter');
    await expect(page.getByRole('heading', { level: 1 })).toContainText('a hidden');
  });
});

test('dependencies switched off have no menu entry, and their page says so', async ({ page, watch }) => {
  await withServer(watch, { ZIPKIN_UI_DEPENDENCY_ENABLED: 'false' }, async (server) => {
    await page.goto(server.ui(''));
    await expect(page.getByRole('link', { name: 'Search' })).toBeVisible();
    await expect(page.getByRole('link', { name: 'Service map' })).toHaveCount(0);
    await page.goto(server.ui('dependency'));
    await expect(page.getByText('The service map is switched off on this server')).toBeVisible();
  });
});

test('a support address is a link, but for one that is none', async ({ page, watch }) => {
  await withServer(watch, { ZIPKIN_UI_SUPPORT_URL: 'https://help.example/zipkin' }, async (server) => {
    await page.goto(server.ui(''));
    const link = page.getByRole('link', { name: 'Support' });
    await expect(link).toHaveAttribute('href', 'https://help.example/zipkin');
    await expect(link).toHaveAttribute('rel', 'noopener noreferrer');
    await page.route(/config\.json/, (route) => route.fulfill({ json: { supportUrl: 'javascript:alert(1)' } }));
    await page.reload();
    await expect(page.getByRole('link', { name: 'Search' })).toBeVisible();
    await expect(link).toHaveCount(0);
  });
});

for (const base of ['/', '/zipkin', '/admin/zipkin']) {
  test(`the pages work below ${base}, behind a proxy that maps it`, async ({ page, watch }) => {
    await withServer(watch, { ZIPKIN_UI_BASEPATH: base }, async (server) => {
      const proxy = await mapTo(server, base);
      watch.allowOrigin(proxy.origin);
      try {
        const service = newService('based');
        const [id = ''] = await store(server, { service, name: 'op', callee: `${service}-b` });
        const root = `${proxy.origin}${base.replace(/\/$/, '')}/`;
        await page.goto(`${root}?serviceName=${service}&lookback=1h&limit=5`);
        await expect(found(page)).toHaveCount(1);
        await found(page).click();
        await expect(page).toHaveURL(`${root}traces/${id}`);
        await expect(page.getByRole('heading', { level: 1 })).toContainText('op');
        await page.reload();
        await expect(page.getByRole('heading', { level: 1 })).toContainText('op');
        await page.getByRole('link', { name: 'Service map' }).click();
        await expect(page).toHaveURL(new RegExp(`${root}dependency\\?`));
        await expect(page.locator('.react-flow__node')).toHaveCount(2);
        await page.getByRole('link', { name: 'Open a file' }).click();
        await expect(page).toHaveURL(`${root}traceViewer`);
        await page.getByRole('link', { name: 'Settings' }).click();
        await expect(page.getByRole('heading', { level: 1, name: 'Settings' })).toBeVisible();
      } finally {
        await proxy.close();
      }
    });
  });
}

/** A proxy that serves the UI below a base path, and nothing else but what the server says of itself. */
async function mapTo(server: Zipkind, base: string): Promise<{ origin: string; close: () => Promise<void> }> {
  const prefix = base.replace(/\/$/, '');
  const proxy = createServer((incoming, answer) => {
    const path = incoming.url ?? '/';
    if (path !== '/info' && !path.startsWith(`${prefix}/`)) return void answer.writeHead(404).end();
    const url = new URL(path === '/info' ? path : `/zipkin${path.slice(prefix.length)}`, server.origin);
    const outgoing = forward(
      url,
      { method: incoming.method ?? 'GET', headers: { ...incoming.headers, host: url.host } },
      (from) => {
        answer.writeHead(from.statusCode ?? 502, from.headers);
        from.pipe(answer);
      },
    );
    outgoing.on('error', () => answer.writeHead(502).end());
    incoming.pipe(outgoing);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        proxy.closeAllConnections();
        proxy.close(() => resolve());
      }),
  };
}
