// Read before anything is drawn, so that nobody sees the wrong colours for a moment. `auto` follows the system.
(() => {
  let theme = 'auto';
  try {
    theme = localStorage.getItem('freehold.theme') ?? 'auto';
  } catch {
    // Without storage the system decides.
  }
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
})();
