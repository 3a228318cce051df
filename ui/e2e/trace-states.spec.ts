import { expect, test } from './fixtures';
import { Zipkind } from './server';
import { newTraceId, shopTrace, startUs, type TestSpan } from './traces';

test('a text that is no trace id is told without asking the server', async ({ page, server }) => {
  const asked: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  await page.goto(server.ui('traces/not-a-trace'));
  await expect(page.getByRole('main')).toContainText('This is not a trace id');
  await expect(page.getByRole('main')).toContainText('not-a-trace');
  expect(asked.filter((url) => url.includes('/api/v2/trace/'))).toEqual([]);
});

test('a trace that is not there yet is asked for again, and shown when it comes', async ({ page, server, watch }) => {
  watch.allow(/404/);
  const traceId = newTraceId();
  await page.goto(server.ui(`traces/${traceId}`));
  await expect(page.getByRole('main')).toContainText(/This trace is not stored \(yet\).*Asking again in \d seconds?\./);
  await server.post(shopTrace(traceId));
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('frontend post /checkout');
});

test('an upper-case id with blanks and dashes opens the same trace', async ({ page, server }) => {
  const traceId = newTraceId();
  await server.post(shopTrace(traceId));
  await page.goto(server.ui(`traces/${traceId.toUpperCase().replace(/(.{8})/, '$1-')}`));
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('frontend post /checkout');
});

const failures: [string, number, string, RegExp][] = [
  ['an error of the server', 500, 'it broke', /status 500: it broke/],
  ['a store that is away', 503, 'storage is not available', /status 503: storage is not available/],
  ['an answer that is no JSON', 200, '[{"traceId":', /could not be read/],
  ['an answer that is no list', 200, '{}', /could not be read: not a list of spans/],
];
for (const [name, status, body, expected] of failures) {
  test(`${name} is told, and Retry asks again`, async ({ page, server, watch }) => {
    watch.allow(/status of \d{3}/);
    const traceId = newTraceId();
    await server.post(shopTrace(traceId));
    let broken = true;
    await page.route(`**/api/v2/trace/${traceId}`, (route) =>
      broken ? route.fulfill({ status, body }) : route.continue(),
    );
    await page.goto(server.ui(`traces/${traceId}`));
    const alert = page.getByRole('alert');
    await expect(alert).toContainText('The trace could not be loaded');
    await expect(alert).toContainText(expected);
    broken = false;
    await alert.getByRole('button', { name: 'Retry' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('frontend post /checkout');
  });
}

test('loading shows what it does and can be cancelled', async ({ page, server, watch }) => {
  // The page says at once that it gave up; the worker's request may still be open when it is refused.
  watch.allow(/Failed to load resource/);
  const traceId = newTraceId();
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route(`**/api/v2/trace/${traceId}`, async (route) => {
    await held;
    await route.abort().catch(() => undefined);
  });
  await page.goto(server.ui(`traces/${traceId}`));
  await expect(page.getByRole('main').getByRole('status')).toContainText(traceId);
  await page.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByRole('main')).toContainText('Loading was cancelled');
  release();
});

test('orphans, rings, second roots and spans without times are shown and marked', async ({ page, server }) => {
  const traceId = newTraceId();
  const span = (id: number, parent: number | undefined, more: Partial<TestSpan> = {}): TestSpan => ({
    traceId,
    id: id.toString(16).padStart(16, '0'),
    ...(parent !== undefined && { parentId: parent.toString(16).padStart(16, '0') }),
    name: `op ${id}`,
    timestamp: startUs + id * 1_000,
    duration: 5_000,
    localEndpoint: { serviceName: 'odd' },
    ...more,
  });
  const timeless = span(5, 1);
  delete timeless.timestamp;
  await server.post([span(1, undefined), span(2, undefined), span(3, 99), timeless, span(6, 7), span(7, 6)]);
  await page.goto(server.ui(`traces/${traceId}`));
  const row = (name: RegExp) => page.getByRole('row', { name });
  await expect(row(/^odd op 1,/)).toBeVisible();
  await expect(row(/^odd op 2,.*second root/)).toBeVisible();
  await expect(row(/^odd op 3,.*parent not received/)).toBeVisible();
  await expect(row(/^odd op 5,.*no time reported/)).toBeVisible();
  await expect(row(/^odd op 6,.*part of a cycle/)).toBeVisible();
  await expect(row(/^odd op 7,/)).toHaveAttribute('aria-level', '2');
  await expect(page.getByText('clock skew not checked')).toBeVisible();
});

test('a trace without its root is shown below a row that says so', async ({ page, server }) => {
  const traceId = newTraceId();
  await server.post(shopTrace(traceId).slice(4, 7));
  await page.goto(server.ui(`traces/${traceId}`));
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('missing root');
  await expect(page.getByRole('row', { name: 'missing root' })).toBeVisible();
  await expect(page.getByRole('row', { name: /^frontend charge/ })).toHaveAttribute('aria-level', '2');
});

test.describe('with links and an archive', () => {
  test('logs and archive lead where the operator says', async ({ page, watch }) => {
    const archive = 'http://archive.invalid';
    const server = await Zipkind.start({
      ZIPKIN_UI_LOGS_URL: 'https://logs.example.com/{traceId}?again={traceId}',
      ZIPKIN_UI_ARCHIVE_POST_URL: `${archive}/api/v2/spans`,
      ZIPKIN_UI_ARCHIVE_URL: `${archive}/zipkin/traces/{traceId}`,
    });
    watch.allowOrigin(server.origin);
    watch.allowOrigin(archive);
    watch.allow(/status of 500/);
    try {
      const traceId = newTraceId();
      await server.post(shopTrace(traceId));
      let status = 202;
      let sent: TestSpan[] = [];
      await page.route(`${archive}/**`, (route) => {
        const headers = { 'access-control-allow-origin': '*', 'access-control-allow-headers': 'content-type' };
        if (route.request().method() === 'OPTIONS') return route.fulfill({ status: 200, headers });
        sent = route.request().postDataJSON() as TestSpan[];
        return route.fulfill({ status, headers, body: status === 500 ? 'the archive is full' : '' });
      });
      await page.goto(server.ui(`traces/${traceId}?s=0000000000000001`));
      const logs = page.getByRole('link', { name: /View logs/ });
      await expect(logs).toHaveAttribute('href', `https://logs.example.com/${traceId}?again=${traceId}`);
      const choose = async () => {
        await page.getByRole('button', { name: 'More about this trace' }).click();
        await page.getByRole('menuitem', { name: 'Archive' }).click();
      };
      for (status of [202, 200]) {
        await choose();
        await expect(page.getByRole('status').filter({ hasText: 'Archived.' })).toBeVisible();
        const link = page.getByRole('link', { name: /Open in the archive/ });
        await expect(link).toHaveAttribute('href', `${archive}/zipkin/traces/${traceId}`);
        await page.getByRole('button', { name: 'Dismiss' }).click();
      }
      expect(sent).toHaveLength(8);
      expect(sent.filter((span) => span.tags?.['zipkin.archived'] === 'true').map((span) => span.id)).toEqual([
        '0000000000000001',
      ]);
      status = 500;
      await choose();
      await expect(page.getByRole('alert')).toContainText('The archive answered with status 500: the archive is full');
    } finally {
      await server.stop();
    }
  });
});
