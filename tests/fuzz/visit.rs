//! HTTP connections, the handshake among them: what crosses to a shard, and what is answered.
//!
//! The pieces that an input comes in end at each record separator, 0x1e.

#![cfg_attr(feature = "libfuzzer", no_main)]

use mercury::fuzz::{Crossed, House, Visit};
use mercury::limits::Limits;

mercury_fuzz::target!(check);

const SEPARATOR: u8 = 0x1e;
/// `--max-body` and the like; small, so that they bite.
const BODY_BYTES_MAX: usize = 40;
const TOPIC_BYTES_MAX: usize = 40;
/// What the door answers with, and hyper by itself.
const STATUSES: [&str; 14] = [
    "100", "200", "204", "400", "403", "404", "405", "413", "414", "426", "431", "501", "503",
    "505",
];

thread_local! {
    static HOUSE: House = House::new(Limits {
        body_bytes_max: BODY_BYTES_MAX,
        bodies_bytes_max: BODY_BYTES_MAX,
        topic_bytes_max: TOPIC_BYTES_MAX,
        ..Limits::default()
    });
}

fn check(input: &[u8]) {
    let pieces = || input.split(|byte| *byte == SEPARATOR).filter(|piece| !piece.is_empty());
    let sent = pieces().collect::<Vec<_>>().concat();
    let visit = HOUSE.with(|house| house.visit(pieces()));
    let statuses = statuses(&visit.answers);
    check_crossed(&visit, &sent);
    let posts = visit.crossed.iter().filter(|crossed| matches!(crossed, Crossed::Post(..)));
    let accepted = statuses.iter().filter(|status| **status == "200");
    assert_eq!(posts.count(), accepted.count(), "a 200 for each post");
    if is_ambiguous(&sent) {
        assert!(visit.crossed.is_empty(), "smuggled: {:?}", visit.crossed);
    }
}

/// What crossed came from the client, and keeps to the limits.
fn check_crossed(visit: &Visit, sent: &[u8]) {
    let is_chunked = find(&sent.to_ascii_lowercase(), b"transfer-encoding").is_some();
    for (at, crossed) in visit.crossed.iter().enumerate() {
        let topic = match crossed {
            Crossed::Post(topic, body) => {
                assert!(body.len() <= BODY_BYTES_MAX);
                assert!(is_chunked || find(sent, body).is_some(), "{body:?} was not sent");
                topic
            }
            Crossed::Socket(_, topic, accept, left_over) => {
                assert_eq!(at + 1, visit.crossed.len(), "its socket is gone");
                assert!(accept.len() == 28 && accept.ends_with('='), "{accept}");
                // more may have been sent when the socket was the door's no longer
                let is_behind = |end| {
                    let (head, behind) = sent.split_at(end);
                    // a line may end without CR (RFC 9112 2.2)
                    (head.ends_with(b"\n\r\n") || head.ends_with(b"\n\n"))
                        && behind.starts_with(left_over)
                };
                assert!((0..=sent.len()).any(is_behind), "{left_over:?}");
                topic
            }
        };
        assert!((1..=TOPIC_BYTES_MAX).contains(&topic.name().len()));
    }
}

/// The status of each answer, all of which must be whole.
fn statuses(mut answers: &[u8]) -> Vec<&str> {
    let mut statuses = vec![];
    while !answers.is_empty() {
        let end = find(answers, b"\r\n\r\n").expect("a head that ends") + 4;
        let head = std::str::from_utf8(&answers[..end]).expect("a head is text");
        let version = head.split(' ').next();
        assert!(matches!(version, Some("HTTP/1.0" | "HTTP/1.1")), "{head}");
        let status = &head[9..12];
        assert!(STATUSES.contains(&status), "{head}");
        statuses.push(status);
        answers = &answers[end..];
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().expect("a number"));
        // the answer to a HEAD announces a body that does not come
        if length > 0 && !answers.is_empty() && !answers.starts_with(b"HTTP/1.") {
            let body = std::str::from_utf8(&answers[..length]).expect("a sentence is text");
            let line = body.strip_suffix('\n').expect("a sentence is a line");
            assert!(!line.is_empty() && !line.contains(char::is_control), "{line}");
            assert!(line.starts_with('{') == head.contains("application/json"), "{line}");
            answers = &answers[length..];
        }
    }
    statuses
}

/// Whether the first head has both a Content-Length and a Transfer-Encoding (RFC 9112 6.1).
fn is_ambiguous(sent: &[u8]) -> bool {
    let text = String::from_utf8_lossy(sent).to_ascii_lowercase();
    let head = text.trim_start_matches(['\r', '\n']);
    let fields = head.lines().skip(1).take_while(|line| !line.trim_end_matches('\r').is_empty());
    let names: Vec<_> =
        fields.filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    names.contains(&"content-length") && names.contains(&"transfer-encoding")
}

/// Where `part` stands in `whole` first.
fn find(whole: &[u8], part: &[u8]) -> Option<usize> {
    if part.is_empty() {
        return Some(0);
    }
    whole.windows(part.len()).position(|window| window == part)
}
