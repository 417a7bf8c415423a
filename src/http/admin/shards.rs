//! The shards and the process as `mercury top` shows them, read from what is counted: nobody is
//! asked.

use std::time::SystemTime;

use super::super::answer::Answer;
use super::Desk;
use super::survey::page;
use crate::handover::{ShardLine, ShardsPage};
use crate::metrics::{Counters, Parts as _};

/// `GET /shards`
pub(super) fn answer(desk: &Desk) -> Answer {
    let seen = desk.watch.see();
    let shards = seen.metrics.shards().iter().enumerate();
    let shards = shards.map(|(shard, counters)| ShardLine {
        shard,
        connections: counters.connections.total(),
        topics: counters.topics.value(),
        messages: messages(counters),
        batches: counters.batches_out.total(),
        memory_bytes: counters.memory_bytes.value(),
        lag_seconds: seen.silence(shard).as_secs_f64(),
    });
    let up = SystemTime::now().duration_since(desk.watch.started).unwrap_or_default();
    page(&ShardsPage {
        shards: shards.collect(),
        up_milliseconds: u64::try_from(up.as_millis()).unwrap_or(u64::MAX),
        memory_bytes: seen.metrics.sum(|counters| &counters.memory_bytes),
        memory_max_bytes: seen.memory_max,
    })
}

/// Messages that came, by connection or POST.
fn messages(counters: &Counters) -> u64 {
    counters.messages_in.total().wrapping_add(counters.posts_in.total())
}
