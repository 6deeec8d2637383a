// The messages along the current path. Elements are kept while their message stays on the path, so that scrolling,
// selection and focus survive whatever happens elsewhere.

import { $, copyText, h, iconButton } from '../dom.js';
import { Rendered } from '../markdown/render.js';
import { duration, facts, factsAtLength } from '../state/format.js';

export class MessagesView {
  /** `act`: `{ edit(id, text), again(id), goOn(id), turn(id, step), toast(text), key() }`. */
  constructor(root, act) {
    this.root = root;
    this.act = act;
    this.views = new Map();
  }

  /** Shows `path` of `tree`; `busy`: the id of the message being written, or null. */
  show(tree, path, busy) {
    const wanted = new Map();
    for (const message of path) {
      const view = this.views.get(message.id) ?? new MessageView(message, this.act);
      wanted.set(message.id, view);
      const all = tree.siblings(message.id);
      view.update(message, { busy: busy === message.id, frozen: busy !== null, version: all.indexOf(message.id), versions: all.length, last: message === path.at(-1) });
    }
    this.views = wanted;
    const elements = [...wanted.values()].map((view) => view.element);
    const last = path.at(-1);
    if (last?.role === 'user' && busy === null) elements.push(this.unanswered(last));
    elements.forEach((element, i) => {
      if (this.root.childNodes[i] !== element) this.root.insertBefore(element, this.root.childNodes[i] ?? null);
    });
    while (this.root.childNodes.length > elements.length) this.root.lastChild.remove();
  }

  /** Redraws the one message that grows. */
  grow(message) {
    this.views.get(message.id)?.text(message, true);
  }

  view(id) {
    return this.views.get(id);
  }

  unanswered(message) {
    const button = h('button', { type: 'button', class: 'quiet', on: { click: () => this.act.again(message.id) } }, 'Ask for an answer');
    return h('div', { class: 'trouble mild', 'data-unanswered': true }, h('p', {}, 'This has not been answered.'), button);
  }
}

class MessageView {
  constructor(message, act) {
    this.act = act;
    this.id = message.id;
    this.role = message.role;
    this.actions = h('div', { class: 'actions', role: 'group', 'aria-label': 'For this message' });
    this.heading = h('h2', { class: 'off-screen', tabindex: -1 });
    this.body = h('div', { class: message.role === 'assistant' ? 'prose' : 'bubble', dir: 'auto' });
    this.trouble = h('div', {});
    this.element = h('article', { class: `message ${message.role}`, data: { id: message.id } }, this.heading, this.body, this.trouble, this.actions);
    if (message.role === 'assistant') this.rendered = new Rendered(this.body, { copy: copyBlock });
  }

  update(message, { busy, frozen, version, versions, last }) {
    this.message = message;
    const name = this.role === 'assistant' ? 'Answer' : this.role === 'user' ? 'You' : 'System';
    this.heading.textContent = versions > 1 ? `${name}, version ${version + 1} of ${versions}` : name;
    this.element.setAttribute('aria-busy', String(busy));
    if (!this.editing) this.text(message, busy);
    this.drawTrouble(message, busy);
    this.drawActions(message, { busy, frozen, version, versions, last });
  }

  text(message, busy) {
    if (this.role !== 'assistant') {
      if (this.body.textContent !== message.content) this.body.textContent = message.content;
      return;
    }
    if (message.reasoning) this.drawReasoning(message, busy);
    const silent = busy && !message.content;
    if (silent && !message.reasoning) {
      if (!this.dots) this.element.insertBefore((this.dots = dots()), this.body);
    } else if (this.dots) {
      this.dots.remove();
      this.dots = null;
    }
    if (this.shown !== message.content || this.wasBusy !== busy) this.rendered.update(message.content, { open: busy });
    this.shown = message.content;
    this.wasBusy = busy;
  }

  drawReasoning(message, busy) {
    if (!this.fold) {
      this.summary = h('summary', {});
      this.thoughts = h('div', { class: 'thoughts prose', dir: 'auto' });
      this.fold = h('details', { class: 'reasoning' }, this.summary, this.thoughts);
      this.thinking = new Rendered(this.thoughts, { copy: copyBlock });
      this.fold.addEventListener('toggle', () => this.fold.open && this.thinking.update(this.message.reasoning, { open: this.wasBusy }));
      this.element.insertBefore(this.fold, this.body);
    }
    const thinking = busy && !message.content;
    const label = thinking ? 'Thinking …' : message.thought_ms ? `Thought for ${duration(message.thought_ms)}` : 'Thoughts';
    if (this.summary.textContent !== label) this.summary.textContent = label;
    if (this.fold.open) this.thinking.update(message.reasoning, { open: busy });
  }

  drawTrouble(message, busy) {
    const trouble = busy ? null : troubleOf(message);
    const key = trouble ? trouble.title + trouble.detail : '';
    if (this.troubleKey === key) return;
    this.troubleKey = key;
    if (!trouble) return this.trouble.replaceChildren();
    const again = trouble.kind === 'key'
      ? h('button', { type: 'button', class: 'quiet', on: { click: () => this.act.key() } }, 'Enter a key')
      : trouble.again && h('button', { type: 'button', class: 'quiet', on: { click: () => this.act.again(this.id) } }, 'Try again');
    this.trouble.replaceChildren(
      h('div', { class: trouble.mild ? 'trouble mild' : 'trouble' }, h('p', {}, h('strong', {}, trouble.title), trouble.detail), again),
    );
  }

