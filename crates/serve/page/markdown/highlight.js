// A little colour for code: comments, strings, numbers, keywords. One scanner, a table of languages.
//
// It reads from left to right once and knows no grammar; what it does not know stays plain, which is never wrong.

const C = { line: ['//'], block: [['/*', '*/']], quotes: '"\'' };
const WORDS = {
  rust: 'as async await break const continue crate dyn else enum extern false fn for if impl in let loop match mod move mut pub ref return self Self static struct super trait true type unsafe use where while',
  js: 'async await break case catch class const continue default delete do else export extends false finally for from function get if import in instanceof interface let new null of return set static super switch this throw true try type typeof undefined var void while yield',
  python: 'and as assert async await break class continue def del elif else except False finally for from global if import in is lambda None nonlocal not or pass raise return self True try while with yield match case',
  c: 'auto bool break case char class const constexpr continue default delete do double else enum extern false final float for if import include inline int interface long namespace new null nullptr operator override package private protected public return short signed sizeof static string struct super switch template this throw throws true try typedef typename union unsigned using virtual void volatile while var',
  go: 'break case chan const continue default defer else fallthrough false for func go goto if import interface map nil package range return select struct switch true type var',
  shell: 'case do done elif else esac export fi for function if in local return set then until while',
  sql: 'add all alter and as asc between by case create delete desc distinct drop else end exists from group having in index inner insert into is join left like limit not null offset on or order outer primary key references right select set table then union unique update values when where with',
  data: 'true false null yes no on off',
};
const LANGUAGES = {
  rust: { ...C, quotes: '"', words: WORDS.rust },
  js: { ...C, quotes: '"\'`', words: WORDS.js },
  c: { ...C, words: WORDS.c },
  go: { ...C, quotes: '"\'`', words: WORDS.go },
  python: { line: ['#'], block: [['"""', '"""'], ["'''", "'''"]], quotes: '"\'', words: WORDS.python },
  shell: { line: ['#'], block: [], quotes: '"\'', words: WORDS.shell },
  sql: { line: ['--'], block: [['/*', '*/']], quotes: '\'"', words: WORDS.sql, fold: true },
  data: { line: ['#'], block: [], quotes: '"\'', words: WORDS.data },
  json: { line: [], block: [], quotes: '"', words: WORDS.data },
  css: { line: [], block: [['/*', '*/']], quotes: '"\'', words: '' },
  markup: { line: [], block: [['<!--', '-->']], quotes: '"', words: '' },
};
const NAMES = {
  rs: 'rust', javascript: 'js', jsx: 'js', ts: 'js', tsx: 'js', typescript: 'js', mjs: 'js', 'c++': 'c', cpp: 'c',
  h: 'c', java: 'c', 'c#': 'c', cs: 'c', kotlin: 'c', swift: 'c', golang: 'go', py: 'python', python3: 'python',
  sh: 'shell', bash: 'shell', zsh: 'shell', console: 'shell', toml: 'data', yaml: 'data', yml: 'data', ini: 'data',
  jsonc: 'json', html: 'markup', xml: 'markup', svg: 'markup', ruby: 'python', rb: 'python',
};
const LONGEST = 60_000;

/** `[[kind, text], …]` whose texts joined are `text`; kind is `tc ts tn tk` or null. Null: left plain. */
export function highlight(text, lang) {
  const name = lang.toLowerCase();
  const key = NAMES[name] ?? name;
  if (!Object.hasOwn(LANGUAGES, key) || text.length > LONGEST) return null;
  const rule = LANGUAGES[key];
  const words = new Set(rule.words.split(' '));
  const out = [];
  const push = (kind, part) => {
    if (part === '') return;
    if (out.length && out.at(-1)[0] === kind) out.at(-1)[1] += part;
    else out.push([kind, part]);
  };
  let i = 0;
  while (i < text.length) {
    const end = comment(text, i, rule) ?? string(text, i, rule);
    if (end) {
      push(end.kind, text.slice(i, end.at));
      i = end.at;
      continue;
    }
    const word = /[\p{L}\p{N}_$]/u.test(text[i]);
    let j = i + 1;
    while (word && j < text.length && /[\p{L}\p{N}_$]/u.test(text[j])) j++;
    const part = text.slice(i, j);
    const kind = !word ? null : /^\d/.test(part) ? 'tn' : words.has(rule.fold ? part.toLowerCase() : part) ? 'tk' : null;
    push(kind, part);
    i = j;
  }
  return out;
}

function comment(text, i, rule) {
  for (const [from, to] of rule.block) {
    if (!text.startsWith(from, i)) continue;
    const end = text.indexOf(to, i + from.length);
    return { kind: from[0] === '"' || from[0] === "'" ? 'ts' : 'tc', at: end < 0 ? text.length : end + to.length };
  }
  for (const from of rule.line) {
    if (!text.startsWith(from, i) || (from === '#' && i > 0 && !/\s/.test(text[i - 1]))) continue;
    const end = text.indexOf('\n', i);
    return { kind: 'tc', at: end < 0 ? text.length : end };
  }
  return null;
}

function string(text, i, rule) {
  const quote = text[i];
  if (!rule.quotes.includes(quote)) return null;
  for (let j = i + 1; j < text.length; j++) {
    if (text[j] === '\\') j++;
    else if (text[j] === quote) return { kind: 'ts', at: j + 1 };
    else if (text[j] === '\n' && quote !== '`') return null;
  }
  return null;
}
