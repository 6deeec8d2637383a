// The page put together: views, the app, and what the buttons do.

import { App } from './app.js';
import { $ } from './dom.js';
import { Api } from './net/api.js';
import { Announcer } from './view/announcer.js';
import { Composer } from './view/composer.js';
import { prepare, SettingsForm } from './view/dialogs.js';
import { MessagesView } from './view/messages.js';
import { list, listen } from './view/shortcuts.js';
import { Sidebar } from './view/sidebar.js';
import { Theme } from './view/theme.js';

const api = new Api();
const messages = new MessagesView($('#messages'), {
  edit: (id, text) => app.edit(id, text),
  again: (id) => app.again(id),
  goOn: (id) => app.goOn(id),
  turn: (id, step) => app.turn(id, step),
  toast: (text) => app.toast(text),
  key: () => app.askKey(),
});
const sidebar = new Sidebar($('#sidebar'), {
  search: (q) => app.search(q),
  more: () => app.more(),
  rename: (entry) => app.rename(entry),
  remove: (entry) => app.remove(entry),
  export: (entry, format) => app.export(entry, format),
});
const composer = new Composer(
  { form: $('#composer'), area: $('#ask'), send: $('#send'), stop: $('#stop') },
  { send: (text) => app.send(text), stop: () => app.stop() },
);
const settings = new SettingsForm($('#settings-dialog'));
const app = new App(api, { messages, sidebar, composer, settings, announcer: new Announcer($('#live')) });
const theme = new Theme($('#theme'));

// ---- the side

const narrow = matchMedia('(max-width: 52rem)');
const frame = $('#app');

function showSidebar(show, focus = true) {
  const name = narrow.matches ? 'drawn' : 'alone';
  frame.classList.toggle(name, narrow.matches ? show : !show);
  $('#page').inert = narrow.matches && show;
  $('#show-sidebar').setAttribute('aria-expanded', String(show));
  if (focus) (show ? $('#hide-sidebar') : $('#show-sidebar')).focus();
}
const sidebarShown = () => (narrow.matches ? frame.classList.contains('drawn') : !frame.classList.contains('alone'));
narrow.addEventListener('change', () => {
  frame.classList.remove('drawn');
  $('#page').inert = false;
  $('#show-sidebar').setAttribute('aria-expanded', String(sidebarShown()));
});
$('#show-sidebar').setAttribute('aria-expanded', String(sidebarShown()));
$('#show-sidebar').addEventListener('click', () => showSidebar(true));
$('#hide-sidebar').addEventListener('click', () => showSidebar(false));
$('#backdrop').addEventListener('click', () => showSidebar(false));
$('#list').addEventListener('click', (event) => {
  if (!event.target.closest('a')) return;
  if (narrow.matches) showSidebar(false);
  // Who came by pointer goes on by typing; who came by key stays in the list.
  else if (event.detail > 0) composer.focus();
});
$('#sidebar').addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && narrow.matches && sidebarShown() && !document.querySelector('.menu:popover-open')) {
    event.preventDefault();
    showSidebar(false);
  }
});

function fresh() {
  if (narrow.matches) showSidebar(false, false);
  app.fresh();
}

// ---- buttons

$('#new').addEventListener('click', fresh);
$('#skip').addEventListener('click', () => $('#ask').focus());
$('#model').addEventListener('change', (event) => app.choose(event.target.value));
$('#main').addEventListener('scroll', () => app.nearEnd(true), { passive: true });
$('#latest').addEventListener('click', () => {
  app.follow = true;
  app.scroll();
  composer.focus();
});
$('#settings').addEventListener('click', openSettings);
$('#keys').addEventListener('click', () => $('#keys-dialog').showModal());
$('#files').addEventListener('click', openFiles);

function openSettings() {
  $('#key-state').textContent = api.key ? 'A key is in use.' : 'No key is in use.';
  $('#key-change').textContent = api.key ? 'Forget it' : 'Enter a key';
  app.settings();
}
$('#key-change').addEventListener('click', () => {
  if (api.key) return app.forgetKey();
  $('#settings-dialog').close('');
  app.askKey();
});

function openFiles() {
  const none = !app.open.stored;
  $('#export-markdown').disabled = none;
  $('#export-json').disabled = none;
  $('#files-error').textContent = '';
  $('#files-dialog').showModal();
}
$('#export-markdown').addEventListener('click', () => app.export(app.open, 'markdown'));
$('#export-json').addEventListener('click', () => app.export(app.open, 'json'));
$('#export-all').addEventListener('click', () => app.export(null, 'json'));
$('#import').addEventListener('click', () => $('#import-file').click());
$('#import-file').addEventListener('change', async (event) => {
  const [file] = event.target.files;
  if (!file) return;
  const wrong = await app.import(file);
  event.target.value = '';
  $('#files-error').textContent = wrong;
  if (!wrong) $('#files-dialog').close();
});

list($('#keys-list'));
prepare();
listen({
  new: fresh,
  search: () => {
    if (!sidebarShown()) showSidebar(true, false);
    $('#search').focus();
    $('#search').select();
  },
  sidebar: () => showSidebar(!sidebarShown()),
  settings: openSettings,
  keys: () => $('#keys-dialog').showModal(),
  edit: () => app.editLast(),
  again: () => {
    const last = app.open.tree.path().at(-1);
    if (last) app.again(last.id);
  },
  copy: () => app.copyLast(),
  earlier: () => app.turnLast(-1),
  later: () => app.turnLast(1),
  stop: () => app.stop(),
});

addEventListener('hashchange', () => app.route());
addEventListener('popstate', () => app.route());
let left = 0;
document.addEventListener('visibilitychange', () => {
  if (document.hidden) left = Date.now();
  else if (Date.now() - left > 20_000) app.lookAgain();
});
addEventListener('pagehide', () => app.leave());
addEventListener('online', () => app.looking || app.load());

theme.draw();
app.start();
