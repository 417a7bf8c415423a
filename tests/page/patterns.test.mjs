// The three patterns, each between two pages; binary; and messages that want to be more than text.

import { test } from 'node:test';
import assert from 'node:assert/strict';

import { broker, start, useBroker } from './broker.mjs';
import { browser, open, panel, useBrowser } from './browser.mjs';

useBroker();
useBrowser();

/** Two pages of two visitors, on the tab of this hash. */
const two = (hash) => Promise.all([1, 2].map(() => open(browser, `${broker.url}/#${hash}`)));

const texts = (of) => of.lines.locator('.text').allTextContents();

test('bus: peers of two pages hear each other, and themselves only by echo', async () => {
  const [here, there] = await two('bus');
  const [amy, leo] = [panel(here, 'Peer 1'), panel(there, 'Peer 1')];
  await amy.move('bus-test');
  await leo.move('bus-test');
  await amy.say('hello from here');
  await leo.heard('hello from here');
  await leo.say('hello from there');
  await amy.heard('hello from there');
  assert.equal(await amy.count.textContent(), '1 sent, 1 received');
  assert.equal(await leo.count.textContent(), '1 sent, 1 received');

  await amy.within.getByRole('checkbox', { name: 'hear my own messages' }).check();
  await amy.within.locator('.url code').getByText('?echo=1').waitFor();
  await amy.connected();
  await amy.say('and to myself');
  await amy.heard('and to myself');
  await leo.heard('and to myself');
  assert.equal(await amy.count.textContent(), '2 sent, 2 received');
  await Promise.all([here.check(), there.check()]);
});

test('pub/sub: what is published reaches its topic and those above it', async () => {
  const [here, there] = await two('pubsub');
  const publisher = panel(here, 'Publisher 1');
  const [above, same, other] = [1, 2, 3].map((number) => panel(there, `Subscriber ${number}`));
  await above.move('tree');
  await same.move('tree/amy');
  await other.move('tree/leo');
  await publisher.move('tree/amy');
  await publisher.say('for amy');
  await Promise.all([above, same].map((each) => each.heard('for amy')));
  await publisher.move('tree/leo');
  await publisher.say('for leo');
  await Promise.all([above, other].map((each) => each.heard('for leo')));
  assert.deepEqual(await texts(above), ['for amy', 'for leo']);
  assert.deepEqual(await texts(same), ['for amy']);
  assert.deepEqual(await texts(other), ['for leo']);
  await Promise.all([here.check(), there.check()]);
});

test('push/pull: each job goes to one puller in turn, and waits while there is none', async () => {
  const [here, there] = await two('pushpull');
  const pusher = panel(here, 'Pusher 1');
  const pullers = [1, 2].map((number) => panel(there, `Puller ${number}`));
  for (const puller of pullers) await puller.move('jobs');
  await pusher.move('jobs');
  for (const job of ['one', 'two', 'three', 'four']) await pusher.say(job);
  await Promise.all([pullers[0].heard('three'), pullers[1].heard('four')]);
  assert.deepEqual(await texts(pullers[0]), ['one', 'three']);
  assert.deepEqual(await texts(pullers[1]), ['two', 'four']);

  for (const puller of pullers) {
    await puller.toggle.click();
    await puller.state('closed');
    assert.equal(await puller.status.textContent(), 'disconnected');
  }
  await pusher.say('five');
  await pusher.lines.getByText('five').waitFor();
  await pullers[1].toggle.click();
  await pullers[1].heard('five');
  assert.deepEqual(await texts(pullers[0]), ['one', 'three']);
  await Promise.all([here.check(), there.check()]);
});

