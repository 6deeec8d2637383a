// Markdown to nodes: what people see of it, and what nobody may get through it. Needs nothing but Node.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { blocks } from '../../page/markdown/block.js';
import { highlight } from '../../page/markdown/highlight.js';
import { inline } from '../../page/markdown/inline.js';
import { bareUrlEnd, disguised, safeUrl } from '../../page/markdown/link.js';
import { ATTACKS } from './attacks.mjs';

/** Nodes as short markup, to compare by eye. */
function show(nodes) {
  return nodes.map((n) => {
    if (typeof n === 'string') return n;
    const mark = [n.tag, n.cls && `.${n.cls}`, n.start && `=${n.start}`, n.href && ` ${n.href}`, n.lang && ` ${n.lang}`].filter(Boolean).join('');
    const kids = n.tag === 'code-block' ? n.text : show(n.kids);
    return kids || n.tag === 'code-block' ? `<${mark}>${kids}</>` : `<${mark}/>`;
  }).join('');
}

const CASES = [
  ['plain', '<p>plain</>'],
  ['a *b* _c_ **d** ***e*** ~~f~~', '<p>a <em>b</> <em>c</> <strong>d</> <em><strong>e</></> <del>f</></>'],
  ['snake_case_name and 2 * 3 * 4', '<p>snake_case_name and 2 * 3 * 4</>'],
  ['*a **b* c**', '<p><em>a <em><em>b</> c</></></>'],
  ['`a *b*` and ``c ` d``', '<p><code>a *b*</> and <code>c ` d</></>'],
  ['\\*not\\* \\q', '<p>*not* \\q</>'],
  ['a\nb  \nc\\\nd', '<p>a<br/>b<br/>c<br/>d</>'],
  ['a<br>b<br/>c', '<p>a<br/>b<br/>c</>'],
  ['&amp; &copy; &#65; &nope; &#0;', '<p>& © A &nope; \ufffd</>'],
  ['<b>x</b>', '<p><b>x</b></>'],
  ['# A\n## B ##\n####### C', '<h1>A</><h2>B</><p>####### C</>'],
  ['A\n===\nB\n---', '<h1>A</><h2>B</>'],
  ['a\n\n---\n\nb', '<p>a</><hr/><p>b</>'],
  ['- a\n- b', '<ul><li>a</><li>b</></>'],
  ['- a\n\n- b', '<ul><li><p>a</></><li><p>b</></></>'],
  ['- a\n  - b\n    - c\n- d', '<ul><li>a<ul><li>b<ul><li>c</></></></></><li>d</></>'],
  ['1. a\n  - b\n2. c', '<ol><li>a<ul><li>b</></></><li>c</></>'],
  ['3) a\n4) b', '<ol=3><li>a</><li>b</></>'],
  ['- a\n* b', '<ul><li>a</></><ul><li>b</></>'],
  ['a\n- b', '<p>a</><ul><li>b</></>'],
  ['a\n2. b', '<p>a<br/>2. b</>'],
  ['1. a\n\n   ```js\n   x\n   ```\n2. b', '<ol><li><p>a</><code-block js>x</></><li><p>b</></></>'],
  ['- [ ] a\n- [x] b', '<ul><li.task><span.todo>☐ </>a</><li.task><span.done>☑ </>b</></>'],
  ['> a\nb\n> - c', '<blockquote><p>a<br/>b</><ul><li>c</></></>'],
  ['```rust\nfn a() {}\n\n  b\n```\nc', '<code-block rust>fn a() {}\n\n  b</><p>c</>'],
  ['~~~\n```\n~~~', '<code-block>```</>'],
  ['````\n```\n````', '<code-block>```</>'],
  ['```\nopen', '<code-block>open</>'],
  ['    a\n\n    b\n\nc', '<code-block>a\n\nb</><p>c</>'],
  ['$$x^2$$\n\n\\[\ny\n\\]', '<code-block math>x^2</><code-block math>y</>'],
  ['a \\(x_1\\) b, $5 and $6', '<p>a <code.math>x_1</> b, $5 and $6</>'],
  ['|a|b|\n|-|:-:|\n|1|`x|y`|\n|2|', '<table><thead><tr><th>a</><th.center>b</></></><tbody><tr><td>1</><td.center>`x</></><tr><td>2</><td.center/></></></>'],
  ['a | b\n--|--\n1 \\| 2 | 3', '<table><thead><tr><th>a</><th>b</></></><tbody><tr><td>1 | 2</><td>3</></></></>'],
  ['a | b', '<p>a | b</>'],
  ['[a *b*](https://x.org/y "t") c', '<p><a https://x.org/y>a <em>b</></> c</>'],
  ['[a](https://x.org/y_(z)) [b](<https://x.org/a b>)', '<p><a https://x.org/y_(z)>a</> <a https://x.org/a%20b>b</></>'],
  ['see https://x.org/a_b, (http://y.org/).', '<p>see <a https://x.org/a_b>https://x.org/a_b</>, (<a http://y.org/>http://y.org/</>).</>'],
  ['<https://x.org> <me@x.org>', '<p><a https://x.org/>https://x.org</> <a mailto:me@x.org>me@x.org</></>'],
  ['![a](https://x.org/i.png) ![b](i.png) ![](data:image/png;base64,AA)', '<p><a.picture https://x.org/i.png>a</> <span.picture>b</> <span.picture>picture (embedded picture, not shown)</></>'],
  ['[google.com](https://evil.org)', '<p><span><a https://evil.org/>google.com</><span.host> (evil.org)</></></>'],
  ['[a [b](https://x.org) c](https://y.org)', '<p>[a <a https://x.org/>b</> c](<a https://y.org/>https://y.org</>)</>'],
];

