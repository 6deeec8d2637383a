// The part of the app that is about the list of conversations, and about files of them. Mixed into App.

import { $, download } from '../dom.js';
import { count } from '../state/format.js';
import { askForName, askToDelete } from '../view/dialogs.js';

export const listing = {
  async refresh() {
    const q = this.q;
    const page = await this.api.conversations({ q });
    if (q !== this.q) return;
    this.entries = page.data;
    this.next = page.next ?? null;
    this.drawList();
  },

  touch(conversation) {
    const entry = { id: conversation.id, title: conversation.title, updated: Date.now() };
    this.entries = [entry, ...this.entries.filter((e) => e.id !== conversation.id)];
    if (conversation === this.open && location.hash !== `#/c/${conversation.id}`) history.pushState(null, '', `#/c/${conversation.id}`);
    this.drawList();
  },

  async search(q) {
    this.q = q;
    try {
      await this.refresh();
      if (q) this.views.announcer.say(this.entries.length === 1 ? '1 conversation found.' : `${this.entries.length} conversations found.`);
    } catch (trouble) {
      this.met(trouble);
    }
  },

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
  },

  async rename(entry) {
    const title = await askForName($('#name-dialog'), entry.title);
    if (!title || title === entry.title) return;
    entry.title = title;
    const conversation = this.known.get(entry.id) ?? (this.open.id === entry.id ? this.open : null);
    if (conversation) {
      conversation.title = title;
      this.storeConversation(conversation);
    } else this.outbox.put(`conversation ${entry.id}`, (options) => this.api.saveConversation(entry.id, { title }, options));
    this.drawList();
    this.drawTitle();
  },

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
  },

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
  },

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
  },
};
