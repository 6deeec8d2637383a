// One answer, as it is written: OpenAI's chat completions, streamed.

import { events } from './sse.js';
import { Trouble, explain, unreachable } from './trouble.js';

/**
 * Asks for an answer and calls `on({ content, reasoning })` for each piece of it. Returns what is known at the end:
 * `{ finish, stats }`. Throws a Trouble, or an AbortError when `signal` says stop; `progress.stats` is filled as far
 * as it got in every case.
 */
export async function answer(api, request, { signal, on, progress = {}, now = () => performance.now() }) {
  const asked = now();
  let first = 0;
  let last = 0;
  let pieces = 0;
  let finish = null;
  let usage = null;
  let timings = null;
  let cut = false;
  const fill = () => {
    progress.stats = stats({ asked, first, last, pieces, usage, timings });
  };
  const body = { ...request, stream: true, stream_options: { include_usage: true } };
  const response = await api.fetch('POST', 'v1/chat/completions', { body, signal });
  let done = false;
  try {
    for await (const data of events(response.body)) {
      if (data === '[DONE]') {
        done = true;
        break;
      }
      const chunk = parse(data);
      if (chunk.error) throw explain(Number(chunk.error.status ?? chunk.error.code) || 500, { error: chunk.error });
      usage = chunk.usage ?? usage;
      timings = chunk.timings ?? timings;
      const choice = chunk.choices?.[0];
      finish = choice?.finish_reason ?? finish;
      const content = text(choice?.delta?.content);
      const reasoning = text(choice?.delta?.reasoning_content ?? choice?.delta?.reasoning);
      if (!content && !reasoning) continue;
      last = now();
      first ||= last;
      pieces++;
      fill();
      on({ content, reasoning });
    }
    cut = !done && finish === null;
  } catch (error) {
    fill();
    if (error instanceof Trouble || error?.name === 'AbortError' || signal?.aborted) throw error;
    throw unreachable(true);
  }
  fill();
  if (cut) throw unreachable(true);
  return { finish, stats: progress.stats };
}

/** The numbers under an answer. The server's own timings are better than what is seen from here. */
function stats({ asked, first, last, pieces, usage, timings }) {
  const out = { total_ms: Math.round((last || asked) - asked) };
  if (first) out.ttft_ms = Math.round(first - asked);
  out.completion_tokens = usage?.completion_tokens ?? timings?.predicted_n ?? pieces;
  if (usage?.prompt_tokens !== undefined) out.prompt_tokens = usage.prompt_tokens;
  const cached = usage?.prompt_tokens_details?.cached_tokens ?? timings?.cache_n;
  if (cached) out.cached_tokens = cached;
  const seen = last > first ? ((out.completion_tokens - 1) * 1000) / (last - first) : 0;
  const speed = timings?.predicted_per_second ?? seen;
  if (speed > 0 && Number.isFinite(speed)) out.tokens_per_second = Math.round(speed * 10) / 10;
  return out;
}

function parse(data) {
  try {
    return JSON.parse(data) ?? {};
  } catch {
    throw new Trouble('server', 'The server sent something that cannot be read.', 'The answer up to here is kept.');
  }
}

function text(value) {
  return typeof value === 'string' ? value : '';
}
