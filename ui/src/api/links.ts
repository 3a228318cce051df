declare const checked: unique symbol;
/** An address that may become a link: checked by `safeUrl`. */
export type HttpUrl = string & { readonly [checked]: true };

/**
 * An absolute `http:` or `https:` address without credentials, or undefined. Characters that the URL parser would
 * silently drop (`java\nscript:`) and white space are refused, so that what is shown is what is opened.
 */
export function safeUrl(value: string | undefined): HttpUrl | undefined {
  if (value === undefined || !/^https?:\/\/[^\s\p{Cc}\p{Cf}\\]+$/iu.test(value)) return undefined;
  let url: URL;
  try {
    url = new URL(value);
  } catch {
    return undefined;
  }
  const allowed = (url.protocol === 'http:' || url.protocol === 'https:') && url.username === '' && url.password === '';
  return allowed ? (url.href as HttpUrl) : undefined;
}

/** Fills `{name}` of an operator's template with percent-encoded values, then checks the result. */
export function fillUrl(template: string | undefined, values: Readonly<Record<string, string>>): HttpUrl | undefined {
  return safeUrl(
    template?.replace(/\{(\w+)\}/g, (whole, name: string) =>
      Object.hasOwn(values, name) ? encodeURIComponent((values[name] ?? '').toWellFormed()) : whole,
    ),
  );
}
