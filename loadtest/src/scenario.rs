//! What a subcommand means: which connections, who sends how fast, and who must get it.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use clap::ValueEnum;

use crate::audience::Audience;
use crate::cli::{
    BusArgs, Command, CommonArgs, Cut, FanoutArgs, HostileArgs, IdleArgs, MessageArgs, PaceArgs,
    PushpullArgs, RoundtripArgs, ServerArgs, StormArgs, TimeArgs,
};
use crate::dialect::{Dialect, Part};
use crate::payload::{HEAD_BYTES, PUBLISHERS_MAX};
use crate::report::float;
use crate::source::Sources;
use crate::subscriber::Client;
use crate::think::Think;
use crate::tree::Tree;

/// Topics that publishers may be at: as many as there may be roots.
const LEAVES_MAX: usize = 1_000_000;
/// The books of a pair take 32 bytes, and 2 GiB of them are enough.
const PAIRS_MAX: usize = 1 << 26;

/// Which sockets, and so who must get a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pattern {
    /// Every other peer of the topic.
    Bus,
    /// Every subscriber of the topic.
    #[value(name = "pubsub")]
    PubSub,
    /// One puller of the topic.
    #[value(name = "pushpull")]
    PushPull,
}

/// When the next message may leave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pace {
    /// Closed loop: so many of each publisher's messages may be undelivered.
    Window(u32),
    /// Open loop: so many messages a second in all.
    Rate(f64),
}

/// When it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// After exactly so many messages in all, every one measured.
    Messages(u64),
    /// After a time.
    Time {
        /// Load that is not measured.
        warm_up: Duration,
        /// Load that is.
        measured: Duration,
    },
}

/// One load: numbers only, no sockets.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Its name in the report.
    pub(crate) name: &'static str,
    /// Which sockets.
    pub(crate) pattern: Pattern,
    /// Subscribers, pullers or all peers.
    pub(crate) receivers: usize,
    /// Publishers, pushers or the first peers.
    pub(crate) publishers: usize,
    /// Topics, and who stands where.
    pub(crate) tree: Tree,
    /// When the next message may leave.
    pub(crate) pace: Pace,
    /// When it is over.
    pub(crate) extent: Extent,
    /// Bytes of a message.
    pub(crate) size: usize,
    /// Binary frames instead of text.
    pub(crate) binary: bool,
    /// Random, in the topics' names and in every message, so that runs do not mix.
    pub(crate) tag: u32,
    /// How long a puller works on a job; none if it reads the next at once.
    pub(crate) think: Option<Think>,
    /// Path of who sends, if not mercury's or the dialect's.
    pub(crate) pub_path: Option<String>,
    /// Who sends is answered.
    pub(crate) answers: bool,
    /// How the server is spoken to.
    pub(crate) server: ServerArgs,
    /// Where our ends of the connections are.
    pub(crate) sources: Sources,
}

/// What the scenarios have in common that send messages for a time.
type Options<'a> = (&'a MessageArgs, &'a TimeArgs, &'a CommonArgs);

impl Plan {
    /// The load of a subcommand, or what is wrong with its numbers. For mixed, the saturated one.
    pub(crate) fn new(command: &Command) -> Result<Self, String> {
        let mut plan = match command {
            Command::Fanout(args) => Self::fanout(args)?,
            Command::Bus(args) => {
                let BusArgs { peers, senders, pace, .. } = args;
                let options = (&args.message, &args.time, &args.common);
                Self::paced("bus", Pattern::Bus, (*peers, *senders), pace, options)
            }
            Command::Pushpull(args) => Self::pushpull(args),
            Command::Roundtrip(args) => Self::roundtrip(args),
            Command::Idle(args) => Self::idle(args),
            Command::Storm(args) => Self::storm(args)?,
            Command::Mixed(args) => {
                let pace = Pace::Window(args.window);
                let options = (&args.message, &args.time, &args.common);
                Self::timed("saturated", Pattern::PubSub, (args.subscribers, 1), pace, options)
            }
            Command::Hostile(HostileArgs { message, time, common, .. }) => {
                if common.server.dialect != Dialect::Mercury {
                    return Err("the hostile only speak mercury".to_owned());
                }
                let options = (message, time, common);
                Self::timed("innocent", Pattern::PubSub, (1, 1), Pace::Window(1), options)
            }
        };
        plan.check()?;
        let mut ports = plan.connections();
        if let Command::Storm(StormArgs { waves, cut: Cut::Close, .. }) = command {
            // A port rests for a minute after a Close.
            ports = ports.saturating_mul(1 + *waves as usize);
        }
        plan.sources = plan.sources.or_for(ports);
        Ok(plan)
    }

