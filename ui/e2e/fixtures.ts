/** Tests with a server and a page that is watched: an error in the console or a request elsewhere fails the test. */
import { type BrowserContext, test as base, expect } from '@playwright/test';
import { Zipkind } from './server';

interface Watch {
  /** Errors in the console that a test provokes. */
  allow(pattern: RegExp): void;
  /** Origins other than the server's that a test may ask. */
  allowOrigin(origin: string): void;
}

interface TestFixtures {
  readonly watch: Watch;
}
interface WorkerFixtures {
  readonly server: Zipkind;
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  server: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of what a fixture needs
    async ({}, use) => {
      const server = await Zipkind.start();
      await use(server);
      await server.stop();
    },
    { scope: 'worker' },
  ],
  watch: [
    async ({ context, server }, use) => {
      const problems: string[] = [];
      const allowed: RegExp[] = [];
      const origins = new Set([server.origin]);
      watchPages(context, problems, origins);
      await use({
        allow: (pattern) => allowed.push(pattern),
        allowOrigin: (origin) => origins.add(origin),
      });
      expect(problems.filter((problem) => !allowed.some((pattern) => pattern.test(problem)))).toEqual([]);
    },
    { auto: true },
  ],
});

/** Every page of the test, with the workers and the pages it opens. A refusal by the page's policy is an error in the console. */
function watchPages(context: BrowserContext, problems: string[], origins: ReadonlySet<string>): void {
  context.on('console', (message) => {
    // A refused request is told by the page itself, which the tests look at; the browser's own line says it again.
    if (message.type() === 'error') problems.push(`console: ${message.text()}`);
  });
  context.on('weberror', (error) => problems.push(`page: ${error.error().stack ?? error.error().message}`));
  context.on('request', (request) => {
    const url = new URL(request.url());
    const local = url.protocol === 'blob:' || url.protocol === 'data:';
    if (!local && !origins.has(url.origin)) problems.push(`request to ${url.origin}`);
  });
}

export { expect };