test('markdown becomes what it means', () => {
  for (const [text, expected] of CASES) assert.equal(show(blocks(text)), expected, JSON.stringify(text));
  assert.equal(show(blocks('a\r\nb\r\n\r\nc')), show(blocks('a\nb\n\nc')));
});

test('while it streams, what is begun is shown as what it will be', () => {
  assert.equal(show(inline('a **b c', { open: true })), 'a <strong>b c</>');
  assert.equal(show(inline('a `b c', { open: true })), 'a <code>b c</>');
  assert.equal(show(inline('a **b c')), 'a **b c');
  assert.equal(show(blocks('- x\n- a **b', { open: true })), '<ul><li>x</><li>a <strong>b</></></>');
});

test('a text read again from its last blocks is the text read at once', () => {
  const text = CASES.map(([t]) => t).join('\n\n') + '\n\ntext **bold** `code`\n\n- a\n\n  b\n- c\n\n| a | b |\n|---|---|\n| c | d |\n';
  let nodes = [];
  let before = '';
  for (let end = 1; end <= text.length; end++) {
    const now = text.slice(0, end);
    const keep = now.startsWith(before) ? Math.max(0, nodes.length - 2) : 0;
    const from = keep < nodes.length ? (nodes[keep]?.at ?? 0) : 0;
    const fresh = blocks(now.slice(from), { open: true });
    for (const node of fresh) node.at += from;
    nodes = [...nodes.slice(0, keep), ...fresh];
    before = now;
    if (end % 97 === 0 || end === text.length) assert.equal(show(nodes), show(blocks(now, { open: true })), JSON.stringify(now.slice(-40)));
  }
});

const TAGS = new Set('p h1 h2 h3 h4 h5 h6 ul ol li blockquote hr br em strong del code a span table thead tbody tr th td code-block'.split(' '));
const KEYS = new Set(['tag', 'kids', 'at', 'cls', 'href', 'start', 'lang', 'text', 'closed']);

