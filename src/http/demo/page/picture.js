// Where each message goes: senders and receivers around the broker, and dots that travel.

import { announce, draw } from './dom.js';
import { nextFrame } from './frames.js';

const ROW = 58;
const NODE_HEIGHT = 42;
const HUB_RADIUS = 27;
/** The least that is left of a line between a node and the broker. */
const GAP = 28;
/** How long a dot takes from a node to the broker, or back. */
const TRAVEL_MS = 520;
/** How long a node glows when a message is there. */
const GLOW_MS = 500;
/** Dots at once; in a flood, the lines glow instead. */
const DOTS_MAX = 48;
/** Messages that are remembered, and for how long: an equal one that comes is the same. */
const REMEMBERED_MAX = 64;
const SAME_MS = 10000;

/** How long behind the last sending a screen reader is told whom it reached. */
const TOLD_MS = 1000;

const calm = matchMedia('(prefers-reduced-motion: reduce)');

/** The picture in `figure`, of the panels that `panels` returns. */
export class Picture {
  constructor(figure, panels) {
    this.svg = figure.querySelector('svg');
    this.caption = figure.querySelector('figcaption');
    this.panels = panels;
    this.edges = draw('g');
    this.dotLayer = draw('g');
    this.nodeLayer = draw('g');
    this.svg.append(this.edges, this.dotLayer, this.nodeLayer);
    this.spots = new Map();
    this.dots = new Set();
    this.glowing = new Map();
    this.last = null;
    this.remembered = new Map();
    this.layOut = this.layOut.bind(this);
    this.move = this.move.bind(this);
    this.tell = this.tell.bind(this);
    new ResizeObserver(() => nextFrame(this.layOut)).observe(figure);
  }

  /** Panels came, left or changed. */
  changed() {
    nextFrame(this.layOut);
  }

  /** A panel sent a message. */
  sent(panel, content) {
    const now = performance.now();
    this.remember(content, {
      from: panel.name,
      to: new Set(),
      at: now,
      arrivesAt: now + TRAVEL_MS,
    });
    this.travel(panel, true, now);
    nextFrame(this.tell);
    const sending = this.last;
    clearTimeout(this.telling);
    this.telling = setTimeout(() => {
      announce(`${sending.from} reached ${this.names(sending) || 'nobody here'}`);
    }, TOLD_MS);
  }

  /** A panel got one: from here, or from elsewhere. */
  came(panel, content) {
    const now = performance.now();
    this.last = this.remembered.get(key(content));
    if (!this.last || now - this.last.at > SAME_MS) {
      this.remember(content, { from: 'elsewhere', to: new Set(), at: now, arrivesAt: now });
    }
    this.last.to.add(panel);
    this.travel(panel, false, Math.max(now, this.last.arrivesAt));
    nextFrame(this.tell);
  }

  /** What was sent is known again when it comes. */
  remember(content, delivery) {
    this.last = delivery;
    this.remembered.delete(key(content));
    this.remembered.set(key(content), delivery);
    if (this.remembered.size > REMEMBERED_MAX) {
      this.remembered.delete(this.remembered.keys().next().value);
    }
  }

  travel(panel, isInbound, startsAt) {
    if (calm.matches || this.dots.size >= DOTS_MAX) {
      this.glow(panel);
    } else {
      const dot = draw('circle', { r: 6, class: `dot ${isInbound ? 'in' : 'out'}` });
      this.dotLayer.append(dot);
      this.dots.add({ dot, panel, isInbound, startsAt });
    }
    nextFrame(this.move);
  }

  glow(panel) {
    this.glowing.set(panel, performance.now() + GLOW_MS);
  }

  /** One frame of what travels and glows; asks for the next one while there is any. */
  move() {
    const now = performance.now();
    for (const each of this.dots) {
      const part = (now - each.startsAt) / TRAVEL_MS;
      const spot = this.spots.get(each.panel);
      if (part >= 1 || !spot) {
        if (spot) this.glow(each.isInbound ? 'hub' : each.panel);
        each.dot.remove();
        this.dots.delete(each);
        continue;
      }
      const { x, y } = along(spot, ease(Math.max(0, each.isInbound ? part : 1 - part)));
      each.dot.setAttribute('cx', x);
      each.dot.setAttribute('cy', y);
      each.dot.setAttribute('visibility', part < 0 ? 'hidden' : 'visible');
    }
    for (const [what, until] of this.glowing) {
      const isOver = now > until;
      if (isOver) this.glowing.delete(what);
      const parts = what === 'hub' ? [this.hub] : (this.spots.get(what)?.parts ?? []);
      for (const part of parts) part?.classList.toggle('glows', !isOver);
    }
    if (this.dots.size > 0 || this.glowing.size > 0) nextFrame(this.move);
  }

