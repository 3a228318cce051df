import { readFileSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { expect, test } from './fixtures';
import { freshTraceId, newService } from './pages';
import { Zipkind } from './server';
import type { TestSpan } from './traces';

/** Calls between two services, some of which fail. */
function calls(parent: string, child: string, count: number, failed = 0): TestSpan[] {
  return Array.from({ length: count }, (_, i) => {
    const call = { traceId: freshTraceId(), id: '1', timestamp: (Date.now() - 60_000 - i) * 1_000, duration: 1_000 };
    const tags = i < failed ? { tags: { error: '' } } : {};
    return [
      { ...call, kind: 'CLIENT', name: 'call', localEndpoint: { serviceName: parent }, ...tags },
      { ...call, kind: 'SERVER', name: 'called', shared: true, localEndpoint: { serviceName: child }, ...tags },
    ];
  }).flat();
}

const node = (page: Page, name: string) =>
  page.getByRole('main').locator('.react-flow__node').filter({ hasText: name });
const table = (page: Page) => page.getByRole('table', { name: 'Calls between services' });

test.describe('the service map', () => {
  let server: Zipkind;
  const [web, shop, bank] = [newService('web'), newService('shop'), newService('bank')];
  test.beforeAll(async () => {
    server = await Zipkind.start({
      ZIPKIN_UI_DEPENDENCY_LOW_ERROR_RATE: '0.1',
      ZIPKIN_UI_DEPENDENCY_HIGH_ERROR_RATE: '0.5',
    });
    await server.post([...calls(web, shop, 12), ...calls(shop, bank, 4, 3), ...calls(shop, shop, 5, 1)]);
  });
  test.afterAll(() => server.stop());
  test.beforeEach(({ watch }) => watch.allowOrigin(server.origin));

  test('shows callers left of what they call, for the last day, which its address says', async ({ page }) => {
    await page.goto(server.ui('dependency'));
    await expect(page).toHaveURL(/startTime=\d+&endTime=\d+/);
    const url = new URL(page.url());
    expect(Number(url.searchParams.get('endTime')) - Number(url.searchParams.get('startTime'))).toBe(86_400_000);
    for (const name of [web, shop, bank]) await expect(node(page, name)).toBeInViewport({ ratio: 0.99 });
    const left = async (name: string) => (await node(page, name).boundingBox())!.x;
    expect(await left(web)).toBeLessThan(await left(shop));
    expect(await left(shop)).toBeLessThan(await left(bank));
    await expect(page.getByText('3 services, 3 connections.')).toBeVisible();
    await expect(node(page, bank)).toContainText('75%');
    await expect(page.getByText('50% errors or more')).toBeVisible();
  });

  test('focuses on a service by click and by key, with its calls beside it', async ({ page }) => {
    await page.goto(server.ui('dependency'));
    await node(page, bank).click();
    await expect(page).toHaveURL(new RegExp(`focus=${bank}`));
    const panel = page.getByRole('complementary', { name: 'Service in focus' });
    await expect(panel).toContainText('4 calls · 75% errors');
    await expect(node(page, web)).toHaveCount(0);
    await panel.getByRole('spinbutton', { name: 'Hops' }).fill('2');
    await expect(node(page, web)).toBeVisible();
    await page.reload();
    await expect(panel).toBeVisible();
    await expect(node(page, web)).toBeVisible();
    await panel.getByRole('button', { name: 'Show all services' }).click();
    await node(page, shop).focus();
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(new RegExp(`focus=${shop}`));
  });

  test('as a table sorts, marks by the limits of the server, exports and leads to traces', async ({ page }) => {
    await page.goto(server.ui('dependency'));
    await page.getByRole('button', { name: 'Table' }).click();
    await expect(page).toHaveURL(/view=table/);
    const rows = table(page).getByRole('row');
    await expect(rows).toHaveCount(4);
    await expect(rows.nth(1)).toContainText('12');
    await table(page).getByRole('button', { name: 'Error share' }).click();
    await expect(rows.nth(1)).toContainText('75%');
    await expect(table(page).getByRole('columnheader', { name: 'Error share' })).toHaveAttribute(
      'aria-sort',
      'descending',
    );
    // 20 % is above the lower limit of this server, 75 % above the upper one.
    const colour = (share: string) =>
      table(page)
        .getByRole('cell', { name: share, exact: true })
        .evaluate((cell) => getComputedStyle(cell).color);
    expect(new Set([await colour('0%'), await colour('20%'), await colour('75%')]).size).toBe(3);

    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'CSV' }).click();
    const csv = readFileSync(await (await download).path(), 'utf8');
    expect(csv).toContain(`${shop},${bank},4,3,0.75`);

    await page.getByRole('link', { name: `Traces from ${web} to ${shop}` }).click();
    await expect(page.getByRole('button', { name: `service: ${web}`, exact: true })).toBeVisible();
    await expect(page).toHaveURL(/lookback=range/);
  });

  test('finds services by name', async ({ page }) => {
    await page.goto(server.ui('dependency?view=table'));
    await page.getByRole('searchbox', { name: 'Find a service' }).fill('bank');
    await expect(table(page).getByRole('row')).toHaveCount(2);
    // As quick as keys can be: no letter is lost on its way through the address.
    await page.getByRole('searchbox', { name: 'Find a service' }).fill('');
    await page.getByRole('searchbox', { name: 'Find a service' }).focus();
    await Promise.all([...'nothing like it'].map((key) => page.keyboard.press(key)));
    await expect(page.getByRole('searchbox', { name: 'Find a service' })).toHaveValue('nothing like it');
    await expect(page.getByText('No service matches.')).toBeVisible();
  });

  test('without calls in the window says so, and looks further back', async ({ page }) => {
    await page.goto(server.ui('dependency?startTime=1000&endTime=2000'));
    await expect(page.getByText('No calls between services')).toBeVisible();
    await page.getByRole('button', { name: 'Show the last 7 days' }).click();
    await expect(node(page, bank)).toBeVisible();
    await page.goBack();
    await expect(page.getByText('No calls between services')).toBeVisible();
  });
});

test('a long list of calls scrolls beside the map, which stays in the window', async ({ page, watch }) => {
  const hub = newService('hub');
  const server = await Zipkind.start();
  watch.allowOrigin(server.origin);
  try {
    await server.post(Array.from({ length: 30 }, (_, i) => calls(`${hub}-${i}`, hub, 1)).flat());
    await page.goto(server.ui(`dependency?focus=${hub}`));
    const panel = page.getByRole('complementary', { name: 'Service in focus' });
    await expect(panel.getByRole('listitem')).toHaveCount(30);
    await expect.poll(async () => (await panel.boundingBox())!.height).toBeGreaterThan(400);
    const { y, height } = (await panel.boundingBox())!;
    expect(y + height).toBeLessThanOrEqual(900);
    expect(await page.evaluate(() => document.documentElement.scrollHeight)).toBeLessThanOrEqual(900);
  } finally {
    await server.stop();
  }
});
