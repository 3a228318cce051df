import type { JsonEndpoint, JsonSpan } from './types';

export type Span = JsonSpan;
export type Endpoint = JsonEndpoint;
export type SpanKind = NonNullable<JsonSpan['kind']>;
/** A fact at one moment; `timestamp` in epoch microseconds. */
export type Annotation = NonNullable<JsonSpan['annotations']>[number];
/** Tags are data: look them up with `Object.hasOwn`, since a key may be `__proto__`. */
export type Tags = Readonly<Record<string, string>>;

export const NO_TAGS: Tags = Object.freeze(Object.create(null) as Record<string, string>);
export const NO_ANNOTATIONS: readonly Annotation[] = Object.freeze([]);

/** Equality as zipkin defines it for endpoints: all four members. */
export function sameEndpoint(a: Endpoint | undefined, b: Endpoint | undefined): boolean {
  if (a === b) return true;
  if (!a || !b) return false;
  return a.serviceName === b.serviceName && a.ipv4 === b.ipv4 && a.ipv6 === b.ipv6 && a.port === b.port;
}

/** True when both sides name the same host: an equal IPv6 address or an equal IPv4 address. */
export function sameAddress(a: Endpoint | undefined, b: Endpoint | undefined): boolean {
  if (!a || !b) return false;
  if (a.ipv6 && a.ipv6 === b.ipv6) return true;
  return Boolean(a.ipv4) && a.ipv4 === b.ipv4;
}