  /** The last message in words. */
  tell() {
    const names = this.names(this.last) || 'nobody here';
    this.caption.textContent = `${this.last.from} → broker → ${names}`;
  }

  /** The panels that got a message. */
  names({ to }) {
    const reached = this.panels().filter((panel) => to.has(panel));
    return reached.map((panel) => panel.name).join(', ');
  }

  /** Draws nodes and lines anew. */
  layOut() {
    const width = this.svg.clientWidth;
    if (width === 0) return;
    const sides = { left: [], right: [] };
    for (const panel of this.panels()) {
      const isRight = sides.right.length < sides.left.length;
      const { side } = panel.role;
      sides[side === 'both' ? (isRight ? 'right' : 'left') : side].push(panel);
    }
    const rows = Math.max(1, sides.left.length, sides.right.length);
    const height = rows * ROW + 8;
    const nodeWidth = Math.min(200, (width - 2 * (HUB_RADIUS + GAP)) / 2);
    this.svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.svg.setAttribute('height', height);
    this.svg.setAttribute('aria-label', describe(sides));
    this.edges.replaceChildren();
    this.nodeLayer.replaceChildren();
    this.spots.clear();
    const hub = { x: width / 2, y: height / 2 };
    for (const [side, panels] of Object.entries(sides)) {
      panels.forEach((panel, at) => {
        const y = (height / panels.length) * (at + 0.5);
        this.place(panel, { side, y, nodeWidth, width, hub });
      });
    }
    this.hub = draw('g', { class: 'hub' });
    this.hub.append(
      draw('circle', { cx: hub.x, cy: hub.y, r: HUB_RADIUS }),
      draw('text', { x: hub.x, y: hub.y + 4, 'text-anchor': 'middle' }, 'broker'),
    );
    this.nodeLayer.append(this.hub);
  }

  place(panel, { side, y, nodeWidth, width, hub }) {
    const isLeft = side === 'left';
    const left = isLeft ? 1 : width - nodeWidth - 1;
    const spot = { from: { x: isLeft ? left + nodeWidth : left, y }, to: hub };
    const state = panel.element.dataset.state;
    const edge = draw('path', { d: curve(spot), class: `edge ${state}` });
    const node = draw('g', { class: `node ${panel.role.sends ? 'sends' : 'receives'} ${state}` });
    const room = nodeWidth - 16;
    const box = { x: left, y: y - NODE_HEIGHT / 2, width: nodeWidth, height: NODE_HEIGHT, rx: 11 };
    const path = `/${panel.role.route}/${panel.topic}`;
    node.append(
      draw('rect', box),
      draw('text', { x: left + 9, y: y - 3 }, fit(panel.name, room / 6.6)),
      draw('text', { x: left + 9, y: y + 13, class: 'topic' }, fit(path, room / 6.4)),
    );
    this.edges.append(edge);
    this.nodeLayer.append(node);
    spot.parts = [edge, node];
    this.spots.set(panel, spot);
  }
}

/** The beginning of a message and its length tell it from the others well enough for a picture. */
const key = (content) => `${content.length}:${content.slice(0, 64)}`;

const ease = (part) => part * part * (3 - 2 * part);

/** As much of a text as `room` characters hold. */
const fit = (text, room) =>
  text.length <= room ? text : `${text.slice(0, Math.max(1, room - 1))}…`;

const middle = ({ from, to }) => (from.x + to.x) / 2;

/** The line from a node to the broker: a cubic curve that begins and ends level. */
function curve(spot) {
  const { from, to } = spot;
  const x = middle(spot);
  return `M${from.x} ${from.y}C${x} ${from.y} ${x} ${to.y} ${to.x} ${to.y}`;
}

/** The point of that curve at `part` of the way. */
function along(spot, part) {
  const { from, to } = spot;
  const rest = 1 - part;
  const x = middle(spot);
  const [a, b, c, d] = [rest ** 3, 3 * rest ** 2 * part, 3 * rest * part ** 2, part ** 3];
  return {
    x: a * from.x + (b + c) * x + d * to.x,
    y: (a + b) * from.y + (c + d) * to.y,
  };
}

function describe({ left, right }) {
  const names = (panels) => panels.map((panel) => `${panel.name} on ${panel.topic}`).join(', ');
  return `The broker between ${names(left) || 'nobody'} and ${names(right) || 'nobody'}`;
}
