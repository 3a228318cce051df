import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Page } from '@playwright/test';
import { expect, test } from './fixtures';
import { found } from './pages';

const folder = mkdtempSync(join(tmpdir(), 'zipkind-files-'));
const us = (Date.now() - 60_000) * 1_000;
const span = {
  traceId: 'f11e',
  id: '1',
  name: 'from file',
  timestamp: us,
  duration: 5_000,
  localEndpoint: { serviceName: 'local' },
};
const v1 = {
  traceId: 'f11e',
  id: '1',
  name: 'from v1',
  annotations: [
    { timestamp: us, value: 'sr', endpoint: { serviceName: 'local' } },
    { timestamp: us + 5_000, value: 'ss', endpoint: { serviceName: 'local' } },
  ],
};
const jaeger = {
  data: [
    {
      traceID: 'f11e',
      spans: [
        { traceID: 'f11e', spanID: '1', operationName: 'from jaeger', startTime: us, duration: 5_000, processID: 'p' },
      ],
      processes: { p: { serviceName: 'local' } },
    },
  ],
};
const otlp = {
  resourceSpans: [
    {
      resource: { attributes: [{ key: 'service.name', value: { stringValue: 'local' } }] },
      scopeSpans: [
        {
          spans: [
            {
              traceId: 'f11e',
              spanId: '1',
              name: 'from otlp',
              startTimeUnixNano: `${us}000`,
              endTimeUnixNano: `${us + 5_000}000`,
            },
          ],
        },
      ],
    },
  ],
};

function file(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, content instanceof Uint8Array || typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const choose = (page: Page) => page.getByLabel('Choose files').last();

for (const [form, content, name] of [
  ['a v2 list', [span], 'from file'],
  ['a list of lists', [[span]], 'from file'],
  ['v1', [v1], 'from v1'],
  ['Jaeger', jaeger, 'from jaeger'],
  ['OTLP', otlp, 'from otlp'],
  ['gzip', gzipSync(JSON.stringify([span])), 'from file'],
] as const) {
  test(`a file with ${form} opens its trace, which survives a reload`, async ({ page, server }) => {
    await page.goto(server.ui('traceViewer'));
    await choose(page).setInputFiles(file(`${form.replaceAll(' ', '-')}.json`, content));
    await expect(page).toHaveURL(/traces\/0{12}f11e\?src=file/);
    await expect(page.getByRole('heading', { level: 1 })).toContainText(`local ${name}`);
    await page.reload();
    await expect(page.getByRole('heading', { level: 1 })).toContainText(`local ${name}`);
  });
}

test('a broken file says which element is wrong, and why', async ({ page, server }) => {
  await page.goto(server.ui('traceViewer'));
  await choose(page).setInputFiles(file('broken.json', [span, { ...span, id: 'not hex' }]));
  await expect(page.getByRole('alert')).toHaveText('broken.json could not be read: span 2: id is not hex');
  await choose(page).setInputFiles(file('text.txt', 'hello'));
  await expect(page.getByRole('alert')).toContainText('text.txt could not be read: not JSON');
  await choose(page).setInputFiles(file('cut.gz', gzipSync(JSON.stringify([span])).subarray(0, 30)));
  await expect(page.getByRole('alert')).toContainText('the gzip data is damaged');
});

test('what is wrong with a file is said in each language', async ({ page, server }) => {
  const path = file('broken.json', [span, { ...span, id: 'not hex' }]);
  const words = {
    es: 'span 2: id no es hexadecimal',
    fr: 'span 2: id n’est pas hexadécimal',
    zh_cn: 'span 2: id 不是十六进制',
    ko: 'span 2: id: 16진수가 아닙니다',
    en: 'span 2: id is not hex',
  };
  await page.goto(server.ui('traceViewer'));
  await page.locator('input[type=file]').last().setInputFiles(path);
  for (const [language, text] of Object.entries(words)) {
    await page.getByRole('banner').getByRole('combobox').selectOption(language);
    await expect(page.getByRole('alert')).toContainText(text);
  }
});

test('a trace of a file says that it is local', async ({ page, server }) => {
  await page.goto(server.ui('traceViewer'));
  await choose(page).setInputFiles(file('banner.json', [span]));
  await expect(page.getByText('from a file, only in this browser')).toBeVisible();
  // The server was never told.
  const answer = await fetch(`${server.origin}/api/v2/trace/000000000000f11e`);
  expect(answer.status).toBe(404);
});

test('several traces make a list that this browser keeps until it is told to forget', async ({ page, server }) => {
  await page.goto(server.ui('traceViewer'));
  const more = [span, { ...span, traceId: 'f22e', name: 'second', duration: 9_000 }];
  await choose(page).setInputFiles([file('two.json', more), file('bad.json', '{')]);
  await expect(page.getByText('2 traces of two.json')).toBeVisible();
  await expect(page.getByRole('alert')).toContainText('bad.json could not be read');
  await expect(found(page)).toHaveCount(2);
  await page.reload();
  await expect(found(page)).toHaveCount(2);
  await found(page).filter({ hasText: 'second' }).click();
  await expect(page).toHaveURL(/traces\/0{12}f22e\?src=file/);
  await page.goBack();
  await page.getByRole('button', { name: 'Forget all' }).click();
  await expect(found(page)).toHaveCount(0);
});

test('a file dropped on any page is opened', async ({ page, server }) => {
  await page.goto(server.ui('settings'));
  await expect(page.getByRole('heading', { level: 1, name: 'Settings' })).toBeVisible();
  const data = await page.evaluateHandle(
    (content) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([content], 'dropped.json', { type: 'application/json' }));
      return transfer;
    },
    JSON.stringify([span]),
  );
  await page.dispatchEvent('body', 'dragenter', { dataTransfer: data });
  await expect(page.getByText('Drop files to open their traces')).toBeVisible();
  await page.dispatchEvent('body', 'drop', { dataTransfer: data });
  await expect(page.getByRole('heading', { level: 1 })).toContainText('local from file');
});

test('real traces of zipkin-lens and of the mesh open', async ({ page, server }) => {
  await page.goto(server.ui('traceViewer'));
  const corpora = new URL('../../tests/corpora/', import.meta.url);
  await choose(page).setInputFiles(new URL('traces/mesh.jsonl.gz', corpora).pathname);
  await expect(page.getByText(/2,\d{3} traces of mesh\.jsonl\.gz/)).toBeVisible();
  await choose(page).setInputFiles(new URL('lens/yelp.json', corpora).pathname);
  await expect(page).toHaveURL(/src=file/);
  const spans = JSON.parse(readFileSync(new URL('lens/yelp.json', corpora), 'utf8')) as object[];
  await expect(page.getByText(new RegExp(`${spans.length} spans`)).first()).toBeVisible();
});

test('a browser that stores nothing still opens files', async ({ page, server }) => {
  await page.addInitScript(() => {
    Object.defineProperty(window, 'indexedDB', { get: () => undefined });
    for (const store of ['localStorage', 'sessionStorage']) {
      Object.defineProperty(window, store, {
        get: () => {
          throw new DOMException('refused', 'SecurityError');
        },
      });
    }
  });
  await page.goto(server.ui('traceViewer'));
  const two = [span, { ...span, traceId: 'f22e' }];
  await choose(page).setInputFiles(file('refused.json', two));
  await expect(page.getByText('This browser does not store them')).toBeVisible();
  await found(page).first().click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText('local from file');
  await page.goto(server.ui('settings'));
  await page.getByRole('radio', { name: 'Dark' }).check();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
});
