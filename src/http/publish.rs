//! A POST: its body is collected under limits and handed to the topic's home shard.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};

use super::Door;
use super::answer::Denial;
use super::wire::Progress;
use crate::broker::topic::Topic;
use crate::broker::{Kind, Pattern};
use crate::code::RefusalCode;
use crate::faults;
use crate::grouped::Grouped;
use crate::handover::{Arrival, Post, Shutdown};
use crate::limits::{BODY_BYTES_PER_SECOND_MIN, Budget, MEMORY_LOOK, SWEEP_INTERVAL_MAX};
use crate::memory::Meter;
use crate::refusal::Refusal;

/// Part of `--max-bodies`, given back when dropped: when the message is answered or given up.
#[derive(Debug)]
struct Share {
    /// What it is part of.
    budget: Arc<Budget>,
    /// Where it is counted, too.
    meter: Arc<Meter>,
    /// How much of it.
    bytes: usize,
}

impl Share {
    /// Takes that much more, or says why not. Memory may be there once every shard has shed, which
    /// their sweeps do when it is scarce.
    async fn grow(&mut self, bytes: usize, shutdown: &Shutdown) -> Result<(), Denial> {
        let deadline = Instant::now() + 2 * SWEEP_INTERVAL_MAX;
        while !self.meter.has_room(bytes) {
            if shutdown.has_begun() {
                return Err(Refusal::draining().into());
            }
            if Instant::now() >= deadline {
                return Err(Refusal::memory_full().into());
            }
            sleep(MEMORY_LOOK).await;
        }
        if !self.budget.take(bytes) {
            let message = "the bodies of all requests together are as large as they may be";
            return Err(Denial::new(RefusalCode::BodiesFull, message));
        }
        self.meter.hold(bytes);
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.give(self.bytes);
        self.meter.release(self.bytes);
    }
}

/// When a body must have come further.
#[derive(Debug)]
struct Pace {
    /// For so much progress there is so much time.
    wait: Duration,
    /// The next goal, in bytes from the body's start.
    goal: usize,
    /// When it is due, or the end.
    due: Instant,
}

impl Pace {
    /// The pace of a body of which nothing has come.
    fn new(wait: Duration) -> Self {
        Self { wait, goal: Self::stride(wait), due: Instant::now() + wait }
    }

