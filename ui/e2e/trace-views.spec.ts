import { readFileSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { expect, test } from './fixtures';
import type { Zipkind } from './server';
import { newTraceId, shopTrace } from './traces';

async function openShop(page: Page, server: Zipkind, query: string): Promise<string> {
  const traceId = newTraceId();
  await server.post(shopTrace(traceId));
  await page.goto(server.ui(`traces/${traceId}${query}`));
  await expect(page.getByRole('heading', { level: 1, name: 'frontend post /checkout' })).toBeVisible();
  return traceId;
}

const cells = (page: Page, column: number) =>
  page
    .getByRole('grid')
    .locator('[data-index]')
    .evaluateAll((all, at) => all.map((row) => row.querySelectorAll('[role=gridcell]')[at]?.textContent ?? ''), column);

test('views are tabs, keys and addresses; Back returns', async ({ page, server }) => {
  await openShop(page, server, '');
  await page.getByRole('tab', { name: 'Statistics' }).click();
  await expect(page).toHaveURL(/v=stats/);
  await expect(page.getByRole('grid', { name: 'Statistics' })).toBeVisible();
  await page.getByRole('tab', { name: 'Statistics' }).press('ArrowRight');
  await expect(page.getByRole('tab', { name: 'Map' })).toBeFocused();
  await expect(page).toHaveURL(/v=map/);
  await page.keyboard.press('3');
  await expect(page.getByRole('tab', { name: 'Table' })).toHaveAttribute('aria-selected', 'true');
  await page.goBack();
  await expect(page.getByRole('tab', { name: 'Map' })).toHaveAttribute('aria-selected', 'true');
  await page.goBack();
  await page.goBack();
  await expect(page.getByRole('treegrid', { name: 'Spans of the trace' })).toBeVisible();
  await page.goForward();
  await expect(page.getByRole('grid', { name: 'Statistics' })).toBeVisible();
});

test('the whole state of the page comes back from its address', async ({ page, server }) => {
  const query = '?s=0000000000000005&z=400000-1200000&c=0000000000000002&root=0000000000000001&q=payment&cp=1';
  await openShop(page, server, query);
  const state = async () => {
    await expect(page.getByRole('treegrid').getByRole('row')).toHaveCount(6);
    await expect(page.getByRole('region', { name: 'Detail of the span' })).toContainText('post /charge');
    await expect(page.getByRole('slider', { name: 'Start of what is shown' })).toHaveAttribute(
      'aria-valuetext',
      '400 ms',
    );
    await expect(page.getByRole('textbox', { name: 'Find in the trace' })).toHaveValue('payment');
    await expect(page.getByRole('search').getByRole('status')).toHaveText('2 / 3');
    await expect(page.getByRole('button', { name: 'Critical path' })).toHaveAttribute('aria-pressed', 'true');
  };
  await state();
  await page.reload();
  await state();
  expect(new URL(page.url()).search).toBe(query);
  await page.goto(`${server.origin}/zipkin/settings`);
  await page.goBack();
  await state();
});

test('the table is sorted by any column, has tags as columns and becomes a file', async ({ page, server }) => {
  const traceId = await openShop(page, server, '?v=table&d=0');
  await page.getByRole('columnheader', { name: 'Duration' }).getByRole('button').click();
  await expect.poll(() => cells(page, 4)).toEqual(['1.2 s', '700 ms', '650 ms', '400 ms', '300 ms', '100 ms', '50 ms']);
  await expect(page.getByRole('columnheader', { name: 'Duration' })).toHaveAttribute('aria-sort', 'descending');
  await expect(page).toHaveURL(/sort=-duration/);
  await page.getByRole('combobox', { name: 'Tag as column' }).selectOption({ label: 'error (2)' });
  await expect(page.getByRole('columnheader', { name: 'error', exact: true })).toBeVisible();
  await expect.poll(() => cells(page, 8)).toEqual(['', 'payment failed', '', '', '', '', '']);
  await page.reload();
  await expect.poll(() => cells(page, 8)).toEqual(['', 'payment failed', '', '', '', '', '']);
  const waiting = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save CSV' }).click();
  const download = await waiting;
  expect(download.suggestedFilename()).toBe(`${traceId}.csv`);
  const lines = readFileSync(await download.path(), 'utf8').split('\r\n');
  expect(lines[0]).toContain('timestamp_us,service,operation,kind,duration_us,self_us,depth,errors_below,tag:error');
  expect(lines[2]).toContain(',frontend,charge,CLIENT,700000,50000,1,1,payment failed');
});

test('choices made one right after the other are in the address at once', async ({ page, server }) => {
  await openShop(page, server, '?v=table&d=0');
  await expect(page.getByRole('columnheader', { name: 'Duration' })).toBeVisible();
  await page.evaluate(async () => {
    for (const name of ['Duration', 'Self time', 'Operation', 'Kind']) {
      const headers = [...document.querySelectorAll<HTMLElement>('[role=columnheader] button')];
      headers.find((header) => header.textContent?.startsWith(name))!.click();
      await new Promise(requestAnimationFrame);
    }
  });
  // Read once, not awaited: what is reloaded now must not come back as it was before.
  expect(await page.evaluate(() => location.search)).toMatch(/sort=-?kind/);
  await page.reload();
  await expect(page.getByRole('columnheader', { name: 'Kind' })).toHaveAttribute('aria-sort', /ascending|descending/);
});

test('a search filters the table, a row opens its detail', async ({ page, server }) => {
  await openShop(page, server, '?v=table&q=payment');
  await expect.poll(() => cells(page, 2)).toEqual(['charge', 'post /charge', 'score']);
  await page.getByRole('grid').locator('[data-index="0"]').press('ArrowDown');
  await expect(page.getByRole('region', { name: 'Detail of the span' })).toContainText('payment post /charge');
});

test('statistics add up and lead to the rows', async ({ page, server }) => {
  await openShop(page, server, '?v=stats&by=operation');
  const grid = page.getByRole('grid', { name: 'Statistics' });
  await expect(grid.locator('[data-index]')).toHaveCount(7);
  await expect(grid.locator('[data-index="0"]')).toContainText('paymentscore');
  await page.getByRole('combobox', { name: 'Group by' }).selectOption('service');
  const payment = grid.locator('[data-index]').filter({ hasText: 'payment' });
  await expect(payment).toContainText('1.05 s');
  await expect(payment).toContainText('650 ms');
  await payment.click();
  await expect(page.getByRole('textbox', { name: 'Find in the trace' })).toHaveValue('service:payment');
  await expect(page.getByRole('search').getByRole('status')).toHaveText('0 / 2');
});

test('the flame graph is read by keys, shown alone, and as a table', async ({ page, server }) => {
  await openShop(page, server, '?v=flame&d=0');
  const graph = page.getByRole('application', { name: /^Flame graph/ });
  const readout = page.locator('#flame-readout');
  await graph.focus();
  await page.keyboard.press('ArrowDown');
  await expect(readout).toContainText('frontend post /checkout');
  await page.keyboard.press('ArrowDown');
  await expect(readout).toContainText('cart get /cart · 300 ms');
  await page.keyboard.press('ArrowRight');
  await expect(readout).toContainText('frontend charge · 700 ms · self 50 ms');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/root=0000000000000004/);
  const way = page.getByRole('navigation', { name: 'Spans above' });
  await expect(way).toContainText('charge');
  await way.getByRole('button', { name: 'Whole trace' }).click();
  await expect(page).not.toHaveURL(/root=/);
  await page.getByRole('button', { name: 'Merged by path' }).click();
  await page.getByRole('button', { name: 'As a table' }).click();
  const table = page.getByRole('treegrid', { name: 'Flame graph' });
  await expect(table.locator('[data-index]')).toHaveCount(7);
  await expect(table.locator('[data-index="0"]')).toHaveAttribute('aria-level', '1');
  await table.locator('[data-index="0"]').press('ArrowLeft');
  await expect(table.locator('[data-index]')).toHaveCount(1);
});

