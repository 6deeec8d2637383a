// The list of conversations: newest first, under the day they were last touched; searched on the server.

import { $, debounce, h, iconButton } from '../dom.js';
import { era } from '../state/format.js';

export class Sidebar {
  /** `act`: `{ search(q), more(), open(id), rename(entry), remove(entry), export(entry, format) }`. */
  constructor(root, act) {
    this.root = root;
    this.act = act;
    this.list = $('#list', root);
    this.field = $('#search', root);
    this.field.addEventListener('input', debounce(180, () => act.search(this.field.value.trim())));
    this.field.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.field.value) {
        event.stopPropagation();
        this.field.value = '';
        act.search('');
      } else if (event.key === 'ArrowDown') {
        event.preventDefault();
        $('a', this.list)?.focus();
      }
    });
    this.list.addEventListener('keydown', (event) => this.arrows(event));
  }

  /** Draws `entries`; `open`: the id of the one shown, `busy`: ids being answered, `q`: what was searched for. */
  show(entries, { open, busy, q, more }) {
    const focus = this.list.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
    const groups = new Map();
    for (const entry of entries) {
      const name = q ? 'Found' : era(entry.updated);
      if (!groups.has(name)) groups.set(name, []);
      groups.get(name).push(this.entry(entry, { open: entry.id === open, busy: busy.has(entry.id), q }));
    }
    const kids = [...groups].flatMap(([name, items]) => [h('h2', {}, name), h('ul', {}, items)]);
    if (!kids.length) kids.push(h('p', { class: 'empty' }, q ? 'Nothing found.' : 'Conversations will be kept here.'));
    if (more) kids.push(h('button', { type: 'button', class: 'quiet more', 'data-focus': 'more', on: { click: () => this.act.more() } }, 'Show more'));
    this.list.replaceChildren(...kids);
    if (focus) this.list.querySelector(`[data-focus="${CSS.escape(focus)}"]`)?.focus();
  }

  entry(entry, { open, busy, q }) {
    const link = h('a', { href: `#/c/${entry.id}`, 'aria-current': open ? 'page' : null, 'data-focus': `open ${entry.id}`, title: entry.title },
      h('span', { class: 'name' }, entry.title), entry.snippet ? h('span', { class: 'snippet' }, marked(entry.snippet, q)) : null);
    const menu = iconButton('more', `More for “${entry.title}”`, () => this.menu(entry, menu), { 'aria-haspopup': 'true', 'aria-expanded': 'false', 'data-focus': `menu ${entry.id}`, title: 'More' });
    return h('li', { class: 'entry', 'data-open': open, data: { id: entry.id } }, link, busy ? h('span', { class: 'busy', role: 'img', 'aria-label': 'Being answered' }) : null, menu);
  }

  menu(entry, button) {
    const choice = (label, act, risky) => h('button', { type: 'button', class: risky ? 'risky' : null, on: { click: () => (menu.hidePopover(), act()) } }, label);
    const menu = h('div', { class: 'menu', popover: 'auto', role: 'group', 'aria-label': `For “${entry.title}”` },
      choice('Rename …', () => this.act.rename(entry)),
      choice('Export as Markdown', () => this.act.export(entry, 'markdown')),
      choice('Export as JSON', () => this.act.export(entry, 'json')),
      choice('Delete …', () => this.act.remove(entry), true));
    button.after(menu);
    menu.addEventListener('toggle', (event) => {
      button.setAttribute('aria-expanded', String(event.newState === 'open'));
      if (event.newState === 'closed') {
        if (menu.contains(document.activeElement) || document.activeElement === document.body) button.focus();
        menu.remove();
      }
    });
    menu.addEventListener('keydown', (event) => {
      const all = [...menu.children];
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      all[(all.indexOf(document.activeElement) + step + all.length) % all.length].focus();
    });
    menu.showPopover();
    const spot = button.getBoundingClientRect();
    const below = spot.bottom + menu.offsetHeight + 8 < innerHeight;
    menu.style.left = `${Math.min(spot.left, innerWidth - menu.offsetWidth - 8)}px`;
    menu.style.top = `${below ? spot.bottom + 4 : spot.top - menu.offsetHeight - 4}px`;
    menu.firstChild.focus();
  }

  arrows(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !event.target.closest('a')) return;
    event.preventDefault();
    const links = [...this.list.querySelectorAll('a')];
    const to = links.indexOf(event.target.closest('a')) + step;
    if (to < 0) this.field.focus();
    else links[to]?.focus();
  }
}

/** `text` with the searched words marked. */
function marked(text, q) {
  const words = (q ?? '').split(/\s+/).filter(Boolean).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  if (!words.length) return text;
  const pattern = new RegExp(`(${words.slice(0, 8).join('|')})`, 'giu');
  return text.split(pattern).map((part, i) => (i % 2 ? h('mark', {}, part) : part));
}
