//! Pages of topics and of connections, asked of the shards, and hanging up on a connection.

use std::sync::Arc;

use hyper::StatusCode;
use serde::Serialize;
use tokio::time::timeout;

use super::super::answer::{self, Answer, Denial, excerpt};
use super::Desk;
use super::query::Query;
use crate::broker::Pattern;
use crate::code::RefusalCode;
use crate::handover::{
    Answers, Asker, ConnectionId, ConnectionSort, Connections, ConnectionsPage, Found, InboxFull,
    Question, Rank, Router, TopicName, TopicSort, Topics, TopicsPage,
};
use crate::refusal::Refusal;

const CONNECTION_SORTS: [(&str, ConnectionSort); 2] =
    [("id", ConnectionSort::Id), ("behind", ConnectionSort::Behind)];

/// `GET /topics`
pub(super) async fn topics(desk: &Desk, query: Option<&str>) -> Result<Answer, Denial> {
    let query = Query::parse(query, &["prefix", "limit", "sort", "after"])?;
    let wanted = Arc::new(Topics {
        prefix: query.value("prefix").unwrap_or_default().to_owned(),
        sort: query.word("sort", &TopicSort::ALL.map(|sort| (sort.word(), sort)))?,
        after: query.after(read_topic)?,
        rows: query.rows()?,
    });
    let question = |asker| Question::Topics(Arc::clone(&wanted), asker);
    let next = |last: &_| query.next("/topics", &write_topic(last));
    let (topics, next) = first(desk, wanted.rows, question, next).await?;
    Ok(page(&TopicsPage { topics, next }))
}

/// `GET /connections`
pub(super) async fn connections(desk: &Desk, query: Option<&str>) -> Result<Answer, Denial> {
    let query = Query::parse(query, &["topic", "limit", "sort", "after"])?;
    let wanted = Arc::new(Connections {
        topic: query.value("topic").map(str::to_owned),
        sort: query.word("sort", &CONNECTION_SORTS)?,
        after: query.after(read_connection)?,
        rows: query.rows()?,
    });
    let question = |asker| Question::Connections(Arc::clone(&wanted), asker);
    let next = |last: &_| query.next("/connections", &write_connection(last));
    let (connections, next) = first(desk, wanted.rows, question, next).await?;
    Ok(page(&ConnectionsPage { connections, next }))
}

/// `DELETE /connections/ID`
pub(super) async fn hang_up(desk: &Desk, name: &str) -> Result<Answer, Denial> {
    if let Some(id) = ConnectionId::parse(name) {
        let ask = |router: &Router| router.ask(id.shard, |asker| Question::Cut(id, asker));
        if asked(desk, ask).await?.contains(&true) {
            tracing::info!(%id, "closed by the operator");
            let mut answer = Answer::default();
            *answer.status_mut() = StatusCode::NO_CONTENT;
            return Ok(answer);
        }
    }
    let shown = excerpt(name);
    let message = format!("there is no connection {shown}, or no longer");
    Err(Denial::new(RefusalCode::NoSuchConnection, message))
}

/// The first of what all shards find, and where the next page begins if there is one.
async fn first<N: Ord, L>(
    desk: &Desk,
    rows: usize,
    question: impl Fn(Asker<Found<N, L>>) -> Question,
    next: impl FnOnce(&Rank<N>) -> String,
) -> Result<(Vec<L>, Option<String>), Denial> {
    let found = asked(desk, |router| router.ask_all(question)).await?;
    let Found { rows, more } = Found::merge(found, rows);
    let next = rows.last().filter(|_| more).map(|(last, _)| next(last));
    Ok((rows.into_iter().map(|(_, line)| line).collect(), next))
}

/// Asks shards, as long as they are not being asked too much, and waits for what they say.
async fn asked<T>(
    desk: &Desk,
    ask: impl FnOnce(&Router) -> Result<Answers<T>, InboxFull>,
) -> Result<Vec<T>, Denial> {
    let Ok(_place) = desk.surveys.try_acquire() else {
        let message = "others are asking the shards as well; they are to have time for clients";
        return Err(Denial::new(RefusalCode::SurveysFull, message));
    };
    // given back at once: a drain waits until nobody can send any more
    let answers = match &*desk.router.borrow() {
        Some(router) => ask(router).map_err(|_| inbox_full())?,
        None => return Err(Refusal::draining().into()),
    };
    match timeout(desk.times.survey, answers.all()).await {
        Ok(Some(answers)) => Ok(answers),
        Ok(None) => Err(Refusal::draining().into()),
        Err(_) => {
            let waited = desk.times.survey;
            let message = format!("a shard had no time to answer within {waited:?}");
            Err(Denial::new(RefusalCode::ShardBusy, message))
        }
    }
}

fn inbox_full() -> Denial {
    Denial::new(RefusalCode::InboxFull, "a shard has more to take than it can")
}

