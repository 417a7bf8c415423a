// How long to wait before connecting again, and after which closes not to.

/** The first wait is at most so long; each later one may be twice as long as the one before. */
const FIRST_MS = 1000;
const LONGEST_MS = 30000;

/** A connection that held so long has earned a short wait again. */
export const STEADY_MS = 5000;

/**
 * The wait before attempt number `attempt`, from 0, in milliseconds. Half of it is chance: clients
 * that were cut together must not come back together.
 */
export function wait(attempt, random = Math.random) {
  const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** attempt);
  return longest / 2 + (longest / 2) * random();
}

/** What close codes say that makes another attempt pointless (RFC 6455 7.4.1). */
const FINAL = new Map([
  [1000, 'closed'],
  [1002, 'breach of the protocol'],
  [1003, 'kind of message not taken'],
  [1007, 'text that is not UTF-8'],
  [1008, 'not allowed'],
  [1009, 'message too long'],
  [1010, 'extension missing'],
]);

/** Whether a close with this code is the last word. */
export const isFinal = (code) => FINAL.has(code);

const MEANINGS = new Map([
  [1001, 'the broker stops'],
  [1006, 'the connection broke'],
  [1011, 'the broker failed'],
  [1012, 'the broker restarts'],
  [1013, 'too slow, or the broker is busy'],
]);

/** A close in words: the broker's own where it gave any. */
export function reason({ code, reason }) {
  const words = reason || FINAL.get(code) || MEANINGS.get(code) || 'closed';
  return `${words} (${code})`;
}