test('a box under the pointer is told in words', async ({ page, server }) => {
  await openShop(page, server, '?v=flame');
  const graph = (await page.getByRole('application', { name: /^Flame graph/ }).boundingBox())!;
  // The second lane at 0.8 s of 1.4 s.
  await page.mouse.move(graph.x + (graph.width * 0.8) / 1.4, graph.y + 30);
  await expect(page.locator('#flame-readout')).toContainText('frontend charge');
  await page.mouse.click(graph.x + (graph.width * 0.8) / 1.4, graph.y + 30);
  await expect(page.getByRole('region', { name: 'Detail of the span' })).toContainText('payment failed');
  await expect(page).toHaveURL(/root=0000000000000004/);
  await page.goBack();
  await expect(page).not.toHaveURL(/root=/);
});

test('the map shows the services of the trace, and as a table', async ({ page, server }) => {
  await openShop(page, server, '?v=map');
  await expect(page.getByText('5 services, 4 links')).toBeVisible();
  await expect(page.getByText('cart-db', { exact: true })).toBeInViewport();
  await page.getByRole('button', { name: 'As a table' }).click();
  await expect(page.getByRole('grid', { name: 'Map' }).locator('[data-index]')).toHaveCount(4);
  await page.getByRole('grid', { name: 'Map' }).locator('[data-index]').filter({ hasText: 'cart-db' }).click();
  await expect(page.getByRole('textbox', { name: 'Find in the trace' })).toHaveValue('service:cart-db');
});

test('the JSON is shown as received, at the selected span', async ({ page, server }) => {
  await openShop(page, server, '?v=json&s=0000000000000007&d=0');
  await expect(page.getByText('"send mail"')).toBeInViewport();
  await page.getByRole('region', { name: 'JSON' }).focus();
  await page.keyboard.press('Control+Home');
  await expect(page.getByText('"post /checkout"')).toBeInViewport();
});
