import { expect, test } from './fixtures';
import { filters, found, newService, results, run, store } from './pages';

const hour = 'lookback=1h&limit=50';

test.describe('filters find what they say', () => {
  test('service, span, remote service, tag, annotation and durations', async ({ page, server }) => {
    const service = newService('shop');
    await store(
      server,
      { service, name: 'buy', durationMs: 100, tags: { color: 'red', error: '' } },
      { service, name: 'look', durationMs: 300, tags: { color: 'blue' } },
      { service, name: 'pay', durationMs: 900, remote: `${service}-bank`, annotation: 'slow.bank' },
    );
    const cases: readonly [string, string[]][] = [
      ['', ['pay', 'look', 'buy']],
      ['spanName=look', ['look']],
      [`remoteServiceName=${service}-bank`, ['pay']],
      ['annotationQuery=error', ['buy']],
      ['annotationQuery=color%3Dblue', ['look']],
      ['annotationQuery=slow.bank', ['pay']],
      ['annotationQuery=error%20and%20color%3Dred', ['buy']],
      ['minDuration=200ms', ['pay', 'look']],
      ['minDuration=200ms&maxDuration=0.5s', ['look']],
      ['maxDuration=150ms', ['buy']],
    ];
    for (const [query, names] of cases) {
      await page.goto(server.ui(`?serviceName=${service}&${query}&${hour}`));
      await expect(found(page), query).toHaveText(names.map((name) => new RegExp(name)));
    }
  });

  test('are typed with suggestions, by keys alone', async ({ page, server }) => {
    const service = newService('typed');
    await store(server, { service, name: 'first op' }, { service, name: 'second op' });
    await page.goto(server.ui(''));
    await expect(filters(page)).toBeVisible();
    await page.keyboard.press('/');
    await expect(filters(page)).toBeFocused();
    await page.keyboard.type(service);
    await expect(page.getByRole('listbox', { name: 'Suggestions' }).getByRole('option').first()).toHaveText(
      new RegExp(`service\\s*${service}`),
    );
    await page.keyboard.press('Enter');
    await expect(page.getByRole('button', { name: `service: ${service}`, exact: true })).toBeVisible();
    await page.keyboard.type('span:');
    await expect(page.getByRole('option', { name: /second op/ })).toBeVisible();
    // The first is chosen while one types.
    await page.keyboard.press('ArrowDown');
    await expect(page.getByRole('option', { name: /second op/ })).toHaveAttribute('aria-selected', 'true');
    await page.keyboard.press('Tab');
    await expect(page.getByRole('button', { name: 'span: second op', exact: true })).toBeVisible();
    await page.keyboard.press('Control+Enter');
    await expect(found(page)).toHaveText([/second op/]);
    await expect(page).toHaveURL(/spanName=second%20op/);
    await expect(page).toHaveURL(/endTs=\d+/);
  });

  test('are not added by a suggestion that was only passed over', async ({ page, server }) => {
    await page.goto(server.ui(''));
    await filters(page).click();
    const option = page.getByRole('listbox', { name: 'Suggestions' }).getByRole('option', { name: /error/ });
    await option.hover();
    await expect(option).toHaveAttribute('aria-selected', 'true');
    await page.keyboard.press('Escape');
    await expect(option).toHaveCount(0);
    await filters(page).click();
    await expect(option).toBeVisible();
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(/endTs=\d+/);
    await expect(page.getByRole('button', { name: /Remove filter/ })).toHaveCount(0);
  });

  test('Backspace in an empty box edits the last one; a cross removes it', async ({ page, server }) => {
    await page.goto(server.ui('?annotationQuery=a%3D1&minDuration=5ms'));
    await expect(page.getByRole('button', { name: 'at least: 5ms', exact: true })).toBeVisible();
    await filters(page).focus();
    await page.keyboard.press('Backspace');
    await expect(filters(page)).toHaveValue('minDuration:5ms');
    await expect(page.getByRole('button', { name: 'at least: 5ms', exact: true })).toHaveCount(0);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Remove filter tag: a=1' }).click();
    await expect(page.getByRole('button', { name: /Remove filter/ })).toHaveCount(0);
  });

  test('that cannot be sent are marked, and nothing is asked', async ({ page, server }) => {
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    await page.goto(server.ui(`?minDuration=fast&${hour}`));
    await expect(page.getByRole('button', { name: 'at least: fast', exact: true })).toHaveAccessibleDescription(
      /Not a duration/,
    );
    await expect(run(page)).toBeDisabled();
    await expect(page.getByRole('alert')).toContainText('Not a duration');
    expect(asked.filter((url) => /summaries|\/traces\?/.test(url))).toEqual([]);
  });

  test('that are being edited stay when names come late and when results are shown in another way', async ({
    page,
    server,
  }) => {
    const service = newService('draft');
    await store(server, { service, name: 'one' }, { service, name: 'two', tags: { error: '' } });
    let release = (_: unknown) => undefined as unknown;
    const held = new Promise((resolve) => {
      release = resolve;
    });
    await page.route(/autocompleteKeys/, async (route) => {
      await held;
      await route.continue();
    });
    await page.goto(server.ui(`?serviceName=${service}&${hour}`));
    await expect(found(page)).toHaveCount(2);
    await filters(page).fill('span:one');
    await page.keyboard.press('Enter');
    const chip = page.getByRole('button', { name: 'span: one', exact: true });
    await expect(chip).toBeVisible();
    const answered = page.waitForResponse(/autocompleteKeys/);
    release(undefined);
    await (await answered).finished();
    await page.getByRole('button', { name: 'Errors only' }).click();
    await expect(found(page)).toHaveText([/two/]);
    await expect(chip).toBeVisible();
    await run(page).click();
    await expect(found(page)).toHaveText([/one/]);
  });

  test('of an address that mean nothing are shown as ignored and kept', async ({ page, server }) => {
    const service = newService('ignored');
    await store(server, { service });
    await page.goto(server.ui(`?serviceName=${service}&${hour}&utm_source=mail`));
    await expect(page.getByText('utm_source=mail')).toBeVisible();
    await expect(found(page)).toHaveCount(1);
    await expect(page).toHaveURL(/utm_source=mail/);
  });
});