  drawActions(message, now) {
    const { busy, frozen, version, versions, last } = now;
    this.now = now;
    const state = JSON.stringify([now, message.stats, message.state, this.editing]);
    if (this.actionState === state) return;
    this.actionState = state;
    const focused = this.actions.contains(document.activeElement) ? document.activeElement.dataset.act : null;
    const kids = [];
    if (!busy && !this.editing) {
      if (message.content) kids.push(iconButton('copy', 'Copy', (event) => this.copy(event.currentTarget), { 'data-act': 'copy' }));
      if (this.role === 'user') kids.push(iconButton('edit', 'Edit', () => this.edit(), { 'data-act': 'edit', disabled: frozen }));
      if (this.role === 'assistant') kids.push(iconButton('again', 'Answer again', () => this.act.again(this.id), { 'data-act': 'again', disabled: frozen }));
      if (last && this.role === 'assistant' && message.content && CUT.has(message.state)) {
        kids.push(h('button', { type: 'button', class: 'quiet go-on', 'data-act': 'go-on', disabled: frozen, on: { click: () => this.act.goOn(this.id) } }, 'Continue'));
      }
      if (versions > 1) kids.push(this.versions(version, versions, frozen));
      const said = this.role === 'assistant' ? facts(message.stats) : [];
      if (said.length) kids.push(h('span', { class: 'stats', title: factsAtLength(message.stats, message.model) }, said.map((fact) => h('span', {}, fact))));
    }
    this.actions.replaceChildren(...kids);
    if (focused) $(`[data-act="${focused}"]:not(:disabled)`, this.actions)?.focus();
  }

  versions(version, versions, frozen) {
    const step = (by, name, label) => iconButton(name, label, () => this.act.turn(this.id, by), { 'data-act': name, disabled: frozen || version + by < 0 || version + by >= versions });
    return h('span', { class: 'versions', role: 'group', 'aria-label': 'Versions' }, step(-1, 'left', 'Earlier version'), h('span', {}, `${version + 1} / ${versions}`), step(1, 'right', 'Later version'));
  }

  async copy(button) {
    const done = await copyText(this.message.content);
    this.act.toast(done ? 'Copied' : 'Copying is not allowed here');
    button.focus();
  }

  /** Turns the bubble into a form; what is sent from it becomes a new version beside this one. */
  edit() {
    if (this.editing) return;
    this.editing = true;
    const area = h('textarea', { 'aria-label': 'Edit the message' });
    area.value = this.message.content;
    const close = () => {
      this.editing = false;
      form.replaceWith(this.body);
      this.actionState = null;
      this.drawActions(this.message, this.now);
      $('[data-act="edit"]', this.actions)?.focus();
    };
    const submit = () => {
      const text = area.value.trim();
      if (!text) return;
      close();
      if (text !== this.message.content.trim()) this.act.edit(this.id, text);
    };
    const form = h('form', { class: 'editor', on: { submit: (event) => (event.preventDefault(), submit()) } }, area,
      h('div', { class: 'editor-foot' }, h('span', { class: 'hint' }, 'The earlier version is kept.'),
        h('button', { type: 'button', class: 'quiet', on: { click: close } }, 'Cancel'),
        h('button', { type: 'submit', class: 'primary' }, 'Send')));
    form.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') {
        event.stopPropagation();
        close();
      } else if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && event.target === area && !coarse()) {
        event.preventDefault();
        submit();
      }
    });
    this.body.replaceWith(form);
    this.actions.replaceChildren();
    area.focus();
    area.setSelectionRange(area.value.length, area.value.length);
    area.style.height = `${Math.min(area.scrollHeight + 4, 320)}px`;
  }
}

/** Answers that did not come to their own end. */
const CUT = new Set(['length', 'stopped', 'partial', 'interrupted']);

export const coarse = () => matchMedia('(pointer: coarse)').matches;

async function copyBlock(text, button) {
  const done = await copyText(text);
  button.textContent = done ? 'Copied' : 'Not allowed';
  setTimeout(() => {
    button.textContent = 'Copy';
  }, 1500);
}

function dots() {
  return h('span', { class: 'waiting' }, h('i'), h('i'), h('i'), h('span', { class: 'off-screen' }, 'Waiting for the first word'));
}

/** What is to be said below a message that did not end well. */
function troubleOf(message) {
  if (message.trouble) return { ...message.trouble, title: message.trouble.title, detail: message.trouble.detail, again: true };
  switch (message.state) {
    case 'length':
      return { title: 'The answer reached its longest length.', detail: 'Raise “Longest answer” in the settings for more.', mild: true };
    case 'stopped':
      return message.content ? null : { title: 'Stopped before the first word.', detail: '', mild: true };
    case 'partial':
    case 'interrupted':
      return { title: 'This answer was cut off.', detail: 'What had arrived is kept.', again: true, mild: true };
    default:
      return null;
  }
}

