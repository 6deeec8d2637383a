// Which addresses may become links, and what a person is told about them.
//
// Text from a model is not trusted: an address is a link only when it is absolute and its scheme is one of three.
// The URL parser of the platform decides what the scheme is, so that `java\nscript:` and friends fool nobody.

const SCHEMES = new Set(['http:', 'https:', 'mailto:']);
const LONGEST = 2048;

/** The address in its normal form, or null when it must stay text. */
export function safeUrl(raw) {
  if (typeof raw !== 'string' || raw.length === 0 || raw.length > LONGEST) return null;
  let url;
  try {
    url = new URL(raw);
  } catch {
    return null;
  }
  if (!SCHEMES.has(url.protocol)) return null;
  if (url.protocol === 'mailto:') return /^mailto:[^@\s?]+@[^@\s?]+$/i.test(url.href) ? url.href : null;
  if (url.username || url.password || !url.hostname) return null;
  return url.href;
}

/** The host to print behind a link whose text claims to be another address; null when nothing is claimed. */
export function disguised(text, href) {
  const claim = text.trim().match(/^(?:https?:\/\/)?((?:[\p{L}\p{N}-]{1,63}\.){1,8}\p{L}{2,24})(?:[/:?#]|$)/iu);
  if (!claim || href.startsWith('mailto:')) return null;
  const host = new URL(href).hostname;
  const bare = (name) => name.toLowerCase().replace(/^www\./, '');
  return bare(claim[1]) === bare(host) ? null : host;
}

/** A bare `https://…` at `at`: where it ends, sentence punctuation and unmatched brackets left outside. */
export function bareUrlEnd(text, at) {
  let end = at;
  const limit = Math.min(text.length, at + LONGEST);
  while (end < limit && !/[\s<>"`\u0000-\u001f]/.test(text[end])) end++;
  for (;;) {
    const last = text[end - 1];
    if (/[.,:;!?'"*_~]/.test(last)) end--;
    else if (last === ')' && count(text, '(', at, end) < count(text, ')', at, end)) end--;
    else if (last === ']' && count(text, '[', at, end) < count(text, ']', at, end)) end--;
    else return end;
    if (end <= at) return at;
  }
}

function count(text, what, from, to) {
  let n = 0;
  for (let i = from; i < to; i++) if (text[i] === what) n++;
  return n;
}
