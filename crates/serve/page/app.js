// What the page knows and does. Views draw it, `net` carries it; nothing else changes it.
//
// A conversation is a tree of messages kept on the server. Each change is put into the outbox at once and shown at
// once, so that a slow or absent server never holds up what a person does.

import { $, copyText, download, h, throttle } from './dom.js';
import { newId } from './net/api.js';
import { Outbox } from './net/outbox.js';
import { requestFor, titleOf } from './state/settings.js';
import { Tree } from './state/tree.js';
import { Turn } from './state/turn.js';
import { count } from './state/format.js';
import { askForKey, askForName, askToDelete } from './view/dialogs.js';

const MODEL = 'freehold.model';

export class App {
  constructor(api, views) {
    this.api = api;
    this.views = views; // { messages, sidebar, composer, settings, announcer }
    this.models = [];
    this.entries = [];
    this.next = null;
    this.q = '';
    this.turns = new Map(); // conversation id -> Turn
    this.known = new Map(); // conversations met in this visit
    this.defaults = {};
    this.follow = true;
    this.outbox = new Outbox((kind, trouble) => this.outboxSays(kind, trouble));
    this.growSoon = throttle(50, () => this.grow());
    this.open = this.blank();
  }

  blank() {
    return { id: newId(), title: '', settings: { ...this.defaults }, tree: new Tree(), stored: false };
  }

  // ---- beginning

  async start() {
    this.api.needsKey = (trouble) => this.askKey(trouble.detail);
    this.draw();
    await this.load();
    await this.route(true);
  }

  /** Fetches what the page is about; again after a key was entered or the server came back. */
  async load() {
    try {
      this.models = await this.api.models();
      this.drawModels();
      await this.refresh();
      this.banner(null);
      return true;
    } catch (trouble) {
      this.drawModels();
      this.met(trouble);
      return false;
    }
  }

  async refresh() {
    const q = this.q;
    const page = await this.api.conversations({ q });
    if (q !== this.q) return;
    this.entries = page.data;
    this.next = page.next ?? null;
    this.drawList();
  }

  /** Follows the address: `#/c/<id>` is a conversation, anything else a new one. */
  async route(first = false) {
    const id = /^#\/c\/([\w-]{1,64})$/.exec(location.hash)?.[1];
    if (!id) {
      if (this.open.tree.current !== null) this.open = this.blank();
    } else if (id !== this.open.id) {
      try {
        this.open = this.known.get(id) ?? (await this.fetched(id));
      } catch (trouble) {
        if (trouble.kind !== 'gone') return this.met(trouble);
        this.toast('This conversation is not here (any more).');
        history.replaceState(null, '', '#/');
        this.open = this.blank();
      }
    }
    this.follow = true;
    this.draw();
    this.scroll();
    if (!document.querySelector('dialog[open]') && (first || !$('#sidebar').contains(document.activeElement))) this.views.composer.focus();
  }

  async fetched(id) {
    const { messages, current, title, settings } = await this.api.conversation(id);
    const tree = new Tree(messages.map((m) => ({ reasoning: '', ...m, ...(m.stats?.thought_ms ? { thought_ms: m.stats.thought_ms } : {}) })), current);
    const conversation = { id, title, settings: settings ?? {}, tree, stored: true };
    this.known.set(id, conversation);
    return conversation;
  }

  // ---- saying something

  send(text) {
    if (this.busy) return;
    this.ask(this.open, this.open.tree.current, text);
  }

  /** Another version of a message of one's own; the old one stays beside it. */
  edit(id, text) {
    if (this.busy) return;
    this.ask(this.open, this.open.tree.get(id).parent, text);
    this.views.composer.focus();
  }

  /** Another answer: to the message `id` when it is a person's, else in place of the answer `id`. */
  again(id) {
    if (this.busy || id === undefined) return;
    const message = this.open.tree.get(id);
    this.answer(this.open, message.role === 'user' ? id : message.parent);
    this.views.composer.focus();
  }

  ask(conversation, parent, text) {
    if (!conversation.title) conversation.title = titleOf(text);
    const message = conversation.tree.add({ id: newId(), parent, role: 'user', content: text, reasoning: '', state: 'done', created: Date.now() });
    this.storeConversation(conversation);
    this.store(conversation, message);
    this.answer(conversation, message.id);
  }

  answer(conversation, parent) {
    const model = this.model;
    const request = requestFor(model, conversation.settings, conversation.tree.path(parent));
    const message = conversation.tree.add({ id: newId(), parent, role: 'assistant', content: '', reasoning: '', state: 'partial', model, created: Date.now() });
    this.run(conversation, conversation.tree.get(message.id), request);
  }

