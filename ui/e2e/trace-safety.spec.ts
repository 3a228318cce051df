import { expectNoViolation } from './axe';
import { expect, test } from './fixtures';
import { newTraceId, shopTrace, startUs } from './traces';

/** Texts that must never be more than text. */
const hostile = [
  '<img src=x onerror="globalThis.hit=1">',
  '"><svg onload="globalThis.hit=1">',
  '</script><script>globalThis.hit=1</script>',
  'javascript:globalThis.hit=1',
  'data:text/html,<script>globalThis.hit=1</script>',
  '{{7*7}}',
  '%3Cscript%3E',
  '__proto__',
];

for (const text of hostile) {
  test(`${text} in every field is shown as text`, async ({ page, server }) => {
    const traceId = newTraceId();
    await server.post([
      {
        traceId,
        id: '0000000000000001',
        kind: 'CLIENT',
        name: text,
        timestamp: startUs,
        duration: 1_000,
        localEndpoint: { serviceName: text },
        remoteEndpoint: { serviceName: `${text}@remote` },
        tags: Object.fromEntries([
          [text, text],
          ['error', text],
        ]),
        annotations: [{ timestamp: startUs, value: text }],
      },
      { traceId, id: '0000000000000002', parentId: '0000000000000001', name: text, timestamp: startUs, duration: 10 },
    ]);
    const lower = text.toLowerCase();
    await page.goto(server.ui(`traces/${traceId}?s=0000000000000001&q=${encodeURIComponent(text)}`));
    await expect(page.getByRole('heading', { level: 1 }), text).toContainText(lower);
    const detail = page.getByRole('region', { name: 'Detail of the span' });
    await expect(detail.getByRole('row').filter({ hasText: 'error' }).first()).toContainText(text);
    // The only links of the detail are those to our own search.
    const links = await detail
      .getByRole('link')
      .evaluateAll((all) => all.map((one) => (one as HTMLAnchorElement).href));
    expect(links.filter((href) => !href.startsWith(server.ui('?')))).toEqual([]);
    await expect(page).toHaveTitle(new RegExp(lower.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')));
    for (const view of ['table', 'stats', 'json']) {
      await page.goto(server.ui(`traces/${traceId}?v=${view}&col=${encodeURIComponent(text)}`));
      await expect(page.getByRole('tabpanel')).toBeVisible();
      await expect(page.locator('[data-ready], .react-flow__node').first()).toBeVisible();
    }
    expect(await page.evaluate(() => 'hit' in globalThis)).toBe(false);
  });
}

test('markup in every parameter of the address does nothing', async ({ page, server }) => {
  const traceId = newTraceId();
  await server.post(shopTrace(traceId));
  for (const text of hostile) {
    const value = encodeURIComponent(text);
    const query = ['v', 's', 'z', 'c', 'root', 'q', 'cp', 'skew', 'split', 'errs', 'd', 'sort', 'col', 'by', 'f', text]
      .map((name) => `${encodeURIComponent(name)}=${value}`)
      .join('&');
    await page.goto(server.ui(`traces/${traceId}?${query}`));
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('frontend post /checkout');
  }
  expect(await page.evaluate(() => 'hit' in globalThis)).toBe(false);
});

for (const text of hostile) {
  test(`${text} is text in a flame graph’s readout, on the map and on paper`, async ({ page, server }) => {
    const traceId = newTraceId();
    await server.post([
      {
        traceId,
        id: '0000000000000001',
        name: text,
        timestamp: startUs,
        duration: 1_000,
        localEndpoint: { serviceName: text },
      },
      {
        traceId,
        id: '0000000000000002',
        parentId: '0000000000000001',
        kind: 'CLIENT',
        name: text,
        timestamp: startUs,
        duration: 500,
        localEndpoint: { serviceName: text },
        remoteEndpoint: { serviceName: `${text}@remote` },
      },
    ]);
    const lower = text.toLowerCase();
    await page.goto(server.ui(`traces/${traceId}?v=flame`));
    await page.getByRole('application', { name: /^Flame graph/ }).focus();
    await page.keyboard.press('ArrowDown');
    await expect(page.locator('#flame-readout')).toContainText(lower);
    await page.goto(server.ui(`traces/${traceId}?v=map`));
    await expect(page.locator('.react-flow__node').filter({ hasText: lower }).first()).toBeVisible();
    await page.goto(server.ui(`traces/${traceId}`));
    await page.emulateMedia({ media: 'print' });
    await expect(page.getByRole('heading', { level: 1 })).toContainText(lower);
    await page.emulateMedia({ media: 'screen' });
    expect(await page.evaluate(() => 'hit' in globalThis)).toBe(false);
  });
}

test('markup in the place of a trace id is text', async ({ page, server, watch }) => {
  watch.allow(/404/);
  for (const text of hostile) {
    await page.goto(server.ui(`traces/${encodeURIComponent(text)}`));
    const main = page.getByRole('main');
    // An address with a slash in it is that of no page.
    await expect(main).toContainText(text.includes('/') ? /not a trace id|No such page/ : 'This is not a trace id');
    await expect(main).toContainText(text.includes('/') ? '' : text);
  }
  expect(await page.evaluate(() => 'hit' in globalThis)).toBe(false);
});

test('characters that cannot be seen are shown as escapes', async ({ page, server }) => {
  const traceId = newTraceId();
  await server.post([
    {
      traceId,
      id: '0000000000000001',
      name: 'safe\u202egnp.exe',
      timestamp: startUs,
      duration: 1_000,
      localEndpoint: { serviceName: 'zero\u200bwidth' },
      tags: { 'a\u2066b': 'c\u0007d' },
    },
  ]);
  await page.goto(server.ui(`traces/${traceId}?s=0000000000000001`));
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('zero\\u200bwidth safe\\u202egnp.exe');
  await expect(page.getByRole('row', { name: /a\\u2066b/ })).toContainText('c\\u0007d');
});

const states = [
  '?s=0000000000000005&cp=1',
  '?c=*&q=payment',
  '?z=400000-900000&errs=1&root=0000000000000004',
  '?v=flame',
  '?v=flame&f=path&t=1&s=0000000000000005',
  '?v=table&s=0000000000000002&col=error',
  '?v=stats&by=operation',
  '?v=map',
  '?v=map&t=1',
  '?v=json',
];
for (const theme of ['light', 'dark'] as const) {
  for (const state of states) {
    test(`${state} passes axe in the ${theme} theme`, async ({ page, server }) => {
      await page.emulateMedia({ colorScheme: theme });
      const traceId = newTraceId();
      await server.post(shopTrace(traceId));
      await page.goto(server.ui(`traces/${traceId}${state}`));
      await expect(page.locator('[role=treegrid] [role=row], [data-ready], .react-flow__node').first()).toBeVisible();
      if (/[?&]s=/.test(state)) {
        await expect(page.getByRole('region', { name: 'Detail of the span' })).toContainText('Span id');
      }
      await expectNoViolation(page, `${state}, ${theme}`);
    });
  }

  test(`a text that is no trace id passes axe in the ${theme} theme`, async ({ page, server }) => {
    await page.emulateMedia({ colorScheme: theme });
    await page.goto(server.ui('traces/xyz'));
    await expect(page.getByRole('main')).toContainText('This is not a trace id');
    await expectNoViolation(page, `no trace id, ${theme}`);
  });
}
