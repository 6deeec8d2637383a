// The keyboard. One table: what is listed is what works. Every entry needs a modifier, so that speech input and a
// stray finger set nothing off (WCAG 2.1.4).

import { h } from '../dom.js';

const mac = /Mac|iPhone|iPad/.test(navigator.platform);

export const SHORTCUTS = [
  { name: 'new', text: 'New conversation', ctrl: true, shift: true, code: 'KeyO', show: ['O'] },
  { name: 'search', text: 'Search the conversations', ctrl: true, code: 'KeyK', show: ['K'] },
  { name: 'sidebar', text: 'Show or hide the conversations', ctrl: true, code: 'KeyB', show: ['B'] },
  { name: 'settings', text: 'Settings', ctrl: true, code: 'Comma', show: [','] },
  { name: 'keys', text: 'This list', ctrl: true, code: 'Slash', show: ['/'] },
  { name: 'edit', text: 'Edit your last message', alt: true, code: 'ArrowUp', show: ['↑'] },
  { name: 'again', text: 'Answer again', alt: true, code: 'KeyR', show: ['R'] },
  { name: 'copy', text: 'Copy the last answer', alt: true, code: 'KeyC', show: ['C'] },
  { name: 'earlier', text: 'Earlier version', alt: true, code: 'BracketLeft', show: ['['] },
  { name: 'later', text: 'Later version', alt: true, code: 'BracketRight', show: [']'] },
];
const FIXED = [
  ['Send', ['Enter']],
  ['New line', ['Shift', 'Enter']],
  ['Stop the answer', ['Esc']],
];

/** Listens; `act[name]()` is called for a shortcut, `act.stop()` for Esc while no dialog is open. */
export function listen(act) {
  document.addEventListener('keydown', (event) => {
    if (event.isComposing || document.querySelector('dialog[open]')) return;
    if (event.key === 'Escape' && !event.defaultPrevented && !document.querySelector('.menu:popover-open')) return act.stop();
    const ctrl = event.ctrlKey || event.metaKey;
    const found = SHORTCUTS.find((key) => key.code === event.code && !!key.ctrl === ctrl && !!key.shift === event.shiftKey && !!key.alt === event.altKey);
    if (!found) return;
    event.preventDefault();
    act[found.name]();
  });
}

/** Fills the list of shortcuts. */
export function list(root) {
  const keys = (names) => names.flatMap((name, i) => [i ? ' ' : null, h('kbd', {}, name)]);
  for (const [text, names] of FIXED) root.append(h('dt', {}, text), h('dd', {}, keys(names)));
  for (const key of SHORTCUTS) {
    const names = [key.ctrl && (mac ? '⌘' : 'Ctrl'), key.alt && (mac ? '⌥' : 'Alt'), key.shift && 'Shift', ...key.show].filter(Boolean);
    root.append(h('dt', {}, key.text), h('dd', {}, keys(names)));
  }
}
