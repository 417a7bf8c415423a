// Brokers that go away, hang up or refuse, and messages that come faster than anybody reads.

import { test } from 'node:test';
import assert from 'node:assert/strict';

import { start } from './broker.mjs';
import { browser, open, panel, useBrowser } from './browser.mjs';

useBrowser();

const WAITING = /; next try in \d+\.\d s$/;

for (const [signal, words] of [
  ['SIGTERM', /\(1001\)/],
  ['SIGKILL', /\(1006\)/],
]) {
  test(`panels come back when a broker that got ${signal} is there again`, async () => {
    const broker = await start();
    const [here, there] = await Promise.all([1, 2].map(() => open(browser, `${broker.url}/#bus`)));
    const [amy, leo] = [panel(here, 'Peer 1'), panel(there, 'Peer 1')];
    await amy.connected();
    await leo.connected();
    // what a panel says, from the first moment on
    const heard = await here.evaluateHandle(() => {
      const said = [];
      const status = document.querySelector('.state');
      new MutationObserver(() => said.push(status.textContent)).observe(status, {
        childList: true,
      });
      return said;
    });
    await broker.stop(signal);
    await amy.state('waiting');
    await leo.state('waiting');
    await start(broker.port);
    await amy.connected();
    await leo.connected();
    const said = await heard.jsonValue();
    assert.match(said[0], words);
    assert.match(said[0], WAITING);
    assert.ok(said.includes('connecting again'), said.join('\n'));
    assert.equal(said.at(-1), 'connected');
    await amy.say('still here');
    await leo.heard('still here');
    await Promise.all([here.check(), there.check()]);
  });
}

test('waits grow, have an end, and are never the same for all', async () => {
  const broker = await start();
  const page = await open(browser, broker.url);
  const waits = await page.evaluate(async () => {
    const folder = document.querySelector('script[src]').src.replace(/[^/]*$/, '');
    const { wait } = await import(`${folder}backoff.js`);
    const range = (attempt) => [0, 1].map((luck) => wait(attempt, () => luck));
    return {
      ranges: [0, 1, 2, 3, 4, 5, 99].map(range),
      chances: Array.from({ length: 100 }, () => wait(3)),
    };
  });
  assert.deepEqual(waits.ranges, [
    [500, 1000],
    [1000, 2000],
    [2000, 4000],
    [4000, 8000],
    [8000, 16000],
    [15000, 30000],
    [15000, 30000],
  ]);
  assert.ok(new Set(waits.chances).size > 50);
  assert.ok(waits.chances.every((wait) => wait >= 4000 && wait <= 8000));
  await page.check();
});

test('close codes that forbid another attempt are honoured', async () => {
  const broker = await start();
  const page = await open(browser, broker.url);
  const [final, passing] = [
    [1002, 1003, 1007, 1008, 1009, 1010],
    [1001, 1011, 1012, 1013],
  ];
  const attempts = new Map();
  let all;
  const allAgain = new Promise((resolve) => {
    all = resolve;
  });
  // a broker that hangs up on everybody, with the code that the topic names
  await page.routeWebSocket(/\/bus\/\d+$/, (socket) => {
    const code = Number(socket.url().split('/').pop());
    attempts.set(code, (attempts.get(code) ?? 0) + 1);
    if (passing.every((each) => attempts.get(each) > 1)) all();
    setImmediate(() => socket.close({ code, reason: 'in so many words' }));
  });
  await page.goto(`${broker.url}/?routed#bus`);
  const codes = [...final, ...passing];
  for (const [at, code] of codes.entries()) {
    if (at > 1) await page.getByRole('button', { name: 'Add peer' }).click();
    const { topic } = panel(page, `Peer ${at + 1}`);
    await topic.fill(String(code));
    await topic.press('Enter');
  }
  // those that may come back have done so: had the others meant to, they would have
  await allAgain;
  for (const [at, code] of codes.entries()) {
    const peer = panel(page, `Peer ${at + 1}`);
    if (passing.includes(code)) {
      await peer.status
        .getByText(new RegExp(`^in so many words \\(${code}\\); next try in`))
        .waitFor();
    } else {
      assert.equal(await peer.status.textContent(), `hung up: in so many words (${code})`);
      assert.equal(attempts.get(code), 1, `connected again behind ${code}`);
      assert.equal(await peer.toggle.textContent(), 'Connect');
    }
  }
  await page.check();
});

test('what the broker refuses or cannot take is said in its own words', async () => {
  const broker = await start();
  const page = await open(browser, `${broker.url}/#bus`);
  const peer = panel(page, 'Peer 1');
  await peer.connected();
  await peer.topic.fill('$reserved');
  await peer.topic.press('Enter');
  await peer.state('refused');
  assert.match(await peer.status.textContent(), /^refused: topics that start with \$ are reserved/);
  for (const [topic, words] of [
    ['', 'the topic is empty'],
    ['a/../b', /has the segment \.\./],
  ]) {
    await peer.topic.fill(topic);
    await peer.topic.press('Enter');
    assert.match(await peer.status.textContent(), new RegExp(words));
    assert.equal(await peer.topic.getAttribute('aria-invalid'), 'true');
  }
  await peer.say('to nobody');
  await peer.within.getByText('not connected, so nothing was sent').waitFor();
  await peer.topic.fill('large');
  await peer.topic.press('Enter');
  await peer.connected();
  await peer.kind('File').check({ force: true });
  await peer.send.click();
  await peer.within.getByText('choose a file first').waitFor();
  await peer.file.setInputFiles({
    name: 'large',
    mimeType: 'x/y',
    buffer: Buffer.alloc(300 * 1024),
  });
  await peer.send.click();
  await peer.state('refused');
  assert.match(await peer.status.textContent(), /^hung up: message-too-long.* \(1009\)$/);
  await page.check();
});

