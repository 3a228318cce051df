/** The address below which the server answers: from `<base href>`, so that any base path works. */
export function baseUrl(): URL {
  return new URL('.', document.baseURI);
}

/** `/zipkin` or an empty text for the root: what the router puts before its paths. */
export function basePath(): string {
  return baseUrl().pathname.replace(/\/$/, '');
}

/** An address of the server: path segments are encoded, undefined parameters are left out. */
export function serverUrl(
  segments: readonly string[],
  parameters: Readonly<Record<string, string | number | undefined>> = {},
): URL {
  const url = new URL(segments.map(encodeURIComponent).join('/'), baseUrl());
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url;
}
