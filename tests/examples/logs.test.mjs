// logs.sh: logs of many servers, heard all together or one by one.
import assert from 'node:assert/strict'
import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Broker, Program } from './world.mjs'

/** A listener that is there. */
async function listener (test, broker, topic) {
  const program = new Program(test, ['mercury', 'sub', topic], broker.environment)
  await broker.joined(topic)
  return program
}

/** A server's log, and what sends it to somebody who hears it. */
async function server (test, broker, name, hears) {
  const folder = await mkdtemp(join(tmpdir(), 'mercury-logs-'))
  test.after(() => rm(folder, { recursive: true }))
  const log = `${folder}/app.log`
  await writeFile(log, 'old\n')
  const program = new Program(test, ['bash', 'logs.sh', name, log], broker.environment)
  const write = (line) => appendFile(log, `${line}\n`)
  // nobody says when tail has begun: it has when somebody hears of it
  let has_begun = false
  const heard = hears.says(new RegExp(`^${name}: begin$`)).then(() => { has_begun = true })
  while (!has_begun) {
    await write('begin')
    await Promise.race([heard, broker.joined(`logs/${name}`)])
  }
  await heard
  return { log, program, write }
}

test('who listens to all servers hears each, and who listens to one hears that', async (t) => {
  const broker = await Broker.start(t)
  const [all, one] = [await listener(t, broker, 'logs'), await listener(t, broker, 'logs/web2')]
  const web1 = await server(t, broker, 'web1', all)
  const web2 = await server(t, broker, 'web2', all)
  await web1.write('GET / 200')
  await all.says(/^web1: GET \/ 200$/)
  await web2.write('GET / 500')
  for (const each of [all, one]) await each.says(/^web2: GET \/ 500$/)

  // a log that is put away, and another one in its place
  await rename(web2.log, `${web2.log}.1`)
  await web2.write('GET / 404')
  for (const each of [all, one]) await each.says(/^web2: GET \/ 404$/)

  for (const { program } of [web1, web2]) await program.stop()
  for (const each of [all, one]) await each.stop()
  assert(![...all.said, ...one.said].some((line) => line.includes('old')))
  assert(!one.said.some((line) => line.includes('web1')))
})

test('the log goes on after a broker that came back', async (t) => {
  const broker = await Broker.start(t)
  const all = await listener(t, broker, 'logs')
  const { program, write } = await server(t, broker, 'web1', all)
  await broker.stop()
  for (const each of [program, all]) await each.says(/closed with 1001/)
  await write('while the broker was away')
  await broker.start()
  await broker.joined('logs')
  await program.says(/^mercury: connected again/)
  await write('GET / 200')
  await all.says(/^web1: GET \/ 200$/)
  program.signal('SIGINT')
  // 4 when the broker, which went without a word about them, may have missed the last lines before
  assert([0, 4].includes(await program.ended()))
})
