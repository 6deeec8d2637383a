// The dialogs. The platform's own element keeps the focus inside, closes on Esc and gives the focus back.

import { $, h } from '../dom.js';
import { EFFORTS, FIELDS, parseField } from '../state/settings.js';

/** Makes every `data-close` button and a press beside a dialog close it. */
export function prepare() {
  for (const dialog of document.querySelectorAll('dialog')) {
    dialog.addEventListener('click', (event) => {
      if (event.target === dialog || event.target.closest('[data-close]')) dialog.close('');
    });
  }
}

/** Opens a dialog; resolves to true when its form was sent, false when it was left. */
export function ask(dialog, check = () => true) {
  const form = $('form', dialog);
  return new Promise((resolve) => {
    const submit = (event) => {
      event.preventDefault();
      if (check()) dialog.close('yes');
    };
    form?.addEventListener('submit', submit);
    dialog.addEventListener('close', () => {
      form?.removeEventListener('submit', submit);
      resolve(dialog.returnValue === 'yes');
    }, { once: true });
    dialog.returnValue = '';
    if (!dialog.open) dialog.showModal();
  });
}

/** The settings form, drawn from the table of fields. */
export class SettingsForm {
  constructor(dialog) {
    this.dialog = dialog;
    this.system = $('#system', dialog);
    this.error = $('#settings-error', dialog);
    this.effort = $('#effort', dialog);
    this.effort.append(...EFFORTS.map(([value, label]) => h('option', { value }, label)));
    this.inputs = new Map();
    for (const field of FIELDS) {
      const input = h('input', { id: `set-${field.name}`, type: 'text', inputmode: field.whole ? 'numeric' : 'decimal', autocomplete: 'off', placeholder: 'Default', 'aria-describedby': `hint-${field.name}` });
      input.addEventListener('input', () => {
        input.removeAttribute('aria-invalid');
        this.error.textContent = '';
      });
      this.inputs.set(field, input);
      $('#fields', dialog).append(h('div', { class: 'field' }, h('label', { for: input.id }, field.label), input, h('p', { class: 'hint', id: `hint-${field.name}` }, field.hint)));
    }
    $('#settings-clear', dialog).addEventListener('click', () => this.fill({}));
  }

  fill(settings) {
    this.system.value = settings.system ?? '';
    this.effort.value = settings.reasoning_effort ?? '';
    for (const [field, input] of this.inputs) {
      input.value = settings[field.name] ?? '';
      input.removeAttribute('aria-invalid');
    }
    this.error.textContent = '';
  }

  /** The settings as typed, or null with the first wrong field named and focused. */
  read() {
    const out = {};
    if (this.system.value.trim()) out.system = this.system.value;
    if (this.effort.value) out.reasoning_effort = this.effort.value;
    for (const [field, input] of this.inputs) {
      input.removeAttribute('aria-invalid');
      try {
        const value = parseField(field, input.value);
        if (value !== undefined) out[field.name] = value;
      } catch (error) {
        this.error.textContent = error.message;
        input.setAttribute('aria-invalid', 'true');
        input.focus();
        return null;
      }
    }
    return out;
  }

  async open(settings) {
    this.fill(settings);
    let out = null;
    const sent = await ask(this.dialog, () => (out = this.read()) !== null);
    return sent ? out : null;
  }
}

/** Asks for a key: `{ key, keep }`, or null. */
export async function askForKey(dialog, why) {
  const input = $('#key', dialog);
  const keep = $('#key-keep', dialog);
  const error = $('#key-error', dialog);
  input.value = '';
  error.textContent = why ?? '';
  const sent = await ask(dialog, () => {
    error.textContent = input.value.trim() ? '' : 'Enter a key first.';
    return input.value.trim() !== '';
  });
  const key = input.value.trim();
  input.value = '';
  return sent ? { key, keep: keep.checked } : null;
}

export async function askForName(dialog, name) {
  const input = $('#name', dialog);
  input.value = name;
  const answer = ask(dialog, () => input.value.trim() !== '');
  input.select();
  return (await answer) ? input.value.trim().slice(0, 200) : null;
}

export function askToDelete(dialog, name) {
  $('#delete-text', dialog).textContent = `“${name}” and everything said in it will be gone.`;
  return ask(dialog);
}
