import { expect, test } from './fixtures';
import { filters, found, newService, store } from './pages';
import { Zipkind } from './server';

test('a new server shows an example with one click, and how to connect a service', async ({ page, watch }) => {
  const empty = await Zipkind.start();
  watch.allowOrigin(empty.origin);
  try {
    await page.goto(empty.ui(''));
    await expect(page.getByRole('heading', { name: 'No traces yet' })).toBeVisible();
    await expect(page.getByText(`${empty.origin}/api/v2/spans`, { exact: true })).toBeVisible();
    await expect(page.getByText(`OTEL_EXPORTER_OTLP_ENDPOINT=${empty.origin}`)).toBeVisible();
    await page.getByRole('button', { name: 'Open an example trace' }).click();
    await expect(page).toHaveURL(/traces\/[0-9a-f]{32}\?src=file/);
    await expect(page.getByRole('heading', { level: 1 })).toContainText('gateway post /checkout');
    await page.reload();
    await expect(page.getByRole('heading', { level: 1 })).toContainText('gateway post /checkout');
    // Nothing was written to the server.
    await page.goto(empty.ui(''));
    await expect(page.getByRole('heading', { name: 'No traces yet' })).toBeVisible();
    await empty.post([{ traceId: 'a', id: 'a', localEndpoint: { serviceName: 'hello' } }]);
    await page.getByRole('button', { name: 'Look again' }).click();
    await expect(page.getByRole('button', { name: 'hello' })).toBeVisible();
  } finally {
    await empty.stop();
  }
});

test('the start screen searches nothing; a service or a wish of it does', async ({ page, server }) => {
  const service = newService('begin');
  await store(server, { service });
  const asked: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  await page.goto(server.ui(''));
  const searches = () => asked.filter((url) => /summaries|\/traces\?/.test(url));
  await expect(page.getByRole('button', { name: service })).toBeVisible();
  expect(searches()).toHaveLength(0);
  await page.getByRole('button', { name: service }).click();
  await expect(found(page)).toHaveCount(1);
  expect(searches()).toHaveLength(1);
  await expect(page.getByRole('button', { name: `service: ${service}`, exact: true })).toBeVisible();
  await page.goto(server.ui(''));
  await page.getByRole('button', { name: 'Newest traces' }).click();
  await expect(page).toHaveURL(/lookback=15m/);
  await expect(filters(page)).toBeVisible();
});
