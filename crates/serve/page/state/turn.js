// One answer being written: asks, takes in the pieces, stores as it goes, and says how it ended.

import { answer } from '../net/answer.js';

const STORE_EVERY_MS = 3000;

export class Turn {
  /** `on`: `{ grow(message), store(message), end(message) }`. The message is changed in place. */
  constructor(api, request, message, on, now = () => performance.now()) {
    Object.assign(this, { api, request, message, on, now });
    this.stopping = new AbortController();
    this.stored = now();
  }

  async run() {
    const { message } = this;
    const progress = {};
    const begun = this.now();
    try {
      const { finish } = await answer(this.api, this.request, { signal: this.stopping.signal, progress, on: (piece) => this.take(piece, begun) });
      message.state = finish === 'length' ? 'length' : 'done';
    } catch (trouble) {
      if (this.stopping.signal.aborted) message.state = 'stopped';
      else {
        message.state = message.content || message.reasoning ? 'interrupted' : 'failed';
        message.trouble = trouble.title ? trouble : { title: 'Something went wrong on this page.', detail: String(trouble?.message ?? trouble) };
      }
    }
    message.stats = progress.stats ?? null;
    this.on.end(message);
  }

  take({ content, reasoning }, begun) {
    const { message } = this;
    message.reasoning += reasoning;
    if (content && message.reasoning && !message.content) message.thought_ms = Math.round(this.now() - begun);
    message.content += content;
    this.on.grow(message);
    if (this.now() - this.stored > STORE_EVERY_MS) {
      this.stored = this.now();
      this.on.store(message);
    }
  }

  stop() {
    this.stopping.abort();
  }
}
