// What went wrong, in words that help. Every failure the page can meet becomes a Trouble.

export class Trouble extends Error {
  /** `kind`: what the page does about it; `title`: one line; `detail`: what may help; `wait`: seconds until worth a try. */
  constructor(kind, title, detail = '', wait = 0) {
    super(title);
    this.kind = kind;
    this.title = title;
    this.detail = detail;
    this.wait = wait;
  }
}

/** The server was not reached, or left in the middle. */
export function unreachable(midway) {
  return midway
    ? new Trouble('lost', 'The connection was lost in the middle of the answer.', 'What had arrived is kept.')
    : new Trouble('lost', 'The server cannot be reached.', 'Is it still running? This page looks again by itself.');
}

/** Reads an answer that is no success. `body`: its text; `headers`: a function from name to value. */
export function explain(status, body, header = () => null) {
  const error = parsed(body);
  const said = typeof error.message === 'string' ? sentence(error.message) : '';
  const code = String(error.code ?? error.type ?? '');
  const wait = Math.min(600, Math.max(0, Math.ceil(Number(header('retry-after')) || 0)));
  if (code === 'context_length_exceeded') {
    return new Trouble('long', 'This conversation has grown longer than the model can read.', `${said} Start a new conversation, or edit an earlier message to go on from there.`.trim());
  }
  if (code === 'model_not_found') return new Trouble('model', 'The server does not have this model.', `${said} Choose another one above.`.trim());
  switch (status) {
    case 400:
    case 422:
      return new Trouble('refused', 'The server did not accept this request.', said || 'A setting may be out of range: see Settings.');
    case 401:
      return new Trouble('key', 'This server needs a key.', said);
    case 403:
      return new Trouble('key', 'This key may not do that.', said || 'Ask whoever runs the server.');
    case 404:
      return new Trouble('gone', 'The server does not have this.', said);
    case 409:
      return new Trouble('refused', 'That cannot be done as things stand.', said);
    case 413:
      return new Trouble('long', 'That is too long to send.', said || 'Shorten the message, or send it in parts.');
    case 429:
      return new Trouble('busy', 'The limit for this key is reached.', wait ? `${said} Try again in ${seconds(wait)}.`.trim() : said || 'Try again in a little while.', wait);
    case 507:
      return new Trouble('full', 'There is no more room for conversations.', said || 'Delete some you no longer need.');
    case 502:
    case 503:
    case 504:
      return new Trouble('busy', 'The server is not ready.', said || 'It may still be loading the model.', wait || 3);
    default:
      return status >= 500
        ? new Trouble('server', 'Something went wrong inside the server.', said || `It answered with status ${status}.`)
        : new Trouble('refused', 'The server did not accept this request.', said || `It answered with status ${status}.`);
  }
}

function parsed(body) {
  try {
    const value = typeof body === 'string' ? JSON.parse(body) : body;
    const error = value?.error ?? value;
    if (typeof error === 'string') return { message: error };
    return error && typeof error === 'object' ? error : {};
  } catch {
    return {};
  }
}

function sentence(text) {
  const clipped = text.length > 400 ? `${text.slice(0, 400)}…` : text;
  const first = clipped.charAt(0).toUpperCase() + clipped.slice(1);
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}

function seconds(n) {
  return n < 90 ? `${n} second${n === 1 ? '' : 's'}` : `${Math.ceil(n / 60)} minutes`;
}
