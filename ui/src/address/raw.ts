/**
 * The query part of an address as text: names to their values in order. Nothing is turned into numbers or JSON here,
 * so that lens links, repeated names and parameters of others survive a round trip. A null prototype keeps names such
 * as `__proto__` plain data.
 */
export type RawSearch = Readonly<Record<string, string | readonly string[]>>;

/** Reads `?a=1&b=2&b=3`; a leading question mark is allowed, broken percent escapes stay as they are. */
export function parseRaw(query: string): RawSearch {
  const raw: Record<string, string | string[]> = Object.create(null);
  for (const [name, value] of new URLSearchParams(query)) {
    const known = raw[name];
    if (known === undefined) raw[name] = value;
    else if (Array.isArray(known)) known.push(value);
    else raw[name] = [known, value];
  }
  return raw;
}

/** Writes `?…`, or nothing when there is no parameter. Commas and colons stay readable: they mean nothing in a query. */
export function formatRaw(raw: Readonly<Record<string, unknown>>): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(raw)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null) parts.push(`${encode(name)}=${encode(String(one))}`);
    }
  }
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

function encode(text: string): string {
  // encodeURIComponent throws on a lone surrogate, which a pasted address may carry.
  return encodeURIComponent(text.toWellFormed()).replace(/%(2C|3A|2A|2F)/g, (encoded) => decodeURIComponent(encoded));
}

/** The first value of a name: what zipkin-server takes of repeated parameters. */
export function first(raw: RawSearch, name: string): string | undefined {
  const value = Object.hasOwn(raw, name) ? raw[name] : undefined;
  return typeof value === 'string' ? value : value?.[0];
}

/** All values of a name, in order. */
export function all(raw: RawSearch, name: string): readonly string[] {
  const value = Object.hasOwn(raw, name) ? raw[name] : undefined;
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}

/** An integer of at most 15 digits, so that it is exact; anything else is nothing. */
export function integer(text: string | undefined): number | undefined {
  return text !== undefined && /^-?\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Keeps what `known` does not claim, to be written back unchanged. */
export function unknownOf(raw: RawSearch, known: ReadonlySet<string>): RawSearch {
  const rest: Record<string, string | readonly string[]> = Object.create(null);
  for (const [name, value] of Object.entries(raw)) if (!known.has(name)) rest[name] = value;
  return rest;
}
