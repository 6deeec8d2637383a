// Numbers and times as a person reads them.

const COUNT = new Intl.NumberFormat('en');

export const count = (n) => COUNT.format(n);

export function duration(ms) {
  if (ms < 950) return `${Math.max(1, Math.round(ms))} ms`;
  if (ms < 59_500) return `${(ms / 1000).toFixed(ms < 9950 ? 1 : 0)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/** The facts under an answer, each a short phrase. */
export function facts(stats) {
  if (!stats) return [];
  const out = [];
  if (stats.completion_tokens) out.push(`${count(stats.completion_tokens)} tokens`);
  if (stats.tokens_per_second) out.push(`${stats.tokens_per_second < 20 ? stats.tokens_per_second.toFixed(1) : count(Math.round(stats.tokens_per_second))} tokens/s`);
  if (stats.ttft_ms !== undefined) out.push(`first after ${duration(stats.ttft_ms)}`);
  return out;
}

/** The same at length, for the pointer that rests there. */
export function factsAtLength(stats, model) {
  if (!stats) return '';
  return [
    model && `Model: ${model}`,
    stats.prompt_tokens !== undefined && `Read: ${count(stats.prompt_tokens)} tokens${stats.cached_tokens ? `, ${count(stats.cached_tokens)} of them remembered` : ''}`,
    stats.completion_tokens && `Written: ${count(stats.completion_tokens)} tokens`,
    stats.total_ms && `Time: ${duration(stats.total_ms)}`,
  ].filter(Boolean).join('\n');
}

/** The heading a conversation stands under in the list. */
export function era(ms, now = Date.now()) {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  const day = 86_400_000;
  if (ms >= midnight) return 'Today';
  if (ms >= midnight - day) return 'Yesterday';
  if (ms >= midnight - 7 * day) return 'Past week';
  if (ms >= midnight - 30 * day) return 'Past month';
  return 'Earlier';
}
