// A stand-in for the server, for working on the page without one: `node mock.mjs [port] [key]`.
// It serves the page's own files with the policy the server sends, keeps conversations in memory, and answers by the
// first word of what is asked: `slow`, `think`, `cut`, `busy`, `long`, `fail`, anything else a piece of prose.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const PAGE = join(dirname(fileURLToPath(import.meta.url)), '../../page');
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml' };
export const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

export const PROSE = `## A short walk

A **freehold** is land that is owned outright: nobody can *take it back*, raise the rent, or read over your shoulder. See [the term](https://example.org/freehold) for its history.

1. It stays where you put it.
2. It answers to you alone:
   - in the morning,
   - and when the network is gone.
3. It is yours to change.

> Own what you think with.

\`\`\`rust
/// Adds up what is owned.
fn total(plots: &[Plot]) -> u64 {
    plots.iter().map(|plot| plot.area).sum() // square metres
}
\`\`\`

| what | rented | owned |
|:-----|:------:|------:|
| price | every month | 1 |
| privacy | promised | certain |

That is all there is to it.`;

const stores = new Map();
const sleep = (ms) => new Promise((go) => setTimeout(go, ms));

export function start({ port = 0, key = '', pace = 4 } = {}) {
  const seen = { chats: [], aborted: 0 };
  const server = createServer((request, response) => {
    handle(request, response, { key, pace, seen }).catch((error) => {
      if (!response.headersSent) send(response, 500, { error: { message: String(error), type: 'server_error' } });
      else response.destroy();
    });
  });
  return new Promise((ready) => server.listen(port, '127.0.0.1', () => ready({ server, seen, url: `http://127.0.0.1:${server.address().port}/` })));
}

async function handle(request, response, context) {
  const url = new URL(request.url, 'http://x');
  const path = url.pathname;
  if (path === '/livez') return send(response, 200, { status: 'ok' });
  if (path === '/' || path.startsWith('/page/')) return file(response, path === '/' ? 'index.html' : path.slice(6));
  if (context.key && request.headers.authorization !== `Bearer ${context.key}`) {
    return send(response, 401, { error: { message: 'this route needs an API key', type: 'authentication_error', code: 'invalid_api_key' } });
  }
  let body = '';
  for await (const part of request) body += part;
  const value = body ? JSON.parse(body) : null;
  if (path === '/v1/models') return send(response, 200, { object: 'list', data: [{ id: 'freehold-house', max_model_len: 2048 }, { id: 'qwen3-0.6b', max_model_len: 32768 }] });
  if (path === '/v1/chat/completions') return chat(request, response, value, context);
  if (path.startsWith('/v1/freehold/')) return conversations(request.method, path.slice(13), url.searchParams, value, response, request.headers.authorization ?? '');
  return send(response, 404, { error: { message: 'no such route', type: 'invalid_request_error' } });
}

