import { defineConfig } from '@playwright/test';

/** Chromium as the system has it (`apt-get install chromium`), or where `CHROMIUM` says. Root needs it without a sandbox. */
const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium';
const args = ['--disable-dev-shm-usage', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])];

export default defineConfig({
  testDir: 'e2e',
  outputDir: 'node_modules/.e2e',
  fullyParallel: true,
  workers: 2,
  // Long enough for a machine with other work; nothing waits for time but for what it should see.
  timeout: 300_000,
  expect: { timeout: 30_000 },
  reporter: [['list']],
  use: {
    launchOptions: { executablePath: chromium, args },
    viewport: { width: 1440, height: 900 },
    locale: 'en-US',
    timezoneId: 'UTC',
    acceptDownloads: true,
  },
});
