/** Every state is an address: reload, Back, Forward and a pasted link give the same screen. */
import { expect, test } from './fixtures';
import { filters, found, newService, pressPair, results, run, store } from './pages';

test('a search with its view is the same after a reload and in another tab', async ({ page, server, context }) => {
  const service = newService('same');
  await store(
    server,
    { service, name: 'one', durationMs: 10 },
    { service, name: 'two', durationMs: 20, tags: { error: '' }, callee: `${service}-b` },
    { service, name: 'three', durationMs: 30, tags: { error: '' }, callee: `${service}-b` },
  );
  await page.goto(server.ui(`?serviceName=${service}&lookback=1h&limit=9`));
  await expect(found(page)).toHaveCount(3);
  await page.getByRole('button', { name: 'Errors only' }).click();
  await page.getByRole('button', { name: 'Scatter plot' }).click();
  await results(page).getByRole('button', { name: 'Duration' }).click();
  await page.getByRole('combobox', { name: 'Group by' }).selectOption('service');
  const check = async (one: typeof page) => {
    await expect(found(one)).toHaveText([/two/, /three/]);
    await expect(one.getByRole('application', { name: /Scatter/ })).toBeVisible();
    await expect(one.getByRole('button', { name: 'Errors only' })).toHaveAttribute('aria-pressed', 'true');
    await expect(one.getByRole('combobox', { name: 'Group by' })).toHaveValue('service');
  };
  await check(page);
  await page.reload();
  await check(page);
  const other = await context.newPage();
  await other.goto(page.url());
  await check(other);
});

test('changes that follow each other at once are all kept', async ({ page, server }) => {
  const service = newService('quick');
  await store(server, { service, name: 'fine' }, { service, name: 'bad', tags: { error: '' } });
  await page.goto(server.ui(`?serviceName=${service}&lookback=1h&limit=9`));
  await expect(found(page)).toHaveCount(2);
  await page.evaluate(() => {
    const press = (name: string) =>
      [...document.querySelectorAll('button')].find((one) => one.textContent?.trim() === name)?.click();
    for (const name of ['Errors only', 'Scatter plot', 'Spans']) press(name);
  });
  await expect(page).toHaveURL(/view=scatter/);
  await expect(page).toHaveURL(/sort=-spans/);
  await expect(page).toHaveURL(/err=1/);
  await expect(found(page)).toHaveText([/bad/]);
});

test('Back and Forward go through the searches', async ({ page, server }) => {
  const service = newService('back');
  await store(server, { service, name: 'one' }, { service, name: 'two' });
  await page.goto(server.ui(`?serviceName=${service}&lookback=1h&limit=9`));
  await expect(found(page)).toHaveCount(2);
  await filters(page).fill('span:one');
  await page.keyboard.press('Enter');
  await run(page).click();
  await expect(found(page)).toHaveText([/one/]);
  await page.getByRole('link', { name: 'Settings' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Settings' })).toBeVisible();
  await page.goBack();
  await expect(found(page)).toHaveText([/one/]);
  await expect(page.getByRole('button', { name: 'span: one', exact: true })).toBeVisible();
  await page.goBack();
  await expect(found(page)).toHaveCount(2);
  await expect(page.getByRole('button', { name: 'span: one', exact: true })).toHaveCount(0);
  await page.goForward();
  await expect(found(page)).toHaveText([/one/]);
});

test('a page that does not exist says so, with status 404 and the way back', async ({ page, server, watch }) => {
  watch.allow(/404/);
  const answer = await page.goto(server.ui('no/such/page'));
  expect(answer?.status()).toBe(404);
  await expect(page.getByRole('heading', { level: 1, name: 'No such page' })).toBeVisible();
  await expect(page).toHaveTitle('No such page – Zipkin');
  await page.getByRole('link', { name: 'Back to search' }).click();
  await expect(filters(page)).toBeVisible();
});

test('the title says what is shown', async ({ page, server }) => {
  const titles: readonly [string, RegExp][] = [
    ['', /^Search – Zipkin$/],
    [
      '?serviceName=a&minDuration=5ms&lookback=15m&limit=1&endTs=1795226845000',
      /^Search: service: a, at least: 5ms – Zipkin$/,
    ],
    ['dependency', /^Service map – Zipkin$/],
    ['traceViewer', /^Open a file – Zipkin$/],
    ['settings', /^Settings – Zipkin$/],
    ['index.html', /^Search – Zipkin$/],
  ];
  for (const [path, title] of titles) {
    await page.goto(server.ui(path));
    await expect(page).toHaveTitle(title);
    await expect(page.getByRole('heading', { level: 1 })).toHaveCount(1);
  }
});

test('the main pages are reached by keys alone', async ({ page, server }) => {
  const service = newService('keys');
  await store(server, { service, name: 'keyed', callee: `${service}-b` });
  await page.goto(server.ui(''));
  await expect(filters(page)).toBeVisible();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('button', { name: 'Skip to content' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('main')).toBeFocused();
  await page.keyboard.press('/');
  await page.keyboard.type(`service:${service}`);
  await page.keyboard.press('Enter');
  await page.keyboard.press('Control+Enter');
  await expect(found(page)).toHaveCount(1);
  await found(page).first().focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1 })).toContainText('keyed');
  await pressPair(page, 'g', 'm');
  await expect(page.getByRole('link', { name: 'Service map' })).toHaveAttribute('aria-current', 'page');
  await pressPair(page, 'g', 't');
  await expect(page.getByRole('textbox', { name: 'Go to a trace' })).toBeFocused();
  // Letters typed into a box are text.
  await page.keyboard.type('gst?');
  await expect(page.getByRole('textbox', { name: 'Go to a trace' })).toHaveValue('gst?');
  await page.keyboard.press('Tab');
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await pressPair(page, 'g', 's');
  await expect(filters(page)).toBeVisible();
});

test('letters do nothing once they are switched off', async ({ page, server }) => {
  await page.goto(server.ui('settings'));
  await page.getByRole('radio', { name: 'Off' }).check();
  await page.getByRole('main').focus();
  await page.keyboard.press('?');
  await page.keyboard.press('t');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(page.locator('html')).not.toHaveAttribute('data-theme');
});
