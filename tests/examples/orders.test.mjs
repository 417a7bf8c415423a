// orders.mjs: a service whose instances hear of each other's orders.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Broker, Program } from './world.mjs'

async function service (test, broker, environment = broker.environment) {
  const program = new Program(test, ['node', 'orders.mjs'], { ...environment, PORT: '0' })
  program.url = (await program.says(/^listening on /)).split(' ').pop()
  return program
}

async function ask (url, body) {
  const answer = await fetch(url, body && { method: 'POST', body })
  return [answer.status, await answer.json()]
}

test('what one takes, all know, with the totals of workers', async (t) => {
  const broker = await Broker.start(t)
  const services = [await service(t, broker), await service(t, broker, broker.sockets)]
  for (const each of services) await each.says(/^subscribed/)
  const worker = await broker.connect('pull/invoices')

  const [status, order] = await ask(services[0].url, '{"item":"tea","count":2}')
  assert.equal(status, 201)
  assert.deepEqual(JSON.parse(await worker.next()), order)
  await broker.post('pub/shop/invoices', JSON.stringify({ id: order.id, total: 8 }))
  await broker.post('pub/shop/stock/tea', 'no JSON')
  for (const each of services) {
    await each.says(/"total":8/)
    await each.says(/^not understood: no JSON/)
    assert.deepEqual(await ask(each.url), [200, [{ ...order, total: 8 }]])
    await each.stop()
  }
})

test('orders that are none, and a broker that is away, are told', async (t) => {
  const broker = await Broker.start(t)
  const { url } = await service(t, broker)
  for (const none of ['tea', 'null', '{"item":"tea"}', '{"item":"tea","count":"2"}'])
    assert.equal((await ask(url, none))[0], 400, none)
  assert.deepEqual((await ask(url, `"${'x'.repeat(1000)}"`))[0], 400)
  assert.equal((await ask(`${url}s`))[0], 404)
  await broker.stop()
  assert.deepEqual(await ask(url, '{"item":"tea","count":2}'), [503, 'ECONNREFUSED'])
})

test('the service comes back to a broker that came back', async (t) => {
  const broker = await Broker.start(t)
  const program = await service(t, broker)
  await broker.cameBackFor(program, /^subscribed/)
  await ask(program.url, '{"item":"coffee","count":1}')
  await program.says(/^heard .*coffee/)
  await program.stop('SIGINT')
})
