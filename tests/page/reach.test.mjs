// Everybody can use it: by keyboard, by screen reader, on a phone, in the dark; and what it weighs.

import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { test } from 'node:test';
import assert from 'node:assert/strict';

import { PATIENCE_MS, broker, start, useBroker } from './broker.mjs';
import { browser, open, panel, useBrowser } from './browser.mjs';

const TABS = ['info', 'bus', 'pubsub', 'pushpull'];
const DESK = { viewport: { width: 1280, height: 900 } };
const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true };
/** What all files of the page may weigh, gzipped. */
const WEIGHT_BYTES_MAX = 60 * 1024;

useBroker();
useBrowser();

/** Shows a tab with its panels connected, and something said. */
async function show(page, tab) {
  await page.getByRole('tab').nth(TABS.indexOf(tab)).click();
  const panels = page.locator(`#view-${tab} .panel`);
  for (const each of await panels.all()) {
    await each.and(page.locator('[data-state=connected]')).waitFor();
  }
  if (tab === 'info') return;
  const message = 'a message that goes on for long enough to be broken into several lines '.repeat(
    2,
  );
  await page
    .locator(`#view-${tab} textarea`)
    .first()
    .fill(`${message}${'x'.repeat(300)}`);
  await page.locator(`#view-${tab} .send`).first().click();
  await page.locator(`#view-${tab} li.came`).first().waitFor();
}

/** Every text of the page whose colour is too near to what is behind it (WCAG 1.4.3). */
function faintTexts() {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return { rgb: [r, g, b], a };
  };
  const over = (top, below) => top.rgb.map((value, at) => value * top.a + below[at] * (1 - top.a));
  const luminance = (rgb) => {
    const [r, g, b] = rgb
      .map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    if (!element) return [255, 255, 255];
    const shape = element.ownerSVGElement && element.parentElement.querySelector('rect, circle');
    if (shape) return parse(getComputedStyle(shape).fill).rgb;
    const own = parse(getComputedStyle(element).backgroundColor);
    return own.a === 1 ? own.rgb : over(own, ground(element.parentElement));
  };
  const found = [];
  let looked = 0;
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
    const field = element.matches('input, textarea') ? element.value : '';
    const text = own.map((node) => node.data.trim()).join(' ') || field;
    const isShown = element.checkVisibility() && !element.closest('.unseen, .skip, template');
    if (!text.trim() || !isShown || element.type === 'radio' || element.type === 'checkbox')
      continue;
    const style = getComputedStyle(element);
    const colour = parse(element.ownerSVGElement ? style.fill : style.color);
    const behind = ground(element);
    const [one, other] = [luminance(over(colour, behind)), luminance(behind)];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    const isLarge = parseFloat(style.fontSize) >= 24;
    looked += 1;
    if (ratio < (isLarge ? 3 : 4.5)) found.push(`${ratio.toFixed(2)}: ${text.slice(0, 40)}`);
  }
  return { looked, found };
}

for (const [name, options] of Object.entries({
  light: { ...DESK, colorScheme: 'light' },
  dark: { ...DESK, colorScheme: 'dark' },
  phone: { ...PHONE, colorScheme: 'light' },
  'phone-dark': { ...PHONE, colorScheme: 'dark' },
})) {
  test(`${name}: all can be read, and nothing is wider than the screen`, async () => {
    const page = await open(browser, broker.url, options);
    for (const tab of TABS) {
      await show(page, tab);
      const { width, room } = await page.evaluate(() => {
        const { scrollWidth, clientWidth } = document.documentElement;
        return { width: scrollWidth, room: clientWidth };
      });
      assert.ok(width <= room, `${tab} is ${width} px wide and has ${room}`);
      const { looked, found } = await page.evaluate(faintTexts);
      assert.ok(looked > 20, `${looked} texts are too few to be all of ${tab}`);
      assert.deepEqual(found, [], tab);
      await page.screenshot({
        path: join(process.env.PAGE_SHOTS, `${name}-${tab}.png`),
        fullPage: true,
      });
    }
    const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const isDark = background.match(/\d+/g).every((value) => value < 64);
    assert.equal(isDark, name.endsWith('dark'), background);
    await page.check();
  });
}

test('a long topic leaves a panel its shape', async () => {
  const page = await open(browser, `${broker.url}/#bus`, PHONE);
  const peer = panel(page, 'Peer 1');
  await peer.connected();
  const height = () => peer.within.evaluate((element) => element.clientHeight);
  const before = await height();
  await peer.move('é'.repeat(500));
  const url = peer.within.locator('.url code');
  assert.equal(await url.getAttribute('title'), await url.textContent());
  const after = await height();
  assert.ok(after < before + 100, `a panel of ${before} px has ${after}`);
  await page.check();
});

