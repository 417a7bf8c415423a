//! The handshake's checks (RFC 6455 4.2.1): only a proper one becomes a WebSocket.

use hyper::header::{
    AsHeaderName, CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use hyper::{Request, Version};

use super::answer::Denial;
use crate::broker::Role;
use crate::broker::topic::Topic;
use crate::code::RefusalCode;
use crate::handover::Place;
use crate::socket::PeerAddress;

/// The version that we speak.
const VERSION: &str = "13";
/// Length of 16 bytes in base64, padding included.
const KEY_LENGTH: usize = 24;
/// Of a value that a client sent, a sentence names at most this many characters.
const SHOWN_CHARACTERS: usize = 64;

/// A checked handshake that waits for its socket.
#[derive(Debug)]
pub(super) struct Upgrade {
    /// What the socket will be on its topic.
    pub(super) role: Role,
    /// Its topic.
    pub(super) topic: Topic,
    /// A bus peer that wants its own messages too.
    pub(super) echo: bool,
    /// The value of `Sec-WebSocket-Accept`.
    pub(super) accept: String,
    /// Whether a refusal by the shard should be JSON.
    pub(super) json: bool,
    /// Whose it is.
    pub(super) client: PeerAddress,
    /// What it counts for its client, if its connection does not.
    pub(super) place: Option<Place>,
}

/// Whether a request wants to become a WebSocket. If not, its other fields don't matter.
pub(super) fn is_asked(headers: &HeaderMap) -> bool {
    has_token(headers, UPGRADE, "websocket")
}

/// Checks a handshake and works out the value of `Sec-WebSocket-Accept`.
pub(super) fn check<B>(request: &mut Request<B>) -> Result<String, Denial> {
    let headers = request.headers();
    if request.version() != Version::HTTP_11 {
        let message = format!("a WebSocket handshake needs HTTP/1.1, not {:?}", request.version());
        return Err(Denial::new(RefusalCode::HandshakeHttpVersion, message));
    }
    if !has_token(headers, CONNECTION, "upgrade") {
        let message = format!("Connection is {}, without upgrade", shown(headers, CONNECTION));
        return Err(Denial::new(RefusalCode::HandshakeConnection, message));
    }
    if only(headers, SEC_WEBSOCKET_VERSION).is_none_or(|version| version != VERSION) {
        let value = shown(headers, SEC_WEBSOCKET_VERSION);
        let message = format!("Sec-WebSocket-Version is {value}, not {VERSION}");
        return Err(Denial::new(RefusalCode::HandshakeVersion, message));
    }
    if !only(headers, SEC_WEBSOCKET_KEY).is_some_and(is_key) {
        let value = shown(headers, SEC_WEBSOCKET_KEY);
        let message = format!("Sec-WebSocket-Key is {value}, not 16 bytes in base64");
        return Err(Denial::new(RefusalCode::HandshakeKey, message));
    }
    check_body(headers)?;
    let (response, _) = fastwebsockets::upgrade::upgrade(request)
        .map_err(|error| Denial::new(RefusalCode::Handshake, error.to_string()))?;
    let accept = response.headers().get(SEC_WEBSOCKET_ACCEPT).and_then(|it| it.to_str().ok());
    Ok(accept.expect("the library answers a good key").to_owned())
}

/// What a GET on a socket's route is told: which route it is, and how to use it.
pub(super) fn required(
    role: Role,
    request_path: &str,
    headers: &HeaderMap,
    is_tls: bool,
) -> Denial {
    let host = only(headers, HOST).and_then(|host| host.to_str().ok());
    let host = host.filter(|host| (1..=255).contains(&host.len())).unwrap_or("localhost:3000");
    let (route, scheme) = (role.route(), if is_tls { "wss" } else { "ws" });
    let message = format!(
        "{route}/*topic is a WebSocket: connect to it as in new WebSocket('{scheme}://{host}{}')",
        request_path.replace('\'', "%27")
    );
    Denial::new(RefusalCode::UpgradeRequired, message)
}

/// A handshake has no body (RFC 9110 7.8 lets nothing stand between it and the frames).
fn check_body(headers: &HeaderMap) -> Result<(), Denial> {
    let field = if headers.contains_key(TRANSFER_ENCODING) {
        TRANSFER_ENCODING
    } else if headers.get_all(CONTENT_LENGTH).iter().any(|length| length != "0") {
        CONTENT_LENGTH
    } else {
        return Ok(());
    };
    let title = if field == TRANSFER_ENCODING { "Transfer-Encoding" } else { "Content-Length" };
    let message = format!("{title} is {}, and a handshake has no body", shown(headers, field));
    Err(Denial::new(RefusalCode::HandshakeBody, message))
}

/// The value of a field that stands there exactly once.
fn only(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Whether a field's comma lists hold a token, in any case, on any of its lines.
fn has_token(headers: &HeaderMap, name: impl AsHeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter();
    let mut items = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    items.any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// Whether a value is base64 of 16 bytes: 21 characters, one whose last four bits are zero, and
/// the padding (RFC 4648 4).
fn is_key(value: &HeaderValue) -> bool {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    match value.as_bytes() {
        [start @ .., b'A' | b'Q' | b'g' | b'w', b'=', b'='] => {
            start.len() + 3 == KEY_LENGTH && start.iter().all(is_base64)
        }
        _ => false,
    }
}

/// A field's values as a sentence names them.
pub(super) fn shown(headers: &HeaderMap, name: impl AsHeaderName) -> String {
    let values =
        headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let all = values.collect::<Vec<_>>().join(", ");
    match all.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}...", &all[..end]),
        None if all.is_empty() => "missing".to_owned(),
        None => all,
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderName;

    use super::*;

    const GOOD: [(HeaderName, &str); 5] = [
        (HOST, "broker"),
        (UPGRADE, "websocket"),
        (CONNECTION, "Upgrade"),
        (SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
        (SEC_WEBSOCKET_VERSION, "13"),
    ];

    fn request(fields: &[(HeaderName, &str)]) -> Request<()> {
        let mut request = Request::builder().uri("/sub/x");
        for (name, value) in fields {
            request = request.header(name, *value);
        }
        request.body(()).unwrap()
    }

    fn code(change: impl FnOnce(&mut HeaderMap)) -> &'static str {
        let mut request = request(&GOOD);
        change(request.headers_mut());
        check(&mut request).map_or_else(|denial| denial.refusal.code.name(), |_| "fine")
    }

    fn code_with(name: HeaderName, value: &'static str) -> &'static str {
        code(|headers| drop(headers.insert(name, HeaderValue::from_static(value))))
    }

    #[test]
    fn the_accept_value_is_the_standards() {
        let accept = check(&mut request(&GOOD)).unwrap();
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn lists_and_lines_hold_tokens_in_any_case() {
        let lists = [(UPGRADE, "h2c , WebSocket"), (CONNECTION, "close")];
        let mut request = request(&lists);
        assert!(is_asked(request.headers()));
        assert!(!has_token(request.headers(), CONNECTION, "upgrade"));
        request.headers_mut().append(CONNECTION, HeaderValue::from_static("a,UPGRADE"));
        assert!(has_token(request.headers(), CONNECTION, "upgrade"));
        request.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket2"));
        assert!(!is_asked(request.headers()));
    }

    #[test]
    fn every_violation_has_its_code() {
        assert_eq!(code(|_| ()), "fine");
        assert_eq!(code_with(CONTENT_LENGTH, "0"), "fine");
        assert_eq!(code_with(CONTENT_LENGTH, "1"), "handshake-body");
        assert_eq!(code_with(TRANSFER_ENCODING, "chunked"), "handshake-body");
        assert_eq!(code_with(CONNECTION, "keep-alive"), "handshake-connection");
        assert_eq!(code_with(SEC_WEBSOCKET_VERSION, "8"), "handshake-version");
        let version = HeaderValue::from_static("13");
        let twice = |headers: &mut HeaderMap| {
            headers.append(SEC_WEBSOCKET_VERSION, version);
        };
        assert_eq!(code(twice), "handshake-version");
    }

    #[test]
    fn a_key_is_sixteen_bytes() {
        for key in [
            "",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZR==",
            "AAAA",
            "====",
            "dGhlIHNhbXBsZSBub25jZQ= ",
            "dGhlIHNhbXBsZSBub25!ZQ==",
            "dGhlIHNhbXBsZSBub25jZSEh",
        ] {
            assert_eq!(code_with(SEC_WEBSOCKET_KEY, key), "handshake-key", "{key}");
        }
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        let twice = |headers: &mut HeaderMap| {
            headers.append(SEC_WEBSOCKET_KEY, key);
        };
        assert_eq!(code(twice), "handshake-key");
    }

    #[test]
    fn long_values_are_cut() {
        let value = "x".repeat(100);
        let headers = request(&[(UPGRADE, &value)]).headers().clone();
        assert_eq!(shown(&headers, UPGRADE), format!("{}...", "x".repeat(64)));
    }
}