  /** Lets the model go on where an answer ended before its time. */
  goOn(id) {
    if (this.busy) return;
    const message = this.open.tree.get(id);
    const request = requestFor(this.model, this.open.settings, this.open.tree.path(id));
    Object.assign(message, { state: 'partial', trouble: undefined });
    this.run(this.open, message, { ...request, add_generation_prompt: false, continue_final_message: true });
    this.views.composer.focus();
  }

  run(conversation, live, request) {
    const turn = new Turn(this.api, request, live, {
      grow: () => this.growSoon(),
      store: () => this.store(conversation, live),
      end: () => this.ended(conversation, live),
    });
    this.turns.set(conversation.id, turn);
    this.known.set(conversation.id, conversation);
    this.follow = true;
    this.views.announcer.begin(live.content);
    this.touch(conversation);
    this.draw();
    this.scroll();
    turn.run();
  }

  ended(conversation, message) {
    this.turns.delete(conversation.id);
    if (message.content || message.reasoning) this.store(conversation, message);
    if (message.trouble?.kind === 'lost') this.met(message.trouble);
    const ends = { done: 'Answer complete.', length: 'The answer reached its longest length.', stopped: 'Stopped.' };
    if (conversation === this.open) {
      this.draw();
      this.scroll();
      this.views.announcer.end(message.content, ends[message.state] ?? message.trouble?.title ?? '');
    } else {
      this.drawList();
      this.toast(`Answered: ${conversation.title}`);
    }
  }

  stop() {
    this.turns.get(this.open.id)?.stop();
  }

  get busy() {
    return this.turns.has(this.open.id);
  }

  /** Goes to another version of the message `id`. */
  turn(id, step) {
    if (this.busy) return;
    const { tree } = this.open;
    const to = tree.turn(id, step);
    if (to === null) return;
    this.outbox.put(`current ${this.open.id}`, this.saver(this.open, () => ({ current: tree.current })));
    this.follow = false;
    this.draw();
    const element = this.views.messages.view(to).element;
    const name = step < 0 ? 'left' : 'right';
    ($(`[data-act="${name}"]:not(:disabled)`, element) ?? $('.versions button:not(:disabled)', element))?.focus();
    const all = tree.siblings(to);
    this.views.announcer.say(`Version ${all.indexOf(to) + 1} of ${all.length}.`);
  }

  /** The last message on the path that has several versions: what the keys step through. */
  turnLast(step) {
    const { tree } = this.open;
    const message = tree.path().reverse().find((m) => tree.siblings(m.id).length > 1);
    if (message) this.turn(message.id, step);
  }

  // ---- storing

  saver(conversation, change) {
    return (options) => this.api.saveConversation(conversation.id, change(), options);
  }

  storeConversation(conversation) {
    const { title } = conversation;
    const settings = { ...conversation.settings, model: this.model };
    conversation.settings = settings;
    conversation.stored = true;
    this.outbox.put(`conversation ${conversation.id}`, this.saver(conversation, () => ({ title, settings })));
  }

  store(conversation, message) {
    const { id, parent, role } = message;
    this.outbox.put(`message ${conversation.id} ${id}`, (options) => {
      const stats = message.stats || message.thought_ms ? { ...message.stats, ...(message.thought_ms ? { thought_ms: message.thought_ms } : {}) } : undefined;
      return this.api.saveMessage(conversation.id, id, { parent, role, content: message.content, reasoning: message.reasoning || undefined, state: message.state, model: message.model, stats }, options);
    });
  }

  outboxSays(kind, trouble) {
    const text = { saved: 'Saved', waiting: 'Not saved yet', failed: 'Not saved' }[kind];
    $('#saved').textContent = text;
    clearTimeout(this.savedTimer);
    if (kind === 'saved') this.savedTimer = setTimeout(() => ($('#saved').textContent = ''), 2000);
    if (kind === 'failed') this.toast(`Not saved: ${trouble.title}`);
    if (trouble?.kind === 'lost') this.met(trouble);
  }

  /** The page is being left: what is not stored is sent without waiting. */
  leave() {
    for (const [id, turn] of this.turns) {
      if (turn.message.content) this.store(this.known.get(id), turn.message);
    }
    this.outbox.flush();
  }

  // ---- the list

  touch(conversation) {
    const entry = { id: conversation.id, title: conversation.title, updated: Date.now() };
    this.entries = [entry, ...this.entries.filter((e) => e.id !== conversation.id)];
    if (conversation === this.open && location.hash !== `#/c/${conversation.id}`) history.pushState(null, '', `#/c/${conversation.id}`);
    this.drawList();
  }

