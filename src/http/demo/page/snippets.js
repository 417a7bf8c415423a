// What a panel just did, as lines of curl and of JavaScript that do the same.

/** A text that is longer stands in a file, and not in a line. */
const SHOWN_CHARACTERS = 1000;
/** The same of bytes. */
const SHOWN_BYTES = 32;

/** A word for a POSIX shell. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const literal = (text) => JSON.stringify(text);

/** Listening: curl speaks no WebSocket, but shows what comes. */
export function listening(httpUrl, socketUrl) {
  return {
    curl:
      `curl -sN --http1.1 -o - ${quoted(httpUrl)} -H 'Connection: Upgrade'` +
      " -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13'" +
      " -H 'Sec-WebSocket-Key: bWVyY3VyeSBtZXJjdXJ5IQ=='",
    script:
      `socket = new WebSocket(${literal(socketUrl)});` +
      ' socket.onmessage = ({ data }) => console.log(data)',
  };
}

/** Sending a text. */
export function sendingText(httpUrl, socketUrl, text) {
  if (text.length > SHOWN_CHARACTERS) {
    return fromFile(httpUrl, socketUrl, 'message.txt', 'text/plain', ", 'utf8'");
  }
  return {
    curl: `curl ${quoted(httpUrl)} --data-raw ${quoted(text)}`,
    script: sending(socketUrl, `socket.send(${literal(text)})`),
  };
}

/** Sending a file as binary. */
export function sendingFile(httpUrl, socketUrl, name, content) {
  const lines = fromFile(httpUrl, socketUrl, name, 'application/octet-stream', '');
  if (content.length <= SHOWN_BYTES) {
    lines.script = sending(socketUrl, `socket.send(new Uint8Array([${content.join(', ')}]))`);
  }
  return lines;
}

/** Sending what a file holds; in JavaScript, that of Node.js. */
function fromFile(httpUrl, socketUrl, name, type, encoding) {
  const read = `(await import('node:fs')).readFileSync(${literal(name)}${encoding})`;
  return {
    curl: `curl ${quoted(httpUrl)} -H 'Content-Type: ${type}' --data-binary ${quoted(`@${name}`)}`,
    script: sending(socketUrl, `socket.send(${read})`, 'async '),
  };
}

const sending = (socketUrl, call, async = '') =>
  `socket = new WebSocket(${literal(socketUrl)}); socket.onopen = ${async}() => ${call}`;
