// Inside a paragraph: emphasis, code, links, escapes.
//
// The result is a list of strings and plain nodes `{ tag, kids, … }`; `render.js` turns them into elements. Raw HTML
// means nothing here: it stays the text it is. Emphasis follows CommonMark's delimiter rules (spec 0.31, §6.2); a
// line break is kept as one, because models write verses and addresses that way.
// Every loop is bounded: work grows with the length of the text times a constant, nesting stops at DEEPEST.

import { bareUrlEnd, disguised, safeUrl } from './link.js';

const DEEPEST = 16;
const LONGEST_TARGET = 2048;
const NAMED = {
  amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0', copy: '©', reg: '®', hellip: '…', mdash: '—',
  ndash: '–', times: '×', middot: '·', larr: '←', rarr: '→', deg: '°', euro: '€', laquo: '«', raquo: '»',
};

/** Nodes of `text`. `open`: the text is still being written, so a span begun and not ended runs to the end. */
export function inline(text, { open = false } = {}) {
  return new Inline(text, open).parse();
}

class Inline {
  constructor(text, open) {
    this.text = text;
    this.open = open;
    this.at = 0;
    this.items = []; // strings, nodes, and runs of delimiters { run, n, opens, closes }
    this.brackets = []; // indexes into items
    this.noTicks = new Map(); // length of a run of backticks -> no closing run exists from here on
  }

  parse() {
    const { text } = this;
    while (this.at < text.length) {
      const c = text[this.at];
      if (c === '\\') this.escape();
      else if (c === '`') this.code();
      else if (c === '*' || c === '_' || c === '~') this.delimiters(c);
      else if (c === '[') this.bracket(1, false);
      else if (c === '!' && text[this.at + 1] === '[') this.bracket(2, true);
      else if (c === ']') this.closeBracket();
      else if (c === '<') this.angle();
      else if (c === '&') this.entity();
      else if (c === '\n') this.lineBreak();
      else if (c === 'h' && /^https?:\/\/[^\s<]/i.test(text.slice(this.at, this.at + 10))) this.bare();
      else this.plain();
    }
    return emphasis(this.items.splice(0), this.open);
  }

  push(item) {
    this.items.push(item);
  }

