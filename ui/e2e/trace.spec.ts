import { readFileSync } from 'node:fs';
import type { Locator, Page } from '@playwright/test';
import { expect, test } from './fixtures';
import type { Zipkind } from './server';
import { newTraceId, shopTrace, wideTrace } from './traces';

async function openShop(page: Page, server: Zipkind, query = ''): Promise<string> {
  const traceId = newTraceId();
  await server.post(shopTrace(traceId));
  await page.goto(server.ui(`traces/${traceId}${query}`));
  await expect(page.getByRole('heading', { level: 1, name: 'frontend post /checkout' })).toBeVisible();
  return traceId;
}

const rows = (page: Page) => page.getByRole('treegrid', { name: 'Spans of the trace' }).getByRole('row');
const row = (page: Page, name: RegExp) => rows(page).filter({ hasText: name });
const detail = (page: Page) => page.getByRole('region', { name: 'Detail of the span' });
const find = (page: Page) => page.getByRole('textbox', { name: 'Find in the trace' });

async function names(page: Page): Promise<string[]> {
  return rows(page).evaluateAll((all) => all.map((one) => one.getAttribute('aria-label')?.split(',')[0] ?? ''));
}

test('a trace opens with its rows, sums and name', async ({ page, server }) => {
  await openShop(page, server);
  await expect(page).toHaveTitle(/^frontend post \/checkout 1\.4 s – Zipkin/);
  await expect(page.getByText('7 rows (8 spans)')).toBeVisible();
  await expect(page.getByText('5 services')).toBeVisible();
  await expect(page.getByText('2 errors in 2 services')).toBeVisible();
  await expect
    .poll(() => names(page))
    .toEqual([
      'frontend post /checkout',
      'cart get /cart',
      'cart-db select',
      'frontend charge',
      'payment post /charge',
      'payment score',
      'mailer send mail',
    ]);
  await expect(rows(page).first()).toContainText('1.2 s');
});

test('a row is spoken with its time, state and place', async ({ page, server }) => {
  await openShop(page, server, '?c=0000000000000004');
  const charge = rows(page).nth(3);
  await expect(charge).toHaveAccessibleName(
    'frontend charge, 700 milliseconds, starts at 450 milliseconds, error, 2 below, 1 error below',
  );
  await expect(charge).toHaveAttribute('aria-level', '2');
  await expect(charge).toHaveAttribute('aria-posinset', '2');
  await expect(charge).toHaveAttribute('aria-setsize', '3');
  await expect(charge).toHaveAttribute('aria-expanded', 'false');
  await expect(page.getByRole('treegrid')).toHaveAttribute('aria-rowcount', '5');
});

test('a click shows the detail of a span; Escape closes it', async ({ page, server }) => {
  await openShop(page, server);
  await row(page, /get \/cart/).click();
  await expect(detail(page).getByRole('heading', { level: 2 })).toHaveText('cart get /cart');
  await expect(detail(page).getByRole('row', { name: /cart\.items/ })).toContainText('3');
  await expect(detail(page)).toContainText('cache.miss');
  await expect(detail(page)).toContainText('Network');
  const link = detail(page).getByRole('link', { name: /example\.com/ });
  await expect(link).toHaveAttribute('href', 'https://example.com/cart/3');
  await expect(link).toHaveAttribute('rel', 'noopener noreferrer');
  await page.keyboard.press('Escape');
  await expect(detail(page)).toBeHidden();
  await expect(row(page, /get \/cart/)).toBeFocused();
});

