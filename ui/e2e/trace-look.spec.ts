/** The trace page in small windows, five languages, forced colours and without motion. */
import { expect, test } from './fixtures';
import type { Zipkind } from './server';
import { newTraceId, shopTrace } from './traces';

const views = ['', '?s=0000000000000005&cp=1', '?v=flame', '?v=table', '?v=stats', '?v=map', '?v=json'];

async function shop(server: Zipkind): Promise<string> {
  const traceId = newTraceId();
  await server.post(shopTrace(traceId));
  return traceId;
}

for (const [name, width] of [
  ['320 px', 320],
  ['200 % zoom of 1440 px', 720],
] as const) {
  test(`no view needs scrolling of the page to the side at ${name}`, async ({ page, server }) => {
    await page.setViewportSize({ width, height: 640 });
    const traceId = await shop(server);
    for (const view of views) {
      await page.goto(server.ui(`traces/${traceId}${view}`));
      await expect(page.locator('[role=treegrid] [role=row], [data-ready], .react-flow__node').first()).toBeVisible();
      const beyond = () =>
        page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      await expect.poll(beyond, view).toBeLessThanOrEqual(0);
      await expect(page.getByRole('heading', { level: 1 })).toBeInViewport();
    }
  });
}

test('the trace page speaks five languages', async ({ page, server }) => {
  const traceId = await shop(server);
  const words = {
    es: /errores en 2 servicios/,
    fr: /erreurs dans 2 services/,
    zh_cn: /2 个服务/,
    ko: /서비스 2개/,
    en: /2 errors in 2 services/,
  };
  await page.goto(server.ui(`traces/${traceId}?s=0000000000000005`));
  for (const [language, text] of Object.entries(words)) {
    await page.getByRole('banner').getByRole('combobox').selectOption(language);
    await expect(page.getByText(text).first()).toBeVisible();
    await expect(page.getByRole('tab')).toHaveCount(6);
    await expect(page.getByRole('treegrid').getByRole('row')).toHaveCount(7);
  }
});

test('with forced colours bars and the selected row are outlined', async ({ page, server }) => {
  const traceId = await shop(server);
  await page.emulateMedia({ forcedColors: 'active' });
  await page.goto(server.ui(`traces/${traceId}?s=0000000000000004&d=0`));
  const row = page.getByRole('row', { name: /^frontend charge/ });
  await expect(row).toBeVisible();
  const borders = await row.evaluate((element) =>
    [...element.querySelectorAll('*')]
      .filter((part) => part.getBoundingClientRect().width > 100)
      .map((part) => getComputedStyle(part).borderTopWidth),
  );
  expect(borders).toContain('1px');
  expect(await row.evaluate((element) => getComputedStyle(element).outlineStyle)).toBe('solid');
});

test('with less motion nothing of a trace moves by itself', async ({ page, server }) => {
  const traceId = await shop(server);
  await page.emulateMedia({ reducedMotion: 'reduce' });
  for (const view of views) {
    await page.goto(server.ui(`traces/${traceId}${view}`));
    await expect(page.locator('[role=treegrid] [role=row], [data-ready], .react-flow__node').first()).toBeVisible();
    const moving = await page.evaluate(() =>
      [...document.querySelectorAll('*')]
        .filter((one) => {
          const { transitionDuration, animationDuration, animationName, scrollBehavior } = getComputedStyle(one);
          const lasts = (text: string) => text.split(',').some((part) => Number.parseFloat(part) > 0.001);
          return (
            lasts(transitionDuration) ||
            (animationName !== 'none' && lasts(animationDuration)) ||
            scrollBehavior === 'smooth'
          );
        })
        .map((one) => `${one.tagName} ${one.className}`),
    );
    expect(moving, view).toEqual([]);
  }
});