  plain() {
    const start = this.at++;
    while (this.at < this.text.length && !/[\\`*_~[!\]<&\nh]/.test(this.text[this.at])) this.at++;
    this.push(this.text.slice(start, this.at));
  }

  escape() {
    const next = this.text[this.at + 1];
    const close = next === '(' ? this.text.indexOf('\\)', this.at + 2) : -1;
    if (close > 0 && close - this.at < LONGEST_TARGET) {
      this.push({ tag: 'code', cls: 'math', kids: [this.text.slice(this.at + 2, close).trim()] });
      this.at = close + 2;
    } else if (next === '\n') {
      this.push({ tag: 'br', kids: [] });
      this.at += 2;
    } else if (next && /[!-/:-@[-`{-~]/.test(next)) {
      this.push(next);
      this.at += 2;
    } else {
      this.push('\\');
      this.at++;
    }
  }

  code() {
    const { text } = this;
    const start = this.at;
    let from = start;
    while (text[from] === '`') from++;
    const n = from - start;
    let close = -1;
    if (!this.noTicks.get(n)) {
      for (let i = text.indexOf('`', from); i >= 0; i = text.indexOf('`', i)) {
        let end = i;
        while (text[end] === '`') end++;
        if (end - i === n) {
          close = i;
          break;
        }
        i = end;
      }
      if (close < 0) this.noTicks.set(n, true);
    }
    if (close < 0 && !(this.open && n === 1 && from < text.length)) {
      this.push(text.slice(start, from));
      this.at = from;
      return;
    }
    let body = text.slice(from, close < 0 ? text.length : close).replaceAll('\n', ' ');
    if (body.length > 2 && body.startsWith(' ') && body.endsWith(' ') && body.trim()) body = body.slice(1, -1);
    this.push({ tag: 'code', kids: [body] });
    this.at = close < 0 ? text.length : close + n;
  }

  delimiters(c) {
    const { text } = this;
    const start = this.at;
    while (text[this.at] === c) this.at++;
    const n = this.at - start;
    const before = start === 0 ? ' ' : text[start - 1];
    const after = this.at >= text.length ? ' ' : text[this.at];
    const [spaceBefore, spaceAfter] = [/\s/.test(before), /\s/.test(after)];
    const [markBefore, markAfter] = [isMark(before), isMark(after)];
    const left = !spaceAfter && (!markAfter || spaceBefore || markBefore);
    const right = !spaceBefore && (!markBefore || spaceAfter || markAfter);
    const word = c === '_';
    if (c === '~' && n !== 2) return this.push(text.slice(start, this.at));
    this.push({
      run: c,
      n,
      length: n,
      opens: left && (!word || !right || markBefore),
      closes: right && (!word || !left || markAfter),
    });
  }

  bracket(length, image) {
    this.brackets.push(this.items.length);
    this.push({ bracket: this.text.slice(this.at, this.at + length), image });
    this.at += length;
  }

  closeBracket() {
    const from = this.brackets.pop();
    if (from === undefined) {
      this.push(']');
      this.at++;
      return;
    }
    const opener = this.items[from];
    const target = this.text[this.at + 1] === '(' ? linkTarget(this.text, this.at + 2) : null;
    const href = target && safeUrl(decode(target.url));
    if (!target) {
      this.items[from] = opener.bracket;
      this.push(']');
      this.at++;
      return;
    }
    const kids = emphasis(this.items.splice(from + 1), false);
    this.items.pop();
    this.at = target.end;
    // Links hold no links: brackets further out can only be text now.
    if (!opener.image) for (const i of this.brackets.splice(0)) this.items[i] = this.items[i].bracket;
    if (opener.image) this.push(imageNode(kids, href, target.url));
    else if (href && depth(kids) < DEEPEST) this.push(linkNode(kids, href));
    else kids.forEach((kid) => this.push(kid));
  }

  angle() {
    const rest = this.text.slice(this.at, this.at + LONGEST_TARGET);
    const br = /^<br\s{0,3}\/?>/i.exec(rest);
    if (br) {
      this.push({ tag: 'br', kids: [] });
      this.at += br[0].length;
      return;
    }
    const auto = /^<((?:https?:\/\/|mailto:)[^\s<>]+|[^\s<>@]{1,200}@[^\s<>@]{1,200})>/i.exec(rest);
    const href = auto && safeUrl(/^(?:https?|mailto):/i.test(auto[1]) ? auto[1] : `mailto:${auto[1]}`);
    if (!href) {
      this.push('<');
      this.at++;
      return;
    }
    this.push(linkNode([auto[1].replace(/^mailto:/i, '')], href));
    this.at += auto[0].length;
  }

  bare() {
    const end = bareUrlEnd(this.text, this.at);
    const before = this.text[this.at - 1];
    const href = before && /[\p{L}\p{N}]/u.test(before) ? null : safeUrl(this.text.slice(this.at, end));
    if (!href || this.brackets.length > 0) return this.plain();
    this.push(linkNode([this.text.slice(this.at, end)], href));
    this.at = end;
  }

  entity() {
    const found = /^&(?:#x[0-9a-f]{1,6}|#\d{1,7}|[a-z]{2,8});/i.exec(this.text.slice(this.at, this.at + 12));
    this.push(found ? decode(found[0]) : '&');
    this.at += found ? found[0].length : 1;
  }

  lineBreak() {
    this.at++;
    while (this.text[this.at] === ' ') this.at++;
    const last = this.items.length - 1;
    if (typeof this.items[last] === 'string') this.items[last] = this.items[last].replace(/ {1,64}$/, '');
    this.push({ tag: 'br', kids: [] });
  }
}

/** Character references decoded; what is no reference stays. */
export function decode(text) {
  return text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]{2,8}));/gi, (whole, hex, dec, name) => {
    if (name) return Object.hasOwn(NAMED, name) ? NAMED[name] : whole;
    const point = parseInt(hex ?? dec, hex ? 16 : 10);
    const bad = point === 0 || point > 0x10ffff || (point >= 0xd800 && point < 0xe000);
    return bad ? '\ufffd' : String.fromCodePoint(point);
  });
}

function linkNode(kids, href) {
  const other = disguised(plainText(kids), href);
  const node = { tag: 'a', href, kids };
  return other ? { tag: 'span', kids: [node, { tag: 'span', cls: 'host', kids: [` (${other})`] }] } : node;
}

/** Pictures are never fetched: asking for one would tell its owner what was read here, and when. */
function imageNode(kids, href, raw) {
  const name = plainText(kids).trim() || 'picture';
  if (href?.startsWith('http')) return { tag: 'a', href, cls: 'picture', kids: [name] };
  return { tag: 'span', cls: 'picture', kids: [/^data:/i.test(raw.trim()) ? `${name} (embedded picture, not shown)` : name] };
}

