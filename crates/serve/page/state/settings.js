// What a person can set for a conversation. One table: the form is drawn from it, the request is filled from it.
// A field left empty is not sent, and the server's own default holds.

export const FIELDS = [
  { name: 'temperature', label: 'Temperature', min: 0, max: 2, step: 0.05, hint: '0 always takes the likeliest word; higher is more varied.' },
  { name: 'top_p', label: 'Top p', min: 0, max: 1, step: 0.01, hint: 'Only the likeliest words that together have this share.' },
  { name: 'top_k', label: 'Top k', min: 0, max: 1000, step: 1, whole: true, hint: 'Only this many of the likeliest words; 0 is all.' },
  { name: 'min_p', label: 'Min p', min: 0, max: 1, step: 0.01, hint: 'Only words at least this share as likely as the likeliest.' },
  { name: 'max_tokens', label: 'Longest answer', min: 1, max: 1_000_000, step: 1, whole: true, hint: 'In tokens, about three quarters of a word each.' },
  { name: 'seed', label: 'Seed', min: 0, max: 9_007_199_254_740_991, step: 1, whole: true, hint: 'The same seed gives the same answer again.' },
];

/** How long to think, for models that do; empty: as the model does by itself. */
export const EFFORTS = [['', 'Default'], ['none', 'Not at all'], ['low', 'A little'], ['medium', 'Some'], ['high', 'A lot']];

/** A number out of a form's text: undefined when empty, an Error naming the field when it is out of range. */
export function parseField(field, text) {
  const trimmed = text.trim().replace(',', '.');
  if (trimmed === '') return undefined;
  const value = Number(trimmed);
  if (!Number.isFinite(value) || (field.whole && !Number.isInteger(value))) {
    throw new Error(`${field.label} must be a ${field.whole ? 'whole ' : ''}number.`);
  }
  if (value < field.min || value > field.max) throw new Error(`${field.label} must lie between ${field.min} and ${field.max}.`);
  return value;
}

/** The body of a request: settings that are set, the system prompt first, then what was said along the path. */
export function requestFor(model, settings, path) {
  const messages = [];
  if (settings.system?.trim()) messages.push({ role: 'system', content: settings.system });
  for (const message of path) {
    if (message.role === 'assistant' && !message.content) continue;
    const before = messages.at(-1);
    // Two of one's own in a row (an answer between them never came): many templates know turns only.
    if (message.role === 'user' && before?.role === 'user') before.content += `\n\n${message.content}`;
    else messages.push({ role: message.role, content: message.content });
  }
  const body = { model, messages };
  for (const { name } of FIELDS) if (settings[name] !== undefined && settings[name] !== null) body[name] = settings[name];
  if (settings.reasoning_effort) body.reasoning_effort = settings.reasoning_effort;
  return body;
}

/** A conversation's first name: the beginning of what was asked. */
export function titleOf(text) {
  const line = text.trim().split('\n')[0].replace(/\s+/g, ' ');
  if (line.length <= 60) return line || 'New conversation';
  const cut = line.slice(0, 60);
  return `${cut.slice(0, Math.max(40, cut.lastIndexOf(' ')))}…`;
}
