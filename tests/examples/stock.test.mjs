// stock.pl: hears orders and publishes what is left.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Broker, Program } from './world.mjs'

test('every order leaves less, and those who listen to an item hear of it', async (t) => {
  const broker = await Broker.start(t)
  const tea = await broker.connect('sub/shop/stock/tea')
  const all = await broker.connect('sub/shop/stock')
  const program = new Program(t, ['perl', 'stock.pl'], broker.sockets)
  await program.says(/^subscribed/)
  await broker.post('pub/shop/orders/1', '{"id":"1","item":"tea","count":2}')
  await broker.post('pub/shop/orders/2', '{"id":"2","item":"coffee","count":1}')
  const none = ['{"item":"gin","count":1}', '{"item":"tea","count":-1}', '{"item":{},"count":[]}']
  for (const wrong of ['tea', '[]', ...none]) {
    await broker.post('pub/shop/orders/3', wrong)
    await program.says(/^not an order of ours/)
  }
  await broker.post('pub/shop/orders/4', '{"id":"4","item":"tea","count":3}')
  const heard = async (socket) => JSON.parse(await socket.next())
  assert.deepEqual(await heard(all), { item: 'tea', left: 98 })
  assert.deepEqual(await heard(all), { item: 'coffee', left: 99 })
  assert.deepEqual(await heard(all), { item: 'tea', left: 95 })
  assert.deepEqual(await heard(tea), { item: 'tea', left: 98 })
  assert.deepEqual(await heard(tea), { item: 'tea', left: 95 })
  await program.stop()
})

test('the stock comes back to a broker that came back', async (t) => {
  const broker = await Broker.start(t)
  const program = new Program(t, ['perl', 'stock.pl'], broker.environment)
  await broker.cameBackFor(program, /^subscribed/)
  await broker.post('pub/shop/orders/1', '{"id":"1","item":"tea","count":2}')
  await program.says(/^2 of tea sold, 98 left/)
  await program.stop('SIGINT')
})
