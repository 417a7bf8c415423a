// A broker that does not want them: none of the examples comes back, and each says why.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Broker, Program } from './world.mjs'

const PROGRAMS = [
  { command: ['node', 'orders.mjs'], ready: /^subscribed/, topic: 'shop' },
  { command: ['python3', 'invoices.py'], ready: /^waiting/, topic: 'invoices' },
  { command: ['perl', 'stock.pl'], ready: /^subscribed/, topic: 'shop/orders' }
]

for (const { command, ready, topic } of PROGRAMS) {
  test(`${command.join(' ')} ends when it is hung up on`, async (t) => {
    const broker = await Broker.start(t)
    const program = new Program(t, command, { ...broker.environment, PORT: '0' })
    await program.says(ready)
    await broker.hangUp(topic)
    await program.says(/^closed: 1008 operator-closed: /)
    assert.equal(await program.ended(), 1)
  })

  test(`${command.join(' ')} ends when it is refused`, async (t) => {
    const broker = await Broker.start(t, '--allow-origin', 'https://shop.example')
    const program = new Program(t, command, { ...broker.environment, PORT: '0' })
    await program.says(/^refused: 401 Origin check failed/)
    assert.equal(await program.ended(), 1)
  })

  test(`${command.join(' ')} asks again where there is no broker yet`, async (t) => {
    const broker = await Broker.start(t)
    await broker.stop()
    const program = new Program(t, command, { ...broker.environment, PORT: '0' })
    await program.says(/refused/i)
    await broker.start()
    await program.says(ready)
    await program.stop()
  })
}
