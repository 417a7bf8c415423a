// Chromium, its pages, and what a page must never do: run what came as a message, break its own
// policy, ask for anything elsewhere, or throw.

import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { after, before } from 'node:test';
import assert from 'node:assert/strict';

import { PATIENCE_MS, stopAll } from './broker.mjs';

const tools = resolve(process.env.PAGE_TOOLS);
const { chromium } = createRequire(`${tools}/modules/`)('playwright-core');

/** What the tests of one file look at pages with. */
export let browser;

/** Starts it before them; ends it behind them, and the brokers that they left. */
export function useBrowser() {
  before(async () => {
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await stopAll();
  });
}

/** A browser without a window. Playwright gives it an empty profile. */
const launch = () =>
  chromium.launch({
    executablePath: join(tools, 'bin', 'chromium'),
    // root can't have the sandbox, and nothing comes in but our own page
    chromiumSandbox: false,
    args: [
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });

/** What a browser says by itself when a broker is away or refuses; the page says it better. */
const EXPECTED = /WebSocket connection to|Failed to load resource/;

/** A page of its own context, which `check` looks at in the end. */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({
    permissions: ['clipboard-read', 'clipboard-write'],
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const findings = [];
  page.on('dialog', (dialog) => {
    findings.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on('pageerror', (error) => findings.push(`thrown: ${error.stack}`));
  page.on('console', (message) => {
    const isBad = ['error', 'warning'].includes(message.type());
    if (isBad && !EXPECTED.test(message.text()))
      findings.push(`${message.type()}: ${message.text()}`);
  });
  page.on('request', (request) => {
    if (new URL(request.url()).hostname !== '127.0.0.1')
      findings.push(`a request: ${request.url()}`);
  });
  await page.exposeFunction('reportViolation', (text) => findings.push(`a violation: ${text}`));
  await page.addInitScript(() =>
    addEventListener('securitypolicyviolation', (event) => {
      window.reportViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    }),
  );
  await page.goto(url);
  return Object.assign(page, {
    /** Ends it, and says what it should not have done. */
    async check() {
      await context.close();
      assert.deepEqual(findings, []);
    },
  });
}

/** A panel of the page by its name, and its parts. */
export function panel(page, name) {
  const within = page.getByRole('article', { name, exact: true });
  const state = (wanted) =>
    page.locator(`.panel[aria-label="${name}"][data-state="${wanted}"]`).waitFor();
  return {
    within,
    topic: within.getByRole('textbox', { name: `Topic of ${name}` }),
    message: within.getByRole('textbox', { name: `Message of ${name}` }),
    file: within.locator('input[type=file]'),
    kind: (label) => within.getByRole('radio', { name: label }),
    send: within.getByRole('button', { name: `Send from ${name}` }),
    toggle: within.locator('.toggle'),
    remove: within.getByRole('button', { name: `Remove ${name}` }),
    status: within.getByRole('status').first(),
    count: within.locator('.count span'),
    lines: within.locator('.log li'),
    curl: within.locator('.line code').first(),
    script: within.locator('.line code').last(),
    copyCurl: within.getByRole('button', { name: `Copy the curl line of ${name}` }),
    state,
    connected: () => state('connected'),
    /** Waits for the line that holds just this text. */
    heard: (text) =>
      within.locator('.log li.came .text').getByText(text, { exact: true }).first().waitFor(),
    /** Connects to another topic: from the moment that the key is pressed, it is connecting. */
    async move(topic) {
      await this.topic.fill(topic);
      await this.topic.press('Enter');
      await state('connected');
    },
    /** Sends a text. */
    async say(text) {
      await this.message.fill(text);
      await this.send.click();
    },
  };
}