test('a search that waits for the settings gives way to where the reader goes meanwhile', async ({ page, server }) => {
  let release = (_: unknown) => undefined as unknown;
  const held = new Promise((resolve) => {
    release = resolve;
  });
  await page.route(/config\.json/, async (route) => {
    await held;
    await route.fulfill({ json: { environment: 'come at last' } });
  });
  await page.goto(server.ui(''));
  await run(page).click();
  await page.getByRole('link', { name: 'Settings' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Settings' })).toBeVisible();
  release(undefined);
  // What waited for the settings has gone on by the time they are seen.
  await expect(page.getByRole('banner').getByText('come at last')).toBeVisible();
  await page.getByRole('radio', { name: 'UTC', exact: true }).check();
  await expect(page.getByRole('heading', { level: 1, name: 'Settings' })).toBeVisible();
  await expect(page).toHaveURL(/settings$/);
});

test('a trace id pasted in any form leads to the trace', async ({ page, server }) => {
  const [id = ''] = await store(server, { service: newService('ids'), name: 'by id' });
  const box = page.getByRole('textbox', { name: 'Go to a trace' });
  for (const text of [
    id.toUpperCase(),
    server.ui(`traces/${id}?v=flame`),
    `00-${id}-00f067aa0ba902b7-01`,
    `b3: ${id}-00f067aa0ba902b7-1`,
  ]) {
    await page.goto(server.ui(''));
    await box.fill(text);
    await box.press('Enter');
    await expect(page).toHaveURL(new RegExp(`/zipkin/traces/${id}`));
    await expect(page.getByRole('heading', { level: 1 })).toContainText('by id');
  }
  await box.fill('no id at all');
  await box.press('Enter');
  await expect(page.getByRole('alert')).toContainText('No trace id in this text');
});

test.describe('addresses of zipkin-lens', () => {
  test('fill the chips and the window', async ({ page, server }) => {
    await page.goto(
      server.ui(
        '?serviceName=checkout&spanName=placeorder&annotationQuery=error%20and%20http.method%3DGET&minDuration=100ms&maxDuration=2s&limit=20&lookback=15m&endTs=1795226845000',
      ),
    );
    for (const chip of [
      'service: checkout',
      'span: placeorder',
      'tag: error',
      'tag: http.method=GET',
      'at least: 100ms',
      'at most: 2s',
    ]) {
      await expect(page.getByRole('button', { name: `${chip}`, exact: true })).toBeVisible();
    }
    await expect(page.getByRole('combobox', { name: 'Time' })).toHaveValue('15m');
    await expect(page.getByRole('spinbutton', { name: 'Limit' })).toHaveValue('20');
    await expect(page.getByText('No trace matched')).toBeVisible();
  });

  test('with a range or a number of milliseconds are searched', async ({ page, server }) => {
    const service = newService('lens');
    await store(server, { service });
    const now = Date.now();
    for (const window of [
      `lookback=range&startTs=${now - 600_000}&endTs=${now}`,
      `lookback=millis&millis=600000&endTs=${now}`,
    ]) {
      await page.goto(server.ui(`?serviceName=${service}&${window}&limit=10`));
      await expect(found(page)).toHaveCount(1);
    }
  });
});

test('nothing found says what was searched, and offers ways on that work', async ({ page, server }) => {
  const service = newService('far');
  await store(server, { service, agoMs: 100 * 60_000 });
  await page.goto(server.ui(`?serviceName=${service}&annotationQuery=never&${hour}`));
  await expect(page.getByText('No trace matched')).toBeVisible();
  await expect(page.getByText(new RegExp(`Searched: service: ${service}, tag: never`))).toBeVisible();
  await page.getByRole('button', { name: 'Without tag: never' }).click();
  await expect(page.getByText(new RegExp(`Searched: service: ${service}, \\w{3} `))).toBeVisible();
  await page.getByRole('button', { name: 'Search the last 2 hours' }).click();
  await expect(found(page)).toHaveCount(1);
});

test('nothing found leads to the nearest times that have data', async ({ page, server }) => {
  const service = newService('near');
  await store(server, { service, name: 'before', agoMs: 300 * 60_000 }, { service, name: 'after', agoMs: 60_000 });
  const endTs = Date.now() - 120 * 60_000;
  await page.goto(server.ui(`?serviceName=${service}&lookback=1h&limit=10&endTs=${endTs}`));
  await page.getByRole('button', { name: /^Last before: / }).click();
  await expect(found(page)).toHaveText([/before/]);
  await page.goBack();
  await page.getByRole('button', { name: /^Newest after: / }).click();
  await expect(found(page)).toHaveText([/after/]);
  await page.goto(server.ui(`?serviceName=${service}&annotationQuery=never&lookback=1h&limit=10&endTs=${endTs}`));
  await expect(page.getByText('Nothing matches at any other time either.')).toBeVisible();
});

test('a service that the server does not know is told', async ({ page, server }) => {
  await store(server, { service: newService('known') });
  await page.goto(server.ui(`?serviceName=never-seen&${hour}`));
  await expect(page.getByText('The server knows no service named never-seen.')).toBeVisible();
});

test.describe('results', () => {
  test('are counted, sorted by each column, grouped and filtered by service', async ({ page, server }) => {
    const service = newService('many');
    await store(
      server,
      { service, name: 'a', durationMs: 10, agoMs: 50_000, callee: `${service}-db` },
      { service, name: 'b', durationMs: 30, agoMs: 40_000, tags: { error: 'x' } },
      { service, name: 'a', durationMs: 20, agoMs: 30_000 },
    );
    await page.goto(server.ui(`?serviceName=${service}&${hour}`));
    await expect(page.getByRole('status').filter({ hasText: '3 traces' })).toHaveText(
      '3 traces1 with errorsp50 20 msp95 30 ms',
    );
    await expect(found(page)).toHaveText([/ b$|b$/, /a$/, /a$/]);

    await results(page).getByRole('button', { name: 'Start' }).click();
    await expect(results(page).getByRole('columnheader', { name: 'Start' })).toHaveAttribute('aria-sort', 'descending');
    await expect(results(page).getByRole('row').nth(1)).toContainText('20 ms');
    await results(page).getByRole('button', { name: 'Start' }).click();
    await expect(results(page).getByRole('row').nth(1)).toContainText('10 ms');
    await expect(page).toHaveURL(/sort=start/);

    await page.getByRole('combobox', { name: 'Group by' }).selectOption('root');
    await expect(page.getByRole('button', { name: new RegExp(`${service} a.*2 traces`) })).toBeVisible();
    await page.getByRole('button', { name: new RegExp(`${service} a.*2 traces`) }).click();
    await expect(found(page)).toHaveCount(1);
    await page.getByRole('combobox', { name: 'Group by' }).selectOption('');

    await page
      .getByRole('button', { name: `Services of ${service} a` })
      .last()
      .click();
    await page.getByRole('button', { name: 'Expand all' }).click();
    await page.getByRole('button', { name: new RegExp(`${service}-db`) }).click();
    await expect(found(page)).toHaveCount(1);
    await expect(page.getByRole('status').filter({ hasText: '1 of 3 traces' })).toBeVisible();
    await expect(page).toHaveURL(new RegExp(`svc=${service}-db`));
    await page.getByRole('button', { name: `Remove filter ${service}-db` }).click();

    await page.getByRole('button', { name: 'Errors only' }).click();
    await expect(found(page)).toHaveText([/b/]);
  });

  test('of a limit that was reached may be raised', async ({ page, server }) => {
    const service = newService('limit');
    await store(server, ...Array.from({ length: 7 }, (_, i) => ({ service, durationMs: i + 1 })));
    await page.goto(server.ui(`?serviceName=${service}&lookback=1h&limit=3`));
    await expect(found(page)).toHaveCount(3);
    await page.getByRole('button', { name: 'Raise to 100' }).click();
    await expect(found(page)).toHaveCount(7);
    await expect(page.getByText('Limit reached')).toHaveCount(0);
  });

  test('may be the longest of all that match', async ({ page, server }) => {
    const service = newService('order');
    await store(
      server,
      { service, name: 'long', durationMs: 800, agoMs: 90_000 },
      { service, name: 'new', agoMs: 1_000 },
    );
    await page.goto(server.ui(`?serviceName=${service}&lookback=1h&limit=1`));
    await expect(found(page)).toHaveText([/new/]);
    await page.getByRole('combobox', { name: 'First' }).selectOption('longest');
    await run(page).click();
    await expect(found(page)).toHaveText([/long/]);
    await expect(page).toHaveURL(/order=longest/);
  });

  test('open by click, in a new tab by Ctrl+click, and Back returns at once', async ({ page, server, context }) => {
    const service = newService('open');
    const [id = ''] = await store(server, { service, name: 'the one' });
    await page.goto(server.ui(`?serviceName=${service}&${hour}`));
    const popup = context.waitForEvent('page');
    await found(page)
      .first()
      .click({ modifiers: ['Control'] });
    await expect(await popup).toHaveURL(new RegExp(`/traces/${id}`));
    // The whole row is the link, not only its words.
    await results(page)
      .getByRole('row')
      .nth(1)
      .click({ position: { x: 700, y: 12 } });
    await expect(page).toHaveURL(new RegExp(`/traces/${id}`));
    await expect(page.getByRole('heading', { level: 1 })).toContainText('the one');
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    await page.goBack();
    await expect(found(page)).toHaveCount(1);
    expect(asked.filter((url) => /summaries|\/traces\?/.test(url))).toEqual([]);
  });

  test('of thousands are drawn only as far as they are seen', async ({ page, server }) => {
    const service = newService('thousand');
    await store(server, ...Array.from({ length: 1_500 }, (_, i) => ({ service, durationMs: 1 + (i % 90) })));
    await page.goto(server.ui(`?serviceName=${service}&lookback=1h&limit=2000`));
    await expect(results(page)).toHaveAttribute('aria-rowcount', '1501');
    expect(await results(page).getByRole('row').count()).toBeLessThan(80);
    await page.keyboard.press('End');
    // The height of rows is measured when they are drawn: the end moves while one goes there.
    await expect(async () => {
      await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
      await expect(results(page).locator('[aria-rowindex="1501"]')).toBeInViewport({ timeout: 1_000 });
    }).toPass();
  });
});

test('the scatter shows the traces, selects by drag and by keys, and opens by click', async ({ page, server }) => {
  const service = newService('scatter');
  await store(
    server,
    { service, name: 'left', durationMs: 10, agoMs: 50_000 },
    { service, name: 'middle', durationMs: 1_000, agoMs: 30_000, tags: { error: '' } },
    { service, name: 'right', durationMs: 10, agoMs: 10_000 },
  );
  await page.goto(server.ui(`?serviceName=${service}&${hour}&view=scatter&sort=start`));
  const plot = page.getByRole('application', { name: /Scatter plot of 3 traces/ });
  await expect(plot).toBeVisible();
  const area = plot.locator('.u-over');
  const box = (await area.boundingBox())!;
  // The left half, from corner to corner.
  await page.mouse.move(box.x + 2, box.y + 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.3, box.y + box.height - 2, { steps: 4 });
  await page.mouse.up();
  await expect(found(page)).toHaveText([/left/]);
  await expect(page).toHaveURL(/sel=\d+-\d+,\d+-\d+/);
  await page.reload();
  await expect(found(page)).toHaveText([/left/]);
  await page.getByRole('button', { name: 'Clear selection' }).click();
  await expect(found(page)).toHaveCount(3);

  await plot.focus();
  await page.keyboard.press('ArrowRight');
  await expect(page.getByText(`${service} left · 10 ms`)).toBeVisible();
  await page.keyboard.press('Shift+ArrowRight');
  await expect(found(page)).toHaveText([/left/]);
  await page.keyboard.press('Escape');
  await expect(found(page)).toHaveCount(3);
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1 })).toContainText('middle');
});

