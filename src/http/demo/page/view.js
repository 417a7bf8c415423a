// The view of one pattern: its words, its picture, and panels that come and go.

import { announce, find, make, stamp } from './dom.js';
import { Panel } from './panel.js';
import { Picture } from './picture.js';

/** More sockets than this on one page help nobody to see. */
const PANELS_MAX = 24;

export class View {
  constructor(section, pattern, root) {
    Object.assign(this, { section, pattern, root, panels: [], numbers: new Map() });
    section.append(stamp('view'));
    find(section, 'h2').textContent = pattern.title;
    find(section, '.lead').textContent = pattern.words;
    this.list = find(section, '.panels');
    this.adders = pattern.roles.map((role) => this.adder(role));
    find(section, '.adders').append(...this.adders);
    this.picture = new Picture(find(section, '.picture'), () => this.panels);
    for (const [name, topic] of pattern.panels) {
      this.add(
        pattern.roles.find((role) => role.name === name),
        topic,
      );
    }
  }

  adder(role) {
    const button = make('button', 'add', `Add ${role.name.toLowerCase()}`);
    button.type = 'button';
    button.addEventListener('click', () => {
      const panel = this.add(role, role.topic);
      panel.topicField.focus();
      panel.topicField.select();
      announce(`Added ${panel.name}`);
    });
    return button;
  }

  /** A new panel, which connects at once. */
  add(role, topic) {
    const number = (this.numbers.get(role.name) ?? 0) + 1;
    this.numbers.set(role.name, number);
    const { picture } = this;
    const panel = new Panel({
      role,
      name: `${role.name} ${number}`,
      topic,
      root: this.root,
      on: {
        state: () => picture.changed(),
        sent: (from, content) => picture.sent(from, content),
        came: (to, content) => picture.came(to, content),
        removed: (gone) => this.removed(gone),
      },
    });
    this.panels.push(panel);
    this.list.append(panel.element);
    panel.connect();
    this.bound();
    return panel;
  }

  removed(panel) {
    const at = this.panels.indexOf(panel);
    this.panels.splice(at, 1);
    this.picture.changed();
    this.bound();
    announce(`Removed ${panel.name}`);
    // the keyboard's place went with the panel
    const next = this.panels[Math.min(at, this.panels.length - 1)];
    (next ? find(next.element, '.remove') : this.adders[0]).focus();
  }

  bound() {
    for (const adder of this.adders) adder.disabled = this.panels.length >= PANELS_MAX;
  }

  /** The broker is elsewhere now. */
  follow() {
    for (const panel of this.panels) panel.move();
  }
}
