// The blocks of a text: paragraphs, headings, lists, quotes, code, tables.
//
// A dialect of CommonMark 0.31 and GitHub's tables, cut to what models write: no raw HTML (it stays text), no
// reference definitions, and a list may be nested by two spaces. Each block is a plain node `{ tag, kids, … }` and
// knows the offset in the text at which it began, so that a growing text need only be read again from there.

import { inline } from './inline.js';

const DEEPEST = 12;
const WIDEST_TABLE = 64;

/** The nodes of `text`, each with `at`: where it begins. `open`: the text is still growing. */
export function blocks(text, { open = false } = {}) {
  const lines = [];
  let at = 0;
  for (const raw of text.split('\n')) {
    lines.push({ text: clean(raw), at });
    at += raw.length + 1;
  }
  return read(lines, 0, open);
}

function clean(raw) {
  let line = raw.replace(/[\r\u0000]/g, (c) => (c === '\r' ? '' : '\ufffd'));
  if (line.includes('\t')) {
    const lead = /^[ \t]*/.exec(line)[0];
    let wide = 0;
    for (const c of lead) wide = c === '\t' ? wide + 4 - (wide % 4) : wide + 1;
    line = ' '.repeat(wide) + line.slice(lead.length);
  }
  return line;
}

function read(lines, deep, open) {
  const out = [];
  let i = 0;
  while (i < lines.length) {
    if (isBlank(lines[i].text)) {
      i++;
      continue;
    }
    const [node, next] = one(lines, i, deep, open);
    node.at = lines[i].at;
    out.push(node);
    i = next;
  }
  return out;
}

function one(lines, i, deep, open) {
  const line = lines[i].text;
  const indent = indentOf(line);
  if (indent >= 4) return indented(lines, i);
  const body = line.slice(indent);
  const growing = open && deep < DEEPEST;
  return (
    fenced(lines, i, indent, body) ??
    mathBlock(lines, i, body) ??
    heading(body, i, growing && i === lines.length - 1) ??
    (isRule(body) ? [{ tag: 'hr', kids: [] }, i + 1] : null) ??
    (deep < DEEPEST && body[0] === '>' ? quote(lines, i, deep, open) : null) ??
    (deep < DEEPEST && marker(line) ? list(lines, i, deep, open) : null) ??
    table(lines, i, growing) ??
    paragraph(lines, i, growing)
  );
}

function paragraph(lines, i, open) {
  const start = i;
  for (i++; i < lines.length; i++) {
    const line = lines[i].text;
    const body = line.trim();
    if (isBlank(line) || interrupts(line) || tableAt(lines, i)) break;
    if (indentOf(line) < 4 && (/^={2,}$/.test(body) || /^-{3,}$/.test(body))) {
      const text = source(lines, start, i);
      return [{ tag: body[0] === '=' ? 'h1' : 'h2', kids: inline(text) }, i + 1];
    }
  }
  return [{ tag: 'p', kids: inline(source(lines, start, i), { open: open && i === lines.length }) }, i];
}

function source(lines, from, to) {
  return lines.slice(from, to).map((line) => line.text.trimStart()).join('\n').trimEnd();
}

/** Whether a line ends the paragraph before it. */
function interrupts(line) {
  const indent = indentOf(line);
  if (indent >= 4) return false;
  const body = line.slice(indent);
  const item = marker(line);
  return (
    /^(?:`{3,}[^`]*$|~{3,})/.test(body) ||
    /^#{1,6}(?:\s|$)/.test(body) ||
    body[0] === '>' ||
    (isRule(body) && body[0] !== '-') ||
    (item !== null && !item.empty && (item.start === null || item.start === 1))
  );
}