test('the picture of the README', async () => {
  const page = await open(browser, `${broker.url}/#pubsub`, DESK);
  for (const number of [1, 2, 3])
    await panel(page, `Subscriber ${number}`).move(['wong', 'wong/amy', 'wong/leo'][number - 1]);
  const publisher = panel(page, 'Publisher 1');
  await publisher.say('Hello, wongs!');
  await publisher.say('Is anybody at home?');
  await panel(page, 'Subscriber 2').heard('Is anybody at home?');
  await page.locator('.dot.out[visibility=visible]').first().waitFor();
  await page.mouse.move(0, 0);
  await page.screenshot({
    path: join(process.env.PAGE_SHOTS, 'readme.png'),
    clip: { x: 0, y: 0, width: 1280, height: 960 },
  });
  await page.check();
});

test('every control has a name, and no two of a view the same', async () => {
  const page = await open(browser, broker.url, DESK);
  const tree = await page.context().newCDPSession(page);
  const controls = [
    'button',
    'textbox',
    'checkbox',
    'radio',
    'tab',
    'link',
    'tabpanel',
    'list',
    'article',
    'img',
  ];
  for (const tab of TABS) {
    await show(page, tab);
    const { nodes } = await tree.send('Accessibility.getFullAXTree');
    const named = nodes
      .filter((node) => !node.ignored && controls.includes(node.role?.value))
      .map((node) => `${node.role.value}: ${node.name?.value ?? ''}`)
      // the decoration of a label, and the links of a text, may come twice
      .filter((name) => name !== 'img: ');
    assert.deepEqual(
      named.filter((name) => name.endsWith(': ')),
      [],
      tab,
    );
    const unique = named.filter((name) => !/^(radio|checkbox|link): /.test(name));
    assert.deepEqual(
      unique.filter((name, at) => unique.indexOf(name) !== at),
      [],
      tab,
    );
    assert.ok(named.length > 8, named.join('\n'));
    // radio buttons are told apart by the legend of their group
    const groups = await page
      .locator(`#view-${tab} fieldset`)
      .evaluateAll((all) => all.map((each) => each.textContent));
    assert.equal(new Set(groups).size, groups.length);
  }
  // states are spoken, messages are not: a flood of them would never end
  assert.equal(
    await page.locator('.panel .state[role=status]').count(),
    await page.locator('.panel').count(),
  );
  assert.equal(
    await page.locator('.log [aria-live], .log [role=log], .log [role=status]').count(),
    0,
  );
  await page.check();
});

test('a screen reader is told whom a message reached', async () => {
  const page = await open(browser, `${broker.url}/#pubsub`, DESK);
  const publisher = panel(page, 'Publisher 1');
  for (const [number, topic] of ['told', 'told/amy', 'told/leo'].entries())
    await panel(page, `Subscriber ${number + 1}`).move(topic);
  const told = page.locator('#announcer[role=status]');
  await publisher.move('told/amy');
  await publisher.say('hello');
  await told.getByText('Publisher 1 reached Subscriber 1, Subscriber 2', { exact: true }).waitFor();
  await publisher.move('told-nobody');
  await publisher.say('hello');
  await told.getByText('Publisher 1 reached nobody here', { exact: true }).waitFor();
  await page.check();
});

