// The field of a message: a text, JSON that is checked, or a file that is sent as binary.

import { bytes, find } from './dom.js';

/** The largest file that is read at all. Brokers have a limit of their own, and say so. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;

/** Wires up the form `form`. `send` takes a string, or a Uint8Array and its name, and may throw. */
export class Composer {
  constructor(form, { name, message, send }) {
    this.form = form;
    this.wrong = find(form, '.wrong');
    this.text = form.elements.message;
    this.file = form.elements.file;
    this.text.value = message;
    this.text.setAttribute('aria-label', `Message of ${name}`);
    this.file.setAttribute('aria-label', `File of ${name}, sent as binary`);
    find(form, '.send').setAttribute('aria-label', `Send from ${name}`);
    find(form, 'legend').textContent = `Kind of message of ${name}`;
    this.send = send;
    // the names of radio buttons are shared by a form alone, so every panel may use the same
    for (const kind of form.elements.kind) kind.addEventListener('change', () => this.switch());
    this.text.addEventListener('input', () => this.check());
    this.text.addEventListener('keydown', (event) => {
      const isAlone = !event.shiftKey && !event.isComposing;
      if (event.key === 'Enter' && isAlone) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.submit();
    });
  }

  get kind() {
    return this.form.elements.kind.value;
  }

  switch() {
    const isFile = this.kind === 'file';
    this.text.closest('label').hidden = isFile;
    this.file.closest('label').hidden = !isFile;
    // what was written is kept, as a part of what is valid
    if (this.kind === 'json' && faultOfJson(this.text.value)) {
      this.text.value = JSON.stringify({ message: this.text.value });
    }
    this.check();
  }

  /** Says what is wrong with the JSON; whether nothing is. */
  check() {
    const fault = this.kind === 'json' ? faultOfJson(this.text.value) : '';
    this.complain(fault);
    this.text.setAttribute('aria-invalid', String(Boolean(fault)));
    return !fault;
  }

  complain(words) {
    if (this.wrong.textContent !== words) this.wrong.textContent = words;
  }

  async submit() {
    if (!this.check()) return;
    try {
      if (this.kind === 'file') await this.submitFile();
      else this.send(this.text.value);
    } catch (error) {
      this.complain(error.message);
    }
  }

  async submitFile() {
    const [file] = this.file.files;
    if (!file) throw new Error('choose a file first');
    if (file.size > FILE_BYTES_MAX) {
      throw new Error(`the file has ${bytes(file.size)}, more than ${bytes(FILE_BYTES_MAX)}`);
    }
    this.send(new Uint8Array(await file.arrayBuffer()), file.name);
  }
}

function faultOfJson(text) {
  try {
    JSON.parse(text);
    return '';
  } catch (error) {
    return `no JSON: ${error.message}`;
  }
}