test('tags are copied, formatted and searched for', async ({ page, server, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await openShop(page, server, '?s=0000000000000005');
  const tag = detail(page).getByRole('row', { name: /card\.json/ });
  await tag.hover();
  await tag.getByRole('button', { name: 'Format' }).click();
  await expect(tag).toContainText('"brand": "visa"');
  await tag.getByRole('button', { name: 'Copy card.json' }).click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe('{"brand":"visa","tries":[1,2]}');
  const search = detail(page).getByRole('link', { name: 'Search traces with this error' });
  await expect(search).toHaveAttribute('href', /annotationQuery=error&lookback=range&startTs=\d+&endTs=\d+/);
});

test('rows close and open, by mouse, keys and address', async ({ page, server }) => {
  await openShop(page, server);
  await row(page, /charge$|charge\d|frontendcharge/)
    .first()
    .click();
  await page.keyboard.press('ArrowLeft');
  await expect(row(page, /score/)).toBeHidden();
  await expect(page).toHaveURL(/c=0000000000000004/);
  await page.reload();
  await expect(rows(page)).toHaveCount(5);
  await expect(row(page, /score/)).toBeHidden();
  await page.keyboard.press(']');
  await expect(row(page, /score/)).toBeVisible();
  await page.keyboard.press('[');
  await expect(rows(page)).toHaveCount(1);
  await page.getByRole('button', { name: 'Open all' }).click();
  await expect(rows(page)).toHaveCount(7);
});

test('the keys of a tree grid move through the rows', async ({ page, server }) => {
  await openShop(page, server, '?d=0');
  await rows(page).first().focus();
  const selected = rows(page).and(page.locator('[aria-selected=true]'));
  const press = async (key: string, name: RegExp) => {
    await page.keyboard.press(key);
    await expect(selected).toHaveAccessibleName(name);
    await expect(selected).toBeFocused();
  };
  await press('ArrowDown', /^cart get/);
  await press('ArrowRight', /^cart-db/);
  await press('ArrowLeft', /^cart get/);
  await press('ArrowLeft', /^cart get.*1 below/);
  await press('ArrowRight', /^cart get/);
  await press('End', /^mailer/);
  await press('Home', /^frontend post/);
  await page.keyboard.press('Enter');
  await expect(detail(page)).toBeFocused();
});

test('zoom: drawn on the ruler, by keys, by the overview, and back', async ({ page, server }) => {
  await openShop(page, server);
  const bar = (await rows(page).first().getByText('1.2 s').boundingBox())!;
  const grid = (await page.getByRole('treegrid').boundingBox())!;
  const ruler = grid.y - 12;
  await page.mouse.move(bar.x - 500, ruler);
  await page.mouse.down();
  await page.mouse.move(bar.x - 300, ruler, { steps: 4 });
  await page.mouse.up();
  await expect(page).toHaveURL(/z=\d+-\d+/);
  const drawn = /z=(\d+)-(\d+)/.exec(page.url())!;
  expect(Number(drawn[1])).toBeGreaterThan(100_000);
  expect(Number(drawn[2])).toBeLessThan(1_200_000);
  await page.reload();
  await page.getByRole('button', { name: 'Reset zoom' }).click();
  await expect(page).not.toHaveURL(/z=/);
  await page.keyboard.press('w');
  await expect(page).toHaveURL(/z=280000-1120000/);
  await page.keyboard.press('d');
  await expect(page).toHaveURL(/z=490000-1330000/);
  await page.keyboard.press('0');
  await expect(page).not.toHaveURL(/z=/);
  const end = page.getByRole('slider', { name: 'End of what is shown' });
  await end.press('ArrowLeft');
  await expect(end).toHaveAttribute('aria-valuetext', '1.33 s');
  await expect(page).toHaveURL(/z=0-1330000/);
});

test('find counts, marks and steps through matches, opening what hides them', async ({ page, server }) => {
  await openShop(page, server, '?c=*&d=0');
  await page.keyboard.press('f');
  await expect(find(page)).toBeFocused();
  await find(page).fill('payment');
  await expect(page.getByRole('search').getByRole('status')).toHaveText('0 / 3');
  await find(page).press('Enter');
  await expect(page.getByRole('search').getByRole('status')).toHaveText('1 / 3');
  await expect(row(page, /charge/).first()).toHaveAttribute('aria-selected', 'true');
  await find(page).press('Enter');
  await expect(row(page, /post \/charge/)).toHaveAttribute('aria-selected', 'true');
  await expect(row(page, /post \/charge/).locator('mark')).toHaveText('payment');
  await page.getByRole('button', { name: 'Show only matches' }).click();
  await expect
    .poll(() => names(page))
    .toEqual(['frontend post /checkout', 'frontend charge', 'payment post /charge', 'payment score']);
  await expect(page).toHaveURL(/only=1/);
  await page.reload();
  await expect(find(page)).toHaveValue('payment');
  await expect(rows(page)).toHaveCount(4);
  await find(page).fill('cart.items=3');
  await expect(page.getByRole('search').getByRole('status')).toHaveText('0 / 1');
  await find(page).fill('nothing like it');
  await expect(page.getByRole('search').getByRole('status')).toHaveText('no match');
});

test('Enter right after typing goes to the first match of what was typed', async ({ page, server }) => {
  await openShop(page, server, '?d=0');
  await page.keyboard.press('f');
  await page.keyboard.type('score');
  await page.keyboard.press('Enter');
  await expect(row(page, /score/)).toHaveAttribute('aria-selected', 'true');
  await expect(page.getByRole('search').getByRole('status')).toHaveText('1 / 1');
});

test('errors are stepped through by keys and buttons, and shown alone', async ({ page, server }) => {
  await openShop(page, server, '?d=0');
  const selected = rows(page).and(page.locator('[aria-selected=true]'));
  await page.keyboard.press('e');
  await expect(selected).toHaveAccessibleName(/^frontend charge/);
  await page.getByRole('button', { name: 'Next error' }).click();
  await expect(selected).toHaveAccessibleName(/^payment post/);
  await page.keyboard.press('E');
  await expect(selected).toHaveAccessibleName(/^frontend charge/);
  await page.getByRole('button', { name: 'Errors only' }).click();
  await expect.poll(() => names(page)).toEqual(['frontend post /checkout', 'frontend charge', 'payment post /charge']);
});

test('the critical path is drawn inside the bars and told in the detail', async ({ page, server }) => {
  await openShop(page, server, '?s=0000000000000006');
  await expect(detail(page).getByText('33.3%')).toBeVisible();
  const before = await page.getByRole('treegrid').screenshot();
  await page.keyboard.press('c');
  const toggle = page.getByRole('button', { name: 'Critical path' });
  await expect(toggle).toHaveAttribute('aria-pressed', 'true');
  await expect(page).toHaveURL(/cp=1/);
  expect((await page.getByRole('treegrid').screenshot()).equals(before)).toBe(false);
});

test('one span is shown alone with what is below it', async ({ page, server }) => {
  await openShop(page, server, '?s=0000000000000004&d=0');
  await page.keyboard.press('r');
  await expect.poll(() => names(page)).toEqual(['frontend charge', 'payment post /charge', 'payment score']);
  await expect(page).toHaveURL(/root=0000000000000004/);
  await page.goBack();
  await expect(rows(page)).toHaveCount(7);
});

test('client and server halves stand in rows of their own', async ({ page, server }) => {
  await openShop(page, server);
  await page.getByRole('button', { name: 'Split client and server' }).click();
  await expect(rows(page)).toHaveCount(8);
  expect((await names(page)).slice(1, 3)).toEqual(['frontend get', 'cart get /cart']);
  await rows(page).nth(2).click();
  await expect(page).toHaveURL(/s=0000000000000002-s/);
});

test('clock skew is told, listed, and can be taken back', async ({ page, server }) => {
  await openShop(page, server);
  await page.getByRole('button', { name: 'Clock skew' }).click();
  const panel = page.getByRole('dialog', { name: 'Clock skew' });
  await expect(panel.getByRole('row', { name: /cart/ })).toContainText('+4 s');
  await panel.getByRole('checkbox').check();
  await expect(page).toHaveURL(/skew=raw/);
  await expect(page).toHaveTitle(/5\.25 s/);
  await page.keyboard.press('Escape');
  await row(page, /get \/cart/).click();
  await expect(detail(page)).toContainText('Started, as reported');
  await expect(detail(page)).toContainText('(+4 s)');
});

test('the JSON is downloaded as stored', async ({ page, server }) => {
  const traceId = await openShop(page, server);
  await page.getByRole('button', { name: 'More about this trace' }).click();
  const waiting = page.waitForEvent('download');
  await page.getByRole('menuitem', { name: 'Download JSON', exact: true }).click();
  const download = await waiting;
  expect(download.suggestedFilename()).toBe(`${traceId}.json`);
  const stored = await (await fetch(`${server.origin}/api/v2/trace/${traceId}`)).text();
  expect(readFileSync(await download.path(), 'utf8')).toBe(stored);
});

test('the menu is used by keys', async ({ page, server }) => {
  await openShop(page, server);
  await page.getByRole('button', { name: 'More about this trace' }).press('Enter');
  await expect(page.getByRole('menuitem').first()).toBeFocused();
  await page.keyboard.press('ArrowDown');
  await expect(page.getByRole('menuitem', { name: 'Copy trace id' })).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('menu')).toBeHidden();
  await expect(page.getByRole('button', { name: 'More about this trace' })).toBeFocused();
});