    /// The load beside the saturated one of mixed; none for the others.
    pub(crate) fn quiet(command: &Command) -> Option<Self> {
        let Command::Mixed(args) = command else { return None };
        let pace = Pace::Rate(args.quiet_rate);
        let options = (&args.message, &args.time, &args.common);
        Some(Self::timed("quiet", Pattern::PubSub, (1, 1), pace, options))
    }

    /// The target of connection `number`: receivers first, then publishers with a socket of
    /// their own.
    pub(crate) fn path(&self, number: usize) -> String {
        let receives = number < self.receivers;
        let route = match (self.pattern, receives) {
            (Pattern::Bus, _) => "bus",
            (Pattern::PubSub, true) => "sub",
            (Pattern::PubSub, false) => "pub",
            (Pattern::PushPull, true) => "pull",
            (Pattern::PushPull, false) => "push",
        };
        let template = if receives { &self.server.sub_path } else { &self.pub_path };
        self.server.path(template.as_deref(), route, &self.topic(number))
    }

    /// The topic of connection `number`.
    pub(crate) fn topic(&self, number: usize) -> String {
        let place = match number.checked_sub(self.receivers) {
            Some(publisher) => self.tree.of_publisher(publisher),
            None => self.tree.of_receiver(number),
        };
        // Roots differ in their first segment: a broker spreads topics over its cores by that.
        format!("loadtest-{:06x}-{}", self.tag, self.tree.topic(place))
    }

    /// What connection `number` says first.
    pub(crate) fn opening(&self, number: usize) -> Vec<u8> {
        let part = Part {
            pattern: self.pattern,
            receives: number < self.receivers,
            topic: &self.topic(number),
            // MQTT 3.1.3.1 promises a client 23 bytes for its name.
            name: &format!("loadtest{:06x}x{number}", self.tag),
        };
        self.server.dialect.opening(part)
    }

    /// All connections.
    pub(crate) fn connections(&self) -> usize {
        match self.pattern {
            Pattern::Bus => self.receivers,
            Pattern::PubSub | Pattern::PushPull => self.receivers + self.publishers,
        }
    }

    /// The connection that publisher `publisher` sends on.
    pub(crate) fn connection_of(&self, publisher: usize) -> usize {
        match self.pattern {
            Pattern::Bus => publisher,
            Pattern::PubSub | Pattern::PushPull => self.receivers + publisher,
        }
    }

    /// The messages that `publisher` sends in all; the rest of an uneven division goes to the
    /// first ones.
    pub(crate) fn quota(&self, publisher: usize) -> u64 {
        let Extent::Messages(messages) = self.extent else { return u64::MAX };
        let (number, publishers) = (publisher as u64, self.publishers as u64);
        messages / publishers + u64::from(number < messages % publishers)
    }

