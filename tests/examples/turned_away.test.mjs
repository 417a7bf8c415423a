// A broker that does not want them: none of the examples comes back, and each says why.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Broker, Program } from './world.mjs'

const CLOSED = /^closed: 1008 operator-closed: /
const REFUSED = /^refused: 401 Origin check failed/
const PROGRAMS = [
  { command: ['node', 'orders.mjs'], topic: 'shop' },
  { command: ['python3', 'invoices.py'], topic: 'invoices' },
  { command: ['perl', 'stock.pl'], topic: 'shop/orders' }
]
/** What mercury says in their place, and its status. */
const MERCURY = {
  closed: /^mercury: .* closed with 1008, operator-closed: /,
  refused: /^mercury: .*401.*Origin check failed/,
  status: 3
}
const SHELL = [
  { command: ['sh', 'pool.sh'], topic: 'archive', ...MERCURY },
  { command: ['bash', 'logs.sh', 'web1', 'package.json'], topic: 'logs/web1', ...MERCURY }
]

for (const program of [...PROGRAMS, ...SHELL]) {
  const { command, topic, closed = CLOSED, refused = REFUSED, status = 1 } = program
  const start = (t, broker) => new Program(t, command, { ...broker.environment, PORT: '0' })

  test(`${command.join(' ')} ends when it is hung up on`, async (t) => {
    const broker = await Broker.start(t)
    const program = start(t, broker)
    await broker.joined(topic)
    await broker.hangUp(topic)
    await program.says(closed)
    assert.equal(await program.ended(), status)
  })

  test(`${command.join(' ')} ends when it is refused`, async (t) => {
    const broker = await Broker.start(t, '--allow-origin', 'https://shop.example')
    const program = start(t, broker)
    await program.says(refused)
    assert.equal(await program.ended(), status)
  })

  test(`${command.join(' ')} asks again where there is no broker yet`, async (t) => {
    const broker = await Broker.start(t)
    await broker.stop()
    const program = start(t, broker)
    await program.says(/connection.*refused|ECONNREFUSED/i)
    await broker.start()
    await broker.joined(topic)
    await program.stop()
  })
}
