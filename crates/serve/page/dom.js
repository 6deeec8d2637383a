// Elements in one call, and the few habits every view shares. Text is set as text; nothing here reads HTML.

const SVG = 'http://www.w3.org/2000/svg';

/** An element: `h('button', { class: 'quiet', on: { click } }, 'Stop')`. False and null attributes are left out. */
export function h(tag, attributes = {}, ...kids) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === 'on') for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else if (name === 'data') Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...kids.flat().filter((kid) => kid !== null && kid !== undefined && kid !== false));
  return element;
}

/** A picture from the sheet in index.html; it says nothing to a screen reader, its button does. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** A button with a picture and a name. */
export function iconButton(name, label, act, attributes = {}) {
  const { class: extra = '', ...rest } = attributes;
  return h('button', { type: 'button', class: `icon-button ${extra}`.trim(), 'aria-label': label, title: label, on: { click: act }, ...rest }, icon(name));
}

export const $ = (selector, root = document) => root.querySelector(selector);

/** Copies text; the older way serves pages that are not on localhost or https. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const box = h('textarea', { class: 'off-screen', 'aria-hidden': 'true', tabindex: -1 });
    box.value = text;
    const back = document.activeElement;
    document.body.append(box);
    box.select();
    const done = document.execCommand('copy');
    box.remove();
    back?.focus?.();
    return done;
  }
}

/** Hands a file made here to the person. */
export function download(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = h('a', { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Calls `act` at most once every `ms`, always with the last arguments. */
export function throttle(ms, act) {
  let timer = 0;
  let last = [];
  return (...args) => {
    last = args;
    timer ||= setTimeout(() => {
      timer = 0;
      act(...last);
    }, ms);
  };
}

/** Calls `act` when it has been quiet for `ms`. */
export function debounce(ms, act) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...args), ms);
  };
}
