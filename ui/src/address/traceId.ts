/**
 * The trace id meant by a text: 1-32 hex digits in any case, with dashes and blanks between them; or one taken out of
 * a pasted address (`…/traces/{id}`), a `traceparent` or a `b3` header. Lower case; undefined when there is none.
 */
export function parseTraceId(text: string): string | undefined {
  const trimmed = text.trim();
  return fromUrl(trimmed) ?? fromTraceparent(trimmed) ?? fromB3(trimmed) ?? plain(trimmed);
}

/** An id as it stands in the path: only the plain form counts there. */
export function plain(text: string): string | undefined {
  const id = text.replace(/[\s-]/g, '').toLowerCase();
  return /^[0-9a-f]{1,32}$/.test(id) && !/^0+$/.test(id) ? id : undefined;
}

function fromUrl(text: string): string | undefined {
  if (!/^https?:\/\//i.test(text)) return undefined;
  const path = text.replace(/[?#].*$/s, '');
  const match = /\/traces?\/([0-9a-fA-F-]{1,36})\/?$/.exec(path);
  return match?.[1] === undefined ? undefined : plain(match[1]);
}

function fromTraceparent(text: string): string | undefined {
  const match = /^(?:traceparent:\s*)?[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/i.exec(text);
  return match?.[1] === undefined ? undefined : plain(match[1]);
}

function fromB3(text: string): string | undefined {
  const match = /^(?:b3:\s*)?([0-9a-f]{16}|[0-9a-f]{32})-[0-9a-f]{16}(?:-[01d](?:-[0-9a-f]{16})?)?$/i.exec(text);
  return match?.[1] === undefined ? undefined : plain(match[1]);
}
