// Run it: npm ci && node orders.mjs
// An order service. Start several, each with a PORT of its own; then, in another terminal:
//   curl -d '{"item":"tea","count":2}' http://localhost:8080/orders
//   curl http://localhost:8080/orders
// The one that takes an order tells the others and pushes a job to the workers (invoices.py). All
// listen to everything below shop, so each answers for all, with the totals that workers publish.
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import WebSocket from 'ws'

const { MERCURY_URL = 'http://localhost:3000', PORT = '8080' } = process.env
const broker = MERCURY_URL.replace(/^ws/, 'http')
const orders = new Map()
let socket, timer, attempt = 0, stopping = false

function subscribe () {
  let why
  socket = new WebSocket(`${broker.replace('http', 'ws')}/sub/shop`)
  // The broker pings every half minute, and ws answers. No ping means that the way is broken.
  const alive = () => { clearTimeout(timer); timer = setTimeout(() => socket.terminate(), 60_000) }
  socket.on('ping', alive)
  socket.on('open', () => { alive(); attempt = 0; console.log('subscribed to shop') })
  socket.on('message', hear)
  socket.on('error', (error) => { why = error.message || error.code })
  // 1008 is the broker's "not you": to come back would not help.
  socket.on('close', (code, reason) => again(why ?? `closed: ${code} ${reason}`, code === 1008))
  // Refused, with a sentence; only 429 and 5xx may end differently next time.
  socket.on('unexpected-response', async (request, response) => {
    const status = response.statusCode
    again(`refused: ${status} ${(await text(response)).trim()}`, status < 500 && status !== 429)
  })
}

// At random within a growing time, or all who lost one broker would come back at the same moment.
function again (why, never) {
  clearTimeout(timer)
  if (stopping) return
  console.error(why)
  if (never) return stop(1)
  timer = setTimeout(subscribe, Math.random() * Math.min(30_000, 1000 * 2 ** attempt++))
}

// What was said while we were away is lost: a real service would ask its database after 'open'.
function hear (message) {
  try {
    const event = JSON.parse(message)
    if (!event.id) return // of the stock, perhaps
    orders.set(event.id, { ...orders.get(event.id), ...event })
    if (orders.size > 1000) orders.delete(orders.keys().next().value)
    console.log(`heard ${message}`)
  } catch {
    console.error(`not understood: ${message}`)
  }
}

// 200 says that the broker has the message; everything else comes with a sentence.
async function post (path, message) {
  const answer = await fetch(`${broker}/${path}`, {
    method: 'POST', body: JSON.stringify(message), signal: AbortSignal.timeout(9000)
  })
  if (!answer.ok) throw new Error((await answer.text()).trim())
}

async function take (request) {
  let body = ''
  for await (const part of request) {
    body += part
    if (body.length > 1000) throw new SyntaxError('an order has up to 1,000 characters')
  }
  const { item, count } = JSON.parse(body) ?? {}
  if (typeof item !== 'string' || !Number.isInteger(count)) {
    throw new SyntaxError('an order has an item and a count')
  }
  const order = { id: randomUUID(), item, count }
  await post(`pub/shop/orders/${order.id}`, order)
  await post('push/invoices', order)
  return order
}

const server = createServer(async (request, response) => {
  const say = (status, it) => response.writeHead(status).end(`${JSON.stringify(it)}\n`)
  if (request.url !== '/orders') return say(404, 'only /orders is here')
  if (request.method !== 'POST') return say(200, [...orders.values()])
  try {
    say(201, await take(request))
  } catch (error) {
    say(error instanceof SyntaxError ? 400 : 503, error.cause?.code ?? error.message)
  }
})

function stop (status) {
  stopping = true
  clearTimeout(timer)
  socket.close(1000)
  server.close()
  server.closeIdleConnections()
  process.exitCode = status
}
process.once('SIGINT', () => stop(0)).once('SIGTERM', () => stop(0))
server.listen(PORT, () => {
  console.log(`listening on http://localhost:${server.address().port}/orders`)
})
subscribe()
