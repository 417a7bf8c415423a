//! The broker's core, driven by a million random steps and compared with a naive model.
//!
//! `MERCURY_SEED` replays a run, `MERCURY_STEPS` changes its length.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use mercury::broker::topic::Topic;
use mercury::broker::{Bounds, Broker, Kind, MemberId, Pattern, Receivers, Role, Taken};
use mercury::frame::{self, sent_at};
use mercury::limits::Limits;
use mercury::metrics::{Counters, Parts as _};
use mercury::outbound::Batch;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const STEPS: u64 = 1_000_000;
const NAMES: [&str; 8] = ["a", "a/b", "a/b/c", "a/b/c/d", "a/", "a//b", "x", "x/y"];
const ROLES: [Role; 5] =
    [Role::Peer, Role::Publisher, Role::Subscriber, Role::Pusher, Role::Puller];
/// Every message is its number: all frames have one size, so that "full" has one meaning.
const FRAME_BYTES: usize = 10;
const OUTBOUND_BYTES_MAX: usize = 5 * FRAME_BYTES;
const BACKLOG_MESSAGES_MAX: usize = 6;
const BATCH_BYTES_MAX: usize = 12 * FRAME_BYTES;

/// What the semantics say, in the simplest words.
#[derive(Default)]
struct Model {
    members: BTreeMap<u32, Member>,
    /// Pullers of each topic in the order of their turns, and whose turn it is.
    rings: BTreeMap<&'static str, (Vec<u32>, usize)>,
    backlogs: BTreeMap<&'static str, VecDeque<u64>>,
    /// Writes to receivers and messages in them, by pattern.
    given: BTreeMap<Pattern, (u64, u64)>,
}

struct Member {
    role: Role,
    name: &'static str,
    echo: bool,
    /// What it must get and has not got, in order.
    due: VecDeque<u64>,
    /// Of a puller: jobs that its socket has not taken.
    outbound: VecDeque<u64>,
    /// Of a puller: whether its socket takes nothing.
    blocked: bool,
    stalled: bool,
}

impl Member {
    fn takes(&self) -> bool {
        let held = (self.due.len() + self.outbound.len()) * FRAME_BYTES;
        !self.stalled && (held == 0 || held + FRAME_BYTES <= OUTBOUND_BYTES_MAX)
    }
}

/// The ancestors by the rule's words: drop trailing slashes, split, join the first 1 to n-1.
fn hears(listener: &str, name: &str) -> bool {
    let segments: Vec<&str> = name.trim_end_matches('/').split('/').collect();
    listener == name || (1..segments.len()).any(|count| segments[..count].join("/") == listener)
}

impl Model {
    fn publish(&mut self, from: Option<u32>, pattern: Pattern, name: &'static str, number: u64) {
        if pattern == Pattern::PushPull {
            self.backlogs.entry(name).or_default().push_back(number);
            return self.feed(name);
        }
        for (id, member) in &mut self.members {
            let hears = match member.role {
                Role::Peer => {
                    pattern == Pattern::Bus
                        && member.name == name
                        && (member.echo || Some(*id) != from)
                }
                Role::Subscriber => pattern == Pattern::PubSub && hears(member.name, name),
                _ => false,
            };
            if hears {
                member.due.push_back(number);
            }
        }
    }

    fn taker(&self, name: &str) -> Option<usize> {
        let (ring, next) = self.rings.get(name)?;
        let places = (0..ring.len()).map(|step| (next + step) % ring.len());
        places.into_iter().find(|place| self.members[&ring[*place]].takes())
    }

    fn feed(&mut self, name: &'static str) {
        while !self.backlogs.get(name).is_none_or(VecDeque::is_empty) {
            let Some(place) = self.taker(name) else { return };
            let number = self.backlogs.get_mut(name).and_then(VecDeque::pop_front).unwrap();
            let (ring, next) = self.rings.get_mut(name).unwrap();
            *next = (place + 1) % ring.len();
            self.members.get_mut(&ring[place]).unwrap().due.push_back(number);
        }
    }

    fn has_room(&self, name: &str) -> bool {
        let waiting = self.backlogs.get(name).map_or(0, VecDeque::len);
        (waiting == 0 && self.taker(name).is_some()) || waiting < BACKLOG_MESSAGES_MAX
    }

    fn join(&mut self, id: u32, role: Role, name: &'static str, echo: bool) {
        let (due, outbound) = Default::default();
        let member = Member { role, name, echo, due, outbound, blocked: false, stalled: false };
        assert!(self.members.insert(id, member).is_none(), "id {id} was given out twice");
        if role == Role::Puller {
            let (ring, next) = self.rings.entry(name).or_default();
            ring.insert(*next, id);
            *next = (*next + 1) % ring.len();
            self.feed(name);
        }
    }

