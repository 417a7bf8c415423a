// Where the broker is, and the URLs of its sockets.

/** The scheme of the WebSocket beside that of HTTP. */
const SOCKET_SCHEME = new Map([
  ['http:', 'ws:'],
  ['https:', 'wss:'],
]);
const HTTP_SCHEME = new Map([
  ['ws:', 'http:'],
  ['wss:', 'https:'],
]);

/** Where the page came from. */
export const home = () => parse(new URL('.', location.href).href);

/** The root that a text names: an http or https URL that ends in a slash. Throws what is wrong. */
export function parse(text) {
  // 'localhost:3000' is what people type; to a URL, localhost would be the scheme
  const isHost = /^[\w.-]+:\d+(\/|$)/.test(text.trim());
  let url;
  try {
    url = new URL(isHost ? `${location.protocol}//${text.trim()}` : text.trim());
  } catch {
    throw new Error(`'${text.trim()}' is not a URL, say ${location.origin}/`);
  }
  const scheme = HTTP_SCHEME.get(url.protocol) ?? url.protocol;
  if (!SOCKET_SCHEME.has(scheme)) {
    throw new Error(`scheme is ${url.protocol.slice(0, -1)}, and http, https, ws and wss will do`);
  }
  // a URL's own setter refuses to turn ws into http
  const path = url.pathname.replace(/\/*$/, '/');
  return `${scheme}//${url.host}${path}`;
}

/** What is wrong with a topic, if anything. The broker checks the rest. */
export function fault(topic) {
  if (topic === '') return 'the topic is empty';
  if (!topic.isWellFormed?.() && topic.isWellFormed) return 'the topic is not Unicode';
  // browsers take these out of a path, however they are written
  const dots = topic.split('/').find((segment) => segment === '.' || segment === '..');
  return dots && `the topic has the segment ${dots}, which no browser sends`;
}

/** The URL of a route and topic, for HTTP. */
export function httpUrl(root, route, topic, query = '') {
  return `${root}${route}/${topic.split('/').map(encodeURIComponent).join('/')}${query}`;
}

/** The same for a WebSocket. */
export const socketUrl = (...parts) => httpUrl(...parts).replace(/^http/, 'ws');
