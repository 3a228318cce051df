import { defineConfig } from '@playwright/test';

/** One at a time and never again: what is measured must not be disturbed, nor repeated until it is good. */
export default defineConfig({
  testDir: '.',
  outputDir: '../node_modules/.prove',
  workers: 1,
  retries: 0,
  timeout: 40 * 60_000,
  reporter: [['list']],
});
