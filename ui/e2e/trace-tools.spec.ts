/** What a reader does with a trace beside looking at it: zoom by mouse, long values, links of the operator, young and large traces. */
import { readFileSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { expect, test } from './fixtures';
import { Zipkind } from './server';
import { newTraceId, shopTrace, startUs, type TestSpan, wideTrace } from './traces';

const rows = (page: Page) => page.getByRole('treegrid', { name: 'Spans of the trace' }).getByRole('row');
const detail = (page: Page) => page.getByRole('region', { name: 'Detail of the span' });
const zoomOf = (page: Page) => /z=(\d+)-(\d+)/.exec(page.url())?.slice(1).map(Number) ?? [];

async function openShop(page: Page, server: Zipkind, query = ''): Promise<string> {
  const traceId = newTraceId();
  await server.post(shopTrace(traceId));
  await page.goto(server.ui(`traces/${traceId}${query}`));
  await expect(rows(page)).toHaveCount(7);
  return traceId;
}

test('zoom by double click on a bar, by drag in the overview and by Ctrl and wheel', async ({ page, server }) => {
  await openShop(page, server, '?d=0');
  await rows(page)
    .filter({ hasText: 'score' })
    .dblclick({ position: { x: 900, y: 10 } });
  // The bar lies from 0.5 s to 0.9 s, with a little air.
  await expect.poll(() => zoomOf(page)).toEqual([492_000, 908_000]);
  await page.getByRole('button', { name: 'Reset zoom' }).click();
  await expect.poll(() => zoomOf(page)).toEqual([]);

  const overview = (await page.getByRole('img', { name: 'Overview of the whole trace' }).boundingBox())!;
  const middle = overview.y + overview.height / 2;
  await page.mouse.move(overview.x + overview.width / 4, middle);
  await page.mouse.down();
  await page.mouse.move(overview.x + overview.width / 2, middle, { steps: 3 });
  await page.mouse.up();
  await expect(page).toHaveURL(/z=\d+-\d+/);
  const [from = 0, to = 0] = zoomOf(page);
  expect(Math.abs(from - 350_000)).toBeLessThan(5_000);
  expect(Math.abs(to - 700_000)).toBeLessThan(5_000);

  const grid = (await page.getByRole('treegrid').boundingBox())!;
  await page.mouse.move(grid.x + grid.width * 0.7, grid.y + 40);
  await page.keyboard.down('Control');
  await page.mouse.wheel(0, -200);
  await page.keyboard.up('Control');
  await expect.poll(() => zoomOf(page)[0]).toBeGreaterThan(from);
  await expect.poll(() => zoomOf(page)[1]).toBeLessThan(to);
});

test('names get as much room as the reader gives them, which is kept', async ({ page, server }) => {
  await openShop(page, server, '?d=0');
  const splitter = page.getByRole('separator', { name: 'Width of the names' });
  await expect(splitter).toHaveAttribute('aria-valuenow', '380');
  await splitter.press('ArrowRight');
  await splitter.press('Shift+ArrowRight');
  await expect(splitter).toHaveAttribute('aria-valuenow', '460');
  await page.reload();
  await expect(splitter).toHaveAttribute('aria-valuenow', '460');
  const name = (await rows(page).first().getByRole('gridcell').first().boundingBox())!;
  expect(name.width).toBe(460);
});

test('long values are cut and shown whole on demand; many tags are filtered', async ({ page, server }) => {
  const traceId = newTraceId();
  const long = `SELECT ${'x'.repeat(5_000)} FROM end_of_it`;
  const tags = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`key.${i}`, `value ${i}`]));
  await server.post([{ ...shopTrace(traceId)[0]!, tags: { ...tags, 'sql.query': long } }]);
  await page.goto(server.ui(`traces/${traceId}?s=0000000000000001`));
  const tag = detail(page).getByRole('row', { name: /sql\.query/ });
  await expect(tag).toBeVisible();
  await expect(tag).not.toContainText('end_of_it');
  await tag.getByRole('button', { name: /^Show all \(4\.9 KiB\)/ }).click();
  await expect(tag).toContainText('end_of_it');
  await detail(page).getByRole('searchbox', { name: 'Filter tags…' }).fill('value 11');
  await expect(detail(page).getByRole('row', { name: /^key\./ })).toHaveCount(1);
  await expect(tag).toHaveCount(0);
});

