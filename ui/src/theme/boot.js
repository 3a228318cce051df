// Sets the stored theme before the first paint; without one the style sheet follows the system.
try {
  const t = localStorage.getItem('zipkinThemeOverride');
  if (t === 'light' || t === 'dark') document.documentElement.dataset.theme = t;
} catch {}