function heading(body, i, open) {
  const marks = /^#{1,6}(?=\s|$)/.exec(body);
  if (!marks) return null;
  let text = body.slice(marks[0].length).trim();
  const tail = text.replace(/#+$/, '');
  if (tail === '' || tail.endsWith(' ')) text = tail.trimEnd();
  return [{ tag: `h${marks[0].length}`, kids: inline(text, { open }) }, i + 1];
}

function isRule(body) {
  const bare = body.replaceAll(' ', '');
  return bare.length >= 3 && /^[-*_]$/.test(bare[0]) && bare === bare[0].repeat(bare.length);
}

function fenced(lines, i, indent, body) {
  const fence = /^(?:`{3,}|~{3,})/.exec(body)?.[0];
  if (!fence) return null;
  const info = body.slice(fence.length).trim();
  if (fence[0] === '`' && info.includes('`')) return null;
  const out = [];
  let closed = false;
  for (i++; i < lines.length; i++) {
    const line = lines[i].text;
    const lead = indentOf(line);
    const rest = line.slice(lead).trimEnd();
    if (lead < 4 && rest.length >= fence.length && rest === fence[0].repeat(rest.length)) {
      closed = true;
      i++;
      break;
    }
    out.push(line.slice(Math.min(lead, indent)));
  }
  const lang = /^[\w+#.-]{1,32}/.exec(info)?.[0] ?? '';
  return [{ tag: 'code-block', lang, text: out.join('\n'), closed, kids: [] }, i];
}

function indented(lines, i) {
  const out = [];
  for (; i < lines.length; i++) {
    const line = lines[i].text;
    if (!isBlank(line) && indentOf(line) < 4) break;
    out.push(line.slice(4));
  }
  while (out.length && isBlank(out.at(-1))) out.pop();
  return [{ tag: 'code-block', lang: '', text: out.join('\n'), closed: true, kids: [] }, i];
}

/** Formulas are shown as they are written, set apart: there is no typesetter on this page. */
function mathBlock(lines, i, body) {
  const ends = { '$$': '$$', '\\[': '\\]' };
  const end = ends[body.slice(0, 2)];
  if (!end) return null;
  const first = body.slice(2);
  const same = first.indexOf(end);
  if (same >= 0) {
    if (first.slice(same + 2).trim()) return null;
    return [{ tag: 'code-block', lang: 'math', text: first.slice(0, same).trim(), closed: true, kids: [] }, i + 1];
  }
  const out = first.trim() ? [first] : [];
  for (let j = i + 1; j < lines.length && j < i + 200; j++) {
    const line = lines[j].text.trimEnd();
    if (line.endsWith(end)) {
      const last = line.slice(0, -2);
      if (last.trim()) out.push(last);
      return [{ tag: 'code-block', lang: 'math', text: out.join('\n'), closed: true, kids: [] }, j + 1];
    }
    out.push(line);
  }
  return null;
}

function quote(lines, i, deep, open) {
  const inner = [];
  for (; i < lines.length; i++) {
    const { text, at } = lines[i];
    const indent = indentOf(text);
    if (indent < 4 && text[indent] === '>') {
      const skip = text[indent + 1] === ' ' ? 2 : 1;
      inner.push({ text: text.slice(indent + skip), at: at + indent + skip });
    } else if (!isBlank(text) && inner.length && !isBlank(inner.at(-1).text) && !interrupts(text)) {
      inner.push(lines[i]);
    } else break;
  }
  return [{ tag: 'blockquote', kids: read(inner, deep + 1, open && i === lines.length) }, i];
}

/** `- `, `* `, `+ `, `1. ` or `1) ` at the beginning of a line: its kind, number and where the content begins. */
function marker(line) {
  const found = /^( {0,3})([-+*]|\d{1,9}[.)])( +|$)/.exec(line);
  if (!found || isRule(line.trim())) return null;
  const [whole, lead, mark, space] = found;
  const ordered = mark.length > 1;
  const rest = line.slice(whole.length);
  return {
    kind: ordered ? mark.at(-1) : mark,
    start: ordered ? Number(mark.slice(0, -1)) : null,
    indent: lead.length,
    content: lead.length + mark.length + (rest === '' || space.length > 4 ? 1 : space.length),
    empty: rest === '',
  };
}

function list(lines, i, deep, open) {
  const first = marker(lines[i].text);
  const items = [];
  let loose = false;
  while (i < lines.length) {
    const head = marker(lines[i].text);
    if (!head || head.kind !== first.kind) break;
    const inner = [{ text: lines[i].text.slice(head.content), at: lines[i].at }];
    let blank = false;
    for (i++; i < lines.length; i++) {
      const { text, at } = lines[i];
      const indent = indentOf(text);
      if (isBlank(text)) {
        blank = true;
        inner.push({ text: '', at });
        continue;
      }
      const nested = indent >= head.content || (indent >= head.indent + 2 && marker(text.slice(head.indent + 2)) !== null);
      const lazy = !blank && !interrupts(text) && marker(text) === null;
      if (!nested && !lazy) break;
      const cut = Math.min(indent, head.content);
      inner.push({ text: text.slice(cut), at: at + cut });
      if (blank && nested && indent < head.content + 4) loose ||= inner.some((l, n) => n > 0 && isBlank(l.text) && isDirect(inner, n));
      blank = false;
    }
    while (inner.length > 1 && isBlank(inner.at(-1).text)) inner.pop();
    items.push({ inner, last: i >= lines.length });
    const next = i < lines.length ? marker(lines[i].text) : null;
    if (blank && next && next.kind === first.kind) loose = true;
  }
  const kids = items.map(({ inner, last }) => item(inner, deep, loose, open && last));
  const ordered = first.start !== null;
  return [{ tag: ordered ? 'ol' : 'ul', start: ordered && first.start !== 1 ? first.start : undefined, kids }, i];
}

/** A blank line between two children of the item itself, not inside a deeper list, makes the list loose. */
function isDirect(inner, n) {
  const next = inner.slice(n + 1).find((line) => !isBlank(line.text));
  return next !== undefined && indentOf(next.text) < 2 && marker(next.text) === null;
}

function item(inner, deep, loose, open) {
  const task = /^\[([ xX])\] +/.exec(inner[0].text);
  if (task) inner[0] = { ...inner[0], text: inner[0].text.slice(task[0].length) };
  let kids = read(inner, deep + 1, open);
  if (!loose) kids = kids.flatMap((kid) => (kid.tag === 'p' ? kid.kids : [kid]));
  const node = { tag: 'li', kids };
  if (task) {
    node.cls = 'task';
    node.kids = [{ tag: 'span', cls: task[1] === ' ' ? 'todo' : 'done', kids: [task[1] === ' ' ? '☐ ' : '☑ '] }, ...kids];
  }
  return node;
}

function tableAt(lines, i) {
  if (i + 1 >= lines.length || !lines[i].text.includes('|')) return null;
  const under = cells(lines[i + 1].text);
  if (!lines[i + 1].text.includes('-') || !under.every((cell) => /^:?-+:?$/.test(cell))) return null;
  const head = cells(lines[i].text);
  if (head.length !== under.length || head.length > WIDEST_TABLE) return null;
  return { head, align: under.map((cell) => (cell.endsWith(':') ? (cell[0] === ':' ? 'center' : 'right') : undefined)) };
}

function table(lines, i, open) {
  const found = tableAt(lines, i);
  if (!found) return null;
  const row = (texts, tag, last) => ({
    tag: 'tr',
    kids: found.align.map((cls, n) => ({ tag, cls, kids: inline(texts[n] ?? '', { open: last && n === texts.length - 1 }) })),
  });
  const rows = [];
  for (i += 2; i < lines.length; i++) {
    const line = lines[i].text;
    if (isBlank(line) || interrupts(line)) break;
    rows.push(row(cells(line), 'td', open && i === lines.length - 1));
  }
  const kids = [{ tag: 'thead', kids: [row(found.head, 'th', false)] }];
  if (rows.length) kids.push({ tag: 'tbody', kids: rows });
  return [{ tag: 'table', kids }, i];
}

function cells(line) {
  const out = [''];
  const text = line.trim();
  for (let i = text[0] === '|' ? 1 : 0; i < text.length; i++) {
    if (text[i] === '\\' && text[i + 1] === '|') out[out.length - 1] += text[++i];
    else if (text[i] === '|') {
      if (i < text.length - 1) out.push('');
    } else out[out.length - 1] += text[i];
  }
  return out.map((cell) => cell.trim());
}

function isBlank(line) {
  return line.trim() === '';
}

function indentOf(line) {
  let n = 0;
  while (line[n] === ' ') n++;
  return n;
}