test('all of it works by keyboard, and shows where the keyboard is', async () => {
  const page = await open(browser, broker.url, DESK);
  const press = (key) => page.keyboard.press(key);
  const at = () =>
    page.evaluate(() => {
      const { activeElement: element } = document;
      // a field inside a frame, or a radio button behind its label, shows it there
      const shown =
        element.closest('.path') ??
        (element.type === 'radio' ? element.nextElementSibling : element);
      return {
        name: element.getAttribute('aria-label') ?? element.textContent.trim(),
        outline: getComputedStyle(shown).outlineStyle,
      };
    });
  /** Presses a key until the keyboard is at what has this name. */
  const go = async (name, key = 'Tab') => {
    const seen = [];
    for (let presses = 0; presses < 60; presses += 1) {
      await press(key);
      const place = await at();
      seen.push(place.name);
      assert.notEqual(place.outline, 'none', `nobody sees that the keyboard is at ${place.name}`);
      if (place.name === name) return;
    }
    assert.fail(`${name} is not reached: ${seen.join(', ')}`);
  };
  await go('Info');
  await press('ArrowRight');
  assert.equal(await page.getByRole('tab', { name: 'Bus' }).getAttribute('aria-selected'), 'true');
  assert.equal(new URL(page.url()).hash, '#bus');
  await press('End');
  assert.equal(new URL(page.url()).hash, '#pushpull');
  await press('ArrowRight');
  await press('ArrowRight');
  assert.equal((await at()).name, 'Bus');
  const [amy, leo] = [panel(page, 'Peer 1'), panel(page, 'Peer 2')];
  await amy.connected();
  await leo.connected();

  await go('Topic of Peer 1');
  await press('Control+A');
  await page.keyboard.type('keys');
  await press('Enter');
  await amy.within.getByText(`ws://127.0.0.1:${broker.port}/bus/keys`, { exact: true }).waitFor();
  await go('Topic of Peer 2');
  await press('Control+A');
  await page.keyboard.type('keys');
  await press('Enter');
  await Promise.all([amy.connected(), leo.connected()]);
  await go('Message of Peer 2');
  await press('Control+A');
  await page.keyboard.type('by hand');
  await press('Shift+Enter');
  await page.keyboard.type('and in two lines');
  await press('Enter');
  await amy.heard('by hand\nand in two lines');
  await go('Send from Peer 2');
  await press('Space');
  await amy.count.getByText('0 sent, 2 received').waitFor();

  await go('Disconnect Peer 2', 'Shift+Tab');
  await press('Enter');
  await leo.state('closed');
  await press('Enter');
  await leo.connected();
  await go('Remove Peer 2', 'Shift+Tab');
  await press('Enter');
  assert.equal((await at()).name, 'Remove Peer 1');
  await go('Add peer', 'Shift+Tab');
  await press('Space');
  assert.equal((await at()).name, 'Topic of Peer 3');
  // from one kind of message to the next
  await go('Message of Peer 3');
  await press('Shift+Tab');
  await press('ArrowRight');
  assert.equal(await panel(page, 'Peer 3').kind('JSON').isChecked(), true);
  await page.check();
});

test('the back button and links lead to tabs', async () => {
  const page = await open(browser, `${broker.url}/#pushpull`, DESK);
  assert.equal(await page.title(), 'Push/Pull · mercury');
  await page.getByRole('tab', { name: 'Info' }).click();
  await page.locator('.card', { hasText: 'Bus' }).click();
  await page.getByRole('tabpanel', { name: 'Bus' }).waitFor();
  await page.goBack();
  await page.getByRole('tabpanel', { name: 'Info' }).waitFor();
  await page.goBack();
  await page.getByRole('tabpanel', { name: 'Push/Pull' }).waitFor();
  assert.equal(await page.getByRole('tabpanel').count(), 1);
  await page.check();
});

const shell = (line, cwd) => promisify(execFile)('sh', ['-c', line], { cwd, timeout: PATIENCE_MS });
const copied = (page) => page.evaluate(() => navigator.clipboard.readText());

test('the lines that are copied do what the panel did', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mercury-page-'));
  const page = await open(browser, `${broker.url}/#pubsub`, DESK);
  const publisher = panel(page, 'Publisher 1');
  const [above, same] = [panel(page, 'Subscriber 1'), panel(page, 'Subscriber 2')];
  await above.move('lines');
  await same.move("lines/it's a topic & more?");
  await publisher.move("lines/it's a topic & more?");

  // a text that a shell would like to read differently
  const text = `it's "$HOME" \`id\` \\n @x & ; #`;
  await publisher.say(text);
  await same.heard(text);
  await publisher.copyCurl.click();
  await publisher.within.getByText('Copied').waitFor();
  const line = await copied(page);
  assert.equal(line, await publisher.curl.textContent());
  assert.deepEqual(await shell(line, folder).then(({ stdout }) => stdout), '');
  await same.count.getByText('2 received').waitFor();
  const all = await same.lines.locator('.text').allTextContents();
  assert.deepEqual(all, [text, text]);

  // the same in JavaScript, as typed into the page's console
  await publisher.within
    .getByRole('button', { name: 'Copy the JavaScript line of Publisher 1' })
    .click();
  await page.waitForFunction(async () =>
    (await navigator.clipboard.readText()).includes('WebSocket'),
  );
  const terminal = await page.context().newCDPSession(page);
  const typed = async (expression) => {
    const { exceptionDetails } = await terminal.send('Runtime.evaluate', { expression });
    assert.equal(exceptionDetails, undefined);
  };
  await typed(await copied(page));
  await same.count.getByText('3 received').waitFor();

  // a file
  const content = Buffer.from([0, 1, 254, 255]);
  await writeFile(join(folder, "it's.bin"), content);
  await publisher.kind('File').check({ force: true });
  await publisher.file.setInputFiles({ name: "it's.bin", mimeType: 'x/y', buffer: content });
  await publisher.send.click();
  await same.heard('binary, 4 B: 00 01 fe ff');
  await shell(await publisher.curl.textContent(), folder);
  await same.count.getByText('5 received').waitFor();
  await typed(await publisher.script.textContent());
  await same.count.getByText('6 received').waitFor();
  assert.equal(await same.lines.getByText('binary, 4 B: 00 01 fe ff').count(), 3);

  // and listening, by both
  const listener = spawn('sh', ['-c', `exec ${await above.curl.textContent()}`]);
  const heard = new Promise((resolve) => {
    let output = '';
    listener.stdout.on('data', (piece) => {
      output += piece.toString('latin1');
      if (output.includes('do you hear me')) resolve();
    });
  });
  await page.evaluate(() => {
    console.log = (text) => {
      window.logged = text;
    };
  });
  await typed(await above.script.textContent());
  await page.waitForFunction(() => socket.readyState === WebSocket.OPEN);
  await publisher.kind('Text').check({ force: true });
  // curl says nothing when it is connected, so it is told until it has heard
  let isHeard = false;
  heard.then(() => {
    isHeard = true;
  });
  while (!isHeard) {
    await publisher.say('do you hear me');
    await same.lines.last().waitFor();
  }
  await page.waitForFunction(() => window.logged === 'do you hear me');
  listener.kill();
  await page.check();
  await rm(folder, { recursive: true });
});