    /// The least progress in that time.
    fn stride(wait: Duration) -> usize {
        let bytes = wait.as_millis() * BODY_BYTES_PER_SECOND_MIN as u128 / 1000;
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// So many bytes have come; more than the goal is no credit.
    fn came(&mut self, bytes: usize) {
        if bytes >= self.goal {
            self.goal = bytes.saturating_add(Self::stride(self.wait));
            self.due = Instant::now() + self.wait;
        }
    }

    /// What is said to a body that is late at so many bytes.
    fn late(&self, bytes: usize) -> Denial {
        let (wait, missing) = (self.wait, Grouped(self.goal - bytes));
        let message = format!(
            "body is too slow: at {} bytes after {wait:?}, {missing} less than it should be",
            Grouped(bytes)
        );
        Denial::new(RefusalCode::BodyStalled, message)
    }
}

/// Publishes the body of a POST. Done once the message is in the hands of the topic's shard.
pub(super) async fn publish(
    door: &Door,
    progress: &Progress,
    pattern: Pattern,
    topic: Topic,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<(), Denial> {
    let (budget, meter) = (Arc::clone(&door.bodies), Arc::clone(&door.meter));
    let mut held = Share { budget, meter, bytes: 0 };
    let body = collect(door, body, &mut held).await?;
    if door.shutdown.has_begun() {
        return Err(Refusal::draining().into());
    }
    faults::heed(&body);
    faults::pass(faults::Place::Visit);
    let kind = kind(headers, &body);
    let (answer, answered) = oneshot::channel();
    let home = topic.clone();
    let post = Arrival::Message(Box::new(Post { pattern, topic, kind, body, answer }));
    door.send(pattern, &home, post).map_err(|_| inbox_full(door))?;
    progress.send_off();
    match answered.await {
        Ok(result) => result.map_err(Denial::from),
        // the shard ended and dropped what it had not looked at
        Err(_) => Err(Refusal::draining().into()),
    }
}

/// The home shard has no room for one more, or is gone.
pub(super) fn inbox_full(door: &Door) -> Denial {
    if door.shutdown.has_begun() {
        return Refusal::draining().into();
    }
    Denial::new(RefusalCode::InboxFull, "the topic's shard has more waiting than it may")
}

/// Gathers a body. Nothing is reserved for what was only announced, and small frames are copied,
/// so that what is counted is what is held. A drain does not wait for the rest of a body.
async fn collect(door: &Door, mut body: Incoming, share: &mut Share) -> Result<Bytes, Denial> {
    let max = door.live.now().limits.body_bytes_max;
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > max {
        return Err(too_long(format!(
            "body is {} bytes, more than {}",
            Grouped(announced),
            Grouped(max)
        )));
    }
    let mut gathered = Vec::new();
    let mut pace = Pace::new(door.times.body_stall);
    let mut drain = pin!(door.shutdown.begun());
    loop {
        let frame = tokio::select! {
            biased;
            frame = body.frame() => frame,
            () = &mut drain => return Err(Refusal::draining().into()),
            () = sleep_until(pace.due) => return Err(pace.late(gathered.len())),
        };
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|error| {
            let message = format!("body ended at {} bytes: {error}", gathered.len());
            Denial::new(RefusalCode::BodyBroken, message)
        })?;
        // trailers carry nothing for us
        let Ok(piece) = frame.into_data() else { continue };
        if piece.len() > max - gathered.len() {
            return Err(too_long(format!("body is more than {} bytes", Grouped(max))));
        }
        share.grow(piece.len(), &door.shutdown).await?;
        if gathered.is_empty() {
            // most bodies come in one piece, and then fit exactly
            gathered.reserve_exact(piece.len());
        }
        gathered.extend_from_slice(&piece);
        pace.came(gathered.len());
    }
    gathered.shrink_to_fit();
    Ok(Bytes::from(gathered))
}

/// A body over `--max-body`.
fn too_long(message: String) -> Denial {
    Denial::new(RefusalCode::BodyTooLong, message)
}

/// Binary when the client says so or it can't be text.
fn kind(headers: &HeaderMap, body: &[u8]) -> Kind {
    let media = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let media = media.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let is_text = !media.eq_ignore_ascii_case(b"application/octet-stream");
    if is_text && std::str::from_utf8(body).is_ok() { Kind::Text } else { Kind::Binary }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn typed(media: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media))])
    }

    #[test]
    fn octet_streams_and_what_is_not_utf8_are_binary() {
        assert_eq!(kind(&HeaderMap::new(), b"text"), Kind::Text);
        assert_eq!(kind(&HeaderMap::new(), b""), Kind::Text);
        assert_eq!(kind(&HeaderMap::new(), b"\xff"), Kind::Binary);
        assert_eq!(kind(&typed("image/png"), b"text"), Kind::Text);
        assert_eq!(kind(&typed("text/plain"), b"\xc3"), Kind::Binary);
        assert_eq!(kind(&typed("Application/Octet-Stream ; x=y"), b"text"), Kind::Binary);
        assert_eq!(kind(&typed("application/octet-streams"), b"text"), Kind::Text);
    }

    #[tokio::test]
    async fn a_pace_gives_no_credit() {
        let mut pace = Pace::new(Duration::from_secs(10));
        let first = pace.due;
        assert_eq!(pace.goal, 10_240);
        pace.came(10_239);
        assert_eq!((pace.goal, pace.due), (10_240, first));
        pace.came(10_240);
        assert_eq!(pace.goal, 20_480);
        assert!(pace.due > first);
        pace.came(1_000_000);
        assert_eq!(pace.goal, 1_010_240);
        let late = pace.late(1_000_001).refusal;
        let message =
            "body is too slow: at 1,000,001 bytes after 10s, 10,239 less than it should be";
        assert_eq!((late.code, &*late.message), (RefusalCode::BodyStalled, message));
    }

    #[tokio::test]
    async fn a_share_goes_back_when_dropped() {
        let budget = Arc::new(Budget::new(10));
        let (meter, shutdown) = (Meter::unlimited(), Shutdown::new(1));
        let mut share = Share { budget: Arc::clone(&budget), meter, bytes: 0 };
        assert!(share.grow(6, &shutdown).await.is_ok());
        let refused = share.grow(5, &shutdown).await.unwrap_err();
        assert_eq!(refused.refusal.code, RefusalCode::BodiesFull);
        assert!(share.grow(4, &shutdown).await.is_ok());
        drop(share);
        assert_eq!(budget.used(), 0);
    }
}
