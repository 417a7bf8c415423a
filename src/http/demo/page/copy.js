// A line of code with a button that copies it.

import { announce, find, stamp } from './dom.js';

/** How long a button says that it has copied. */
const SAID_MS = 1600;

/** A line named `name`; `what` is what its button copies, in words. */
export function copyable(name, what) {
  const line = stamp('line').firstElementChild;
  const [code, button] = [find(line, 'code'), find(line, 'button')];
  find(line, '.name').textContent = `${name}: `;
  button.textContent = 'Copy';
  button.setAttribute('aria-label', `Copy ${what}`);
  let timer;
  button.addEventListener('click', async () => {
    const done = await copy(code.textContent);
    button.textContent = done ? 'Copied' : 'Failed';
    announce(done ? `Copied ${what}` : `Could not copy ${what}`);
    clearTimeout(timer);
    timer = setTimeout(() => (button.textContent = 'Copy'), SAID_MS);
  });
  return {
    line,
    show: (text) => {
      code.textContent = code.title = text;
    },
  };
}

/** Puts a text on the clipboard; whether that worked. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // there is no such clipboard for pages that came over plain http from another machine
    return copySelected(text);
  }
}

function copySelected(text) {
  const field = document.createElement('textarea');
  const focused = document.activeElement;
  field.value = text;
  field.className = 'unseen';
  document.body.append(field);
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  focused?.focus();
  return done;
}