test('a file crosses as binary, both ways and byte for byte', async () => {
  const [here, there] = await two('bus');
  const [amy, leo] = [panel(here, 'Peer 1'), panel(there, 'Peer 1')];
  await amy.move('files');
  await leo.move('files');
  // a third one, which looks at every byte
  await there.evaluate(
    (url) =>
      new Promise((resolve) => {
        const socket = new WebSocket(url);
        socket.binaryType = 'arraybuffer';
        window.arrived = new Promise((arrive) => {
          const came = [];
          socket.onmessage = ({ data }) => {
            came.push(typeof data === 'string' ? data : [...new Uint8Array(data)]);
            if (came.length === 2) arrive(came);
          };
        });
        socket.onopen = resolve;
      }),
    `${broker.url.replace('http', 'ws')}/bus/files`,
  );

  const large = Buffer.from(Array.from({ length: 5000 }, (_, at) => (at * 7) % 256));
  const small = Buffer.from([0, 255, 128, 10]);
  for (const [from, to, content, shown] of [
    [
      amy,
      leo,
      large,
      'binary, 4.9 KiB: 00 07 0e 15 1c 23 2a 31 38 3f 46 4d 54 5b' +
        ' 62 69 70 77 7e 85 8c 93 9a a1 …',
    ],
    [leo, amy, small, 'binary, 4 B: 00 ff 80 0a'],
  ]) {
    await from.kind('File').check({ force: true });
    await from.file.setInputFiles({
      name: 'a.bin',
      mimeType: 'application/octet-stream',
      buffer: content,
    });
    await from.send.click();
    await to.heard(shown);
  }
  const came = await there.evaluate(() => window.arrived);
  assert.deepEqual(came, [[...large], [...small]]);
  await Promise.all([here.check(), there.check()]);
});

test('JSON is checked before it is sent, and a text that was written is kept', async () => {
  const page = await open(browser, `${broker.url}/#bus`);
  const [amy, leo] = [panel(page, 'Peer 1'), panel(page, 'Peer 2')];
  await amy.move('json');
  await leo.move('json');
  await amy.message.fill('"quoted" words');
  await amy.kind('JSON').check({ force: true });
  assert.equal(await amy.message.inputValue(), '{"message":"\\"quoted\\" words"}');
  await amy.say('{ no');
  await amy.within.getByText(/^no JSON: /).waitFor();
  assert.equal(await amy.message.getAttribute('aria-invalid'), 'true');
  await amy.say('{"yes":[1,2]}');
  await leo.heard('{"yes":[1,2]}');
  assert.deepEqual(await texts(leo), ['{"yes":[1,2]}']);
  await page.check();
});

test('panels come and go, and another broker can be named', async () => {
  const page = await open(browser, `${broker.url}/#pubsub`);
  const other = await start();
  await page.getByRole('button', { name: 'Add subscriber' }).click();
  const added = panel(page, 'Subscriber 4');
  await added.connected();
  await panel(page, 'Subscriber 2').remove.click();
  assert.equal(await page.locator('.panel').count(), 4);

  const field = page.getByRole('textbox', { name: 'Broker' });
  for (const [wrong, words] of [
    ['nowhere', /^'nowhere' is not a URL/],
    ['ftp://x/', /^scheme is ftp/],
  ]) {
    await field.fill(wrong);
    await field.press('Enter');
    assert.match(await page.locator('#root-says').textContent(), words);
  }
  await field.fill(other.url.replace('http://', ''));
  await field.press('Enter');
  assert.equal(await field.inputValue(), `${other.url}/`);
  await field.fill(other.url.replace('http', 'ws'));
  await page.getByRole('button', { name: 'Use' }).click();
  await added.within.getByText(`ws://127.0.0.1:${other.port}/sub/wong`, { exact: true }).waitFor();
  await added.connected();
  const answer = await fetch(`${other.url}/pub/wong/amy`, {
    method: 'POST',
    body: 'from the other one',
  });
  assert.equal(answer.status, 200);
  await added.heard('from the other one');
  assert.match(await added.curl.textContent(), new RegExp(`'${other.url}/sub/wong'`));
  await page.check();
});

/** Each would run, or show something, if it were markup, an attribute, a URL or a script. */
const PAYLOADS = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(2)>',
  '<svg onload=alert(3)>',
  '<svg><script>alert(4)</script></svg>',
  '"><script>alert(5)</script>',
  "'><img src=x onerror='alert(6)'>",
  '<iframe srcdoc="<script>parent.alert(7)</script>"></iframe>',
  '<iframe src="javascript:alert(8)"></iframe>',
  '<a href="javascript:alert(9)" autofocus onfocus=alert(9)>x</a>',
  '<body onload=alert(10)>',
  '<details open ontoggle=alert(11)>x</details>',
  '<video><source onerror=alert(12)></video>',
  '<input autofocus onfocus=alert(13)>',
  '<style>@import "javascript:alert(14)"; * { display: none }</style>',
  '<math><mtext></form><form><mglyph><style></math><img src onerror=alert(15)>',
  '</li></ol><script>alert(16)</script>',
  '<template><script>alert(17)</script></template><base href="//evil.example/">',
  '<object data="data:text/html,<script>alert(18)</script>"></object>',
  '<meta http-equiv="refresh" content="0;url=javascript:alert(19)">',
  '&lt;script&gt;alert(20)&lt;/script&gt;\u0000\u2028${alert(20)}{{alert(20)}}',
];

