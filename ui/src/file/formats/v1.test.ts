import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { JsonSpan } from '../../model/types';
import { readSpans } from './read';

/** Conversions that zipkin-server did, shared with the tests of the server. */
const golden = '../tests/golden/json_v1';

interface Recorded {
  readonly case: string;
  readonly in: string;
  readonly spans?: string | readonly JsonSpan[];
}

/** As the server normalises: lower case, sorted annotations and tags, one order of spans and members. */
function normal(spans: readonly JsonSpan[]): unknown {
  const lower = <T extends JsonSpan['localEndpoint']>(one: T) =>
    one && { ...one, ...(one.serviceName !== undefined && { serviceName: one.serviceName.toLowerCase() }) };
  return spans
    .map((span) => ({
      ...span,
      name: span.name?.toLowerCase(),
      localEndpoint: lower(span.localEndpoint),
      remoteEndpoint: lower(span.remoteEndpoint),
      tags: span.tags && Object.fromEntries(Object.entries(span.tags).sort()),
      annotations:
        span.annotations &&
        [...span.annotations].sort((a, b) => a.timestamp - b.timestamp || (a.value < b.value ? -1 : 1)),
    }))
    .map((span) =>
      JSON.stringify(
        Object.entries(span)
          .filter(([, value]) => value !== undefined)
          .sort(),
      ),
    )
    .sort();
}

describe('v1 spans become the v2 spans of zipkin-server', () => {
  test.each(['brave-okhttp-json-v1', 'zipkin-js-http-v1'])('as %s reported them', (client) => {
    const read = readSpans(readFileSync(`${golden}/${client}/in.1.json`, 'utf8'));
    const expected = JSON.parse(readFileSync(`${golden}/${client}/spans.json`, 'utf8')) as JsonSpan[];
    expect(normal(read)).toEqual(normal(expected));
  });

  const recorded = (JSON.parse(readFileSync(`${golden}/recorded.json`, 'utf8')) as Recorded[]).filter(
    (one) => one.spans,
  );
  test.each(recorded.map((one) => [one.case, one.in, one] as const))('%s: %s', (_, input, { spans }) => {
    const expected = (typeof spans === 'string' ? JSON.parse(spans) : spans) as JsonSpan[];
    if (expected.length > 0) expect(normal(readSpans(input))).toEqual(normal(expected));
  });
});