test('the scatter is a heatmap on choice, which its address says', async ({ page, server }) => {
  const service = newService('heat');
  await store(
    server,
    { service, durationMs: 10 },
    { service, durationMs: 11 },
    { service, durationMs: 900, tags: { error: '' } },
  );
  await page.goto(server.ui(`?serviceName=${service}&${hour}&view=scatter`));
  const plot = page.getByRole('application', { name: /Scatter plot of 3 traces/ });
  const picture = () => plot.locator('canvas').evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
  await expect(plot.locator('canvas')).toBeVisible();
  // Drawn anew as long as the page finds its size.
  let points = '';
  await expect
    .poll(async () => {
      const last = points;
      points = await picture();
      return points === last;
    })
    .toBe(true);
  await page.getByRole('button', { name: 'Heatmap' }).click();
  await expect(page.getByText('darker: more traces')).toBeVisible();
  await expect.poll(picture).not.toBe(points);
  await expect(page).toHaveURL(/view=heatmap/);
  await page.reload();
  await expect(page.getByRole('button', { name: 'Heatmap' })).toHaveAttribute('aria-pressed', 'true');
  await page.getByRole('button', { name: 'Heatmap' }).click();
  await expect(page.getByText('darker: more traces')).toHaveCount(0);
  await expect.poll(picture).toBe(points);
});

