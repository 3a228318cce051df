/** Every page of this part: both themes, small and zoomed windows, five languages, print and reduced motion. */
import type { Page } from '@playwright/test';
import { expectNoViolation } from './axe';
import { expect, test } from './fixtures';
import { found, newService, smallTrace } from './pages';
import { Zipkind } from './server';

let server: Zipkind;
const service = newService('look');
const range = `lookback=1h&limit=50`;

test.beforeAll(async () => {
  server = await Zipkind.start();
  const parts = Array.from({ length: 12 }, (_, i) =>
    smallTrace({
      service,
      name: `get /op/${i}`,
      durationMs: 5 * (i + 1),
      callee: `${service}-${i % 3}`,
      ...(i % 4 === 0 && { tags: { error: 'broken' } }),
    }),
  );
  await server.post(parts.flat());
});
test.afterAll(() => server.stop());
test.beforeEach(({ watch }) => watch.allowOrigin(server.origin));

interface View {
  readonly name: string;
  readonly path: string;
  /** Seen when the page is whole. */
  readonly ready: (page: Page) => Promise<void>;
}

const visible = (text: string) => async (page: Page) => {
  await expect(page.getByText(text).first()).toBeVisible();
};
const views: readonly View[] = [
  { name: 'start', path: '', ready: visible('Where to begin') },
  {
    name: 'results',
    path: `?serviceName=${service}&${range}`,
    ready: async (page) => expect(found(page).first()).toBeVisible(),
  },
  {
    name: 'results opened, grouped, scatter',
    path: `?serviceName=${service}&${range}&view=scatter&g=root&annotationQuery=a`,
    ready: async (page) => {
      await page.getByRole('button', { name: 'Remove filter tag: a' }).click();
      await page.getByRole('button', { name: 'Run query' }).click();
      await page.getByRole('button', { name: 'Expand all' }).click();
      await expect(page.getByRole('button', { name: new RegExp(`${service}-0`) }).first()).toBeVisible();
      await expect(page.getByRole('application')).toBeVisible();
    },
  },
  { name: 'no results', path: `?serviceName=nobody&${range}`, ready: visible('No trace matched') },
  { name: 'wrong filter', path: `?minDuration=x&${range}`, ready: visible('Not a duration') },
  {
    name: 'suggestions',
    path: '',
    ready: async (page) => {
      await page.getByRole('textbox', { name: 'Filters' }).fill('look');
      await expect(page.getByRole('listbox', { name: 'Suggestions' }).getByRole('option').first()).toBeVisible();
    },
  },
  {
    name: 'saved searches',
    path: '',
    ready: async (page) => {
      await page.getByRole('button', { name: 'Saved', exact: true }).click();
      await expect(page.getByRole('dialog')).toBeVisible();
    },
  },
  {
    name: 'map',
    path: 'dependency',
    ready: async (page) => {
      await page.locator('.react-flow__node').first().click();
      await expect(page.getByRole('complementary')).toBeVisible();
    },
  },
  { name: 'map as table', path: 'dependency?view=table', ready: visible('Error share') },
  { name: 'file', path: 'traceViewer', ready: visible('Drop files here') },
  { name: 'settings', path: 'settings', ready: visible('Versions') },
  {
    name: 'help',
    path: 'settings',
    ready: async (page) => {
      await expect(page.getByText('Versions')).toBeVisible();
      await page.keyboard.press('?');
      await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
    },
  },
  { name: 'unknown page', path: 'no/such/page', ready: visible('No such page') },
];

for (const theme of ['light', 'dark'] as const) {
  for (const { name, path, ready } of views) {
    test(`${name} in the ${theme} theme has no violation that a machine can find`, async ({ page, watch }) => {
      if (name === 'unknown page') watch.allow(/404/);
      await page.emulateMedia({ colorScheme: theme });
      await page.goto(server.ui(path));
      await ready(page);
      await expectNoViolation(page, `${name}, ${theme}`);
    });
  }
}

test.describe('in a window of 320 px, and at 200 % zoom', () => {
  for (const { name, path, ready } of views) {
    test(`${name} needs no scrolling to the side`, async ({ page, watch }) => {
      if (name === 'unknown page') watch.allow(/404/);
      for (const width of [320, 720]) {
        await page.setViewportSize({ width, height: 640 });
        await page.goto(server.ui(path));
        await ready(page);
        const beyond = () =>
          page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        await expect.poll(beyond, `${name} at ${width}`).toBeLessThanOrEqual(0);
      }
    });
  }
});

test('five languages are switched without a reload, and remembered', async ({ page }) => {
  const words = { es: 'Buscar', fr: 'Rechercher', zh_cn: '搜索', ko: '검색', en: 'Search' };
  const tags = { es: 'es', fr: 'fr', zh_cn: 'zh-Hans', ko: 'ko', en: 'en' };
  await page.goto(server.ui(`?serviceName=${service}&${range}`));
  await expect(found(page)).toHaveCount(12);
  await page.evaluate(() => {
    (window as { stays?: boolean }).stays = true;
  });
  for (const [language, word] of Object.entries(words)) {
    await page.getByRole('banner').getByRole('combobox').selectOption(language);
    await expect(page.getByRole('banner').getByRole('link', { name: word, exact: true })).toBeVisible();
    await expect(page.locator('html')).toHaveAttribute('lang', tags[language as keyof typeof tags]);
  }
  expect(await page.evaluate(() => (window as { stays?: boolean }).stays)).toBe(true);
  await page.getByRole('banner').getByRole('combobox').selectOption('fr');
  await expect(page).toHaveTitle(/^Recherche/);
  await page.reload();
  await expect(page.getByRole('link', { name: 'Rechercher', exact: true })).toBeVisible();
});

