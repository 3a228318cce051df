/**
 * What a page costs, as the browser counts it: CPU seconds of the main thread (Performance metrics in thread time), CPU
 * seconds of the workers (the kernel's own count for their threads), bytes on the wire, heap, long tasks.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { Browser, BrowserContext, CDPSession, Page } from '@playwright/test';

export class Meter {
  private constructor(
    readonly page: Page,
    private readonly context: BrowserContext,
    private readonly devtools: CDPSession,
    private readonly browserPid: number,
    private bytes: number,
  ) {}

  /** A page of its own, with nothing cached. */
  static async open(browser: Browser, browserPid: number): Promise<Meter> {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, timezoneId: 'UTC' });
    const page = await context.newPage();
    const devtools = await context.newCDPSession(page);
    const meter = new Meter(page, context, devtools, browserPid, 0);
    await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
    await devtools.send('Network.enable');
    devtools.on('Network.loadingFinished', ({ encodedDataLength }) => {
      meter.bytes += encodedDataLength;
    });
    await page.addInitScript(() => {
      const seen = { longTaskMs: 0, firstPaintMs: 0 };
      (window as unknown as { meter: typeof seen }).meter = seen;
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) seen.longTaskMs = Math.max(seen.longTaskMs, entry.duration);
      }).observe({ type: 'longtask', buffered: true });
      new PerformanceObserver((list) => {
        for (const entry of list.getEntriesByName('first-contentful-paint')) seen.firstPaintMs = entry.startTime;
      }).observe({ type: 'paint', buffered: true });
    });
    return meter;
  }

  close(): Promise<void> {
    return this.context.close();
  }

  /** Compressed bytes of all answers so far, with their headers. */
  bytesReceived(): number {
    return this.bytes;
  }

  /** Compressed bytes of the style sheets of this page. */
  styleBytes(): Promise<number> {
    return this.page.evaluate(() =>
      (performance.getEntriesByType('resource') as PerformanceResourceTiming[])
        .filter(({ name }) => name.endsWith('.css'))
        .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0),
    );
  }

  /** CPU seconds of the main thread since the page began. */
  async mainSeconds(): Promise<number> {
    return (await this.metrics()).get('TaskDuration') ?? 0;
  }

  /** Milliseconds since the page was asked for. */
  sinceAddressMs(): Promise<number> {
    return this.page.evaluate(() => performance.now());
  }

  async domNodes(): Promise<number> {
    return this.page.evaluate(() => document.querySelectorAll('*').length);
  }

  /** MiB of JavaScript heap after a collection: the page's, and that of its workers. */
  async heapMib(): Promise<{ page: number; workers: number }> {
    await this.devtools.send('HeapProfiler.collectGarbage');
    const { usedSize } = await this.devtools.send('Runtime.getHeapUsage');
    return { page: usedSize / 2 ** 20, workers: (await this.workerHeapBytes()) / 2 ** 20 };
  }

  async seen(): Promise<{ longTaskMs: number; firstPaintMs: number }> {
    return this.page.evaluate(
      () => (window as unknown as { meter: { longTaskMs: number; firstPaintMs: number } }).meter,
    );
  }

  /** CPU seconds of all worker threads of this browser so far. */
  workerSeconds(): number {
    let nanoseconds = 0;
    for (const pid of descendants(this.browserPid)) {
      for (const thread of listed(`/proc/${pid}/task`)) {
        if (!read(`/proc/${pid}/task/${thread}/comm`).startsWith('DedicatedWorker')) continue;
        nanoseconds += Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0] ?? 0);
      }
    }
    return nanoseconds / 1e9;
  }

  private async metrics(): Promise<Map<string, number>> {
    const { metrics } = await this.devtools.send('Performance.getMetrics');
    return new Map(metrics.map(({ name, value }) => [name, value]));
  }

  /** Asks each worker for its heap through a session of its own. */
  private async workerHeapBytes(): Promise<number> {
    const sessions: string[] = [];
    const attached = ({ sessionId, targetInfo }: { sessionId: string; targetInfo: { type: string } }) => {
      if (targetInfo.type === 'worker') sessions.push(sessionId);
    };
    this.devtools.on('Target.attachedToTarget', attached);
    await this.devtools.send('Target.setAutoAttach', {
      autoAttach: true,
      waitForDebuggerOnStart: false,
      flatten: false,
    });
    let bytes = 0;
    for (const sessionId of sessions) {
      await this.ask(sessionId, 'HeapProfiler.collectGarbage');
      bytes += ((await this.ask(sessionId, 'Runtime.getHeapUsage')) as { usedSize?: number }).usedSize ?? 0;
    }
    this.devtools.off('Target.attachedToTarget', attached);
    await this.devtools.send('Target.setAutoAttach', {
      autoAttach: false,
      waitForDebuggerOnStart: false,
      flatten: false,
    });
    return bytes;
  }

  private asked = 0;

  private ask(sessionId: string, method: string): Promise<unknown> {
    this.asked += 1;
    const id = this.asked;
    return new Promise((resolve) => {
      const answered = ({ message }: { message: string }) => {
        const answer = JSON.parse(message) as { id?: number; result?: unknown };
        if (answer.id !== id) return;
        this.devtools.off('Target.receivedMessageFromTarget', answered);
        resolve(answer.result ?? {});
      };
      this.devtools.on('Target.receivedMessageFromTarget', answered);
      void this.devtools.send('Target.sendMessageToTarget', { sessionId, message: JSON.stringify({ id, method }) });
    });
  }
}

function descendants(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of listed('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = Number(/\) \S (\d+)/.exec(read(`/proc/${name}/stat`))?.[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found: number[] = [root];
  for (const pid of found) found.push(...(children.get(pid) ?? []));
  return found;
}

/** Processes and threads end while they are looked at. */
function listed(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