function file(response, name) {
  try {
    const bytes = readFileSync(join(PAGE, normalize(name)));
    response.writeHead(200, { 'content-type': TYPES[extname(name)] ?? 'application/octet-stream', 'content-security-policy': POLICY, 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
    response.end(bytes);
  } catch {
    send(response, 404, { error: { message: `no file ${name}` } });
  }
}

async function chat(request, response, body, { pace, seen }) {
  seen.chats.push(body);
  const asked = body.messages.at(-1).content;
  const mode = asked.split(/\s/)[0].toLowerCase();
  if (mode === 'busy') return send(response, 429, { error: { message: 'the token quota of this minute is used up', type: 'rate_limit_error' } }, { 'retry-after': '12' });
  if (mode === 'long') return send(response, 400, { error: { message: 'the prompt has 2,610 tokens, the model reads 2,048', type: 'invalid_request_error', code: 'context_length_exceeded' } });
  let gone = false;
  response.on('close', () => {
    if (!response.writableEnded) seen.aborted++;
    gone = true;
  });
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const event = (value) => response.write(`data: ${JSON.stringify({ id: 'c1', object: 'chat.completion.chunk', model: body.model, ...value })}\n\n`);
  const delta = (value, finish = null) => event({ choices: [{ index: 0, delta: value, finish_reason: finish }] });
  delta({ role: 'assistant' });
  let written = 0;
  if (mode === 'think') {
    for (const word of 'The person wants to know something. I weigh what I know, and what I only believe.'.split(/(?<=\s)/)) {
      delta({ reasoning_content: word });
      written++;
      await sleep(pace * 5);
    }
  }
  const text = mode === 'slow' ? 'word '.repeat(400) : mode === 'brief' ? `You said: ${asked.slice(6)}` : PROSE;
  const words = text.match(/\s*\S+/g);
  for (const [i, word] of words.entries()) {
    if (gone) return;
    if (mode === 'cut' && i === 25) {
      // What was sent is to have arrived: a reset connection drops what nobody has read yet.
      await sleep(500);
      return response.destroy();
    }
    if (mode === 'fail' && i === 10) return response.end(`data: ${JSON.stringify({ error: { message: 'the worker stopped', type: 'server_error', code: 500 } })}\n\n`);
    delta({ content: word });
    written++;
    await sleep(mode === 'slow' ? 30 : pace);
  }
  delta({}, 'stop');
  const prompt = Math.ceil(JSON.stringify(body.messages).length / 4);
  event({ choices: [], usage: { prompt_tokens: prompt, completion_tokens: written, total_tokens: prompt + written, prompt_tokens_details: { cached_tokens: Math.floor(prompt / 2) } } });
  response.end('data: [DONE]\n\n');
}

function conversations(method, path, query, value, response, owner) {
  if (!stores.has(owner)) stores.set(owner, new Map());
  const all = stores.get(owner);
  const [kind, id] = path.split('/');
  const summary = ({ messages, ...rest }) => ({ ...rest, messages: messages.length });
  if (kind === 'conversations' && !id) {
    const q = (query.get('q') ?? '').toLowerCase();
    const hit = (c) => c.messages.find((m) => m.content.toLowerCase().includes(q));
    const data = [...all.values()].filter((c) => c.title.toLowerCase().includes(q) || hit(c)).sort((a, b) => b.updated - a.updated)
      .map((c) => ({ ...summary(c), snippet: q && hit(c) ? hit(c).content.slice(Math.max(0, hit(c).content.toLowerCase().indexOf(q) - 20)).slice(0, 80) : undefined }));
    return send(response, 200, { data, next: null });
  }
  if (kind === 'import') {
    const list = value.file.conversations ?? [value.file];
    for (const c of list) all.set(c.id, { ...c, updated: c.updated ?? Date.now() });
    return send(response, 200, { imported: list.length });
  }
  if (kind === 'export' && id === 'all') return send(response, 200, { format: 'freehold.conversations', version: 1, conversations: [...all.values()] });
  const found = all.get(kind === 'messages' ? value.conversation : id);
  if (method === 'POST' && kind === 'conversations') {
    all.set(id, { id, title: 'New conversation', settings: {}, current: null, messages: [], created: Date.now(), ...found, ...value, updated: Date.now() });
    return send(response, 200, summary(all.get(id)));
  }
  if (!found) return send(response, 404, { error: { message: 'no such conversation', type: 'invalid_request_error' } });
  if (kind === 'export') {
    if (query.get('format') === 'markdown') {
      response.writeHead(200, { 'content-type': 'text/markdown' });
      return response.end(found.messages.map((m) => `## ${m.role}\n\n${m.content}\n`).join('\n'));
    }
    return send(response, 200, { format: 'freehold.conversations', version: 1, conversations: [found] });
  }
  if (method === 'GET') return send(response, 200, found);
  if (method === 'DELETE') {
    all.delete(id);
    return send(response, 200, { id, deleted: true });
  }
  if (method === 'POST' && kind === 'messages') {
    const { conversation, ...message } = value;
    const old = found.messages.find((m) => m.id === id);
    if (old) Object.assign(old, message);
    else {
      found.messages.push({ id, created: Date.now(), parent: null, ...message });
      found.current = id;
    }
    found.updated = Date.now();
    return send(response, 200, { id, conversation });
  }
  return send(response, 405, { error: { message: 'method not allowed' } });
}

function send(response, status, value, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(value));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await start({ port: Number(process.argv[2] ?? 8123), key: process.argv[3] ?? '' });
  console.log(`the page is at ${url}`);
}