test('the browser’s language is taken when we have it', async ({ browser, watch }) => {
  watch.allowOrigin(server.origin);
  const context = await browser.newContext({ locale: 'ko-KR' });
  const page = await context.newPage();
  await page.goto(server.ui(''));
  await expect(page.getByRole('link', { name: '검색', exact: true })).toBeVisible();
  await context.close();
});

test('the theme follows the system until it is chosen, is kept, and reaches other tabs', async ({ page, context }) => {
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.goto(server.ui('settings'));
  await expect(page.getByRole('radio', { name: 'As the system' })).toBeChecked();
  const dark = await background();
  await page.getByRole('radio', { name: 'Light' }).check();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
  expect(await background()).not.toBe(dark);
  expect(await page.evaluate(() => localStorage.getItem('zipkinThemeOverride'))).toBe('light');
  const other = await context.newPage();
  await other.goto(server.ui('settings'));
  await expect(other.locator('html')).toHaveAttribute('data-theme', 'light');
  await other.getByRole('radio', { name: 'Dark' }).check();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await other.getByRole('radio', { name: 'UTC', exact: true }).check();
  await expect(page.getByRole('radio', { name: 'UTC', exact: true })).toBeChecked();
});

test('a stored theme is there at the first paint', async ({ page }) => {
  await page.addInitScript(() => localStorage.setItem('zipkinThemeOverride', 'dark'));
  await page.route(/assets\/index-.*\.js$/, () => undefined);
  await page.goto(server.ui(''), { waitUntil: 'commit' });
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
});

for (const width of [1440, 390]) {
  test(`the bar of the page is there before its scripts, and stays where it is, at ${width} px`, async ({ page }) => {
    await page.setViewportSize({ width, height: 800 });
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await page.route(/assets\/index-.*\.js$/, async (route) => {
      await held;
      await route.continue();
    });
    await page.goto(server.ui(''), { waitUntil: 'commit' });
    const name = page.getByText('Zipkin', { exact: true });
    await expect(name).toBeVisible();
    const before = (await name.boundingBox())!;
    const bar = (await page.locator('.boot').boundingBox())!;
    release();
    const banner = page.getByRole('banner');
    await expect(banner.getByText('Zipkin', { exact: true })).toBeVisible();
    await expect(page.locator('.boot')).toHaveCount(0);
    const after = (await banner.getByText('Zipkin', { exact: true }).boundingBox())!;
    const whole = (await banner.boundingBox())!;
    for (const [was, is] of [
      [before.x, after.x],
      [before.y + before.height / 2, after.y + after.height / 2],
      [bar.height, whole.height],
    ] as const)
      expect(Math.abs(was - is)).toBeLessThanOrEqual(1);
  });
}

test('less motion means no transition', async ({ page }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.goto(server.ui(`?serviceName=${service}&${range}`));
  await expect(found(page)).toHaveCount(12);
  const longest = await page.evaluate(() =>
    Math.max(
      ...[...document.querySelectorAll('*')].map((one) => Number.parseFloat(getComputedStyle(one).transitionDuration)),
    ),
  );
  expect(longest).toBeLessThan(0.001);
});

test('without scripts the page says what it needs', async ({ playwright, launchOptions }) => {
  // Scripts are off for the whole browser: a context that merely does not run them does not draw <noscript>.
  const args = [...(launchOptions.args ?? []), '--blink-settings=scriptEnabled=false'];
  const browser = await playwright.chromium.launch({ ...launchOptions, args });
  try {
    const page = await browser.newPage();
    await page.goto(server.ui(''), { waitUntil: 'commit' });
    const devtools = await page.context().newCDPSession(page);
    await expect
      .poll(async () => {
        const { nodes } = await devtools.send('Accessibility.getFullAXTree');
        return nodes.map(({ name }) => name?.value as unknown).join(' ');
      })
      .toContain('This page needs JavaScript.');
  } finally {
    await browser.close();
  }
});

test('an idle page has no timer and draws no frame', async ({ page }) => {
  await page.goto(server.ui(`?serviceName=${service}&${range}`));
  await expect(found(page)).toHaveCount(12);
  await page.evaluate(() => {
    const counted = window as unknown as { calls: number };
    counted.calls = 0;
    for (const name of ['setTimeout', 'setInterval', 'requestAnimationFrame'] as const) {
      const original = window[name] as (...args: unknown[]) => number;
      (window as unknown as Record<string, unknown>)[name] = (...args: unknown[]) => {
        counted.calls += 1;
        return original.apply(window, args);
      };
    }
  });
  // Two seconds of the page's own clock, without anything to wait for: that is what is measured.
  await page.waitForFunction(
    (until) => performance.now() > until,
    (await page.evaluate(() => performance.now())) + 2_000,
    {
      polling: 500,
    },
  );
  expect(await page.evaluate(() => (window as unknown as { calls: number }).calls)).toBeLessThanOrEqual(8);
});
