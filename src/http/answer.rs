//! What a request is answered with, when it does not become a WebSocket.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ACCEPT, ALLOW, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{Response, StatusCode};

use crate::broker::topic::TopicError;
use crate::code::RefusalCode;
use crate::limits::RETRY_AFTER_SECONDS;
use crate::refusal::{CODE_FIELD, Refusal};

/// What a sentence shows of a path, a name or a word that is wrong.
const EXCERPT_CHARACTERS: usize = 64;

/// An answer as hyper takes it.
pub(super) type Answer = Response<Full<Bytes>>;

/// A refusal, and what its answer says besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Denial {
    /// Status, code and sentence.
    pub(super) refusal: Refusal,
    /// A 405 lists the methods that would do.
    allow: Option<&'static str>,
}

impl Denial {
    /// A refusal with a fixed or formatted sentence. What a client wrote may hold line breaks;
    /// the sentence stays one line.
    pub(super) fn new(code: RefusalCode, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.contains(char::is_control) {
            message = message.escape_debug().to_string();
        }
        Refusal::new(code, message).into()
    }

    /// A method that a route does not take.
    pub(super) fn method(method: &hyper::Method, path: &str, allow: &'static str) -> Self {
        let message = format!("method is {method}, and {path} takes {allow}");
        Self { allow: Some(allow), ..Self::new(RefusalCode::MethodNotAllowed, message) }
    }

    /// The response, as JSON for who asked for it.
    pub(super) fn answer(&self, json: bool) -> Answer {
        let refusal = &self.refusal;
        let mut answer = page(refusal.body(json), Refusal::content_type(json));
        *answer.status_mut() = StatusCode::from_u16(refusal.status()).expect("statuses are ours");
        let headers = answer.headers_mut();
        headers.insert(CODE_FIELD, HeaderValue::from_static(refusal.code.name()));
        if refusal.is_temporary() {
            headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS.into());
        }
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if refusal.status() == 426 {
            // RFC 9110 15.5.22, RFC 6455 4.2.2
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        answer
    }
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, allow: None }
    }
}

impl From<TopicError> for Denial {
    fn from(error: TopicError) -> Self {
        let code = match error {
            TopicError::Empty => RefusalCode::TopicEmpty,
            TopicError::TooLong { .. } => RefusalCode::TopicTooLong,
            TopicError::TooDeep { .. } => RefusalCode::TopicTooDeep,
            TopicError::NotUtf8 { .. } => RefusalCode::TopicNotUtf8,
            TopicError::Reserved { .. } => RefusalCode::TopicReserved,
        };
        Self::new(code, error.to_string())
    }
}

/// An answer with a body of this type.
pub(super) fn page(body: impl Into<Full<Bytes>>, content_type: &'static str) -> Answer {
    let mut answer = Response::new(body.into());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// As much of what a client wrote as a sentence can hold.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT_CHARACTERS).collect()
}

/// The message is in the hands of its topic's shard.
pub(super) fn accepted() -> Answer {
    Response::new(Full::default())
}

/// Says that the connection ends with this answer.
pub(super) fn close_after(answer: &mut Answer) {
    let headers = answer.headers_mut();
    if !headers.get_all(CONNECTION).iter().any(|value| value == "close") {
        headers.append(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// Whether a client asks for JSON (RFC 9110 12.5.1).
pub(super) fn wants_json(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_json =
            parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
        is_json && !parts.any(refuses)
    })
}

/// Whether a parameter is the weight that means "not this".
fn refuses(parameter: &str) -> bool {
    let weight = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="));
    weight.is_some_and(|weight| weight.parse() == Ok(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(value: &'static str) -> bool {
        let value = HeaderValue::from_static(value);
        wants_json(&HeaderMap::from_iter([(ACCEPT, value)]))
    }

    #[test]
    fn json_is_for_who_names_it() {
        assert!(accepts("application/json"));
        assert!(accepts("text/html, Application/JSON;q=0.9"));
        assert!(!accepts("*/*"));
        assert!(!accepts("application/json;q=0"));
        assert!(!accepts("application/json-seq"));
        assert!(!wants_json(&HeaderMap::new()));
    }

    #[test]
    fn a_sentence_stays_one_line() {
        let error = TopicError::Reserved { first: "$a\nb".to_owned() };
        let message = Denial::from(error).refusal.message;
        assert_eq!(message, "topics that start with $ are reserved: $a\\nb");
    }
}