    fn leave(&mut self, id: u32) {
        let member = self.members.remove(&id).unwrap();
        if member.role != Role::Puller {
            return;
        }
        let (ring, next) = self.rings.get_mut(member.name).unwrap();
        let place = ring.iter().position(|other| *other == id).unwrap();
        ring.remove(place);
        *next -= usize::from(place < *next);
        *next = if ring.is_empty() { 0 } else { *next % ring.len() };
        let backlog = self.backlogs.entry(member.name).or_default();
        for number in member.outbound.iter().chain(&member.due).rev() {
            backlog.push_front(*number);
        }
        self.feed(member.name);
    }
}

impl Receivers for Model {
    fn fan_out(&mut self, id: MemberId, batch: &Batch, runs: &[Range<usize>]) {
        let member = self.members.get_mut(&id.0).expect("nothing is given to one that left");
        let (writes, messages) = self.given.entry(member.role.pattern()).or_default();
        *writes += 1;
        for run in runs {
            let mut at = run.start;
            while at < run.end {
                *messages += 1;
                let sent = sent_at(batch, at);
                at = sent.range.end;
                assert_eq!(member.due.pop_front(), Some(number(&batch[sent.range])), "{id:?}");
            }
        }
    }

    fn jobs(&mut self, id: MemberId, frames: Vec<u8>) -> Taken {
        let member = self.members.get_mut(&id.0).expect("nothing is given to one that left");
        let (writes, messages) = self.given.entry(Pattern::PushPull).or_default();
        *writes += 1;
        for frame in frames.chunks(FRAME_BYTES) {
            *messages += 1;
            let job = number(frame);
            assert_eq!(member.due.pop_front(), Some(job), "{id:?}");
            if member.blocked || !member.outbound.is_empty() {
                member.outbound.push_back(job);
            }
        }
        let (outbound, name) = (member.outbound.len() * FRAME_BYTES, member.name);
        // what was delivered made room
        self.feed(name);
        Taken { outbound, spare: (outbound == 0).then_some(frames) }
    }
}

fn number(frame: &[u8]) -> u64 {
    u64::from_be_bytes(frame[2..].try_into().expect("a number"))
}

struct Run {
    random: StdRng,
    counters: Arc<Counters>,
    broker: Broker,
    model: Model,
    published: u64,
}

impl Run {
    fn step(&mut self) {
        match self.random.random_range(0..100) {
            0..8 => self.join(),
            8..14 => self.leave(),
            14..55 => self.publish(),
            55..65 => self.post(),
            65..72 => self.block(),
            72..82 => self.unblock(),
            _ => {
                let writes = self.random.random_range(1..8);
                self.broker.flush(writes, &mut self.model);
            }
        }
    }

    fn any_member(&mut self) -> Option<u32> {
        let count = self.model.members.len();
        (count > 0).then(|| {
            let index = self.random.random_range(0..count);
            *self.model.members.keys().nth(index).expect("an index in range")
        })
    }

    fn join(&mut self) {
        if self.model.members.len() > 40 {
            return;
        }
        let role = ROLES[self.random.random_range(0..ROLES.len())];
        let name = NAMES[self.random.random_range(0..NAMES.len())];
        let echo = self.random.random_bool(0.3);
        let topic = Topic::parse(name, 1024).expect("a valid name");
        let id = self.broker.join(role, &topic, echo).expect("topics are not limited here");
        self.model.join(id.0, role, name, echo);
    }

    fn leave(&mut self) {
        let Some(id) = self.any_member() else { return };
        if self.random.random() {
            self.broker.settle(MemberId(id), &mut self.model);
            let member = &self.model.members[&id];
            assert!(member.role == Role::Puller || member.due.is_empty(), "{id} leaves early");
        }
        let frame = |number: &u64| {
            let mut frame = vec![];
            frame::append(&mut frame, frame::OpCode::Binary, &number.to_be_bytes());
            frame
        };
        let unwritten = self.model.members[&id].outbound.iter().map(frame).collect();
        self.broker.leave(MemberId(id), unwritten);
        self.broker.forget(MemberId(id));
        self.model.leave(id);
    }

    fn publish(&mut self) {
        let Some(id) = self.any_member() else { return };
        let Member { role, name, .. } = self.model.members[&id];
        let room = self.broker.room(MemberId(id), 8);
        if role == Role::Pusher {
            assert_eq!(room.is_ok(), self.model.has_room(name), "room for a job on {name}");
        }
        if room.is_err() {
            return;
        }
        self.published += 1;
        self.broker.publish(MemberId(id), Kind::Binary, &self.published.to_be_bytes());
        if role.sends() {
            self.model.publish(Some(id), role.pattern(), name, self.published);
        }
    }

