/** The states of each page that a visitor meets on the way, in both themes, without a violation that a machine can find. */
import type { Page, Route } from '@playwright/test';
import { expectNoViolation } from './axe';
import { expect, test } from './fixtures';
import { Zipkind } from './server';
import { newTraceId, shopTrace } from './traces';

const searched = '?lookback=15m&limit=10&endTs=1795226845000';
const mapped = 'dependency?startTime=1795226000000&endTime=1795226845000';

interface State {
  readonly name: string;
  readonly path: string;
  /** What is answered instead of the server: a status, or nothing ever. */
  readonly answer?: readonly [RegExp, number | 'never'];
  readonly ready: (page: Page) => Promise<void>;
}

const seen = (text: string | RegExp) => async (page: Page) => {
  await expect(page.getByText(text).first()).toBeVisible();
};
const summaries = /api\/(ext\/v1\/summaries|v2\/traces)\?/;

const states: readonly State[] = [
  { name: 'searching', path: searched, answer: [summaries, 'never'], ready: seen('Searching…') },
  { name: 'a failed search', path: searched, answer: [summaries, 503], ready: seen('The search failed') },
  {
    name: 'a cancelled search',
    path: searched,
    answer: [summaries, 'never'],
    ready: async (page) => {
      await page.getByRole('button', { name: 'Cancel' }).click();
      await seen('The search was cancelled')(page);
    },
  },
  {
    name: 'services that failed',
    path: '',
    answer: [/api\/v2\/services$/, 500],
    ready: seen('The services could not be loaded'),
  },
  { name: 'settings that failed', path: '', answer: [/config\.json/, 500], ready: seen('settings could not be read') },
  { name: 'a map on its way', path: mapped, answer: [/v2\/dependencies/, 'never'], ready: seen('Loading the calls') },
  { name: 'a failed map', path: mapped, answer: [/v2\/dependencies/, 500], ready: seen('could not be loaded') },
  { name: 'an empty map', path: mapped, ready: seen(/No calls|no calls/) },
  { name: 'a trace on its way', path: 'traces/abc', answer: [/v2\/trace\//, 'never'], ready: seen('Cancel') },
  { name: 'a failed trace', path: 'traces/abc', answer: [/v2\/trace\//, 500], ready: seen('could not be loaded') },
  { name: 'a trace that is not stored', path: 'traces/abc', ready: seen('This trace is not stored (yet)') },
  {
    name: 'a file that is broken',
    path: 'traceViewer',
    ready: async (page) => {
      const broken = { name: 'broken.json', mimeType: 'application/json', buffer: Buffer.from('{') };
      await page.locator('input[type=file]').last().setInputFiles(broken);
      await expect(page.getByRole('alert')).toBeVisible();
    },
  },
  {
    name: 'a list of opened files',
    path: 'traceViewer',
    ready: async (page) => {
      const span = { id: '1', name: 'one', timestamp: 5, duration: 5, localEndpoint: { serviceName: 'local' } };
      const spans = ['a', 'b'].map((traceId) => ({ ...span, traceId }));
      const two = { name: 'two.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(spans)) };
      await page.locator('input[type=file]').last().setInputFiles(two);
      await seen('2 traces of two.json')(page);
    },
  },
];

async function standIn(page: Page, [pattern, status]: readonly [RegExp, number | 'never'], held: Route[]) {
  await page.route(pattern, async (route) => {
    if (status === 'never') held.push(route);
    else await route.fulfill({ status, contentType: 'text/plain', body: 'why it failed' });
  });
}

for (const theme of ['light', 'dark'] as const) {
  for (const { name, path, answer, ready } of states) {
    test(`${name} in the ${theme} theme`, async ({ page, server, watch }) => {
      watch.allow(/Failed to load resource/);
      const held: Route[] = [];
      await page.emulateMedia({ colorScheme: theme });
      if (answer) await standIn(page, answer, held);
      await page.goto(server.ui(path));
      await ready(page);
      await expectNoViolation(page, `${name}, ${theme}`);
      for (const route of held) await route.abort().catch(() => undefined);
    });
  }

  test(`an empty server and its example in the ${theme} theme`, async ({ page, watch }) => {
    const empty = await Zipkind.start();
    watch.allowOrigin(empty.origin);
    try {
      await page.emulateMedia({ colorScheme: theme });
      await page.goto(empty.ui(''));
      await seen('No traces yet')(page);
      await expectNoViolation(page, `first start, ${theme}`);
      await page.getByRole('button', { name: 'Open an example trace' }).click();
      await seen('from a file, only in this browser')(page);
      await expectNoViolation(page, `example, ${theme}`);
    } finally {
      await empty.stop();
    }
  });

  test(`what opens over a trace in the ${theme} theme`, async ({ page, server }) => {
    await page.emulateMedia({ colorScheme: theme });
    const traceId = newTraceId();
    await server.post(shopTrace(traceId));
    await page.goto(server.ui(`traces/${traceId}`));
    await page.getByRole('button', { name: 'Clock skew' }).click();
    await expect(page.getByRole('dialog', { name: 'Clock skew' })).toBeVisible();
    await expectNoViolation(page, `clock skew, ${theme}`);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'More about this trace' }).click();
    await expect(page.getByRole('menuitem').first()).toBeVisible();
    await expectNoViolation(page, `menu, ${theme}`);
    await page.keyboard.press('Escape');
    await page.getByRole('textbox', { name: 'Find in the trace' }).fill('nothing like it');
    await seen('no match')(page);
    await expectNoViolation(page, `find, ${theme}`);
  });
}
