import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, test } from './fixtures';
import { newTraceId, shopTrace, startUs } from './traces';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

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

test('markup in every field is shown as text', async ({ page, server }) => {
  for (const [i, text] of hostile.entries()) {
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
        remoteEndpoint: { serviceName: text },
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
    for (const view of ['flame', 'table', 'stats', 'map', 'json']) {
      await page.goto(server.ui(`traces/${traceId}?v=${view}&col=${encodeURIComponent(text)}`));
      await expect(page.getByRole('tabpanel')).toBeVisible();
      await expect(page.locator('[data-ready], .react-flow__node').first()).toBeVisible();
    }
    expect(await page.evaluate(() => 'hit' in globalThis), `text ${i}`).toBe(false);
  }
});

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

for (const theme of ['light', 'dark'] as const) {
  test(`every view passes axe in the ${theme} theme`, async ({ page, server }) => {
    await page.emulateMedia({ colorScheme: theme });
    const traceId = newTraceId();
    await server.post(shopTrace(traceId));
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
    for (const state of states) {
      await page.goto(server.ui(`traces/${traceId}${state}`));
      await expect(page.locator('[role=treegrid] [role=row], [data-ready], .react-flow__node').first()).toBeVisible();
      if (state.includes('&s=') || state.includes('?s=')) {
        await expect(page.getByRole('region', { name: 'Detail of the span' })).toContainText('Span id');
      }
      expect(await violations(page), state).toEqual([]);
    }
    await page.goto(server.ui('traces/xyz'));
    await expect(page.getByRole('main')).toContainText('This is not a trace id');
    expect(await violations(page)).toEqual([]);
  });
}

async function violations(page: import('@playwright/test').Page): Promise<string[]> {
  // By the protocol, which the page's policy against foreign scripts does not concern.
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: {
        run(
          options: object,
        ): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }>;
      };
    };
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
    const { violations } = await axe.run({ runOnly: { type: 'tag', values: tags } });
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
  });
}
