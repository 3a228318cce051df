// @vitest-environment node
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { layOut, readTrace } from './build';
import type { Span } from './span';

const folder = new URL('../../test/fixtures/', import.meta.url);
const known = JSON.parse(readFileSync(new URL('critical-shares.json', folder), 'utf8')) as Record<string, object>;

/** Shares of the critical path by local service, the server's for a call of two halves. */
function sharesOf(name: string): Record<string, number> {
  const trace = readTrace(JSON.parse(readFileSync(new URL(`traces/${name}.json`, folder), 'utf8')) as Span[]);
  const { layout, rows } = layOut(trace, false);
  const shares = new Map<string, number>();
  for (let row = 0; row < rows.count; row++) {
    const local = trace.spans[rows.inner[row]!]?.local ?? trace.spans[rows.main[row]!]?.local;
    const share = layout.critical.share[row]! / layout.critical.totalUs;
    if (local?.serviceName && share > 0) {
      shares.set(local.serviceName, (shares.get(local.serviceName) ?? 0) + share);
    }
  }
  return Object.fromEntries([...shares].sort().map(([service, share]) => [service, Number(share.toFixed(9))]));
}

describe('shares of the critical path', () => {
  // The server tells them in its list of results: its tests check the same file.
  it.each(Object.keys(known))('of %s are those the server tells', (name) => {
    expect(sharesOf(name)).toEqual(known[name]);
  });
});
