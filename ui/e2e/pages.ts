/** What several journeys look for on the pages. */
import type { Locator, Page } from '@playwright/test';
import type { Zipkind } from './server';
import type { TestSpan } from './traces';

export const filters = (page: Page): Locator => page.getByRole('textbox', { name: 'Filters' });
export const results = (page: Page): Locator => page.getByRole('table', { name: 'Traces found' });
export const run = (page: Page): Locator => page.getByRole('button', { name: 'Run query' });
/** The links of the result rows, one a trace. */
export const found = (page: Page): Locator => results(page).getByRole('link');

export interface TraceParts {
  readonly service: string;
  readonly name?: string;
  readonly durationMs?: number;
  readonly agoMs?: number;
  readonly tags?: Record<string, string>;
  readonly remote?: string;
  readonly callee?: string;
  readonly annotation?: string;
}

let traces = 0;

/** An id that differs in its lower half, too: the server orders traces of equal start by it. */
export function freshTraceId(): string {
  traces += 1;
  return `${Date.now().toString(16).padStart(16, '0')}${process.pid.toString(16).padStart(8, '0')}${traces.toString(16).padStart(8, '0')}`;
}

/** A trace of one span, and of a second one when it has a callee. */
export function smallTrace(parts: TraceParts): TestSpan[] {
  const { service, name = 'get /', durationMs = 10, agoMs = 60_000, tags, remote, callee, annotation } = parts;
  const traceId = freshTraceId();
  const timestamp = (Date.now() - agoMs) * 1_000;
  const duration = durationMs * 1_000;
  const root: TestSpan = {
    traceId,
    id: '1',
    kind: remote === undefined ? 'SERVER' : 'CLIENT',
    name,
    timestamp,
    duration,
    localEndpoint: { serviceName: service },
    ...(remote !== undefined && { remoteEndpoint: { serviceName: remote } }),
    ...(tags && { tags }),
    ...(annotation !== undefined && { annotations: [{ timestamp: timestamp + 1, value: annotation }] }),
  };
  if (callee === undefined) return [root];
  const call = { traceId, id: '2', parentId: '1', timestamp: timestamp + 100, duration: duration / 2 };
  return [
    root,
    { ...call, kind: 'CLIENT', name: 'call', localEndpoint: { serviceName: service } },
    { ...call, kind: 'SERVER', name: 'called', shared: true, localEndpoint: { serviceName: callee } },
  ];
}

/** Stores traces of these parts; returns their ids. */
export async function store(server: Zipkind, ...parts: TraceParts[]): Promise<string[]> {
  const traces = parts.map(smallTrace);
  await server.post(traces.flat());
  return traces.map(([root]) => root?.traceId ?? '');
}

let names = 0;

/** A service that no other test has, so that tests may share a server. */
export function newService(start: string): string {
  names += 1;
  return `${start}-${process.pid}-${names}`;
}

/** Two keys one after the other as quickly as they are typed: not with the time between them that a busy machine takes. */
export async function pressPair(page: Page, first: string, second: string): Promise<void> {
  await Promise.all([page.keyboard.press(first), page.keyboard.press(second)]);
}