test('a large trace starts partly closed and opens whole', async ({ page, server }) => {
  const traceId = newTraceId();
  for (let part = 0; part < 3; part++)
    await server.post(wideTrace(traceId, 12_000).slice(part * 4_000, (part + 1) * 4_000));
  await page.goto(server.ui(`traces/${traceId}`));
  const grid = page.getByRole('treegrid');
  await expect(page.getByText('12,000 spans')).toBeVisible();
  await expect(grid).toHaveAttribute('aria-rowcount', '3001');
  await expect(page.getByText('Most of the time:')).toBeVisible();
  await page.keyboard.press(']');
  await expect(grid).toHaveAttribute('aria-rowcount', '12000');
  await rows(page).first().focus();
  await page.keyboard.press('End');
  await expect(grid.locator('[aria-rowindex="12000"]')).toBeInViewport();
  expect(await page.locator('*').count()).toBeLessThan(2_000);
  const crumbs = page.getByRole('navigation', { name: 'Spans above' });
  await expect(crumbs.getByRole('button', { name: 'root' })).toBeVisible();
});

/** The names of the rows as a screen reader goes through them. */
async function spokenRows(page: Page): Promise<string[]> {
  const devtools = await page.context().newCDPSession(page);
  const { nodes } = await devtools.send('Accessibility.getFullAXTree');
  await devtools.detach();
  const byId = new Map(nodes.map((node) => [node.nodeId, node]));
  const names: string[] = [];
  const walk = (id: string) => {
    const node = byId.get(id);
    if (node?.role?.value === 'row') names.push(String(node.name?.value));
    else for (const child of node?.childIds ?? []) walk(child);
  };
  const grid = nodes.find((node) => node.role?.value === 'treegrid');
  if (grid) walk(grid.nodeId);
  return names;
}

