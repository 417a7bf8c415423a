//! A look at all topics of a shard as an operator sees them, some at a time.

use std::sync::Arc;

use super::fanout::Fanout;
use super::pushpull::Lane;
use super::topic_tree::TopicTree;
use super::{Broker, Pattern};

/// Where a look at all topics goes on. Whoever begins at the default and goes on until there is no
/// more place has seen every topic once that existed all the while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pattern: Pattern,
    number: u32,
}

/// A topic at one moment.
#[derive(Debug)]
pub struct Seen<'a> {
    /// Its name.
    pub name: &'a Arc<str>,
    /// What is done with its messages.
    pub pattern: Pattern,
    /// Peers, subscribers or pullers.
    pub receivers: usize,
    /// Publishers of this very topic, or pushers. Peers are receivers.
    pub senders: usize,
    /// Messages that come to it in ten seconds, those from below included.
    pub rate_tenths: u32,
    /// Jobs that no puller could take.
    pub backlog_messages: usize,
    /// Their payload.
    pub backlog_bytes: usize,
}

impl Default for Place {
    fn default() -> Self {
        Self::begin(Pattern::Bus)
    }
}

impl Place {
    const fn begin(pattern: Pattern) -> Self {
        Self { pattern, number: 0 }
    }
}

impl Broker {
    /// Shows the topics at `count` places from one on; where to go on, `None` when all were seen.
    pub fn survey(
        &self,
        from: Place,
        count: usize,
        mut show: impl FnMut(Seen<'_>),
    ) -> Option<Place> {
        let Place { pattern, number } = from;
        let number = match pattern {
            Pattern::Bus => self.survey_fanouts(&self.bus.topics, from, count, &mut show),
            Pattern::PubSub => self.survey_fanouts(&self.pubsub.topics, from, count, &mut show),
            Pattern::PushPull => {
                let (topics, next) = self.pushpull.topics.part(number, count);
                topics.for_each(|(name, users, lane)| show(self.see_lane(name, users, lane)));
                next
            }
        };
        let behind = match pattern {
            Pattern::Bus => Some(Pattern::PubSub),
            Pattern::PubSub => Some(Pattern::PushPull),
            Pattern::PushPull => None,
        };
        number.map(|number| Place { pattern, number }).or_else(|| behind.map(Place::begin))
    }

    fn survey_fanouts(
        &self,
        tree: &TopicTree<Fanout>,
        from: Place,
        count: usize,
        show: &mut impl FnMut(Seen<'_>),
    ) -> Option<u32> {
        let (topics, next) = tree.part(from.number, count);
        for (name, _, fanout) in topics {
            show(Seen {
                name,
                pattern: from.pattern,
                receivers: fanout.members(),
                senders: fanout.publishers as usize,
                rate_tenths: fanout.pace.tenths(self.turn.beat),
                backlog_messages: 0,
                backlog_bytes: 0,
            });
        }
        next
    }

    fn see_lane<'a>(&self, name: &'a Arc<str>, users: u32, lane: &Lane) -> Seen<'a> {
        let (backlog_messages, backlog_bytes) = lane.backlog();
        let receivers = lane.pullers();
        Seen {
            name,
            pattern: Pattern::PushPull,
            receivers,
            // the others who use it are pullers, and the backlog while there is one
            senders: users as usize - receivers - usize::from(backlog_messages > 0),
            rate_tenths: lane.pace.tenths(self.turn.beat),
            backlog_messages,
            backlog_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::topic::Topic;
    use crate::broker::{Bounds, Kind, MemberId, Role};
    use crate::limits::Limits;
    use crate::metrics::Counters;

    fn broker() -> Broker {
        Broker::new(Bounds::new(&Limits::default(), Arc::new(Counters::default())))
    }

    fn join(broker: &mut Broker, role: Role, name: &str) -> MemberId {
        broker.join(role, &Topic::parse(name, 100).unwrap(), false).unwrap()
    }

    /// All topics as lines, looked at so many at a time.
    fn lines(broker: &Broker, count: usize) -> Vec<String> {
        let (mut lines, mut place) = (vec![], Some(Place::default()));
        while let Some(from) = place {
            place = broker.survey(from, count, |seen| {
                let Seen { name, pattern, receivers, senders, backlog_messages, .. } = seen;
                let bytes = seen.backlog_bytes;
                lines.push(format!(
                    "{pattern:?} {name} {receivers} {senders} {backlog_messages} {bytes}"
                ));
            });
        }
        lines
    }

    #[test]
    fn every_topic_is_seen_once_however_few_at_a_time() {
        let mut broker = broker();
        for name in ["fry", "leela"] {
            join(&mut broker, Role::Peer, name);
        }
        join(&mut broker, Role::Subscriber, "wong");
        join(&mut broker, Role::Subscriber, "wong");
        join(&mut broker, Role::Publisher, "wong/amy");
        let pusher = join(&mut broker, Role::Pusher, "bender");
        for _ in 0..3 {
            broker.publish(pusher, Kind::Text, b"bend");
        }
        let expected = [
            "Bus fry 1 0 0 0",
            "Bus leela 1 0 0 0",
            "PubSub wong 2 0 0 0",
            "PubSub wong/amy 0 1 0 0",
            "PushPull bender 0 1 3 12",
        ];
        for count in [1, 2, 3, 100] {
            assert_eq!(lines(&broker, count), expected, "{count} at a time");
        }
        broker.leave(pusher, vec![]);
        broker.forget(pusher);
        assert_eq!(lines(&broker, 1)[4], "PushPull bender 0 0 3 12");
        join(&mut broker, Role::Puller, "bender");
        assert_eq!(lines(&broker, 1)[4], "PushPull bender 1 0 0 0");
        assert_eq!(lines(&self::broker(), 1), [""; 0]);
    }

    #[test]
    fn a_message_counts_for_all_topics_that_it_comes_to() {
        let mut broker = broker();
        let publisher = join(&mut broker, Role::Publisher, "wong/amy");
        join(&mut broker, Role::Publisher, "wong/leo");
        join(&mut broker, Role::Subscriber, "wong");
        broker.beat(500);
        (0..30).for_each(|_| broker.publish(publisher, Kind::Text, b"hello"));
        broker.beat(1000);
        let mut paces = vec![];
        broker.survey(Place::begin(Pattern::PubSub), 10, |seen| {
            paces.push((seen.name.to_string(), seen.rate_tenths > 50));
        });
        let expected = [("wong/amy", true), ("wong", true), ("wong/leo", false)];
        assert_eq!(paces, expected.map(|(name, paced)| (name.to_owned(), paced)));
    }
}
