// A broker of the binary under test, on a port of its own.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { before } from 'node:test';

/** Longer than anything takes on a loaded machine, shorter than a person's patience. */
export const PATIENCE_MS = 30000;

const running = new Set();

/** The one that all tests of a file share. */
export let broker;

/** Starts it before them. */
export const useBroker = () =>
  before(async () => {
    broker = await start();
  });

/** Ends all brokers that a test left, or had to leave. */
export const stopAll = () => Promise.all([...running].map((each) => each.stop()));

/** A started broker; `port` 0 picks one, `options` are the command line's. */
export async function start(port = 0, options = []) {
  const words = ['broker', '--listen', `http://127.0.0.1:${port}`, '--pin', 'none', ...options];
  const child = spawn(process.env.PAGE_MERCURY, words, { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'exit');
  const lines = createInterface(child.stderr);
  const said = [];
  const url = await new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      said.push(line);
      const listening = line.match(/^listening on (http:\S+)/);
      if (listening) resolve(listening[1]);
    });
    ended.then(() => reject(new Error(`the broker ended: ${said.join('\n')}`)), reject);
  });
  const started = {
    url,
    port: Number(new URL(url).port),
    /** Ends it: with SIGTERM it drains, with SIGKILL it does not. */
    async stop(signal = 'SIGTERM') {
      running.delete(started);
      child.kill(signal);
      await ended;
    },
  };
  running.add(started);
  return started;
}