test('rows keep their order and the focus its row, however far one scrolls', async ({ page, server }) => {
  const traceId = newTraceId();
  await server.post(wideTrace(traceId, 2_000));
  await page.goto(server.ui(`traces/${traceId}?c=&d=0`));
  const grid = page.getByRole('treegrid');
  const at = (index: number) => grid.locator(`[aria-rowindex="${index}"]`);
  await expect(at(1)).toBeVisible();
  await expect(grid).toHaveAttribute('aria-rowcount', '2000');
  await at(1).focus();
  for (const index of [30, 61, 104, 135, 600, 590]) {
    await grid.evaluate((element, row) => element.scrollTo(0, row * 24), index);
    await expect(at(index + 10)).toBeInViewport();
    await expect(at(1)).toBeFocused();
    // What is drawn stands in the order of its rows, and is heard in that order.
    const drawn = await grid
      .getByRole('row')
      .evaluateAll((all) =>
        all
          .map((row) => [Number(row.getAttribute('aria-rowindex')), row.getBoundingClientRect().top, row.ariaLabel])
          .sort((a, b) => Number(a[0]) - Number(b[0])),
      );
    expect(drawn.map(([, top]) => top)).toEqual(drawn.map(([, top]) => Number(top)).sort((a, b) => a - b));
    await expect.poll(() => spokenRows(page)).toEqual(drawn.map(([, , name]) => name));
  }
  await page.keyboard.press('ArrowDown');
  await expect(at(2)).toBeFocused();
  await expect(at(2)).toBeInViewport();
});

test('closing all rows leaves the focus in the tree', async ({ page, server }) => {
  await openShop(page, server, '?s=0000000000000006&d=0');
  const score = rows(page).filter({ hasText: 'score' });
  await score.focus();
  await page.keyboard.press('[');
  await expect(rows(page)).toHaveCount(1);
  await expect(rows(page).first()).toBeFocused();
});

async function box(locator: Locator) {
  return (await locator.boundingBox())!;
}

test('on a narrow screen the detail lies under the rows', async ({ page, server }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await openShop(page, server);
  await row(page, /score/).click({ position: { x: 80, y: 10 } });
  await expect(async () => {
    const below = await box(detail(page));
    const grid = await box(page.getByRole('treegrid'));
    expect(below.y).toBeGreaterThanOrEqual(grid.y + grid.height - 1);
    expect(below.width).toBeGreaterThan(380);
  }).toPass();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});

test('a bar lies where its times say', async ({ page, server }) => {
  await openShop(page, server);
  // The label of a bar stands at its end: 1.15 s and 1.2 s of 1.4 s.
  const charge = await box(
    row(page, /frontendcharge|charge/)
      .first()
      .getByText('700 ms'),
  );
  const root = await box(rows(page).first().getByText('1.2 s'));
  const mail = await box(row(page, /send mail/).getByText('100 ms'));
  const perSecond = (mail.x - root.x) / 0.2;
  expect(root.x - charge.x).toBeGreaterThan(perSecond * 0.05 - 2);
  expect(root.x - charge.x).toBeLessThan(perSecond * 0.05 + 2);
});