test('links of the operator stand beside their tag, and only http ones', async ({ page, watch }) => {
  const server = await Zipkind.start({
    UI_LINK_PATTERNS: JSON.stringify([
      { tag: 'user.id', url: 'https://crm.example/users/{value}?trace={traceId}', label: 'In the CRM' },
      { tag: 'user.id', service: 'other', url: 'https://not.here/{value}', label: 'Not here' },
    ]),
  });
  watch.allowOrigin(server.origin);
  try {
    const traceId = newTraceId();
    await server.post([{ ...shopTrace(traceId)[0]!, tags: { 'user.id': 'a/b c', plain: 'javascript:alert(1)' } }]);
    await page.goto(server.ui(`traces/${traceId}?s=0000000000000001`));
    const link = detail(page).getByRole('link', { name: 'In the CRM' });
    await expect(link).toHaveAttribute('href', `https://crm.example/users/a%2Fb%20c?trace=${traceId}`);
    await expect(link).toHaveAttribute('rel', 'noopener noreferrer');
    await expect(detail(page).getByRole('link', { name: 'Not here' })).toHaveCount(0);
    await expect(detail(page).locator('a[href^="javascript"]')).toHaveCount(0);
  } finally {
    await server.stop();
  }
});

test('a trace larger than the operator allows is drawn once the reader wants it', async ({ page, watch }) => {
  const server = await Zipkind.start({ UI_TRACE_BYTES_MAX: '1000' });
  watch.allowOrigin(server.origin);
  try {
    const traceId = newTraceId();
    await server.post(shopTrace(traceId));
    await page.goto(server.ui(`traces/${traceId}`));
    await expect(page.getByText(/^This trace is [\d.]+ KiB large$/)).toBeVisible();
    await page.getByRole('button', { name: 'Open it' }).click();
    await expect(rows(page)).toHaveCount(7);
  } finally {
    await server.stop();
  }
});

test('a trace that has just ended is asked for again by a button', async ({ page, server }) => {
  const traceId = newTraceId();
  // Ahead, as of a clock that is: a trace that ends now would be young for a minute, which a busy machine may take.
  const startUs = (Date.now() + 50_000) * 1_000;
  const span = (id: number): TestSpan => ({
    traceId,
    id: `000000000000000${id}`,
    ...(id > 1 && { parentId: '0000000000000001' }),
    name: `part ${id}`,
    timestamp: startUs + id,
    duration: 1_000,
    localEndpoint: { serviceName: 'young' },
  });
  await server.post([span(1)]);
  await page.goto(server.ui(`traces/${traceId}`));
  await expect(rows(page)).toHaveCount(1);
  await server.post([span(2)]);
  await page.getByRole('button', { name: 'Refresh' }).click();
  await expect(rows(page)).toHaveCount(2);
});

test('the operations that take most of the critical path are named above a long trace', async ({ page, server }) => {
  const traceId = newTraceId();
  await server.post(wideTrace(traceId, 600));
  await page.goto(server.ui(`traces/${traceId}`));
  const most = page.getByRole('region', { name: 'Operations that take most of the critical path' });
  await most.getByRole('button').first().click();
  await expect(page.getByRole('textbox', { name: 'Find in the trace' })).toHaveValue(/service:/);
});

test('the JSON with corrected times has the times that are shown', async ({ page, server }) => {
  const traceId = await openShop(page, server);
  await page.getByRole('button', { name: 'More about this trace' }).click();
  const waiting = page.waitForEvent('download');
  await page.getByRole('menuitem', { name: 'Download JSON with corrected times' }).click();
  const download = await waiting;
  expect(download.suggestedFilename()).toContain(traceId);
  const spans = JSON.parse(readFileSync(await download.path(), 'utf8')) as TestSpan[];
  // The clock of the cart was 4 s behind: its half lies in the middle of its client now.
  const half = spans.find(({ id, shared }) => id === '0000000000000002' && shared === true);
  expect(half?.timestamp).toBe(startUs + 150_000);
});

test('times are shown in the local zone, and in UTC once that is chosen', async ({ browser, server, watch }) => {
  watch.allowOrigin(server.origin);
  const traceId = newTraceId();
  const noonUs = Date.UTC(2026, 10, 21, 12, 0, 0) * 1_000;
  await server.post([{ ...shopTrace(traceId)[0]!, timestamp: noonUs }]);
  const context = await browser.newContext({ timezoneId: 'Asia/Kolkata', locale: 'en-GB' });
  try {
    const page = await context.newPage();
    await page.goto(server.ui(`traces/${traceId}`));
    await expect(page.getByText(/17:30:00\.000/).first()).toBeVisible();
    await page.goto(server.ui('settings'));
    await page.getByRole('radio', { name: 'UTC', exact: true }).check();
    await page.goto(server.ui(`traces/${traceId}`));
    await expect(page.getByText(/12:00:00\.000 UTC/).first()).toBeVisible();
  } finally {
    await context.close();
  }
});

test('rows stand closer or wider as it is chosen', async ({ page, server }) => {
  await openShop(page, server, '?d=0');
  const height = async () => (await rows(page).first().boundingBox())!.height;
  expect(await height()).toBe(24);
  await page.goto(server.ui('settings'));
  await page.getByRole('radio', { name: 'Comfortable' }).check();
  await page.goBack();
  await expect(rows(page)).toHaveCount(7);
  await expect.poll(height).toBe(30);
});
