// The server, as this page speaks with it. One place adds the key, one place turns failures into words.
// Addresses are relative to the page, so that a proxy may put the server under a path.

import { Trouble, explain, unreachable } from './trouble.js';

const KEY = 'freehold.key';

export class Api {
  constructor() {
    this.key = read(KEY);
    this.needsKey = () => {}; // set by the page: asks the person, once for many refusals
  }

  /** Uses `key` from now on; `keep`: until this tab is closed, even over a reload. */
  useKey(key, keep) {
    this.key = key;
    try {
      if (key && keep) sessionStorage.setItem(KEY, key);
      else sessionStorage.removeItem(KEY);
    } catch {
      // Storage may be switched off: the key is then held in memory only.
    }
  }

  /** The answer to a request; throws a Trouble. */
  async fetch(method, path, { body, signal, keepalive } = {}) {
    const headers = {};
    if (this.key) headers.Authorization = `Bearer ${this.key}`;
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    let answer;
    try {
      answer = await fetch(path, {
        method, headers, signal, keepalive, cache: 'no-store', credentials: 'same-origin', redirect: 'error',
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch (error) {
      if (error?.name === 'AbortError') throw error;
      if (error instanceof TypeError && /ISO-8859-1|Latin|headers/i.test(error.message)) {
        throw new Trouble('key', 'This key holds signs that no key has.', 'Copy it again.');
      }
      throw unreachable(false);
    }
    if (answer.ok) return answer;
    const trouble = explain(answer.status, await answer.text().catch(() => ''), (name) => answer.headers.get(name));
    if (answer.status === 401) this.needsKey(trouble);
    throw trouble;
  }

  async json(method, path, options) {
    const answer = await this.fetch(method, path, options);
    try {
      return await answer.json();
    } catch {
      throw unreachable(false);
    }
  }

  /** What may be chosen: `[{ id, context, loaded, facts }]`. */
  async models() {
    const { data = [] } = await this.json('GET', 'v1/models');
    return data.map((m) => ({
      id: String(m.id),
      loaded: m.meta?.loaded !== false,
      facts: factsOf(m),
      context: m.max_model_len ?? m.context_length ?? m.context_window ?? m.meta?.n_ctx ?? m.meta?.n_ctx_train ?? null,
    }));
  }

  async alive() {
    try {
      return (await fetch('livez', { cache: 'no-store', signal: AbortSignal.timeout(4000) })).ok;
    } catch {
      return false;
    }
  }

  conversations({ q = '', before = '', limit = 50, signal } = {}) {
    const query = new URLSearchParams({ limit });
    if (q) query.set('q', q);
    if (before) query.set('before', before);
    return this.json('GET', `v1/freehold/conversations?${query}`, { signal });
  }

  conversation(id) {
    return this.json('GET', `v1/freehold/conversations/${id}`);
  }

  saveConversation(id, change, options) {
    return this.json('POST', `v1/freehold/conversations/${id}`, { body: change, ...options });
  }

  deleteConversation(id) {
    return this.json('DELETE', `v1/freehold/conversations/${id}`);
  }

  saveMessage(conversation, id, message, options) {
    return this.json('POST', `v1/freehold/messages/${id}`, { body: { conversation, ...message }, ...options });
  }

  async exported(id, format) {
    return (await this.fetch('GET', `v1/freehold/export/${id ?? 'all'}?format=${format}`)).text();
  }

  imported(value) {
    return this.json('POST', 'v1/freehold/import', { body: { file: value } });
  }
}

/** What is known of a model, in short phrases. */
function factsOf({ meta = {} }) {
  const size = meta.n_params >= 1e9 ? `${(meta.n_params / 1e9).toFixed(1)} billion weights` : meta.n_params >= 1e6 ? `${Math.round(meta.n_params / 1e6)} million weights` : '';
  return [meta.architecture, size, meta.format, meta.license && `licence ${meta.license}`].filter((fact) => typeof fact === 'string' && fact !== '');
}

function read(name) {
  try {
    return sessionStorage.getItem(name) ?? '';
  } catch {
    return '';
  }
}

/** A name for something new: 96 random bits. (`randomUUID` is missing where the page is not on https or localhost.) */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}
