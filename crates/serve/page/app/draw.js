// The part of the app that shows what it knows. Mixed into App.

import { $, h } from '../dom.js';
import { count } from '../state/format.js';

export const drawing = {
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
  },

  grow() {
    const turn = this.turns.get(this.open.id);
    if (!turn) return;
    this.views.messages.grow(turn.message);
    this.views.announcer.grow(turn.message.content);
    this.scroll();
  },

  drawTitle() {
    const title = this.open.title || 'New conversation';
    $('#title').textContent = title;
    document.title = this.open.title ? `${this.open.title} · Freehold` : 'Freehold';
  },

  drawList() {
    this.views.sidebar.show(this.entries, { open: this.open.id, busy: new Set(this.turns.keys()), q: this.q, more: this.next !== null });
  },

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
  },

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
  },

  scroll() {
    const main = $('#main');
    if (this.follow) main.scrollTop = main.scrollHeight;
    this.nearEnd();
  },

  /** Whether the end is in sight; asked when a person scrolls. */
  nearEnd(byPerson = false) {
    const main = $('#main');
    const near = main.scrollHeight - main.scrollTop - main.clientHeight < 90;
    if (byPerson) this.follow = near;
    $('#latest').hidden = near || main.scrollHeight - main.scrollTop - main.clientHeight < 300;
  },

  banner(text, label, act) {
    const banner = $('#banner');
    banner.hidden = !text;
    banner.replaceChildren(text ?? '', ...(label ? [h('button', { type: 'button', class: 'quiet', on: { click: act } }, label)] : []));
  },

  toast(text) {
    const toast = h('div', { class: 'toast' }, text);
    $('#toasts').replaceChildren(toast);
    setTimeout(() => toast.remove(), 3500);
  },
};
