// What a panel sent and got: the last lines of it, and how many there were in all.

import { bytes, find, grouped, make } from './dom.js';
import { nextFrame } from './frames.js';

/** Lines that are kept. */
const LINES_MAX = 200;
/** Characters that are shown of a text, and bytes of what is binary. */
const TEXT_MAX = 2000;
const HEX_MAX = 24;
/** Of the time, at most the inverse of this goes into drawing a log, however much comes. */
const REST = 5;

/** A log in the element `box`. Nothing is drawn before the next frame. */
export class Log {
  constructor(box, { name, sends, receives }) {
    this.list = find(box, 'ol');
    this.count = find(box, '.count span');
    this.list.setAttribute('aria-label', `Messages of ${name}`);
    const clear = find(box, '.clear');
    clear.setAttribute('aria-label', `Clear the messages of ${name}`);
    clear.addEventListener('click', () => this.clear());
    Object.assign(this, { sends, receives });
    this.render = this.render.bind(this);
    this.clear();
  }

  /** Forgets all, counts included. */
  clear() {
    this.waiting = [];
    this.restsUntil = 0;
    this.sent = this.came = 0;
    this.list.replaceChildren();
    this.count.textContent = this.summary();
  }

  /** One message; `way` is 'sent' or 'came', `content` a string or a Uint8Array. */
  add(way, content) {
    this[way] += 1;
    // in a flood, or while the page is hidden, older lines go unseen; they are counted all the same
    if (this.waiting.length >= LINES_MAX) this.waiting.shift();
    this.waiting.push({ way, content, at: Date.now() });
    nextFrame(this.render);
  }

  render(now) {
    // a slow drawing makes the next one wait, so that there is time for whoever clicks
    if (now < this.restsUntil) return nextFrame(this.render);
    const began = performance.now();
    this.count.textContent = this.summary();
    this.draw(this.waiting);
    this.waiting = [];
    this.restsUntil = began + REST * (performance.now() - began);
  }

  draw(messages) {
    const { list } = this;
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 24;
    const extra = list.childElementCount + messages.length - LINES_MAX;
    for (const each of [...list.children].slice(0, Math.max(0, extra))) each.remove();
    list.append(...messages.map(line));
    // who scrolled up to read is left in peace; this has the lines laid out, and so measured
    const end = list.scrollHeight;
    if (isAtEnd) list.scrollTop = end;
  }

  summary() {
    const parts = [];
    if (this.sends) parts.push(`${grouped(this.sent)} sent`);
    if (this.receives) parts.push(`${grouped(this.came)} received`);
    const kept = this.sent + this.came > LINES_MAX ? `, the last ${LINES_MAX} shown` : '';
    return parts.join(', ') + kept;
  }
}

function line({ way, content, at }) {
  const item = make('li', way);
  const arrow = make('span', 'way', way === 'sent' ? '↑' : '↓');
  arrow.setAttribute('aria-hidden', 'true');
  const time = make('time', '', new Date(at).toTimeString().slice(0, 8));
  const spoken = make('span', 'unseen', way === 'sent' ? 'sent: ' : 'received: ');
  item.append(time, arrow, spoken, shown(content));
  return item;
}

function shown(content) {
  if (typeof content === 'string') {
    if (content.length <= TEXT_MAX) return make('span', 'text', content);
    const text = make('span', 'text', `${content.slice(0, TEXT_MAX)}… `);
    text.append(make('em', '', `${grouped(content.length)} characters`));
    return text;
  }
  const hex = [...content.subarray(0, HEX_MAX)].map((byte) => byte.toString(16).padStart(2, '0'));
  const more = content.length > HEX_MAX ? ' …' : '';
  const binary = make('span', 'text');
  binary.append(make('em', '', `binary, ${bytes(content.length)}: `), hex.join(' ') + more);
  return binary;
}