    fn post(&mut self) {
        let patterns = [Pattern::Bus, Pattern::PubSub, Pattern::PushPull];
        let pattern = patterns[self.random.random_range(0..3)];
        let name = NAMES[self.random.random_range(0..NAMES.len())];
        let topic = Topic::parse(name, 1024).expect("a valid name");
        let payload = (self.published + 1).to_be_bytes();
        let posted = self.broker.post(pattern, &topic, Kind::Binary, &payload);
        let accepted = posted.expect("topics are not limited here").is_ok();
        if pattern == Pattern::PushPull {
            assert_eq!(accepted, self.model.has_room(name), "room for a job on {name}");
        }
        if accepted {
            self.published += 1;
            self.model.publish(None, pattern, name, self.published);
        }
    }

    /// A puller's socket takes nothing from now on; sometimes for so long that it counts.
    fn block(&mut self) {
        let Some(id) = self.any_member() else { return };
        let member = self.model.members.get_mut(&id).expect("a member");
        member.blocked = true;
        if member.role == Role::Puller && !member.outbound.is_empty() && self.random.random() {
            member.stalled = true;
            self.broker.stall(MemberId(id));
        }
    }

    /// A puller's socket takes some of what waits, or all.
    fn unblock(&mut self) {
        let Some(id) = self.any_member() else { return };
        let member = self.model.members.get_mut(&id).expect("a member");
        if member.outbound.is_empty() {
            member.blocked = false;
            return;
        }
        let count = self.random.random_range(1..=member.outbound.len());
        member.outbound.drain(..count);
        member.blocked = !member.outbound.is_empty();
        member.stalled = false;
        let (outbound, name) = (member.outbound.len() * FRAME_BYTES, member.name);
        self.broker.progress(MemberId(id), outbound);
        self.model.feed(name);
    }

    /// Everything is given out: nobody is owed anything.
    fn settle(&mut self) {
        while self.broker.flush(64, &mut self.model) {}
        for (id, member) in &self.model.members {
            assert!(member.due.is_empty(), "{id}, {:?} of {}", member.role, member.name);
        }
        let mut backlogs = BTreeMap::new();
        for (name, jobs, bytes) in self.broker.backlogs() {
            assert_eq!(bytes, 8 * jobs);
            backlogs.insert(name.to_owned(), jobs);
        }
        for (name, backlog) in &self.model.backlogs {
            assert_eq!(backlogs.remove(*name).unwrap_or(0), backlog.len(), "backlog of {name}");
        }
        assert!(backlogs.is_empty());
        for (pattern, given) in &self.model.given {
            let Counters { batches_out, messages_out, batch_messages, fan_out, .. } =
                &*self.counters;
            let counted = (pattern.of(batches_out).value(), pattern.of(messages_out).value());
            assert_eq!(counted, *given, "{pattern:?}");
            let batches = pattern.of(batch_messages).counted();
            let timed = pattern.of(fan_out).counted().count;
            assert!(timed <= batches.count, "{pattern:?}: {timed} of {batches:?}");
            if *pattern == Pattern::PushPull {
                assert_eq!((batches.count, batches.sum), *given);
            }
        }
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

#[test]
fn the_broker_does_what_the_naive_model_says() {
    let seed = setting("MERCURY_SEED", rand::random::<u32>().into());
    let steps = setting("MERCURY_STEPS", STEPS);
    println!("MERCURY_SEED={seed} MERCURY_STEPS={steps}");
    let limits = Limits {
        outbound_bytes_max: OUTBOUND_BYTES_MAX,
        batch_bytes_max: BATCH_BYTES_MAX,
        backlog_messages_max: BACKLOG_MESSAGES_MAX,
        ..Limits::default()
    };
    let counters = Arc::new(Counters::default());
    let broker = Broker::new(Bounds::new(&limits, Arc::clone(&counters)));
    let random = StdRng::seed_from_u64(seed);
    let model = Model::default();
    let mut run = Run { random, counters: Arc::clone(&counters), broker, model, published: 0 };
    for step in 0..steps {
        run.step();
        if step % 50 == 0 {
            run.settle();
        }
    }
    while let Some(id) = run.any_member() {
        let unwritten = vec![];
        run.model.members.get_mut(&id).expect("a member").outbound.clear();
        run.broker.leave(MemberId(id), unwritten);
        run.broker.forget(MemberId(id));
        run.model.leave(id);
    }
    run.broker.flush(usize::MAX, &mut run.model);
    let left: usize = run.model.backlogs.values().map(VecDeque::len).sum();
    assert_eq!(run.broker.is_empty(), left == 0, "{left} jobs are left");
    assert_eq!(counters.backlog_messages.value(), left as u64);
    assert_eq!(counters.joins.parts(), counters.leaves.parts());
    for pattern in [Pattern::Bus, Pattern::PubSub, Pattern::PushPull] {
        assert!(pattern.of(&counters.fan_out).counted().count > 0, "{pattern:?} was never timed");
    }
    assert!(run.published > steps / 10, "the run did too little: {}", run.published);
}
