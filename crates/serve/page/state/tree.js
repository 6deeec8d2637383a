// A conversation is a tree: an edit or another answer grows a branch, and nothing said is ever lost. What a person
// reads is one path through it, from a first message to the current one.

export class Tree {
  constructor(messages = [], current = null) {
    this.messages = new Map();
    this.kids = new Map([[null, []]]);
    for (const message of messages) this.add(message);
    this.current = this.messages.has(current) ? current : this.newest(null);
  }

  /** Adds `message` under its parent and makes it the current one. A parent must be there before its children. */
  add(message) {
    const parent = this.messages.has(message.parent) ? message.parent : null;
    if (!this.messages.has(message.id)) {
      this.kids.get(parent).push(message.id);
      this.kids.set(message.id, []);
    }
    this.messages.set(message.id, { ...message, parent });
    this.current = message.id;
    return this.messages.get(message.id);
  }

  get(id) {
    return this.messages.get(id);
  }

  /** The messages from the first to `id`. */
  path(id = this.current) {
    const out = [];
    for (let at = id; at !== null && at !== undefined; at = this.messages.get(at)?.parent) out.push(this.messages.get(at));
    return out.reverse();
  }

  /** All versions of `id`, itself among them, oldest first. */
  siblings(id) {
    return this.kids.get(this.messages.get(id)?.parent ?? null) ?? [];
  }

  /** The newest leaf under `id`: following the newest child at every fork. */
  newest(id) {
    let at = id;
    for (;;) {
      const kids = this.kids.get(at);
      if (!kids?.length) return at;
      at = kids.at(-1);
    }
  }

  /** Shows the version `step` away from `id` among its siblings; returns its id, or null at an end. */
  turn(id, step) {
    const all = this.siblings(id);
    const to = all[all.indexOf(id) + step];
    if (to === undefined) return null;
    this.current = this.newest(to);
    return to;
  }
}
