// chat.html: people, and programs, in one room, in Chromium.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { Broker, EXAMPLES, PATIENCE } from './world.mjs'

const { chromium } = createRequire(`${process.env.PAGE}/modules/`)('playwright-core')
const PAGE = pathToFileURL(`${EXAMPLES}/chat.html`).href
// of a small phone
const WIDTH = 360
let browser

before(async () => {
  // Chromium's own sandbox wants rights that a container may not have
  const executablePath = `${process.env.PAGE}/bin/chromium`
  browser = await chromium.launch({ executablePath, chromiumSandbox: false })
})
after(() => browser.close())

/** A page of its own, which fails the test when it has an error. */
async function visit (test, query, colorScheme) {
  const context = await browser.newContext({ viewport: { width: WIDTH, height: 640 }, colorScheme })
  const page = await context.newPage()
  page.setDefaultTimeout(PATIENCE)
  page.errors = []
  page.on('pageerror', (error) => page.errors.push(error.message))
  test.after(async () => {
    await context.close()
    assert.deepEqual(page.errors, [])
  })
  await page.goto(PAGE + query)
  return page
}

const status = (page, text) => page.getByRole('status').filter({ hasText: text }).waitFor()
const shown = (page, text) => page.getByRole('listitem').filter({ hasText: text }).waitFor()
const texts = (page) => {
  return page.locator('li').evaluateAll((lines) => lines.map((line) => line.lastChild.data))
}

async function join (test, broker, name, colorScheme) {
  const page = await visit(test, `?broker=${broker.url}&room=tea room&name=${name}`, colorScheme)
  await status(page, /^connected$/)
  return page
}

async function say (page, text) {
  await page.getByLabel('Message', { exact: true }).fill(text)
  await page.keyboard.press('Enter')
}

test('two people and a program hear each other in one order', async (t) => {
  const broker = await Broker.start(t)
  const [amy, bob] = [await join(t, broker, 'Amy'), await join(t, broker, 'Bob')]
  await say(amy, 'tea?')
  await shown(bob, 'tea?')
  await say(bob, 'yes, please')
  await shown(amy, 'yes, please')
  await broker.post('bus/tea%20room', 'the kettle boils')
  for (const page of [amy, bob]) {
    await shown(page, 'the kettle boils')
    assert.deepEqual(await texts(page), ['tea?', 'yes, please', 'the kettle boils'])
  }
  assert.deepEqual(await bob.locator('li.mine').count(), 1)
})

test('whatever is said is shown as text', async (t) => {
  const broker = await Broker.start(t)
  const page = await join(t, broker, 'Amy')
  const script = '<img src=x onerror="document.title=1"><script>document.title=1</script>'
  const messages = [script, '{"text":{}}', 'null', '{"name":"<b>", "text":"\u202e<i>"}']
  for (const message of messages) await broker.post('bus/tea%20room', message)
  await broker.post('bus/tea%20room', new Uint8Array([0xff, 0xfe, 0xfd]))
  await say(page, script)
  await page.locator('li.mine').waitFor()
  const binary = '(3 bytes that are no text)'
  const expected = [script, '{"text":{}}', 'null', '\u202e<i>', binary, script]
  assert.deepEqual(await texts(page), expected)
  assert.equal(await page.locator('ol img, ol script, ol i').count(), 0)
  assert.equal(await page.title(), 'tea room')
})

test('a page asks where the broker is, and says what is wrong with the answer', async (t) => {
  const broker = await Broker.start(t)
  const nobody = await Broker.start(t)
  await nobody.stop()
  const page = await visit(t, '')
  await page.getByLabel('Name').fill('Amy')
  const join = async (address, said) => {
    await page.getByLabel('Broker').fill(address)
    await page.getByRole('button', { name: 'Join' }).click()
    await status(page, said)
  }
  await join('[', /invalid/i)
  await join(nobody.url, /^no connection/)
  await join(new URL(broker.url).host, /^connected$/)
  await broker.post('bus/chat', 'welcome')
  await shown(page, 'welcome')
})

test('a page comes back to a broker that came back, with what was being written', async (t) => {
  const broker = await Broker.start(t)
  const page = await join(t, broker, 'Amy')
  await page.getByLabel('Message', { exact: true }).fill('half a sen')
  await broker.stop()
  await status(page, /^no connection \(.+\), again in/)
  assert(await page.getByRole('button', { name: 'Send' }).isDisabled())
  await broker.start()
  await status(page, /^connected$/)
  await page.keyboard.type('tence')
  await page.keyboard.press('Enter')
  await shown(page, 'half a sentence')
})

test('a page that is hung up on says so and does not come back', async (t) => {
  const broker = await Broker.start(t)
  const page = await join(t, broker, 'Amy')
  await broker.hangUp('tea room')
  await status(page, /^closed: operator-closed/)
})

for (const colorScheme of ['light', 'dark']) {
  test(`a long talk fits on a phone, ${colorScheme}`, async (t) => {
    const broker = await Broker.start(t)
    const page = await join(t, broker, 'Amy', colorScheme)
    await say(page, 'Is there tea?')
    for (let cup = 0; cup < 520; cup++) await broker.post('bus/tea%20room', `cup ${cup}`)
    await broker.post('bus/tea%20room', JSON.stringify({ name: 'Bob', text: 'x'.repeat(300) }))
    await say(page, 'That is a lot of tea.')
    await shown(page, 'That is a lot of tea.')
    assert.equal(await page.locator('li').count(), 500)
    const { wide, end } = await page.evaluate(() => {
      const log = document.querySelector('ol')
      return {
        wide: document.documentElement.scrollWidth,
        end: log.scrollHeight - log.scrollTop - log.clientHeight
      }
    })
    assert(wide <= WIDTH && end < 2, `${wide} pixels wide, ${end} from the end`)
    await page.screenshot({ path: `${EXAMPLES}/chat-${colorScheme}.png` })
  })
}
