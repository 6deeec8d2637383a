// Light, dark, or as the system has it: one button goes round.

const NAME = 'freehold.theme';
const ROUND = ['auto', 'light', 'dark'];
const WORDS = { auto: 'as the system', light: 'light', dark: 'dark' };

export class Theme {
  constructor(button) {
    this.button = button;
    this.root = document.documentElement;
    button.addEventListener('click', () => this.set(ROUND[(ROUND.indexOf(this.now) + 1) % ROUND.length]));
  }

  get now() {
    return this.root.dataset.theme ?? 'auto';
  }

  set(theme) {
    if (theme === 'auto') delete this.root.dataset.theme;
    else this.root.dataset.theme = theme;
    try {
      if (theme === 'auto') localStorage.removeItem(NAME);
      else localStorage.setItem(NAME, theme);
    } catch {
      // Not remembered then.
    }
    this.draw();
  }

  draw() {
    const label = `Colours: ${WORDS[this.now]}`;
    this.button.setAttribute('aria-label', label);
    this.button.title = label;
  }
}
