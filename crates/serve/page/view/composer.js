// The message box: grows with its text, Enter sends, and what is written stays with its conversation until sent.

import { coarse } from './messages.js';

export class Composer {
  constructor({ form, area, send, stop }, act) {
    Object.assign(this, { form, area, send, stop, act });
    this.drafts = new Map();
    this.at = '';
    area.addEventListener('input', () => this.fit());
    area.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing || coarse()) return;
      event.preventDefault();
      this.submit();
    });
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.submit();
    });
    stop.addEventListener('click', () => act.stop());
  }

  submit() {
    const text = this.area.value.trim();
    if (!text || this.busy) return;
    this.area.value = '';
    this.fit();
    this.act.send(text);
  }

  /** Goes over to the conversation `id`, leaving its draft with the old one. */
  belongTo(id) {
    if (id === this.at) return;
    if (this.area.value) this.drafts.set(this.at, this.area.value);
    else this.drafts.delete(this.at);
    this.at = id;
    this.area.value = this.drafts.get(id) ?? '';
    this.fit();
  }

  working(busy) {
    const had = document.activeElement;
    this.busy = busy;
    this.send.hidden = busy;
    this.stop.hidden = !busy;
    if (had === this.send || had === this.stop) this.area.focus();
    this.fit();
  }

  fit() {
    this.area.style.height = 'auto';
    this.area.style.height = `${this.area.scrollHeight}px`;
    this.send.disabled = this.area.value.trim() === '';
  }

  focus() {
    if (!coarse()) this.area.focus();
  }
}
