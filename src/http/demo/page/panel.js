// One live panel: a socket on a topic, with all that one can do with it.

import { Composer } from './composer.js';
import { Connection, isOn } from './connection.js';
import { copyable } from './copy.js';
import { find, stamp } from './dom.js';
import { Log } from './log.js';
import { fault, httpUrl, socketUrl } from './root.js';
import * as snippets from './snippets.js';

/**
 * `role` is one of patterns.js, `name` what the panel is called, `root` a function that says where
 * the broker is. `on` hears of what happens: state, sent, came, removed.
 */
export class Panel {
  constructor({ role, name, topic, root, on }) {
    Object.assign(this, { role, name, root, on });
    this.element = stamp('panel').firstElementChild;
    this.element.setAttribute('aria-label', name);
    find(this.element, 'h3').textContent = name;
    this.status = find(this.element, '.state');
    this.setUpLines();
    this.setUpConnection(topic);
    this.log = new Log(find(this.element, '.log'), { ...role, name });
    const compose = find(this.element, '.compose');
    if (role.sends) {
      const send = (content, file) => this.send(content, file);
      this.composer = new Composer(compose, { name, message: role.message, send });
    } else {
      compose.remove();
    }
    const remove = find(this.element, '.remove');
    remove.setAttribute('aria-label', `Remove ${name}`);
    remove.addEventListener('click', () => this.remove());
    this.showUrl();
  }

  setUpLines() {
    this.curl = copyable('curl', `the curl line of ${this.name}`);
    this.script = copyable('JavaScript', `the JavaScript line of ${this.name}`);
    find(this.element, '.lines').append(this.curl.line, this.script.line);
  }

  setUpConnection(topic) {
    const form = find(this.element, '.connect');
    const { route, receives, sends } = this.role;
    this.topicField = form.elements.topic;
    this.topicField.value = topic;
    this.topicField.setAttribute('aria-label', `Topic of ${this.name}`);
    this.echo = form.elements.echo;
    if (!(sends && receives)) find(form, '.echo').remove();
    find(form, '.prefix').textContent = `/${route}/`;
    this.toggle = find(form, '.toggle');
    this.connection = new Connection({
      onstate: (state, words) => this.showState(state, words),
      onmessage: (content) => this.came(content),
    });
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.connection.isOn) this.follow();
      else this.connect();
    });
    this.toggle.addEventListener('click', () => {
      if (this.connection.isOn) this.connection.disconnect();
      else this.connect();
    });
    this.topicField.addEventListener('input', () => this.showUrl());
    // a socket's topic and echo are for life: another one takes another socket
    this.topicField.addEventListener('change', () => this.follow());
    this.echo?.addEventListener('change', () => this.follow());
  }

  get topic() {
    return this.topicField.value;
  }

  /** The URLs of the socket: for HTTP, and for WebSocket. */
  urls() {
    const query = this.echo?.checked ? '?echo=1' : '';
    const parts = [this.root(), this.role.route, this.topic];
    return {
      http: httpUrl(...parts),
      listen: httpUrl(...parts, query),
      socket: socketUrl(...parts, query),
    };
  }

  showUrl() {
    const wrong = fault(this.topic);
    this.topicField.setAttribute('aria-invalid', String(Boolean(wrong)));
    const url = find(this.element, '.url code');
    url.textContent = url.title = wrong ? wrong : this.urls().socket;
    this.on.state(this);
    return !wrong;
  }

  /** Connects to what the fields say. */
  connect() {
    if (!this.showUrl()) return this.connection.refuse(fault(this.topic));
    // what is sent goes there, whatever is typed into the field meanwhile
    this.used = this.urls();
    const { http, listen, socket } = this.used;
    const lines = this.role.receives
      ? snippets.listening(listen, socket)
      : snippets.sendingText(http, socket, this.role.message);
    this.showLines(lines);
    this.connection.connect(socket, listen);
  }

  /** The fields changed: who is connected goes there, or nowhere if that is no topic. */
  follow() {
    const isElsewhere = !this.showUrl() || this.urls().socket !== this.connection.url;
    if (this.connection.isOn && isElsewhere) this.connect();
  }

  /** The broker's root changed: who was refused elsewhere goes there, too. */
  move() {
    if (this.connection.state === 'refused') this.connect();
    else this.follow();
  }

  showState(state, words) {
    if (this.element.dataset.state !== state || this.status.textContent !== words) {
      this.element.dataset.state = state;
      this.status.textContent = words;
    }
    this.toggle.textContent = isOn(state) ? 'Disconnect' : 'Connect';
    this.toggle.setAttribute('aria-label', `${this.toggle.textContent} ${this.name}`);
    this.on.state(this);
  }

  showLines({ curl, script }) {
    this.curl.show(curl);
    this.script.show(script);
  }

  send(content, file) {
    this.connection.send(content);
    this.log.add('sent', content);
    const { http, socket } = this.used;
    this.showLines(
      file === undefined
        ? snippets.sendingText(http, socket, content)
        : snippets.sendingFile(http, socket, file, content),
    );
    this.on.sent(this, content);
  }

  came(content) {
    this.log.add('came', content);
    this.on.came(this, content);
  }

  remove() {
    this.connection.end();
    this.element.remove();
    this.on.removed(this);
  }
}