function inspect(node, deep) {
  if (typeof node === 'string') return;
  assert.ok(deep < 60, 'too deep');
  assert.ok(TAGS.has(node.tag), node.tag);
  for (const key of Object.keys(node)) assert.ok(KEYS.has(key), key);
  if (node.href !== undefined) {
    assert.match(node.href, /^(https?:\/\/|mailto:)/);
    assert.equal(node.tag, 'a');
  }
  if (node.lang) assert.match(node.lang, /^[\w+#.-]{1,32}$/);
  for (const kid of node.kids) inspect(kid, deep + 1);
}

test('no attack leaves the list of what is allowed', () => {
  assert.ok(ATTACKS.length >= 60);
  for (const attack of ATTACKS) {
    for (const text of [attack, `a **${attack}** b`, `- ${attack}`, `> ${attack}`, `| a |\n|---|\n| ${attack} |`]) {
      for (const open of [false, true]) for (const node of blocks(text, { open })) inspect(node, 0);
    }
  }
});

test('no cut of an attack leaves it either', () => {
  for (const attack of ATTACKS.filter((a) => a.length < 300)) {
    for (let end = 1; end < attack.length; end++) for (const node of blocks(attack.slice(0, end), { open: true })) inspect(node, 0);
  }
});

test('long and nasty texts take no long time', () => {
  const many = 20_000;
  const texts = ['*', '[', '`', '<', '&', '![', '**x', '[](', '_a*b', '> ', '- ', '` `` ', 'a|b\n', 'http://', '*a ', '](', '\\(', '$$\n', '1. a\n', '- a\n\n'].map((s) => s.repeat(many));
  texts.push('*a '.repeat(many) + 'b* '.repeat(many), '['.repeat(many) + '](x)'.repeat(many), ' '.repeat(100_000) + 'a', '```\n'.repeat(many));
  for (const text of texts) {
    const began = performance.now();
    for (const node of blocks(text, { open: true })) inspect(node, 0);
    const took = performance.now() - began;
    assert.ok(took < 5000, `${JSON.stringify(text.slice(0, 12))} took ${Math.round(took)} ms`);
  }
});

test('only addresses of three kinds become links', () => {
  for (const good of ['https://x.org', 'http://x.org:80/a?b#c', 'HTTPS://X.ORG', 'mailto:a@b.c']) assert.ok(safeUrl(good), good);
  for (const bad of ['', 'x', '/x', '//x.org', 'javascript:1', ' javascript:1', 'java\tscript:1', 'data:,x', 'ftp://x.org', 'file:///x', 'https://', 'https://a:b@x.org', 'https://a@x.org', 'mailto:', 'mailto:a', 'mailto:a@b.c?cc=d@e.f', `https://x.org/${'a'.repeat(3000)}`, null, 3]) {
    assert.equal(safeUrl(bad), null, String(bad));
  }
  assert.equal(disguised('bank.example', 'https://evil.org/'), 'evil.org');
  assert.equal(disguised('https://www.bank.example/a', 'https://bank.example/b'), null);
  assert.equal(disguised('click here', 'https://evil.org/'), null);
  assert.equal('https://x.org/(a).'.slice(0, bareUrlEnd('https://x.org/(a).', 0)), 'https://x.org/(a)');
});

test('colours change no letter of the code', () => {
  const code = 'fn a() -> u32 { /* b */ "c\\"d" + 42 } // e\nlet x = \'y\'; 名前 = `t`';
  for (const lang of ['rust', 'js', 'python', 'c', 'go', 'sh', 'sql', 'json', 'toml', 'css', 'html']) {
    assert.equal(highlight(code, lang).map(([, text]) => text).join(''), code, lang);
  }
  assert.equal(highlight('x', 'unknown'), null);
  for (const name of ['__proto__', 'constructor', 'toString']) assert.equal(highlight('x', name), null);
  assert.deepEqual(highlight('let a = 1 // b', 'rust'), [['tk', 'let'], [null, ' a = '], ['tn', '1'], [null, ' '], ['tc', '// b']]);
});
