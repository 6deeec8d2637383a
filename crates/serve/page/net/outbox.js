// What still has to be stored on the server. Every save names what it is about; a newer save of the same thing takes
// the older one's place. Saves are repeatable (the page chooses the ids), so a lost answer costs a second try only.

export class Outbox {
  /** `state(kind, trouble)` is told `saved`, `waiting` (the server is away) or `failed` (it refused). */
  constructor(state, { delay = 1500 } = {}) {
    this.state = state;
    this.delay = delay;
    this.waiting = new Map(); // name -> save
    this.running = null;
  }

  /** Puts a save behind those waiting; an older one of the same name keeps its place in the line. */
  put(name, save) {
    this.waiting.set(name, save);
    this.running ??= this.run();
  }

  get empty() {
    return this.waiting.size === 0 && !this.running;
  }

  /** Resolves when nothing waits. */
  async settled() {
    while (this.running) await this.running;
  }

  /** The last chance, as the page is left: everything at once, without waiting for an answer. */
  flush() {
    for (const save of this.waiting.values()) save({ keepalive: true }).catch(() => {});
  }

  forget(prefix) {
    for (const name of [...this.waiting.keys()]) if (name.startsWith(prefix)) this.waiting.delete(name);
  }

  async run() {
    let tries = 0;
    while (this.waiting.size) {
      const [name, save] = this.waiting.entries().next().value;
      try {
        await save();
        tries = 0;
        if (this.waiting.get(name) === save) this.waiting.delete(name);
        if (!this.waiting.size) this.state('saved');
      } catch (trouble) {
        const later = ['lost', 'busy', 'server', 'key'].includes(trouble.kind) && tries < 200;
        if (!later) {
          if (this.waiting.get(name) === save) this.waiting.delete(name);
          this.state('failed', trouble);
          continue;
        }
        tries++;
        this.state('waiting', trouble);
        await new Promise((wake) => setTimeout(wake, Math.min(15_000, this.delay * tries)));
      }
    }
    this.running = null;
  }
}
