/** The router's own mark: it reloads for the chunk of a page, and a second reload for the same one helps nobody. */
const reloadedFor = (error: Error) => `tanstack_router_reload:${error.message}`;

/** Whether the code or the styles of a part of the page could not be fetched: each browser says so in its own words. */
function isMissingChunk(error: unknown): error is Error {
  return (
    error instanceof Error &&
    /dynamically imported module|Importing a module script failed|Unable to preload CSS/.test(error.message)
  );
}

/**
 * A page that was open while the server was upgraded asks for chunks that are gone. It may reload itself for each of
 * them once; when that did not help, or nothing can be remembered, the failure is shown.
 */
export function mayReload(error: unknown): boolean {
  try {
    return isMissingChunk(error) && sessionStorage.getItem(reloadedFor(error)) === null;
  } catch {
    return false;
  }
}

export function reloadFor(error: unknown): void {
  if (error instanceof Error) sessionStorage.setItem(reloadedFor(error), '1');
  location.reload();
}