/** `url "title")` from `at`: the address and where the link ends; null when it is none. */
function linkTarget(text, at) {
  const limit = Math.min(text.length, at + LONGEST_TARGET);
  const skip = () => {
    while (at < limit && /\s/.test(text[at])) at++;
  };
  skip();
  let url = '';
  if (text[at] === '<') {
    const start = ++at;
    while (at < limit && text[at] !== '>' && text[at] !== '\n') at++;
    if (text[at] !== '>') return null;
    url = text.slice(start, at++);
  } else {
    const start = at;
    for (let deep = 0; at < limit && !/\s/.test(text[at]); at++) {
      if (text[at] === '\\') at++;
      else if (text[at] === '(' && ++deep > 32) return null;
      else if (text[at] === ')' && deep-- === 0) break;
    }
    url = text.slice(start, at).replace(/\\([!-/:-@[-`{-~])/g, '$1');
  }
  skip();
  const quote = { '"': '"', "'": "'", '(': ')' }[text[at]];
  if (quote) {
    at++;
    while (at < limit && text[at] !== quote) at += text[at] === '\\' ? 2 : 1;
    at++;
    skip();
  }
  return at < limit && text[at] === ')' ? { url, end: at + 1 } : null;
}

/** Pairs the runs of delimiters in `items` and returns nodes and strings only. */
function emphasis(items, open) {
  const openers = { '*': [], _: [], '~': [] };
  const out = []; // grows; a pair found wraps its tail
  const forget = (from) => {
    for (const stack of Object.values(openers)) while (stack.length && stack.at(-1) >= from) stack.pop();
  };
  for (const item of items) {
    if (item.run === undefined) {
      out.push(item.bracket ?? item);
      continue;
    }
    const closer = { ...item };
    const stack = openers[closer.run];
    while (closer.closes && closer.n > 0) {
      const at = lastMatch(stack, out, closer);
      if (at < 0) break;
      const opener = out[at];
      const wide = closer.run === '~' ? 2 : Math.min(2, opener.n, closer.n);
      const kids = out.splice(at + 1).map(literal);
      forget(at + 1);
      const node = { tag: closer.run === '~' ? 'del' : wide === 2 ? 'strong' : 'em', kids: joined(kids) };
      opener.n -= wide;
      closer.n -= wide;
      if (opener.n === 0) {
        out.pop();
        forget(at);
      }
      if (depth(node.kids) >= DEEPEST) out.push(...node.kids);
      else out.push(node);
    }
    if (closer.n === 0) continue;
    if (closer.opens) stack.push(out.length);
    out.push(closer);
  }
  if (open) closeTail(out);
  return joined(out.map(literal));
}

/** The index in `out` of the run that `closer` ends; looks back at most a few runs, so that work stays linear. */
function lastMatch(stack, out, closer) {
  for (let i = stack.length - 1; i >= 0 && i >= stack.length - 8; i--) {
    const opener = out[stack[i]];
    const odd = (opener.closes || closer.opens) && (opener.length + closer.length) % 3 === 0;
    if (!odd || (opener.length % 3 === 0 && closer.length % 3 === 0)) return stack[i];
  }
  return -1;
}

/** While text still streams in, bold begun is shown bold at once, not as two stars that later vanish. */
function closeTail(out) {
  const at = out.findIndex((item) => item.run === '*' && item.opens && item.n === 2);
  if (at < 0 || at === out.length - 1) return;
  const kids = joined(out.splice(at + 1).map(literal));
  out[at] = depth(kids) >= DEEPEST ? '' : { tag: 'strong', kids };
  if (out[at] === '') out.push(...kids);
}

function literal(item) {
  return item.run === undefined ? item : item.run.repeat(item.n);
}

function joined(items) {
  const out = [];
  for (const item of items) {
    if (item === '') continue;
    if (typeof item === 'string' && typeof out.at(-1) === 'string') out[out.length - 1] += item;
    else out.push(item);
  }
  return out;
}

const depths = new WeakMap();
function depth(kids) {
  let deepest = 0;
  for (const kid of kids) {
    if (typeof kid === 'string') continue;
    if (!depths.has(kid)) depths.set(kid, 1 + depth(kid.kids));
    deepest = Math.max(deepest, depths.get(kid));
  }
  return deepest;
}

/** What a node says, without its form. */
export function plainText(kids) {
  return kids.map((kid) => (typeof kid === 'string' ? kid : kid.tag === 'br' ? '\n' : plainText(kid.kids ?? []))).join('');
}

function isMark(c) {
  return /[\p{P}\p{S}]/u.test(c);
}
