// What lies behind the page's views: streams, trees, settings, words for failures. Needs nothing but Node.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { answer } from '../../page/net/answer.js';
import { Outbox } from '../../page/net/outbox.js';
import { events } from '../../page/net/sse.js';
import { Trouble, explain } from '../../page/net/trouble.js';
import { duration, era, facts } from '../../page/state/format.js';
import { FIELDS, parseField, requestFor, titleOf } from '../../page/state/settings.js';
import { Tree } from '../../page/state/tree.js';
import { Announcer, lastSentence, spoken } from '../../page/view/announcer.js';

function stream(chunks) {
  const bytes = chunks.map((chunk) => (typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk));
  return new ReadableStream({
    pull(control) {
      const next = bytes.shift();
      if (next instanceof Error) control.error(next);
      else if (next) control.enqueue(next);
      else control.close();
    },
  });
}

async function all(chunks) {
  const out = [];
  for await (const data of events(stream(chunks))) out.push(data);
  return out;
}

test('events come out whole, however they are cut', async () => {
  const text = ': hello\n\ndata: {"a": "ü€😀"}\n\nevent: x\r\ndata: b\r\ndata: c\r\n\r\ndata:d\r\rdata: lost';
  const bytes = new TextEncoder().encode(text);
  for (let size = 1; size <= bytes.length; size++) {
    const parts = [];
    for (let i = 0; i < bytes.length; i += size) parts.push(bytes.slice(i, i + size));
    assert.deepEqual(await all(parts), ['{"a": "ü€😀"}', 'b\nc', 'd'], `pieces of ${size}`);
  }
});

const chunk = (value) => `data: ${JSON.stringify(value)}\n\n`;
const delta = (value, finish = null) => chunk({ choices: [{ delta: value, finish_reason: finish }] });

async function answered(chunks, signal) {
  const api = { fetch: async (method, path, { body }) => ({ body: stream(chunks), asked: body }) };
  const got = { content: '', reasoning: '' };
  const progress = {};
  let clock = 0;
  const now = () => (clock += 100);
  const on = (piece) => {
    got.content += piece.content;
    got.reasoning += piece.reasoning;
  };
  let end;
  try {
    end = await answer(api, { model: 'm', messages: [] }, { signal, on, progress, now });
  } catch (error) {
    end = error;
  }
  return { ...got, end, stats: progress.stats };
}

test('an answer is put together, with thoughts under either name and numbers at the end', async () => {
  const whole = [delta({ role: 'assistant' }), delta({ reasoning_content: 'h' }), delta({ reasoning: 'm' }), delta({ content: 'Hel' }), delta({ content: 'lo' }), delta({}, 'stop'),
    chunk({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 4, prompt_tokens_details: { cached_tokens: 5 } } }), 'data: [DONE]\n\n'];
  const got = await answered(whole);
  assert.equal(got.content, 'Hello');
  assert.equal(got.reasoning, 'hm');
  assert.equal(got.end.finish, 'stop');
  assert.deepEqual(got.stats, { total_ms: 400, ttft_ms: 100, completion_tokens: 4, prompt_tokens: 7, cached_tokens: 5, tokens_per_second: 10 });
  const timed = await answered([delta({ content: 'x' }, 'length'), chunk({ choices: [], timings: { predicted_n: 9, predicted_per_second: 33.33 } }), 'data: [DONE]\n\n']);
  assert.equal(timed.stats.tokens_per_second, 33.3);
  assert.equal(timed.end.finish, 'length');
});

test('an answer that is cut off keeps what came and says so', async () => {
  for (const end of [[], [new TypeError('network error')]]) {
    const got = await answered([delta({ content: 'half' }), ...end]);
    assert.equal(got.content, 'half');
    assert.ok(got.end instanceof Trouble, String(got.end));
    assert.equal(got.end.kind, 'lost');
    assert.equal(got.stats.completion_tokens, 1);
  }
  const failed = await answered([delta({ content: 'half' }), chunk({ error: { message: 'the worker stopped', type: 'server_error' } })]);
  assert.equal(failed.end.kind, 'server');
  assert.match(failed.end.detail, /worker stopped/);
  assert.equal((await answered(['data: {nonsense\n\n'])).end.kind, 'server');
});

