// pool.sh: workers of a shell, which compress the files that they are told of.
import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Broker, EXAMPLES, Program, inTime } from './world.mjs'

/** A folder of its own, gone with its test. */
async function folder (test) {
  const path = await mkdtemp(join(tmpdir(), 'mercury-pool-'))
  test.after(() => rm(path, { recursive: true }))
  return path
}

const pool = (test, broker, path, environment) => {
  const command = ['setsid', 'sh', `${EXAMPLES}/pool.sh`, '2']
  return new Program(test, command, { ...broker.environment, ...environment }, path)
}

/** A line of shell, as somebody types it. */
async function type (test, broker, path, line) {
  const shell = new Program(test, ['sh', '-c', line], broker.environment, path)
  assert.equal(await shell.ended(), 0)
}

test('each file is compressed by one worker, and told', async (t) => {
  const broker = await Broker.start(t)
  const path = await folder(t)
  await mkdir(`${path}/below`)
  const names = ['a.log', 'b c.log', '-d.log', "e'$(touch x).log", 'below/f.log']
  for (const name of names) await writeFile(`${path}/${name}`, name)
  const news = new Program(t, ['mercury', 'sub', 'archive'], broker.environment)
  const pools = [pool(t, broker, path), pool(t, broker, path)]
  await broker.joined('archive', 3)
  await type(t, broker, path, "find . -name '*.log' | mercury push archive")
  for (const name of names) {
    const told = `has made ./${name}.gz`
    await news.says({ test: (line) => line.endsWith(told), toString: () => told })
  }
  for (const each of [...pools, news]) await each.stop()
  const left = (await readdir(path, { recursive: true })).filter((name) => name !== 'below')
  assert.deepEqual(left.sort(), names.map((name) => `${name}.gz`).sort())
})

test('a job that is none of its business fails, and the next is done', async (t) => {
  const broker = await Broker.start(t)
  const path = await folder(t)
  await writeFile(`${path}/a.log`, 'a')
  const program = pool(t, broker, path)
  await broker.joined('archive')
  for (const job of ['/etc/passwd', 'below/../../a.log', '', 'missing.log', 'a.log']) {
    await broker.post('push/archive', job)
  }
  for (const job of ['/etc/passwd', 'below/../../a.log', '']) {
    const told = `not below this folder: ${job}`
    await program.says({ test: (line) => line === told, toString: () => told })
  }
  for (const number of [1, 2, 3, 4]) {
    await program.says(new RegExp(`^mercury: job ${number} ended with status 1`))
  }
  program.signal('SIGTERM')
  await program.says(/^mercury: 4 jobs failed/)
  assert.equal(await program.ended(), 6)
  assert.deepEqual(await readdir(path), ['a.log.gz'])
})

test('two jobs are done at once, and to the end by a pool that is told to stop', async (t) => {
  const broker = await Broker.start(t)
  const path = await folder(t)
  // a gzip that begins when it is told to
  await mkdir(`${path}/bin`)
  const gzip = '#!/bin/sh\necho "begun $3" >&2\nread -r _ <"$3.gate"\nPATH=$OLD exec gzip "$@"\n'
  await writeFile(`${path}/bin/gzip`, gzip)
  await chmod(`${path}/bin/gzip`, 0o755)
  await type(t, broker, path, 'for name in a b c; do echo $name >$name && mkfifo $name.gate; done')
  const old = process.env.PATH
  const program = pool(t, broker, path, { OLD: old, PATH: `${path}/bin:${old}` })
  await broker.joined('archive')
  const open = (name) => inTime(writeFile(`${path}/${name}.gate`, 'go\n'), () => `${name} is read`)

  for (const name of ['a', 'b', 'c']) await broker.post('push/archive', name)
  await program.says(/^begun a/)
  await program.says(/^begun b/)
  program.interrupt()
  for (const name of ['b', 'a', 'c']) await open(name)
  assert.equal(await program.ended(), 0)
  assert((await readdir(path)).includes('c.gz'))
})

test('the pool comes back to a broker that came back', async (t) => {
  const broker = await Broker.start(t)
  const path = await folder(t)
  await writeFile(`${path}/a.log`, 'a')
  const program = pool(t, broker, path)
  const news = new Program(t, ['mercury', 'sub', 'archive'], broker.environment)
  await broker.joined('archive', 2)
  await broker.restart()
  for (const each of [program, news]) {
    await each.says(/closed with 1001/)
    await each.says(/^mercury: connected again/)
  }
  await broker.post('push/archive', 'a.log')
  await news.says(/has made a.log.gz$/)
  await program.stop('SIGINT')
})