    /// The messages of an open loop that are due in so long; none in a closed one.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and a part of a message is not due"
    )]
    pub(crate) fn due_in(&self, duration: Duration) -> Option<u64> {
        let Pace::Rate(rate) = self.pace else { return None };
        let due = (rate * duration.as_secs_f64()) as u64;
        Some(if let Extent::Messages(messages) = self.extent { due.min(messages) } else { due })
    }

    fn fanout(args: &FanoutArgs) -> Result<Self, String> {
        let FanoutArgs { subscribers, depth, branching, pace, .. } = args;
        let (depth, branching) = (usize::from(*depth), *branching as usize);
        let tree = Tree::new(pace.topics as usize, depth, branching, &args.subscribers_at)?;
        let publishers = match args.publishers {
            Some(publishers) => publishers,
            None if depth == 0 => 1,
            None => one_for_each_leaf(&tree)?,
        };
        let sockets = (*subscribers, publishers);
        let options = (&args.message, &args.time, &args.common);
        let mut plan = Self::paced("fanout", Pattern::PubSub, sockets, pace, options);
        plan.tree = tree;
        Ok(plan)
    }

    fn pushpull(args: &PushpullArgs) -> Self {
        let PushpullArgs { pushers, pullers, pace, .. } = args;
        let options = (&args.message, &args.time, &args.common);
        let plan = Self::paced("pushpull", Pattern::PushPull, (*pullers, *pushers), pace, options);
        let think = args.think_time.map(|mean| Think { mean, spread: args.think });
        Self { think, ..plan }
    }

    fn roundtrip(args: &RoundtripArgs) -> Self {
        let RoundtripArgs { pattern, pairs, .. } = args;
        let receivers = if *pattern == Pattern::Bus { 2 * pairs } else { *pairs };
        let pace = Pace::Window(1);
        let options = (&args.message, &args.time, &args.common);
        let mut plan = Self::timed("roundtrip", *pattern, (receivers, *pairs), pace, options);
        plan.tree = Tree::flat(*pairs as usize);
        plan.extent = args.messages.map_or(plan.extent, Extent::Messages);
        plan
    }

    fn idle(args: &IdleArgs) -> Self {
        let IdleArgs { connections, topics, hold, common, .. } = args;
        let extent = Extent::Time { warm_up: Duration::ZERO, measured: *hold };
        let nothing = MessageArgs { size: HEAD_BYTES, ..MessageArgs::default() };
        let sockets = (*connections, 0);
        let pace = Pace::Window(1);
        let plan = Self::of("idle", Pattern::PubSub, sockets, pace, extent, &nothing, common);
        Self { tree: Tree::flat(*topics as usize), ..plan }
    }

    fn storm(args: &StormArgs) -> Result<Self, String> {
        let StormArgs { subscribers, topics, rate, pause, message, common, .. } = args;
        if common.server.dialect != Dialect::Mercury {
            return Err("who comes back is a member from its handshake on, which other dialects \
                        do not promise"
                .to_owned());
        }
        let cut = args.cut_of(*subscribers as usize);
        if let Some(rate) = args.reconnect_rate {
            let seconds = float(cut as u64) / rate;
            if seconds > args.patience.as_secs_f64() {
                return Err(format!(
                    "{cut} who come back at {rate} a second take {seconds:.0} s, longer than \
                     --patience"
                ));
            }
        }
        let extent = Extent::Time { warm_up: Duration::ZERO, measured: *pause };
        let (sockets, pace) = ((*subscribers, *topics), Pace::Rate(*rate));
        let plan = Self::of("storm", Pattern::PubSub, sockets, pace, extent, message, common);
        Ok(Self { tree: Tree::flat(*topics as usize), ..plan })
    }

    fn paced(
        name: &'static str,
        pattern: Pattern,
        sockets: (u32, u32),
        args: &PaceArgs,
        options: Options<'_>,
    ) -> Self {
        let pace = args.rate.map_or(Pace::Window(args.window), Pace::Rate);
        let mut plan = Self::timed(name, pattern, sockets, pace, options);
        plan.tree = Tree::flat(args.topics as usize);
        if let Some(messages) = args.messages {
            plan.extent = Extent::Messages(messages);
        }
        plan
    }

    fn timed(
        name: &'static str,
        pattern: Pattern,
        sockets: (u32, u32),
        pace: Pace,
        (message, time, common): Options<'_>,
    ) -> Self {
        let extent = Extent::Time { warm_up: time.warm_up, measured: time.seconds };
        Self::of(name, pattern, sockets, pace, extent, message, common)
    }

    fn of(
        name: &'static str,
        pattern: Pattern,
        (receivers, publishers): (u32, u32),
        pace: Pace,
        extent: Extent,
        message: &MessageArgs,
        common: &CommonArgs,
    ) -> Self {
        Self {
            name,
            pattern,
            receivers: receivers as usize,
            publishers: publishers as usize,
            tree: Tree::flat(1),
            pace,
            extent,
            size: message.size,
            binary: message.binary,
            pub_path: message.pub_path.clone(),
            answers: message.answers,
            // The standard library's hash keys are random, and 24 bits of them do.
            tag: u32::try_from(RandomState::new().hash_one(name) >> 40).expect("24 bits fit"),
            think: None,
            server: common.server.clone(),
            sources: common.source_addresses.map_or(Sources::default(), Sources::Loopback),
        }
    }

    /// Every message must have somewhere to go.
    fn check(&self) -> Result<(), String> {
        self.server.dialect.check(self.pattern)?;
        if self.server.dialect != Dialect::Mercury && self.tree.depth() > 0 {
            return Err(
                "levels below a topic are heard at their ancestors by mercury alone".to_owned()
            );
        }
        if self.think.is_some() && self.server.client != Client::Lean {
            return Err("only the lean client reads job by job, as --think-time asks".to_owned());
        }
        let (receivers, topics, publishers) = (self.receivers, self.tree.roots(), self.publishers);
        if self.pattern == Pattern::Bus && (receivers < 2 * topics || receivers < publishers) {
            return Err(format!(
                "a bus has two peers a topic or more, and its senders are peers: {receivers} \
                 peers, {topics} topics, {publishers} senders"
            ));
        }
        if receivers < topics {
            return Err(format!("{topics} topics for {receivers} receivers: one would have none"));
        }
        if self.tree.leaves().is_none_or(|leaves| leaves > LEAVES_MAX) {
            return Err(format!("more than {LEAVES_MAX} topics to publish to"));
        }
        let audience = Audience::new(self);
        if audience.pairs() > PAIRS_MAX {
            return Err(format!(
                "{} pairs of a receiver and a publisher that it hears, more than {PAIRS_MAX}",
                audience.pairs()
            ));
        }
        match (0..publishers).find(|publisher| audience.deliveries(*publisher) == 0) {
            None => Ok(()),
            Some(publisher) => {
                let topic = self.tree.topic(self.tree.of_publisher(publisher));
                Err(format!("topic {topic} has a publisher, but nobody is at or above it"))
            }
        }
    }
}

