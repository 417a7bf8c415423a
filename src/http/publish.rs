//! A POST: its body is collected under limits and handed to the topic's home shard.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Door;
use super::answer::Denial;
use super::wire::Progress;
use crate::broker::topic::Topic;
use crate::broker::{Kind, Pattern};
use crate::grouped::Grouped;
use crate::handover::{Arrival, Post};
use crate::limits::Budget;
use crate::refusal::Refusal;

/// Part of `--max-bodies`, given back when dropped: when the message is answered or given up.
#[derive(Debug)]
struct Share {
    /// What it is part of.
    budget: Arc<Budget>,
    /// How much of it.
    bytes: usize,
}

impl Share {
    /// Takes that much more; says whether there was so much.
    fn grow(&mut self, bytes: usize) -> bool {
        let fits = self.budget.take(bytes);
        if fits {
            self.bytes += bytes;
        }
        fits
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.give(self.bytes);
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
    let mut held = Share { budget: Arc::clone(&door.bodies), bytes: 0 };
    let body = collect(door, body, &mut held).await?;
    if door.shutdown.has_begun() {
        return Err(Refusal::draining().into());
    }
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
    Denial::new(503, "inbox-full", "the topic's shard has more waiting than it may")
}

/// Gathers a body. Nothing is reserved for what was only announced, and small frames are copied,
/// so that what is counted is what is held.
async fn collect(door: &Door, mut body: Incoming, share: &mut Share) -> Result<Bytes, Denial> {
    let max = door.limits.body_bytes_max;
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > max {
        return Err(too_long(format!(
            "body is {} bytes, more than {}",
            Grouped(announced),
            Grouped(max)
        )));
    }
    let mut gathered = Vec::new();
    loop {
        let Ok(frame) = timeout(door.times.body_stall, body.frame()).await else {
            let (came, wait) = (gathered.len(), door.times.body_stall);
            let message = format!("body stood still at {came} bytes for {wait:?}");
            return Err(Denial::new(408, "body-stalled", message));
        };
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|error| {
            let message = format!("body ended at {} bytes: {error}", gathered.len());
            Denial::new(400, "body-broken", message)
        })?;
        // trailers carry nothing for us
        let Ok(piece) = frame.into_data() else { continue };
        if piece.len() > max - gathered.len() {
            return Err(too_long(format!("body is more than {} bytes", Grouped(max))));
        }
        if !share.grow(piece.len()) {
            let message = "the bodies of all requests together are as large as they may be";
            return Err(Denial::new(503, "bodies-full", message));
        }
        if gathered.is_empty() {
            // most bodies come in one piece, and then fit exactly
            gathered.reserve_exact(piece.len());
        }
        gathered.extend_from_slice(&piece);
    }
    gathered.shrink_to_fit();
    Ok(Bytes::from(gathered))
}

/// A body over `--max-body`.
fn too_long(message: String) -> Denial {
    Denial::new(413, "body-too-long", message)
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

    #[test]
    fn a_share_goes_back_when_dropped() {
        let budget = Arc::new(Budget::new(10));
        let mut share = Share { budget: Arc::clone(&budget), bytes: 0 };
        assert!(share.grow(6));
        assert!(!share.grow(5));
        assert!(share.grow(4));
        drop(share);
        assert_eq!(budget.used(), 0);
    }
}
