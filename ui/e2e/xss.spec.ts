/** Text is text: markup, script addresses, templates and invisible characters in every field show literally. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { expect, test } from './fixtures';
import { freshTraceId } from './pages';
import { Zipkind } from './server';

const hit = 'window.hit=1';
const texts = [
  `<img src=x onerror=${hit}>`,
  `"><svg onload=${hit}>`,
  `</script><script>${hit}</script>`,
  `javascript:${hit}`,
  `data:text/html,<script>${hit}</script>`,
  '{{7*7}}',
  '%3Cscript%3E',
  'a\u202eb\u200bc',
  '__proto__',
  'constructor',
];
/** As it is shown: invisible characters as marked escapes. */
const shown = (text: string) => text.replace('\u202e', '\\u202e').replace('\u200b', '\\u200b');
const lower = (text: string) => text.toLowerCase();

async function expectUnharmed(page: Page): Promise<void> {
  expect(await page.evaluate(() => (window as { hit?: unknown }).hit)).toBeUndefined();
  expect(await page.evaluate(() => (Object.prototype as { hit?: unknown }).hit)).toBeUndefined();
  expect(await page.locator('img, iframe, object, embed, [onerror], [onload]').count()).toBe(0);
}

/** A trace that holds a text in every field. */
function hostile(text: string): object[] {
  const call = {
    traceId: freshTraceId(),
    id: '1',
    timestamp: (Date.now() - 60_000) * 1_000,
    duration: 9_000,
    name: text,
  };
  const more = { tags: { [text]: text, error: text }, annotations: [{ timestamp: call.timestamp, value: text }] };
  return [
    {
      ...call,
      kind: 'CLIENT',
      localEndpoint: { serviceName: `c ${text}` },
      remoteEndpoint: { serviceName: text },
      ...more,
    },
    { ...call, kind: 'SERVER', shared: true, localEndpoint: { serviceName: text }, ...more },
  ];
}

test.describe('in stored spans', () => {
  let server: Zipkind;
  test.beforeAll(async () => {
    server = await Zipkind.start();
    for (const text of texts) await server.post(hostile(text));
  });
  test.afterAll(() => server.stop());
  test.beforeEach(({ watch }) => watch.allowOrigin(server.origin));

  test('is text on the start screen, in the list and its services', async ({ page }) => {
    await page.goto(server.ui(''));
    for (const text of texts) {
      await expect(page.getByRole('button', { name: shown(lower(text)), exact: true }).first()).toBeVisible();
    }
    await expectUnharmed(page);
    await page.goto(server.ui('?lookback=1h&limit=50'));
    await page.getByRole('button', { name: 'Expand all' }).click();
    for (const text of texts) await expect(page.getByText(shown(lower(text)), { exact: true }).first()).toBeVisible();
    await page.getByRole('combobox', { name: 'Group by' }).selectOption('root');
    await page.getByRole('button', { name: 'Scatter plot' }).click();
    await expect(page.getByRole('application')).toBeVisible();
    await expectUnharmed(page);
  });

  test('is text in suggestions and chips, and finds its trace', async ({ page }) => {
    for (const text of texts) {
      await page.goto(
        server.ui(
          `?serviceName=${encodeURIComponent(lower(text))}&spanName=${encodeURIComponent(lower(text))}&annotationQuery=error&lookback=1h&limit=5`,
        ),
      );
      await expect(page.getByRole('button', { name: `service: ${shown(lower(text))}`, exact: true })).toBeVisible();
      await expect(page.getByRole('table', { name: 'Traces found' }).getByRole('link')).toHaveCount(1);
      await page.getByRole('textbox', { name: 'Filters' }).fill(`span:${text.slice(0, 4)}`);
      await expect(page.getByRole('listbox', { name: 'Suggestions' }).getByRole('option').first()).toBeVisible();
      await expectUnharmed(page);
    }
  });

  test('is text on the map and in its table', async ({ page }) => {
    await page.goto(server.ui('dependency'));
    await expect(page.locator('.react-flow__node')).toHaveCount(2 * texts.length);
    await expectUnharmed(page);
    await page.getByRole('button', { name: 'Table' }).click();
    for (const text of texts)
      await expect(page.getByRole('cell', { name: new RegExp(escapeText(shown(lower(text)))) }).first()).toBeVisible();
    await page.getByRole('cell').first().click();
    await expectUnharmed(page);
  });
});

test('in every parameter of an address is text', async ({ page, server, watch }) => {
  watch.allow(/404|400/);
  const names = [
    'serviceName',
    'remoteServiceName',
    'spanName',
    'annotationQuery',
    'minDuration',
    'maxDuration',
    'limit',
    'lookback',
    'endTs',
    'startTs',
    'millis',
    'view',
    'sort',
    'svc',
    'err',
    'sel',
    'g',
    'order',
    '<b>',
  ];
  for (const text of texts) {
    const value = encodeURIComponent(text);
    await page.goto(server.ui(`?${names.map((name) => `${encodeURIComponent(name)}=${value}`).join('&')}`));
    await expect(page.getByRole('button', { name: `service: ${shown(text)}`, exact: true })).toBeVisible();
    await expectUnharmed(page);
    await page.goto(
      server.ui(
        `dependency?startTime=${value}&endTime=${value}&focus=${value}&depth=${value}&edge=${value}&q=${value}&view=table`,
      ),
    );
    await expect(page.getByRole('searchbox')).toHaveValue(text);
    await expectUnharmed(page);
    await page.goto(server.ui(`no-such-page/${value}`));
    await expect(page.getByRole('heading', { level: 1, name: 'No such page' })).toBeVisible();
    await expectUnharmed(page);
  }
});

test('in a file is text', async ({ page, server }) => {
  const folder = mkdtempSync(join(tmpdir(), 'zipkind-xss-'));
  const path = join(folder, `<img src=x onerror=${hit}>.json`);
  writeFileSync(path, JSON.stringify(texts.map(hostile)));
  await page.goto(server.ui('traceViewer'));
  await page.getByLabel('Choose files').last().setInputFiles(path);
  await expect(page.getByText(`${texts.length} traces of <img src=x`)).toBeVisible();
  for (const text of texts) await expect(page.getByText(shown(text), { exact: true }).first()).toBeVisible();
  await expectUnharmed(page);
  writeFileSync(path, `[{"traceId":"1","id":"<img src=x onerror=${hit}>"}]`);
  await page.getByLabel('Choose files').last().setInputFiles(path);
  await expect(page.getByRole('alert')).toContainText('id is not hex');
  await expectUnharmed(page);
});

test('in the settings of the server is text, and no link', async ({ page, server }) => {
  const text = texts[0] as string;
  await page.route(/config\.json/, (route) =>
    route.fulfill({ json: { environment: text, supportUrl: `javascript:${hit}`, logsUrl: `javascript:${hit}` } }),
  );
  await page.goto(server.ui(''));
  await expect(page.getByRole('banner').getByText(text)).toBeVisible();
  await expect(page).toHaveTitle(`Search – Zipkin [${text}]`);
  await expect(page.locator('a[href^="javascript"]')).toHaveCount(0);
  await expectUnharmed(page);
});

function escapeText(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
