// Starts the page: the broker's root, the tabs, and a view for each pattern once it is looked at.

import { copyable } from './copy.js';
import { find } from './dom.js';
import { PATTERNS } from './patterns.js';
import { home, httpUrl, parse, socketUrl } from './root.js';
import * as snippets from './snippets.js';
import * as tabs from './tabs.js';
import { View } from './view.js';

let root = home();
const views = new Map();

const curl = copyable('curl', 'the curl line');
const script = copyable('JavaScript', 'the JavaScript line');
find(document, '#first-curl').append(curl.line);
find(document, '#first-script').append(script.line);

function showFirstLines() {
  curl.show(snippets.sendingText(httpUrl(root, 'pub', 'wong/amy'), '', 'hello, wong').curl);
  script.show(snippets.listening('', socketUrl(root, 'sub', 'wong')).script);
}

const form = find(document, '#root');
const field = find(form, 'input');
const says = find(form, '.says');
field.value = root;
form.addEventListener('submit', (event) => {
  event.preventDefault();
  try {
    root = parse(field.value.trim() || home());
    field.value = root;
    field.setAttribute('aria-invalid', 'false');
    says.textContent = root === home() ? 'The broker that this page came from' : `Using ${root}`;
    showFirstLines();
    for (const view of views.values()) view.follow();
  } catch (error) {
    field.setAttribute('aria-invalid', 'true');
    says.textContent = error.message;
  }
});

showFirstLines();
tabs.setUp((id) => {
  const pattern = PATTERNS.find((each) => each.id === id);
  if (pattern && !views.has(id)) {
    const section = document.getElementById(`view-${id}`);
    views.set(id, new View(section, pattern, () => root));
  }
});