test('a click opens what lies under the pointer, also one that comes before the mark', async ({ page, server }) => {
  const service = newService('point');
  await store(server, { service, name: 'alone' });
  await page.goto(server.ui(`?serviceName=${service}&${hour}&view=scatter`));
  const plot = page.getByRole('application', { name: /Scatter plot of 1 trace/ });
  // A single trace lies in the middle.
  await plot.locator('.u-over').click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText('alone');
});

test('a search is saved under a name, found again, and stays relative', async ({ page, server }) => {
  const service = newService('saved');
  await store(server, { service });
  await page.goto(server.ui(`?serviceName=${service}&${hour}`));
  await expect(found(page)).toHaveCount(1);
  await page.getByRole('button', { name: 'Saved', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: 'Saved searches' });
  await dialog.getByRole('textbox', { name: 'Name of this search' }).fill('my search');
  await dialog.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(dialog.getByRole('button', { name: /^my search/ })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(dialog).toHaveCount(0);

  await page.goto(server.ui(''));
  const before = Date.now();
  await page.getByRole('button', { name: /^my search/ }).click();
  await expect(found(page)).toHaveCount(1);
  const endTs = Number(new URL(page.url()).searchParams.get('endTs'));
  expect(endTs).toBeGreaterThanOrEqual(before);

  await page.goto(server.ui('settings'));
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export' }).click();
  const path = await (await download).path();
  await page.getByRole('button', { name: 'Remove my search' }).click();
  await expect(page.getByText('None yet.')).toBeVisible();
  await page.getByLabel('Import').setInputFiles(path);
  await expect(page.getByText('1 search imported.')).toBeVisible();
  await expect(page.getByText('my search')).toBeVisible();
});

test('a time range of its own is searched as it stands', async ({ page, server }) => {
  const service = newService('range');
  await store(server, { service, agoMs: 2 * 3_600_000 });
  await page.goto(server.ui(`?serviceName=${service}&lookback=15m&limit=10`));
  await expect(page.getByText('No trace matched')).toBeVisible();
  await page.getByRole('combobox', { name: 'Time' }).selectOption('range');
  await page.getByLabel('From').fill(new Date(Date.now() - 3 * 3_600_000).toISOString().slice(0, 19));
  await run(page).click();
  await expect(found(page)).toHaveCount(1);
  await expect(page).toHaveURL(/lookback=range&startTs=\d+&endTs=\d+/);
});