  async search(q) {
    this.q = q;
    try {
      await this.refresh();
      if (q) this.views.announcer.say(this.entries.length === 1 ? '1 conversation found.' : `${this.entries.length} conversations found.`);
    } catch (trouble) {
      this.met(trouble);
    }
  }

  async more() {
    try {
      const page = await this.api.conversations({ q: this.q, before: this.next });
      const have = new Set(this.entries.map((e) => e.id));
      this.entries.push(...page.data.filter((e) => !have.has(e.id)));
      this.next = page.next ?? null;
      this.drawList();
    } catch (trouble) {
      this.met(trouble);
    }
  }

  async rename(entry) {
    const title = await askForName($('#name-dialog'), entry.title);
    if (!title || title === entry.title) return;
    entry.title = title;
    const conversation = this.known.get(entry.id) ?? (this.open.id === entry.id ? this.open : null);
    if (conversation) conversation.title = title;
    this.outbox.put(`conversation ${entry.id}`, (options) => this.api.saveConversation(entry.id, { title }, options));
    this.drawList();
    this.drawTitle();
  }

  async remove(entry) {
    if (!(await askToDelete($('#delete-dialog'), entry.title))) return;
    try {
      this.turns.get(entry.id)?.stop();
      this.outbox.forget(`message ${entry.id}`);
      this.outbox.forget(`conversation ${entry.id}`);
      await this.outbox.settled();
      await this.api.deleteConversation(entry.id);
    } catch (trouble) {
      if (trouble.kind !== 'gone') return this.toast(`${trouble.title} ${trouble.detail}`);
    }
    this.known.delete(entry.id);
    this.entries = this.entries.filter((e) => e.id !== entry.id);
    if (this.open.id === entry.id) {
      history.replaceState(null, '', '#/');
      this.open = this.blank();
      this.draw();
    }
    this.drawList();
    this.toast('Deleted');
    $('#new').focus();
  }

  fresh() {
    if (location.hash.length > 2) history.pushState(null, '', '#/');
    this.open = this.blank();
    this.draw();
    this.drawList();
    this.views.composer.area.focus();
  }

  // ---- files

  async export(entry, format) {
    try {
      await this.outbox.settled();
      const text = await this.api.exported(entry?.id, format);
      const name = (entry?.title ?? 'conversations').replace(/[^\p{L}\p{N} _-]+/gu, '').trim().slice(0, 60) || 'conversation';
      if (format === 'markdown') download(`${name}.md`, text, 'text/markdown');
      else download(`${name}.json`, text, 'application/json');
    } catch (trouble) {
      this.toast(`${trouble.title} ${trouble.detail ?? ''}`);
    }
  }

  /** Takes in a file; returns what went wrong in words, or nothing. */
  async import(file) {
    let value;
    try {
      value = JSON.parse(await file.text());
    } catch {
      return 'This file is not JSON.';
    }
    try {
      const { imported } = await this.api.imported(value);
      await this.refresh();
      this.toast(imported === 1 ? '1 conversation imported' : `${count(imported)} conversations imported`);
      return '';
    } catch (trouble) {
      return `${trouble.title} ${trouble.detail}`;
    }
  }

  // ---- settings, model, key

  async settings() {
    const read = await this.views.settings.open(this.open.settings);
    if (!read) return;
    this.open.settings = { ...read, model: this.open.settings.model };
    this.defaults = { ...read };
    if (this.open.stored) this.storeConversation(this.open);
  }

  get model() {
    const wanted = this.open.settings.model ?? remembered();
    return this.models.find((m) => m.id === wanted)?.id ?? this.models[0]?.id ?? '';
  }

  choose(id) {
    this.open.settings.model = id;
    try {
      localStorage.setItem(MODEL, id);
    } catch {
      // Not remembered then.
    }
    if (this.open.stored) this.storeConversation(this.open);
    this.drawGauge();
  }

  async askKey(why) {
    if (this.asking) return;
    this.asking = true;
    const given = await askForKey($('#key-dialog'), this.api.key ? why || 'The server does not know this key.' : '');
    this.asking = false;
    if (!given) {
      this.banner('This server needs a key.', 'Enter a key', () => this.askKey());
      return;
    }
    this.api.useKey(given.key, given.keep);
    this.known.clear();
    if (await this.load()) {
      this.toast('Welcome');
      await this.route(true);
    }
  }

  forgetKey() {
    this.api.useKey('', false);
    location.hash = '#/';
    location.reload();
  }

  // ---- being away

  met(trouble) {
    if (trouble.kind === 'lost') this.away();
    else if (trouble.kind !== 'key') this.banner(`${trouble.title} ${trouble.detail}`.trim());
  }