test('failures are told in plain words', () => {
  const error = (fields) => JSON.stringify({ error: fields });
  const cases = [
    [401, error({ message: 'a key is needed' }), 'key', /needs a key/],
    [403, '', 'key', /may not/],
    [404, error({ message: 'no', code: 'model_not_found' }), 'model', /does not have this model/],
    [404, '', 'gone', /does not have this/],
    [400, error({ message: 'the prompt has 9000 tokens', code: 'context_length_exceeded' }), 'long', /longer than the model can read/],
    [400, error({ message: 'top_k is -1' }), 'refused', /did not accept/],
    [413, '<html>', 'long', /too long/],
    [429, error({ message: 'slow down' }), 'busy', /limit/],
    [500, 'oops', 'server', /inside the server/],
    [503, '', 'busy', /not ready/],
    [507, '', 'full', /no more room/],
    [418, '', 'refused', /did not accept/],
  ];
  for (const [status, body, kind, title] of cases) {
    const trouble = explain(status, body);
    assert.equal(trouble.kind, kind, `${status}`);
    assert.match(trouble.title, title);
    assert.doesNotMatch(trouble.title + trouble.detail, /undefined|null|\[object/);
  }
  assert.match(explain(429, '', () => '12').detail, /12 seconds/);
  assert.equal(explain(429, '', () => '99999999').wait, 600);
  assert.ok(explain(400, error({ message: 'x'.repeat(9000) })).detail.length < 500);
});

test('a tree keeps every version and shows one path', () => {
  const tree = new Tree();
  const say = (id, parent) => tree.add({ id, parent, role: 'user', content: id });
  say('u1', null);
  say('a1', 'u1');
  say('a2', 'u1');
  say('u2', 'a1');
  say('a3', 'u2');
  const ids = () => tree.path().map((m) => m.id).join(' ');
  assert.equal(ids(), 'u1 a1 u2 a3');
  assert.deepEqual(tree.siblings('a1'), ['a1', 'a2']);
  assert.equal(tree.turn('a1', 1), 'a2');
  assert.equal(ids(), 'u1 a2');
  assert.equal(tree.turn('a2', 1), null);
  assert.equal(tree.turn('a2', -1), 'a1');
  assert.equal(ids(), 'u1 a1 u2 a3');
  say('v1', null);
  assert.equal(ids(), 'v1');
  const again = new Tree([...tree.messages.values()], 'a2');
  assert.equal(again.path().map((m) => m.id).join(' '), 'u1 a2');
  assert.equal(new Tree([...tree.messages.values()], 'gone').current, 'v1');
  assert.deepEqual(new Tree().path(), []);
});

test('a request holds what is set and nothing else', () => {
  const path = [{ role: 'user', content: 'a' }, { role: 'assistant', content: '' }, { role: 'user', content: 'b' }, { role: 'assistant', content: 'c', reasoning: 'r' }];
  assert.deepEqual(requestFor('m', { temperature: 0, seed: 7, model: 'other', system: ' ' }, path), {
    model: 'm', temperature: 0, seed: 7,
    messages: [{ role: 'user', content: 'a\n\nb' }, { role: 'assistant', content: 'c' }],
  });
  assert.equal(path[0].content, 'a');
  assert.equal(requestFor('m', { system: 'S' }, []).messages[0].role, 'system');
  const [temperature, , topK] = FIELDS;
  assert.equal(parseField(temperature, ' 0,7 '), 0.7);
  assert.equal(parseField(temperature, ''), undefined);
  for (const [field, text] of [[temperature, 'x'], [temperature, '9'], [temperature, '-1'], [topK, '1.5'], [topK, 'NaN'], [temperature, 'Infinity']]) {
    assert.throws(() => parseField(field, text), new RegExp(field.label));
  }
  assert.equal(titleOf('Hello\nworld'), 'Hello');
  assert.ok(titleOf('word '.repeat(50)).length <= 61);
  assert.equal(titleOf(' \n'), 'New conversation');
});

test('what could not be stored waits, the newest of each name', async () => {
  const told = [];
  const outbox = new Outbox((kind) => told.push(kind), { delay: 1 });
  const done = [];
  let away = 3;
  const save = (name) => async () => {
    if (away-- > 0) throw new Trouble('lost', 'away');
    done.push(name);
  };
  outbox.put('a', save('a1'));
  outbox.put('b', save('b1'));
  outbox.put('b', save('b2'));
  await outbox.settled();
  assert.deepEqual(done, ['a1', 'b2']);
  assert.deepEqual(told, ['waiting', 'waiting', 'waiting', 'saved']);
  outbox.put('c', async () => {
    throw new Trouble('refused', 'no');
  });
  await outbox.settled();
  assert.equal(told.at(-1), 'failed');
  assert.ok(outbox.empty);
});

test('a screen reader hears sentences, not tokens', () => {
  const live = { textContent: '' };
  let clock = 0;
  const announcer = new Announcer(live, () => clock);
  const heard = [];
  announcer.begin();
  let text = '';
  for (const word of '## Title\n\nOne **two** three. Four `five` six. Seven'.split(/(?<= )/)) {
    text += word;
    clock += 600;
    const before = live.textContent;
    announcer.grow(text);
    if (live.textContent !== before) heard.push(live.textContent);
  }
  announcer.end(text, 'Answer complete.');
  heard.push(live.textContent);
  assert.ok(heard.length <= 3, heard.join(' | '));
  assert.equal(heard.join(' ').replace(/\s+/g, ' '), 'Title One two three. Four five six. Seven Answer complete.');
  assert.equal(lastSentence('No end yet', 0), 0);
  assert.ok(spoken('x'.repeat(5000)).length < 700);
  announcer.say('Same');
  const first = live.textContent;
  announcer.say('Same');
  assert.notEqual(live.textContent, first);
});

test('numbers and times read well', () => {
  assert.deepEqual([3, 320, 1500, 12_400, 75_000].map(duration), ['3 ms', '320 ms', '1.5 s', '12 s', '1 min 15 s']);
  assert.deepEqual(facts({ completion_tokens: 1234, tokens_per_second: 12.34, ttft_ms: 80 }), ['1,234 tokens', '12.3 tokens/s', 'first after 80 ms']);
  assert.deepEqual(facts(null), []);
  const noon = new Date(2026, 5, 15, 12).getTime();
  const day = 86_400_000;
  assert.deepEqual([0, 1, 3, 20, 90].map((n) => era(noon - n * day, noon)), ['Today', 'Yesterday', 'Past week', 'Past month', 'Earlier']);
});
