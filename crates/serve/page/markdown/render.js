// Nodes to elements, and a growing text kept up to date without drawing it anew.
//
// This is the only place where a model's words become elements. It knows a closed list of tags and, for each, the
// attributes it sets; text is always set as text. Nothing here parses HTML, and the page's policy (Trusted Types,
// no inline script) would refuse it if it did.

import { blocks } from './block.js';
import { highlight } from './highlight.js';

const TAGS = new Set(
  'p h1 h2 h3 h4 h5 h6 ul ol li blockquote hr br em strong del code a span table thead tbody tr th td'.split(' '),
);
// A message stands under the page's own two levels of headings; most answers begin with the second of Markdown's.
const LEVEL = { h1: 'h3', h2: 'h3', h3: 'h4', h4: 'h5', h5: 'h6', h6: 'h6' };
const CLASSES = new Set('math picture host task todo done center right'.split(' '));

/** Shows a text that may still grow inside `root`; elements already there are kept wherever they still fit. */
export class Rendered {
  constructor(root, { copy } = {}) {
    this.root = root;
    this.copy = copy; // called with (text, button) when a person copies a code block
    this.nodes = [];
    this.text = '';
  }

  /** Brings the elements in line with `text`. `open`: more is to come. */
  update(text, { open = false } = {}) {
    // All but the last two blocks of a text that only grew are as they will stay.
    let keep = 0;
    if (open && this.open && text.startsWith(this.text)) keep = Math.max(0, this.nodes.length - 2);
    const from = keep < this.nodes.length ? (this.nodes[keep]?.at ?? 0) : 0;
    const fresh = blocks(text.slice(from), { open });
    for (const node of fresh) node.at += from;
    const next = [...this.nodes.slice(0, keep), ...fresh];
    this.patch(this.root, this.nodes, next, keep);
    this.nodes = next;
    this.text = text;
    this.open = open;
  }

  patch(parent, before, after, from = 0) {
    for (let i = from; i < after.length; i++) {
      const element = parent.childNodes[i];
      if (i >= before.length || !element) parent.append(this.create(after[i]));
      else if (!this.adopt(element, before[i], after[i])) element.replaceWith(this.create(after[i]));
    }
    while (parent.childNodes.length > after.length) parent.lastChild.remove();
  }

  /** Changes `element`, drawn from `before`, to show `after`; false when a new one is needed. */
  adopt(element, before, after) {
    if (typeof before === 'string' || typeof after === 'string') {
      if (typeof before !== typeof after) return false;
      if (before === after) return true;
      if (after.startsWith(before)) element.appendData(after.slice(before.length));
      else element.data = after;
      return true;
    }
    for (const key of ['tag', 'cls', 'href', 'start', 'lang']) if (before[key] !== after[key]) return false;
    if (after.tag === 'code-block') return this.adoptCode(element, before, after);
    this.patch(inside(element), before.kids, after.kids);
    return true;
  }

  adoptCode(element, before, after) {
    const code = element.querySelector('code');
    if (after.text !== before.text) {
      const grew = after.text.startsWith(before.text) && code.childNodes.length === 1;
      if (grew) code.firstChild.appendData(visible(after.text.slice(before.text.length)));
      else code.replaceChildren(document.createTextNode(visible(after.text)));
      element.source = after.text;
    }
    if (after.closed && (!before.closed || after.text !== before.text)) paint(code, after);
    return true;
  }

  create(node) {
    if (typeof node === 'string') return document.createTextNode(node);
    if (node.tag === 'code-block') return this.codeBlock(node);
    if (!TAGS.has(node.tag)) return document.createTextNode('');
    const element = document.createElement(LEVEL[node.tag] ?? node.tag);
    if (CLASSES.has(node.cls)) element.className = node.cls;
    if (node.tag === 'h1') element.className = 'title-line';
    if (node.tag === 'ol' && Number.isInteger(node.start)) element.start = node.start;
    if (node.tag === 'a') {
      element.href = node.href;
      element.rel = 'noopener noreferrer nofollow';
      element.target = '_blank';
      element.title = node.href;
      element.referrerPolicy = 'no-referrer';
    }
    for (const kid of node.kids) element.append(this.create(kid));
    return node.tag === 'table' ? scrolling(element, 'Table') : element;
  }

  codeBlock(node) {
    const block = document.createElement('div');
    block.className = 'code-block';
    block.source = node.text;
    const bar = document.createElement('div');
    bar.className = 'code-bar';
    const lang = document.createElement('span');
    lang.textContent = node.lang || 'text';
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'copy quiet';
    button.textContent = 'Copy';
    button.setAttribute('aria-label', `Copy the ${node.lang || 'text'} block`);
    button.addEventListener('click', () => this.copy?.(block.source, button));
    bar.append(lang, button);
    const code = document.createElement('code');
    code.append(document.createTextNode(visible(node.text)));
    if (node.closed) paint(code, node);
    const pre = document.createElement('pre');
    pre.tabIndex = 0;
    pre.setAttribute('role', 'region');
    pre.setAttribute('aria-label', `Code, ${node.lang || 'plain text'}`);
    pre.append(code);
    block.append(bar, pre);
    return block;
  }
}

/** Draws `text` once. */
export function render(root, text, options) {
  new Rendered(root, options).update(text);
}

function scrolling(table, label) {
  const box = document.createElement('div');
  box.className = 'wide';
  box.tabIndex = 0;
  box.setAttribute('role', 'region');
  box.setAttribute('aria-label', label);
  box.append(table);
  return box;
}

/** The element whose children are the node's: a table lies in a box that scrolls. */
function inside(element) {
  return element.className === 'wide' ? element.firstChild : element;
}

function paint(code, node) {
  const parts = highlight(visible(node.text), node.lang);
  if (!parts) return;
  code.replaceChildren(
    ...parts.map(([kind, text]) => {
      if (!kind) return document.createTextNode(text);
      const span = document.createElement('span');
      span.className = kind;
      span.textContent = text;
      return span;
    }),
  );
}

/** Characters that turn the direction of writing can make code read other than it runs: they are shown by number. */
function visible(text) {
  return text.replace(/[\u202a-\u202e\u2066-\u2069]/g, (c) => `‹U+${c.charCodeAt(0).toString(16).toUpperCase()}›`);
}