fn one_for_each_leaf(tree: &Tree) -> Result<u32, String> {
    let leaves = tree.leaves().filter(|leaves| *leaves <= PUBLISHERS_MAX);
    leaves.and_then(|leaves| u32::try_from(leaves).ok()).ok_or_else(|| {
        format!("more leaves than {PUBLISHERS_MAX} publishers: lower --depth or --branching")
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Task};

    pub(crate) fn plan(flags: &str) -> Result<Plan, String> {
        let words = ["loadtest"].into_iter().chain(flags.split_whitespace());
        let Task::Run(command) = Cli::try_parse_from(words).unwrap().task else {
            panic!("{flags}")
        };
        Plan::new(&command)
    }

    #[test]
    fn quotas_add_up() {
        let plan = plan("fanout --publishers 7 --messages 100").unwrap();
        assert_eq!((0..7).map(|publisher| plan.quota(publisher)).sum::<u64>(), 100);
    }

    #[test]
    fn paths_say_pattern_and_place() {
        let fanout = plan("fanout --subscribers 10 --publishers 4 --topics 4").unwrap();
        assert!(fanout.path(9).starts_with("/sub/") && fanout.path(9).ends_with("-1"));
        assert!(fanout.path(12).starts_with("/pub/") && fanout.path(12).ends_with("-2"));
        let deep = plan("fanout --subscribers 3 --depth 2 --branching 3").unwrap();
        assert_eq!(deep.publishers, 9);
        assert!(deep.path(2).ends_with("-0/0/0") && deep.path(8).ends_with("-0/1/2"));
    }

    #[test]
    fn every_message_has_somewhere_to_go() {
        assert!(plan("fanout --subscribers 2 --topics 3").is_err());
        assert!(plan("fanout --subscribers 2 --depth 2 --subscribers-at leaf").is_err());
        assert!(plan("fanout --depth 1 --subscribers-at 2").is_err());
        assert!(plan("fanout --depth 16 --branching 1000").is_err());
        assert!(plan("fanout --subscribers 1000000 --publishers 1000").is_err());
        assert!(plan("bus --peers 1").is_err());
        assert!(plan("storm --subscribers 5000 --reconnect-rate 80").is_err());
        assert!(plan("storm --subscribers 5000 --reconnect-rate 80 --share 0.5").is_ok());
        assert!(plan("storm --subscribers 5000 --reconnect-rate 80 --patience 2m").is_ok());
        assert!(plan("bus --peers 3 --topics 2").is_err());
        assert!(plan("bus --peers 3 --senders 4").is_err());
    }
}