  /** The server is gone: says so, looks again by itself, and says when it is back. */
  async away() {
    if (this.looking) return;
    this.looking = true;
    this.banner('The server cannot be reached. Looking again …');
    for (let wait = 800; !(await this.api.alive()); wait = Math.min(wait * 1.6, 10_000)) await new Promise((go) => setTimeout(go, wait));
    this.looking = false;
    this.banner(null);
    if (await this.load()) this.toast('Connected again');
  }

  // ---- drawing

  draw() {
    const { tree } = this.open;
    const turn = this.turns.get(this.open.id);
    const path = tree.path();
    this.views.messages.show(tree, path, turn?.message.id ?? null);
    $('#welcome').hidden = path.length > 0;
    this.views.composer.belongTo(this.open.stored || path.length ? this.open.id : '');
    this.views.composer.working(!!turn);
    this.drawTitle();
    this.drawModels();
    this.drawList();
    this.drawGauge();
    this.nearEnd();
  }

  grow() {
    const turn = this.turns.get(this.open.id);
    if (!turn) return;
    this.views.messages.grow(turn.message);
    this.views.announcer.grow(turn.message.content);
    this.scroll();
  }

  drawTitle() {
    const title = this.open.title || 'New conversation';
    $('#title').textContent = title;
    document.title = this.open.title ? `${this.open.title} · Freehold` : 'Freehold';
  }

  drawList() {
    this.views.sidebar.show(this.entries, { open: this.open.id, busy: new Set(this.turns.keys()), q: this.q, more: this.next !== null });
  }

  drawModels() {
    const select = $('#model');
    const ids = this.models.map((m) => [m.id, m.loaded]);
    if (JSON.stringify(ids) !== select.dataset.ids) {
      select.dataset.ids = JSON.stringify(ids);
      select.replaceChildren(...(ids.length ? this.models.map((m) => h('option', { value: m.id }, m.loaded ? m.id : `${m.id} (not loaded yet)`)) : [h('option', { value: '' }, 'No model')]));
      select.disabled = ids.length === 0;
    }
    select.value = this.model;
    const model = this.models.find((m) => m.id === this.model);
    select.title = model ? ['Model', ...model.facts].join(' · ') : 'Model';
    const reads = model?.context ? `${model.id} reads up to ${count(model.context)} tokens at a time.` : '';
    $('#promise').textContent = `${reads} What you write stays on this server.`.trim();
  }

  drawGauge() {
    const last = this.open.tree.path().reverse().find((m) => m.stats?.prompt_tokens !== undefined);
    const gauge = $('#gauge');
    gauge.hidden = !last;
    if (!last) return;
    const used = last.stats.prompt_tokens + (last.stats.completion_tokens ?? 0);
    const room = this.models.find((m) => m.id === this.model)?.context;
    $('#gauge-text').textContent = room ? `${count(used)} of ${count(room)} tokens` : `${count(used)} tokens`;
    gauge.title = 'How much of what the model can read this conversation fills';
    $('.gauge-track', gauge).hidden = !room;
    $('#gauge-fill').style.width = `${Math.min(100, room ? (100 * used) / room : 0)}%`;
    gauge.toggleAttribute('data-full', !!room && used > 0.9 * room);
  }

  scroll() {
    const main = $('#main');
    if (this.follow) main.scrollTop = main.scrollHeight;
    this.nearEnd();
  }

  /** Whether the end is in sight; asked when a person scrolls. */
  nearEnd(byPerson = false) {
    const main = $('#main');
    const near = main.scrollHeight - main.scrollTop - main.clientHeight < 90;
    if (byPerson) this.follow = near;
    $('#latest').hidden = near || main.scrollHeight - main.scrollTop - main.clientHeight < 300;
  }

  async copyLast() {
    const last = this.open.tree.path().reverse().find((m) => m.role === 'assistant' && m.content);
    if (last && (await copyText(last.content))) this.toast('Answer copied');
  }

  editLast() {
    const last = this.open.tree.path().reverse().find((m) => m.role === 'user');
    if (last && !this.busy) this.views.messages.view(last.id).edit();
  }

  banner(text, label, act) {
    const banner = $('#banner');
    banner.hidden = !text;
    banner.replaceChildren(text ?? '', ...(label ? [h('button', { type: 'button', class: 'quiet', on: { click: act } }, label)] : []));
  }

  toast(text) {
    const toast = h('div', { class: 'toast' }, text);
    $('#toasts').replaceChildren(toast);
    setTimeout(() => toast.remove(), 3500);
  }
}

function remembered() {
  try {
    return localStorage.getItem(MODEL);
  } catch {
    return null;
  }
}
