// What the other modules need of the document. Texts go in as text, never as markup.

/** A copy of a template's content. */
export const stamp = (name) => document.getElementById(`${name}-template`).content.cloneNode(true);

/** The one element below `within` that matches. */
export const find = (within, selector) => within.querySelector(selector);

/** An element with a class and a text. */
export function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

/** An element of SVG with attributes. */
export function draw(tag, attributes = {}, text) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Tells a screen reader what has no place of its own on the page. */
export function announce(text) {
  document.getElementById('announcer').textContent = text;
}

/** 12345 as 12,345. */
export const grouped = (number) => number.toLocaleString('en-US');

/** A size as people read it. */
export function bytes(size) {
  if (size < 1024) return `${size} B`;
  const [scale, unit] = size < 1024 ** 2 ? [1024, 'KiB'] : [1024 ** 2, 'MiB'];
  return `${(size / scale).toFixed(1)} ${unit}`;
}
