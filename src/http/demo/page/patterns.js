// The three patterns: what is said about them, and the panels that they begin with.

/**
 * A role is what a panel's socket is on its topic: its route, whether it sends and receives, and on
 * which side of the picture it stands ('both' takes turns).
 */
const ROLES = {
  peer: { name: 'Peer', route: 'bus', sends: true, receives: true, side: 'both' },
  publisher: { name: 'Publisher', route: 'pub', sends: true, receives: false, side: 'left' },
  subscriber: { name: 'Subscriber', route: 'sub', sends: false, receives: true, side: 'right' },
  pusher: { name: 'Pusher', route: 'push', sends: true, receives: false, side: 'left' },
  puller: { name: 'Puller', route: 'pull', sends: false, receives: true, side: 'right' },
};

export const PATTERNS = [
  {
    id: 'bus',
    title: 'Bus',
    words:
      'Peers of one topic hear each other: what one sends reaches all the others, and itself' +
      ' only if it asks to. Write something, or open this page once more and talk to it.',
    roles: [{ ...ROLES.peer, topic: 'fry', message: 'Hello, everybody!' }],
    panels: [
      ['Peer', 'fry'],
      ['Peer', 'fry'],
    ],
  },
  {
    id: 'pubsub',
    title: 'Pub/Sub',
    words:
      'Topics are a tree. What is published on wong/amy reaches those who subscribe to' +
      ' wong/amy and to wong above it; who subscribes to another branch hears nothing.',
    roles: [
      { ...ROLES.publisher, topic: 'wong/amy', message: 'Hello, wongs!' },
      { ...ROLES.subscriber, topic: 'wong' },
    ],
    panels: [
      ['Publisher', 'wong/amy'],
      ['Subscriber', 'wong'],
      ['Subscriber', 'wong/amy'],
      ['Subscriber', 'wong/leo'],
    ],
  },
  {
    id: 'pushpull',
    title: 'Push/Pull',
    words:
      'Each job goes to exactly one puller, strictly in turn. While there is no puller, jobs' +
      ' wait: disconnect both, push a few, and connect one again.',
    roles: [
      { ...ROLES.pusher, topic: 'bender', message: 'Bend a girder' },
      { ...ROLES.puller, topic: 'bender' },
    ],
    panels: [
      ['Pusher', 'bender'],
      ['Puller', 'bender'],
      ['Puller', 'bender'],
    ],
  },
];
