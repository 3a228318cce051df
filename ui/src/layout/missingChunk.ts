const reloadedKey = 'zipkinUiReloaded';

/**
 * A page that was open while the server was upgraded asks for chunks that are gone. It reloads itself once; when that
 * did not help, the failure is shown by the page's error panel.
 */
export function reloadOnceOnMissingChunk(): void {
  addEventListener('vite:preloadError', () => {
    try {
      if (sessionStorage.getItem(reloadedKey) !== null) return;
      sessionStorage.setItem(reloadedKey, String(Date.now()));
    } catch {
      return;
    }
    location.reload();
  });
}

/** A page came up whole: the next missing chunk may reload again. */
export function forgetReload(): void {
  try {
    sessionStorage.removeItem(reloadedKey);
  } catch {
    // Nothing was kept.
  }
}