test('who is connected and names no topic is disconnected, and told so', async () => {
  const broker = await start();
  const page = await open(browser, `${broker.url}/#bus`);
  const peer = panel(page, 'Peer 1');
  await peer.move('before');
  // sending commits nothing that is being typed: the lines name the topic that it went to
  await peer.topic.evaluate((field) => {
    field.value = 'half a to';
    field.dispatchEvent(new Event('input'));
    field.form.nextElementSibling.requestSubmit();
  });
  await peer.curl.getByText('/bus/before').waitFor();
  await peer.curl.getByText('--data-raw').waitFor();
  assert.match(await peer.script.textContent(), /\/bus\/before"/);
  await peer.topic.fill('');
  await peer.topic.blur();
  await peer.state('refused');
  assert.equal(await peer.status.textContent(), 'the topic is empty');
  await peer.move('before');
  await page.check();
});

test('of a refusal by what is no broker, the status is shown and not its page', async () => {
  const broker = await start();
  const page = await open(browser, broker.url);
  await page.route(/\/elsewhere\/bus\//, (route) =>
    route.fulfill({ status: 404, contentType: 'text/html', body: '<h1>Not here</h1>' }),
  );
  await page.route(/\/talkative\/bus\//, (route) =>
    route.fulfill({ status: 403, contentType: 'text/plain', body: 'no '.repeat(5000) }),
  );
  await page.getByRole('tab', { name: 'Bus' }).click();
  const peer = panel(page, 'Peer 1');
  const field = page.getByRole('textbox', { name: 'Broker' });
  for (const [folder, said] of [
    ['elsewhere', 'refused: 404 Not Found'],
    ['talkative', `refused: ${'no '.repeat(100)}`],
  ]) {
    await field.fill(`${broker.url}/${folder}`);
    await field.press('Enter');
    await peer.status.getByText(said.trim(), { exact: true }).waitFor();
  }
  await page.check();
});

test('who was refused at one broker tries the next one', async () => {
  const [broker, other] = await Promise.all([start(), start()]);
  const page = await open(browser, `${broker.url}/#bus`);
  const [refused, disconnected] = [panel(page, 'Peer 1'), panel(page, 'Peer 2')];
  await disconnected.toggle.click();
  await disconnected.state('closed');
  const field = page.getByRole('textbox', { name: 'Broker' });
  await field.fill(`${broker.url}/wrong`);
  await field.press('Enter');
  await refused.state('refused');
  assert.match(await refused.status.textContent(), /^refused: \/wrong\/bus\/fry is no route/);
  await field.fill(other.url);
  await field.press('Enter');
  await refused.connected();
  assert.equal(await disconnected.status.textContent(), 'disconnected');
  await page.check();
});

test('a flood of 5,000 messages a second is counted whole, and the page answers', async (context) => {
  const broker = await start();
  // high enough for the button to be in sight
  const viewport = { width: 1280, height: 1400 };
  const page = await open(browser, `${broker.url}/#pubsub`, { viewport });
  const source = await open(browser, broker.url);
  const [flooded, calm] = [panel(page, 'Subscriber 1'), panel(page, 'Subscriber 2')];
  const publisher = panel(page, 'Publisher 1');
  await flooded.move('flood');
  await calm.move('calm');
  await publisher.move('calm');
  const button = await publisher.send.boundingBox();
  await page.evaluate(() => {
    window.longestGap = 0;
    let last = performance.now();
    requestAnimationFrame(function measure(now) {
      window.longestGap = Math.max(window.longestGap, now - last);
      last = now;
      requestAnimationFrame(measure);
    });
  });
  await source.evaluate(
    (url) =>
      new Promise((resolve) => {
        const socket = new WebSocket(url);
        const flood = (window.flood = { sent: 0 });
        // as many as the clock says are due, until it is told to end
        const tick = () => {
          const due = Math.floor((performance.now() - flood.began) * 5);
          for (; flood.sent < due; flood.sent += 1) socket.send(`message number ${flood.sent}`);
        };
        socket.onopen = () => {
          flood.began = performance.now();
          const timer = setInterval(tick, 10);
          flood.end = () => {
            clearInterval(timer);
            return flood.sent;
          };
          resolve();
        };
      }),
    `${broker.url.replace('http', 'ws')}/pub/flood/deep`,
  );

  await flooded.lines.first().waitFor();
  for (let click = 0; click < 20; click += 1) {
    // like a person's, which waits for nothing
    await page.mouse.click(button.x + button.width / 2, button.y + button.height / 2);
  }
  await calm.count.getByText('20 received', { exact: true }).waitFor();
  // the flood went on all the while, and goes on for 3 s at least
  await source.waitForFunction(() => window.flood.sent >= 15000);
  const sent = await source.evaluate(() => window.flood.end());
  const words = `${sent.toLocaleString('en-US')} received, the last 200 shown`;
  await flooded.count.getByText(words, { exact: true }).waitFor();
  const last = await flooded.lines.locator('.text').allTextContents();
  assert.deepEqual(
    last,
    Array.from({ length: 200 }, (_, at) => `message number ${sent - 200 + at}`),
  );
  // what is drawn has a bound, too
  assert.ok((await page.locator('#view-pubsub circle').count()) <= 50);
  const gap = await page.evaluate(() => Math.round(window.longestGap));
  context.diagnostic(`${sent} messages, longest gap between frames ${gap} ms`);
  await Promise.all([page.check(), source.check()]);
});
