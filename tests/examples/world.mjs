// A broker of this build and the programs around it, as processes; all that is waited for has a
// deadline, and every process is ended by its id when its test ends.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

/** The folder of the examples, as somebody has it who did what they say. */
export const EXAMPLES = process.env.EXAMPLES
const WebSocket = createRequire(`${EXAMPLES}/`)('ws')
/** Milliseconds that anything may take; nothing takes a tenth of it. */
export const PATIENCE = 20_000

/** What the promise brings, or an error that says what did not happen in time. */
export async function inTime (promise, what) {
  let timer
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${PATIENCE} ms: ${what()}`)), PATIENCE)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** A process, and the lines that it has written and nobody has asked for. */
export class Program {
  #process
  #lines = []
  #all = []
  #waiting = []
  #end
  #isLeader

  constructor (test, command, environment = {}, folder = EXAMPLES) {
    const [file, ...options] = command
    this.#isLeader = file === 'setsid'
    this.name = command.join(' ')
    this.#process = spawn(file, options, { cwd: folder, env: { ...process.env, ...environment } })
    this.#end = once(this.#process, 'close')
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      createInterface({ input: stream }).on('line', (line) => this.#hear(line))
    }
    test.after(() => this.kill())
  }

  #hear (line) {
    this.#all.push(line)
    const asked = this.#waiting.findIndex(({ pattern }) => pattern.test(line))
    if (asked < 0) return this.#lines.push(line)
    this.#waiting.splice(asked, 1)[0].resolve(line)
  }

  /** A line like this, on whichever of its two outputs; each line is found once. */
  says (pattern) {
    const found = this.#lines.findIndex((line) => pattern.test(line))
    if (found >= 0) return Promise.resolve(this.#lines.splice(found, 1)[0])
    const line = new Promise((resolve) => this.#waiting.push({ pattern, resolve }))
    return inTime(line, () => `${this.name} says ${pattern}; it said:\n${this.#all.join('\n')}`)
  }

  /** All that it has said. */
  get said () {
    return this.#all
  }

  signal (name) {
    assert(this.#process.kill(name), `${this.name} is gone; it said:\n${this.#all.join('\n')}`)
  }

  /** Ctrl-C on its terminal, which is for all processes of its group; it was started by setsid. */
  interrupt () {
    process.kill(-this.#process.pid, 'SIGINT')
  }

  /** Its status once it has ended, or the signal that ended it. */
  async ended () {
    const [status, signal] = await inTime(this.#end, () => `${this.name} ends`)
    return signal ?? status
  }

  /** Asks it to end, which is its status 0. */
  async stop (signal = 'SIGTERM') {
    this.signal(signal)
    assert.equal(await this.ended(), 0, this.#all.join('\n'))
  }

  async kill () {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      process.kill(this.#isLeader ? -this.#process.pid : this.#process.pid, 'SIGKILL')
    }
    await this.ended()
  }
}

/** A broker, which comes back at the same address. */
export class Broker {
  #test
  #options
  #program

  static async start (test, ...options) {
    const broker = new Broker()
    broker.#test = test
    broker.#options = options
    await broker.#listen(0)
    return broker
  }

  async #listen (port) {
    const addresses = ['--listen', `http://127.0.0.1:${port}`, '--admin', 'http://127.0.0.1:0']
    const command = ['mercury', 'broker', ...addresses, '--pin', 'none', ...this.#options]
    this.#program = new Program(this.#test, command)
    this.url = (await this.#program.says(/^listening on /)).split(' ').pop()
    this.admin = (await this.#program.says(/^admin at /)).split(' ').pop()
  }

  /** What tells a program where the broker is. */
  get environment () {
    return { MERCURY_URL: this.url }
  }

  /** The same, in the other way to write it. */
  get sockets () {
    return { MERCURY_URL: this.url.replace('http', 'ws') }
  }

  /** Stops, as it does for an upgrade. */
  stop () {
    return this.#program.stop()
  }

  /** Comes back where it was. */
  start () {
    return this.#listen(new URL(this.url).port)
  }

  async restart () {
    await this.stop()
    await this.start()
  }

  /** Ends without a word, and comes back. */
  async crash () {
    await this.#program.kill()
    await this.start()
  }

  /** Goes and comes back, in both ways, and a program that is `ready` comes back, too. */
  async cameBackFor (program, ready) {
    await program.says(ready)
    await this.restart()
    await program.says(/^closed: 1001 going away/)
    await program.says(ready)
    await this.crash()
    await program.says(/^closed: 1006/)
    await program.says(ready)
  }

  /** Publishes as curl does. */
  async post (path, body) {
    const signal = AbortSignal.timeout(PATIENCE)
    const answer = await fetch(`${this.url}/${path}`, { method: 'POST', body, signal })
    assert.equal(answer.status, 200, await answer.text())
  }

  /** A socket that gives its messages one by one, as text. */
  async connect (path) {
    const socket = new WebSocket(`${this.url.replace('http', 'ws')}/${path}`)
    this.#test.after(() => socket.terminate())
    const messages = []
    const waiting = []
    socket.on('message', (message) => {
      const next = waiting.shift()
      if (next) next(String(message))
      else messages.push(String(message))
    })
    await inTime(once(socket, 'open'), () => `${path} opens`)
    const next = () => {
      if (messages.length > 0) return Promise.resolve(messages.shift())
      return inTime(new Promise((resolve) => waiting.push(resolve)), () => `a message on ${path}`)
    }
    return { next, send: (message) => socket.send(message), close: () => socket.close() }
  }

  /** Who is connected to a topic. */
  async connections (topic) {
    const answer = await fetch(`${this.admin}/connections?topic=${encodeURIComponent(topic)}`)
    return (await answer.json()).connections
  }

  /** Waits until so many are connected to a topic: some programs do not say so themselves. */
  async joined (topic, count = 1) {
    const late = performance.now() + PATIENCE
    while ((await this.connections(topic)).length < count) {
      assert(performance.now() < late, `not within ${PATIENCE} ms: ${count} connected to ${topic}`)
    }
  }

  /** Hangs up on all who are connected to a topic, with 1008. */
  async hangUp (topic) {
    for (const { id } of await this.connections(topic)) {
      const answer = await fetch(`${this.admin}/connections/${id}`, { method: 'DELETE' })
      assert(answer.ok, await answer.text())
    }
  }
}
