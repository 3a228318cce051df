/** When this tab last reloaded itself for a missing chunk, in epoch ms. */
const reloadedAt = 'zipkindReloadedAt';
/** A second reload so soon after the first helps nobody; later it may be for another upgrade. */
const RELOAD_EVERY_MS = 5 * 60_000;

/** Whether the code or the styles of a part of the page could not be fetched: each browser says so in its own words. */
function isMissingChunk(error: unknown): boolean {
  return (
    error instanceof Error &&
    /dynamically imported module|Importing a module script failed|Unable to preload CSS/.test(error.message)
  );
}

/**
 * A page that was open while the server was upgraded asks for chunks that are gone. It may reload itself for that, but
 * not again and again: when it has just done so, or nothing can be remembered, the failure is shown. One mark serves
 * all chunks, because not every browser names the one it missed.
 */
export function mayReload(error: unknown): boolean {
  try {
    const last = Number(sessionStorage.getItem(reloadedAt));
    return isMissingChunk(error) && Math.abs(Date.now() - last) >= RELOAD_EVERY_MS;
  } catch {
    return false;
  }
}

/** Reloads the page; false when that could not be remembered, and would be done again for ever. */
export function reloadOnce(): boolean {
  try {
    sessionStorage.setItem(reloadedAt, String(Date.now()));
  } catch {
    return false;
  }
  location.reload();
  return true;
}

/** The router would reload by itself, with a mark that it never forgets: in other words it does not know the failure. */
export function inOurWords(error: unknown): never {
  throw isMissingChunk(error) ? new Error(`a part of the page is missing: ${(error as Error).message}`) : error;
}
