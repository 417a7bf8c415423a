//! What one look at a broker brings, and what two of them say together.

use serde::de::DeserializeOwned;

use super::client::{ClientError, get, strange};
use crate::config::Target;
use crate::handover::{
    ConnectionLine, ConnectionsPage, ShardLine, ShardsPage, TopicLine, TopicSort, TopicsPage,
};

/// Rows of topics and connections that are asked for: more than a tall screen has.
const ROWS: usize = 100;

/// What topics can be sorted by, in the order of the keys.
const SORTS: [TopicSort; 3] = [TopicSort::Rate, TopicSort::Subscribers, TopicSort::Backlog];

/// The next of these, or the one before.
pub(super) fn step(sort: TopicSort, forward: bool) -> TopicSort {
    let count = SORTS.len();
    let place = SORTS.iter().position(|other| *other == sort).unwrap_or_default();
    SORTS[(place + if forward { 1 } else { count - 1 }) % count]
}

/// One look.
#[derive(Debug)]
pub(super) struct Reading {
    /// The shards, and the process as a whole, which nobody has to be asked for.
    pub(super) shards: ShardsPage,
    /// What shards were asked for; one that is stuck does not answer.
    pub(super) lists: Result<Lists, ClientError>,
}

/// What stands first.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// The first of the topics.
    pub(super) topics: Vec<TopicLine>,
    /// The connections that are behind, the farthest first.
    pub(super) connections: Vec<ConnectionLine>,
}

/// What is shown.
#[derive(Debug, Default)]
pub(super) struct Picture {
    /// The shards.
    pub(super) shards: Vec<Shard>,
    /// What all queues hold, and what they may.
    pub(super) memory: (u64, u64),
    /// Topics and connections.
    pub(super) lists: Lists,
}

/// A shard, with what it did in a second since the look before; `None` of the first look.
#[derive(Debug)]
pub(super) struct Shard {
    /// As it is now.
    pub(super) line: ShardLine,
    /// Messages that came.
    pub(super) messages: Option<u64>,
    /// Batches that were given to one receiver each.
    pub(super) batches: Option<u64>,
}

impl Reading {
    /// Looks.
    pub(super) async fn take(target: &Target, sort: TopicSort) -> Result<Self, ClientError> {
        let topics = format!("/topics?sort={}&limit={ROWS}", sort.word());
        let connections = format!("/connections?sort=behind&limit={ROWS}");
        let asked = tokio::try_join!(
            page::<TopicsPage>(target, &topics),
            page::<ConnectionsPage>(target, &connections),
        );
        // the last, since a shard may keep the others waiting
        let shards = page::<ShardsPage>(target, "/shards").await?;
        let lists = asked.map(|(topics, connections)| {
            let (topics, mut connections) = (topics.topics, connections.connections);
            connections.retain(|connection| connection.behind_bytes > 0);
            Lists { topics, connections }
        });
        Ok(Self { shards, lists })
    }
}

async fn page<P: DeserializeOwned>(target: &Target, path: &str) -> Result<P, ClientError> {
    let body = get(target, path).await?;
    serde_json::from_slice(&body).map_err(|error| strange(target, path, error.to_string()))
}

impl Picture {
    /// What a look says, with the one before it.
    pub(super) fn new(now: ShardsPage, lists: Lists, before: Option<&ShardsPage>) -> Self {
        let ShardsPage { shards, up_milliseconds, memory_bytes, memory_max_bytes } = now;
        // a broker that was started anew counts from the beginning
        let before = before.filter(|before| before.up_milliseconds < up_milliseconds);
        let elapsed = before.map_or(0, |before| up_milliseconds - before.up_milliseconds);
        let rate = |now: u64, before: Option<u64>| {
            let more = now.checked_sub(before?)?;
            more.saturating_mul(1000).checked_div(elapsed)
        };
        let shards = shards.into_iter().enumerate().map(|(number, line)| {
            let before = before.and_then(|before| before.shards.get(number));
            Shard {
                messages: rate(line.messages, before.map(|before| before.messages)),
                batches: rate(line.batches, before.map(|before| before.batches)),
                line,
            }
        });
        Self { shards: shards.collect(), memory: (memory_bytes, memory_max_bytes), lists }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shards(up_milliseconds: u64, messages: u64) -> ShardsPage {
        let shard = ShardLine {
            shard: 0,
            connections: 1,
            topics: 1,
            messages,
            batches: 10 * messages,
            memory_bytes: 0,
            lag_seconds: 0.0,
        };
        ShardsPage { shards: vec![shard], up_milliseconds, memory_bytes: 1, memory_max_bytes: 2 }
    }

    fn rates(now: ShardsPage, before: Option<&ShardsPage>) -> (Option<u64>, Option<u64>) {
        let picture = Picture::new(now, Lists::default(), before);
        (picture.shards[0].messages, picture.shards[0].batches)
    }

    #[test]
    fn two_looks_make_a_rate() {
        assert_eq!(rates(shards(500, 7), None), (None, None));
        assert_eq!(rates(shards(2500, 47), Some(&shards(500, 7))), (Some(20), Some(200)));
        // started anew
        assert_eq!(rates(shards(300, 7), Some(&shards(500, 47))), (None, None));
        assert_eq!(rates(shards(500, 7), Some(&shards(500, 7))), (None, None));
    }

    #[test]
    fn the_keys_go_round_all_orders() {
        let mut sort = TopicSort::Rate;
        for next in [TopicSort::Subscribers, TopicSort::Backlog, TopicSort::Rate] {
            assert_eq!((step(sort, true), step(next, false)), (next, sort));
            sort = next;
        }
    }
}
