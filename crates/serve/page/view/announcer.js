// What a screen reader hears of an answer being written: whole sentences, at a calm pace, never single tokens.

const PACE_MS = 3500;
const MOST = 600;

export class Announcer {
  constructor(live, now = () => Date.now()) {
    this.live = live;
    this.now = now;
    this.said = 0;
    this.last = 0;
  }

  say(text) {
    // The same words twice are not read twice unless something changed.
    this.live.textContent = this.live.textContent === text ? `${text}\u00a0` : text;
  }

  /** `text`: what of the answer is already there. */
  begin(text = '') {
    this.said = text.length;
    this.last = this.now();
    this.say('Answering.');
  }

  /** Reads out the sentences finished since the last time, if it has been quiet long enough. */
  grow(text) {
    if (this.now() - this.last < PACE_MS) return;
    const end = lastSentence(text, this.said);
    if (end <= this.said) return;
    this.say(spoken(text.slice(this.said, end)));
    this.said = end;
    this.last = this.now();
  }

  end(text, how) {
    this.say(`${spoken(text.slice(this.said))} ${how}`.trim());
    this.said = text.length;
  }
}

/** Where the last finished sentence or line of `text` ends, at or after `from`. */
export function lastSentence(text, from) {
  for (let i = text.length - 1; i >= from; i--) {
    if (text[i] === '\n' || (/[.!?:]/.test(text[i]) && /\s/.test(text[i + 1] ?? ''))) return i + 1;
  }
  return from;
}

/** Markdown without its signs, and not more than one can bear. */
export function spoken(text) {
  const plain = text
    .replace(/```[^\n]*\n?/g, ' code: ')
    .replace(/!?\[([^\]\n]{0,300})\]\([^)\n]{0,2000}\)/g, '$1')
    .replace(/^[\s>#|*+-]+/gm, ' ')
    .replace(/[*_`~|]+/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return plain.length > MOST ? `${plain.slice(0, MOST)} … and more.` : plain;
}
