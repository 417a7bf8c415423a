// One WebSocket that comes back when it breaks, and says what it is doing.

import { STEADY_MS, isFinal, reason, wait } from './backoff.js';

/** Characters that are shown of a refusal; a broker's own fit. */
const REFUSAL_MAX = 300;
/** What may wait in the browser; a sender that is faster than its line is told so. */
const BUFFERED_BYTES_MAX = 8 * 1024 * 1024;

/** Whether a connection in this state is meant to be connected. */
export const isOn = (state) => ['connected', 'connecting', 'waiting'].includes(state);

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

/**
 * `onstate(state, words)` hears of 'connected', 'connecting', 'waiting', 'closing', 'closed' and
 * 'refused'; `onmessage` gets a string or a Uint8Array.
 */
export class Connection {
  constructor({ onstate, onmessage }) {
    Object.assign(this, { onstate, onmessage, attempt: 0 });
    this.retry = () => {
      if (this.state === 'waiting') this.open();
    };
    addEventListener('online', this.retry);
    this.say('closed', 'not connected');
  }

  say(state, words) {
    this.state = state;
    this.onstate(state, words);
  }

  get isOn() {
    return isOn(this.state);
  }

  /** Connects, or connects elsewhere. `question` is the same URL for a plain GET. */
  connect(url, question) {
    this.drop();
    Object.assign(this, { url, question, attempt: 0 });
    this.open();
  }

  open() {
    clearTimeout(this.timer);
    this.say('connecting', this.attempt === 0 ? 'connecting' : 'connecting again');
    let socket;
    try {
      socket = new WebSocket(this.url);
    } catch (error) {
      // a page that came by https may not use ws
      return this.say('refused', error.message);
    }
    let openedAt = 0;
    socket.binaryType = 'arraybuffer';
    this.socket = socket;
    const isOurs = () => this.socket === socket;
    socket.addEventListener('open', () => {
      if (!isOurs()) return;
      openedAt = performance.now();
      this.say('connected', 'connected');
    });
    socket.addEventListener('message', ({ data }) => {
      if (isOurs()) this.onmessage(typeof data === 'string' ? data : new Uint8Array(data));
    });
    socket.addEventListener('close', (event) => {
      if (isOurs()) this.closed(event, openedAt);
    });
  }

  async closed(event, openedAt) {
    this.socket = null;
    if (this.state === 'closing') return this.say('closed', 'disconnected');
    if (openedAt && isFinal(event.code)) {
      return this.say('refused', `hung up: ${reason(event)}`);
    }
    if (openedAt && performance.now() - openedAt > STEADY_MS) this.attempt = 0;
    const delay = wait(this.attempt);
    this.attempt += 1;
    const why = openedAt ? reason(event) : 'no connection';
    this.say('waiting', `${why}; next try in ${seconds(delay)}`);
    this.timer = setTimeout(() => this.open(), delay);
    if (!openedAt) await this.inquire(this.timer);
  }

  /**
   * A browser does not say why a handshake was refused, but a plain GET of the same URL does: 426
   * where a WebSocket would do, else a sentence. Other origins keep that to themselves.
   */
  async inquire(timer) {
    let answer;
    let sentence;
    try {
      answer = await fetch(this.question, { cache: 'no-store', signal: AbortSignal.timeout(5000) });
      sentence = await words(answer);
    } catch {
      return;
    }
    const isRefused = answer.status >= 400 && answer.status < 500 && answer.status !== 426;
    if (isRefused && this.timer === timer && this.state === 'waiting') {
      clearTimeout(timer);
      this.say('refused', `refused: ${sentence}`);
    }
  }

  /** Sends a string or a Uint8Array; throws why it can't. */
  send(content) {
    if (this.state !== 'connected') throw new Error('not connected, so nothing was sent');
    if (this.socket.bufferedAmount > BUFFERED_BYTES_MAX) {
      throw new Error('the broker has not taken yet what was sent before');
    }
    this.socket.send(content);
  }

  /** Hangs up, in the way of the protocol. */
  disconnect() {
    clearTimeout(this.timer);
    if (!this.socket) return this.say('closed', 'disconnected');
    this.say('closing', 'disconnecting');
    this.socket.close(1000);
  }

  /** Lets go at once, without waiting for the broker's Close. */
  drop() {
    clearTimeout(this.timer);
    const { socket } = this;
    this.socket = null;
    socket?.close(1000);
  }

  /** Lets go, and says why there is nowhere to connect to. */
  refuse(words) {
    this.drop();
    this.url = undefined;
    this.say('refused', words);
  }

  /** Ends it for good. */
  end() {
    this.drop();
    removeEventListener('online', this.retry);
  }
}

/** A refusal in words: the broker's sentence, or no more than the status of what is no broker. */
async function words(answer) {
  const isSentence = answer.headers.get('content-type')?.startsWith('text/plain');
  const text = isSentence ? await answer.text() : `${answer.status} ${answer.statusText}`;
  return text.trim().slice(0, REFUSAL_MAX);
}
