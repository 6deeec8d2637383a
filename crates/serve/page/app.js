// What the page knows and does. Views draw it, `net` carries it; nothing else changes it.
//
// A conversation is a tree of messages kept on the server. Each change is put into the outbox at once and shown at
// once, so that a slow or absent server never holds up what a person does. The list and the drawing are in `app/`.

import { drawing } from './app/draw.js';
import { listing } from './app/list.js';
import { $, copyText, throttle } from './dom.js';
import { newId } from './net/api.js';
import { Outbox } from './net/outbox.js';
import { requestFor, titleOf } from './state/settings.js';
import { Tree } from './state/tree.js';
import { Turn } from './state/turn.js';
import { askForKey } from './view/dialogs.js';

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
    this.routed = 0;
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

  /** Follows the address: `#/c/<id>` is a conversation, anything else a new one. */
  async route(first = false) {
    const turn = ++this.routed;
    const id = /^#\/c\/([\w-]{1,64})$/.exec(location.hash)?.[1];
    if (!id) {
      if (this.open.tree.current !== null) this.open = this.blank();
    } else if (id !== this.open.id) {
      try {
        const found = await this.current(id);
        // Somebody has gone elsewhere meanwhile.
        if (turn !== this.routed) return;
        this.open = found;
      } catch (trouble) {
        if (turn !== this.routed) return;
        if (trouble.kind !== 'gone') return this.met(trouble);
        this.toast('This conversation is not here (any more).');
        history.replaceState(null, '', '#/');
        this.open = this.blank();
      }
    }
    this.follow = true;
    this.draw();
    this.scroll();
    // What was out of sight is measured only once it is drawn.
    requestAnimationFrame(() => this.scroll());
    if (!document.querySelector('dialog[open]') && (first || !$('#sidebar').contains(document.activeElement))) this.views.composer.focus();
  }

  /** The conversation `id` as the server has it; as this window has it while that is newer or all there is. */
  async current(id) {
    const known = this.known.get(id);
    if (known && (this.turns.has(id) || !this.outbox.empty)) return known;
    try {
      return await this.fetched(id);
    } catch (trouble) {
      if (known && trouble.kind === 'lost') return known;
      throw trouble;
    }
  }

  /** Looks again after a while away: another window may have gone on. */
  async lookAgain() {
    if (this.looking) return;
    try {
      await this.refresh();
      const { id, stored } = this.open;
      if (!stored || this.busy || !this.outbox.empty || document.querySelector('.editor')) return;
      const fresh = await this.fetched(id);
      if (this.open.id !== id || this.busy) return;
      this.open = fresh;
      this.draw();
    } catch (trouble) {
      this.met(trouble);
    }
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
    conversation.title ||= titleOf(text);
    conversation.settings.model = this.model;
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
    conversation.stored = true;
    this.outbox.put(`conversation ${conversation.id}`, this.saver(conversation, () => ({ title: conversation.title, settings: conversation.settings })));
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

  fresh() {
    if (location.hash.length > 2) history.pushState(null, '', '#/');
    this.open = this.blank();
    this.draw();
    this.drawList();
    this.views.composer.area.focus();
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

  async copyLast() {
    const last = this.open.tree.path().reverse().find((m) => m.role === 'assistant' && m.content);
    if (last && (await copyText(last.content))) this.toast('Answer copied');
  }

  editLast() {
    const last = this.open.tree.path().reverse().find((m) => m.role === 'user');
    if (last && !this.busy) this.views.messages.view(last.id).edit();
  }
}

Object.assign(App.prototype, listing, drawing);

function remembered() {
  try {
    return localStorage.getItem(MODEL);
  } catch {
    return null;
  }
}