/// A page as JSON.
pub(super) fn page(page: &impl Serialize) -> Answer {
    let mut body = serde_json::to_vec(page).expect("texts and numbers are JSON");
    body.push(b'\n');
    answer::page(body, Refusal::content_type(true))
}

/// The last topic of a page, for the next one: `12.pubsub.wong/amy`.
fn write_topic(rank: &Rank<TopicName>) -> String {
    let (name, pattern) = &rank.name;
    format!("{}.{}.{name}", rank.value.0, pattern.word())
}

fn read_topic(text: &str) -> Option<Rank<TopicName>> {
    let mut parts = text.splitn(3, '.');
    let value = parts.next()?.parse().ok()?;
    let pattern = Pattern::read(parts.next()?)?;
    Some(Rank::new(value, (parts.next()?.into(), pattern)))
}

/// The last connection of a page, for the next one: `4096.3-1a2b`.
fn write_connection(rank: &Rank<ConnectionId>) -> String {
    format!("{}.{}", rank.value.0, rank.name)
}

fn read_connection(text: &str) -> Option<Rank<ConnectionId>> {
    let (value, id) = text.split_once('.')?;
    Some(Rank::new(value.parse().ok()?, ConnectionId::parse(id)?))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::super::Watch;
    use super::*;
    use crate::handover::{Clock, Inbox, Shutdown};
    use crate::limits::{Budget, SURVEYS_MAX};
    use crate::metrics::{Counters, Metrics};

    /// A desk whose only shard never answers.
    fn desk(survey: Duration) -> (Desk, Vec<Inbox>) {
        let (router, inboxes) = Router::new(1);
        let watch = Watch {
            metrics: Metrics::default(),
            clock: Clock::new().0,
            inboxes: router.inboxes(),
            shutdown: Shutdown::default(),
            descriptors: Arc::new(Budget::new(1)),
            memory_max: 0,
            started: SystemTime::UNIX_EPOCH,
        };
        let mut desk = Desk::new(Arc::new(Counters::default()), watch, router, vec![]);
        desk.times.survey = survey;
        (desk, inboxes)
    }

    fn code(denied: Result<Answer, Denial>) -> RefusalCode {
        denied.unwrap_err().refusal.code
    }

    #[tokio::test]
    async fn a_shard_that_does_not_answer_keeps_nobody_waiting_for_long() {
        let (desk, _inboxes) = desk(Duration::from_millis(10));
        assert_eq!(code(topics(&desk, None).await), RefusalCode::ShardBusy);
        assert_eq!(code(connections(&desk, None).await), RefusalCode::ShardBusy);
        assert_eq!(code(hang_up(&desk, "0-1").await), RefusalCode::ShardBusy);
        // there is no such shard
        assert_eq!(code(hang_up(&desk, "1-1").await), RefusalCode::NoSuchConnection);
        assert_eq!(code(hang_up(&desk, "x\n").await), RefusalCode::NoSuchConnection);
    }

    #[tokio::test]
    async fn so_many_ask_at_once_and_no_more() {
        let (desk, _inboxes) = desk(Duration::MAX);
        let places: Vec<_> = (1..SURVEYS_MAX).map(|_| desk.surveys.try_acquire()).collect();
        let mut last = std::pin::pin!(topics(&desk, None));
        let next = tokio::select! {
            biased;
            _ = &mut last => panic!("nobody answers"),
            next = topics(&desk, None) => next,
        };
        assert_eq!(code(next), RefusalCode::SurveysFull);
        drop(places);
    }

    #[tokio::test]
    async fn a_broker_that_drains_says_so() {
        let (desk, inboxes) = desk(Duration::MAX);
        let asked = async { code(topics(&desk, None).await) };
        let ended = async { while inboxes[0].next().is_some() {} };
        let (asked, ()) = tokio::join!(asked, ended);
        assert_eq!(asked, RefusalCode::Draining);
        desk.router.take();
        assert_eq!(code(topics(&desk, None).await), RefusalCode::Draining);
    }

    #[test]
    fn what_a_page_ends_with_is_read_again() {
        for name in ["wong/amy", "", "1.bus.x", "a\nb"] {
            for pattern in [Pattern::Bus, Pattern::PubSub, Pattern::PushPull] {
                let rank = Rank::new(12, (name.into(), pattern));
                assert_eq!(read_topic(&write_topic(&rank)), Some(rank));
            }
        }
        let rank = Rank::new(u64::MAX, ConnectionId { shard: 3, sequence: 7 });
        assert_eq!(read_connection(&write_connection(&rank)), Some(rank));
        for wrong in ["", "1", "1.bus", "x.bus.a", "1.pub.a", "-1.bus.a"] {
            assert_eq!(read_topic(wrong), None, "{wrong}");
        }
        for wrong in ["", "1", "1.", "1.3", "x.3-7", "1.3-7.9"] {
            assert_eq!(read_connection(wrong), None, "{wrong}");
        }
    }
}
