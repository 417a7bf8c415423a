//! Answers operators without making anybody wait: a look at all topics or connections is taken in
//! many short turns.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use tokio::task::{spawn_local, yield_now};

use super::Shard;
use crate::broker::{Pattern, Role, Seen, TopicPlace};
use crate::connection::Cut;
use crate::handover::{
    Asker, ConnectionId, ConnectionLine, Connections, Found, Question, Ranking, TopicLine,
    TopicName, TopicSort, Topics,
};
use crate::limits::SURVEY_TURN_MAX;

/// Takes a question; the answer comes later. A panic in between ends that question alone, since
/// asking changes nothing.
pub(super) fn hear(shard: &Rc<Shard>, question: Question) {
    let shard = Rc::clone(shard);
    match question {
        Question::Topics(wanted, asker) => spawn_local(topics(shard, wanted, asker)),
        Question::Connections(wanted, asker) => spawn_local(connections(shard, wanted, asker)),
        Question::Cut(id, asker) => spawn_local(cut(shard, id, asker)),
    };
}

async fn topics(shard: Rc<Shard>, wanted: Arc<Topics>, asker: Asker<Found<TopicName, TopicLine>>) {
    let mut ranking = Ranking::new(wanted.after.clone(), wanted.rows);
    let mut place = TopicPlace::default();
    while let Some(next) = look(&shard, place, &wanted, &mut ranking) {
        place = next;
        yield_now().await;
        if asker.is_gone() {
            return;
        }
    }
    asker.tell(ranking.found());
}

fn look(
    shard: &Shard,
    from: TopicPlace,
    wanted: &Topics,
    ranking: &mut Ranking<TopicName, TopicLine>,
) -> Option<TopicPlace> {
    let table = shard.home.table.borrow();
    let show = |seen: Seen<'_>| offer(ranking, wanted, shard.number, &seen);
    table.broker.survey(from, SURVEY_TURN_MAX, show)
}

fn offer(
    ranking: &mut Ranking<TopicName, TopicLine>,
    wanted: &Topics,
    shard: usize,
    seen: &Seen<'_>,
) {
    let Seen { name, pattern, rate_tenths, backlog_messages, backlog_bytes, .. } = *seen;
    if !name.starts_with(&wanted.prefix) {
        return;
    }
    let value = match wanted.sort {
        TopicSort::Name => 0,
        TopicSort::Subscribers => seen.receivers as u64,
        TopicSort::Rate => u64::from(rate_tenths),
        TopicSort::Backlog => backlog_bytes as u64,
    };
    let line = || TopicLine {
        topic: name.to_string(),
        pattern,
        shard,
        members: members(seen),
        rate: f64::from(rate_tenths) / 10.0,
        backlog_messages,
        backlog_bytes,
    };
    ranking.offer(value, || (Arc::clone(name), pattern), line);
}

/// How many there are of each role that the pattern has.
fn members(seen: &Seen<'_>) -> BTreeMap<Role, usize> {
    let Seen { receivers, senders, .. } = *seen;
    match seen.pattern {
        Pattern::Bus => BTreeMap::from([(Role::Peer, receivers)]),
        Pattern::PubSub => {
            BTreeMap::from([(Role::Subscriber, receivers), (Role::Publisher, senders)])
        }
        Pattern::PushPull => BTreeMap::from([(Role::Puller, receivers), (Role::Pusher, senders)]),
    }
}

async fn connections(
    shard: Rc<Shard>,
    wanted: Arc<Connections>,
    asker: Asker<Found<ConnectionId, ConnectionLine>>,
) {
    let mut ranking = Ranking::new(wanted.after.clone(), wanted.rows);
    let mut from = 0;
    let table = &shard.home.table;
    let look =
        |from, ranking: &mut _| table.borrow().survey(from, SURVEY_TURN_MAX, &wanted, ranking);
    while let Some(next) = look(from, &mut ranking) {
        from = next;
        yield_now().await;
        if asker.is_gone() {
            return;
        }
    }
    asker.tell(ranking.found());
}

async fn cut(shard: Rc<Shard>, id: ConnectionId, asker: Asker<bool>) {
    let mut from = 0;
    let was_there = loop {
        let cut = shard.home.table.borrow_mut().hang_up(id.sequence, from, SURVEY_TURN_MAX);
        match cut {
            Cut::Done => break true,
            Cut::Nowhere => break false,
            Cut::From(next) => from = next,
        }
        yield_now().await;
    };
    asker.tell(was_there);
}