test('twenty messages that are scripts are found as text, and nothing of them runs', async () => {
  assert.equal(new Set(PAYLOADS).size, 20);
  const [here, there] = await two('bus');
  const [amy, leo] = [panel(here, 'Peer 1'), panel(there, 'Peer 1')];
  await amy.move('hostile');
  await leo.move('hostile');
  for (const payload of PAYLOADS) {
    const answer = await fetch(`${broker.url}/bus/hostile`, { method: 'POST', body: payload });
    assert.equal(answer.status, 200);
  }
  await amy.say(PAYLOADS[1]);
  await leo.lines.nth(PAYLOADS.length).waitFor();
  assert.deepEqual(await texts(leo), [...PAYLOADS, PAYLOADS[1]]);
  assert.equal(await leo.lines.locator('.text *').count(), 0, 'a message became an element');
  // the same in every other field that shows what somebody wrote
  await amy.topic.fill('<img src=x onerror=alert(21)>');
  await amy.topic.press('Enter');
  await amy.connected();
  await amy.kind('File').check({ force: true });
  await amy.file.setInputFiles({
    name: '<img src=x onerror=alert(22)>',
    mimeType: 'x/y',
    buffer: Buffer.from('x'),
  });
  await amy.send.click();
  await amy.lines.getByText('binary, 1 B: 78').waitFor();
  assert.match(await amy.curl.textContent(), /onerror=alert\(22\)/);
  for (const page of [here, there]) {
    const strangers =
      'main :is(script, iframe, object, style, math, video, details, meta, base, a[href^=java])';
    assert.equal(await page.locator(strangers).count(), 0);
  }
  await Promise.all([here.check(), there.check()]);
});

test('the picture shows who got a message, and stands still for those who want that', async () => {
  for (const reducedMotion of ['no-preference', 'reduce']) {
    const page = await open(browser, `${broker.url}/#pubsub`, { reducedMotion });
    const publisher = panel(page, 'Publisher 1');
    for (const number of [1, 2, 3]) await panel(page, `Subscriber ${number}`).connected();
    await page.evaluate(() => {
      window.dots = 0;
      window.glows = new Set();
      const named = (node) => node.querySelector('text')?.textContent;
      new MutationObserver((changes) => {
        for (const { addedNodes, target } of changes) {
          window.dots += [...addedNodes].filter((node) => node.classList.contains('dot')).length;
          if (target.classList.contains('glows') && named(target)) window.glows.add(named(target));
        }
      }).observe(document.querySelector('#view-pubsub svg'), {
        subtree: true,
        childList: true,
        attributes: true,
        attributeFilter: ['class'],
      });
    });
    await publisher.say('look');
    const caption = page.locator('#view-pubsub figcaption');
    await caption
      .getByText('Publisher 1 → broker → Subscriber 1, Subscriber 2', { exact: true })
      .waitFor();
    await page.waitForFunction(
      () => window.glows.has('Subscriber 1') && window.glows.has('Subscriber 2'),
    );
    assert.equal(await page.evaluate(() => window.glows.has('Subscriber 3')), false);
    const dots = await page.evaluate(() => window.dots);
    // what comes in between from elsewhere is not taken for the panel's own
    await fetch(`${broker.url}/pub/wong/leo`, { method: 'POST', body: 'from a terminal' });
    await caption
      .getByText('elsewhere → broker → Subscriber 1, Subscriber 3', { exact: true })
      .waitFor();
    assert.equal(dots, reducedMotion === 'reduce' ? 0 : 3);
    const picture = page.getByRole('img', {
      name: /^The broker between Publisher 1 on wong\/amy and/,
    });
    assert.equal(await picture.count(), 1);
    await page.check();
  }
});