test('where there is no clipboard for scripts, lines are copied all the same', async () => {
  const page = await open(browser, `${broker.url}/#bus`, DESK);
  await page.evaluate(() => {
    window.real = navigator.clipboard;
    Object.defineProperty(navigator, 'clipboard', { value: undefined });
  });
  const peer = panel(page, 'Peer 1');
  await peer.connected();
  await peer.copyCurl.click();
  await peer.within.getByText('Copied').waitFor();
  assert.equal(await page.evaluate(() => window.real.readText()), await peer.curl.textContent());
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Copied');
  await page.check();
});

test('the page is light, comes from one place, and its files are kept', async (context) => {
  const page = await open(browser, 'about:blank', DESK);
  const responses = [];
  page.on('response', (response) => responses.push(response));
  await page.goto(broker.url, { waitUntil: 'networkidle' });
  const folder = new URL(
    await page.locator('script[src]').evaluate((script) => script.src),
  ).pathname.replace(/[^/]*$/, '');
  assert.match(folder, /^\/mercury-[0-9a-f]{16}\/$/);
  let weight = 0;
  for (const response of responses) {
    const [{ pathname }, headers] = [new URL(response.url()), response.headers()];
    assert.equal(response.status(), 200, pathname);
    assert.ok(pathname === '/' || pathname.startsWith(folder), pathname);
    assert.equal(
      headers['cache-control'],
      pathname === '/' ? 'no-cache' : 'public, max-age=31536000, immutable',
    );
    assert.equal(headers['x-content-type-options'], 'nosniff');
    weight += gzipSync(await response.body(), { level: 9 }).length;
    const head = await fetch(response.url(), { method: 'HEAD' });
    assert.deepEqual([head.status, await head.text()], [200, '']);
    assert.equal(head.headers.get('content-length'), headers['content-length']);
  }
  assert.ok(responses.length > 10, `${responses.length} files are too few`);
  assert.ok(
    weight < WEIGHT_BYTES_MAX,
    `the page weighs ${weight} bytes, more than ${WEIGHT_BYTES_MAX}`,
  );
  context.diagnostic(`${responses.length} files, ${weight} bytes gzipped`);

  await page.goto(`${broker.url}/?again`, { waitUntil: 'networkidle' });
  const sizes = await page.evaluate(() =>
    performance.getEntriesByType('resource').map((entry) => entry.transferSize),
  );
  assert.ok(sizes.length > 10 && sizes.every((size) => size === 0), `asked for again: ${sizes}`);
  await page.check();
});

test('nobody frames it, and an inline script would not run', async () => {
  const page = await open(browser, broker.url, DESK);
  await page.evaluate(() => {
    const frame = document.createElement('iframe');
    frame.src = '/';
    return new Promise((resolve) => {
      frame.onload = resolve;
      document.body.append(frame);
    });
  });
  assert.equal(page.frames().length, 2);
  assert.ok(!page.frames()[1].url().startsWith(broker.url), page.frames()[1].url());
  await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.inline = true';
    document.body.append(script);
  });
  assert.equal(await page.evaluate(() => window.inline), undefined);
  // this page did it to itself: the policy complains, and that is all
  await assert.rejects(page.check(), /a violation: (frame-src|script-src-elem)/);
});

test('production has no page', async () => {
  const production = await start(0, ['--mode', 'production']);
  const page = await fetch(broker.url);
  const [script] = (await page.text()).match(/mercury-[^"]*\.js/);
  for (const path of ['/', `/${script}`]) {
    const answer = await fetch(new URL(path, production.url));
    assert.equal(answer.status, 404);
    assert.match(await answer.text(), /is no route/);
  }
});
