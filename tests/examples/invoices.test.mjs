// invoices.py: workers that pull jobs and publish what they made of them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Broker, Program } from './world.mjs'

const job = (id) => JSON.stringify({ id, item: 'tea', count: 2 })

async function worker (test, broker, environment = broker.environment) {
  const program = new Program(test, ['python3', 'invoices.py'], environment)
  await program.says(/^waiting for jobs/)
  return program
}

test('each job is done by one worker, whatever comes between', async (t) => {
  const broker = await Broker.start(t)
  const results = await broker.connect('sub/shop')
  const workers = [await worker(t, broker), await worker(t, broker, broker.sockets)]
  await broker.post('push/invoices', job('a'))
  await broker.post('push/invoices', 'tea')
  await broker.post('push/invoices', '{"id":"b","item":"gin","count":1}')
  await broker.post('push/invoices', job('c'))
  const invoices = [await results.next(), await results.next()].map(JSON.parse)
  assert.deepEqual(invoices.map(({ id, total }) => `${id} ${total}`).sort(), ['a 8', 'c 8'])
  // in turn, the one that came first
  const [one, other] = workers
  await one.says(/^published .*"a"/)
  await one.says(/^not an order: .*gin/)
  await other.says(/^not an order: 'tea'/)
  await other.says(/^published .*"c"/)
  for (const each of workers) await each.stop()
})

test('what is not an order, whatever it is, makes no invoice and ends no worker', async (t) => {
  const broker = await Broker.start(t)
  const results = await broker.connect('sub/shop')
  const program = await worker(t, broker)
  const strangers = [
    'null', '[]', '"tea"', '{"id":"1","item":["tea"],"count":1}',
    '{"id":"1","item":"tea","count":"2"}', '{"id":"1","item":"tea","count":1e999}',
    '['.repeat(100_000), Buffer.from([255, 0])
  ]
  for (const stranger of strangers) {
    await broker.post('push/invoices', stranger)
    await program.says(/^not an order: /)
  }
  await broker.post('push/invoices', job('a'))
  assert.deepEqual(JSON.parse(await results.next()), { id: 'a', total: 8 })
  await program.stop()
})

test('a worker that is told to stop does what it has, and leaves the rest to others', async (t) => {
  const broker = await Broker.start(t)
  const results = await broker.connect('sub/shop')
  const jobs = Array.from({ length: 300 }, (_, number) => String(number))
  for (const number of jobs) await broker.post('push/invoices', job(number))
  const first = await worker(t, broker)
  await first.says(/^published .*"9"/)
  first.signal('SIGTERM')
  const second = await worker(t, broker)
  for (const number of jobs) await broker.post('push/invoices', job(`late ${number}`))
  const done = []
  while (done.length < 2 * jobs.length) done.push(JSON.parse(await results.next()).id)
  assert.deepEqual(done.sort(), [...jobs, ...jobs.map((number) => `late ${number}`)].sort())
  assert.equal(await first.ended(), 0)
  await second.stop('SIGINT')
})

test('a worker comes back to a broker that came back, and finds the jobs', async (t) => {
  const broker = await Broker.start(t)
  const program = await worker(t, broker)
  await broker.restart()
  await program.says(/^closed: 1001 going away/)
  await broker.post('push/invoices', job('waited'))
  await program.says(/^waiting for jobs/)
  await program.says(/^published .*waited/)
  await program.stop()
})
