//! NATS: lines of text, a message behind its line; <https://docs.nats.io/reference/nats-protocols>.

use super::{Envelope, ITEM_BYTES_MAX, Part, Said};
use crate::scenario::Pattern;

/// What ends every line and every message.
const END: &[u8] = b"\r\n";
/// Several times what the INFO of a large cluster takes.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// All pullers of a topic are of this queue group.
const QUEUE_GROUP: &str = "pullers";

/// CONNECT, the subscription of a receiver, and a PING whose PONG says that both were heard. A
/// peer's own messages do not return to it, as on a bus.
pub(super) fn opening(part: Part<'_>) -> Vec<u8> {
    let Part { topic, name, .. } = part;
    let subscription = match (part.receives, part.pattern) {
        (false, _) => String::new(),
        (true, Pattern::PushPull) => format!("SUB {topic} {QUEUE_GROUP} 1\r\n"),
        (true, _) => format!("SUB {topic} 1\r\n"),
    };
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "CONNECT {{\"verbose\":false,\"pedantic\":false,\"echo\":false,\"tls_required\":false,\
         \"lang\":\"rust\",\"version\":\"{version}\",\"protocol\":1,\"name\":\"{name}\"}}\r\n\
         {subscription}PING\r\n"
    )
    .into_bytes()
}

/// `PUB <subject> <size>`.
pub(super) fn envelope(topic: &str, size: usize) -> Envelope {
    Envelope { head: format!("PUB {topic} {size}\r\n").into_bytes(), tail: END }
}

/// Takes one line from the front, with its message if it has one.
pub(super) fn item(bytes: &[u8], each: &mut impl FnMut(Said<'_>)) -> Result<Option<usize>, String> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        if bytes.len() > LINE_BYTES_MAX {
            return Err(format!("nats: a line of {} bytes has no end", bytes.len()));
        }
        return Ok(None);
    };
    let size = end + 1;
    let line = bytes[..size].strip_suffix(END).ok_or("nats: a line ends without a CR")?;
    if line.starts_with(b"MSG ") {
        let length = length(line)?;
        let Some((message, behind)) = bytes[size..].split_at_checked(length) else {
            return Ok(None);
        };
        let Some(tail) = behind.first_chunk::<2>() else { return Ok(None) };
        if tail != END {
            return Err(format!("nats: a message of {length} bytes is not followed by CR LF"));
        }
        each(Said::Message(message));
        return Ok(Some(size + length + END.len()));
    }
    match line {
        b"PING" => each(Said::Reply(b"PONG\r\n")),
        b"PONG" => each(Said::Welcome),
        line if line.starts_with(b"INFO ") || line == b"+OK" => {}
        line => return Err(format!("nats: the server said {}", line.escape_ascii())),
    }
    Ok(Some(size))
}

/// The last word of `MSG <subject> <sid> [reply-to] <size>`.
fn length(line: &[u8]) -> Result<usize, String> {
    let digits = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    let length = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    length
        .filter(|length| *length <= ITEM_BYTES_MAX)
        .ok_or_else(|| format!("nats: no size of a message: {}", line.escape_ascii()))
}

#[cfg(test)]
mod tests {
    use super::super::Dialect::Nats;
    use super::super::tests::{expect_at_every_split, heard};
    use super::*;

    #[test]
    fn split_at_every_byte() {
        let bytes = b"INFO {\"server_id\":\"x\"}\r\nPONG\r\nMSG t 1 5\r\nhe\r\no\r\nPING\r\n\
            MSG t 1 _INBOX.1 0\r\n\r\n+OK\r\nMSG t 1 3\r\nend\r\n";
        let expected =
            ["welcome", r"message he\r\no", r"reply PONG\r\n", "message ", "message end"];
        expect_at_every_split(Nats, bytes, &expected);
    }

    #[test]
    fn refusals_and_nonsense_end_it() {
        for bytes in [
            &b"-ERR 'Authorization Violation'\r\n"[..],
            b"HMSG t 1 12 14\r\n",
            b"PING\n",
            b"MSG t 1 three\r\n",
            b"MSG t 1 99999999999\r\n",
            b"MSG t 1 2\r\nabc\r\n",
        ] {
            assert!(heard(Nats, &[bytes]).is_err(), "{}", bytes.escape_ascii());
        }
        assert!(heard(Nats, &[&vec![b'x'; LINE_BYTES_MAX + 1]]).is_err());
    }

    #[test]
    fn openings() {
        let opening = |pattern, receives| {
            let part = Part { pattern, receives, topic: "t", name: "n" };
            let text = String::from_utf8(opening(part)).unwrap();
            text.split_once("\r\n").unwrap().1.to_owned()
        };
        assert_eq!(opening(Pattern::PubSub, false), "PING\r\n");
        assert_eq!(opening(Pattern::PubSub, true), "SUB t 1\r\nPING\r\n");
        assert_eq!(opening(Pattern::Bus, true), "SUB t 1\r\nPING\r\n");
        assert_eq!(opening(Pattern::PushPull, true), "SUB t pullers 1\r\nPING\r\n");
        let Envelope { head, tail } = envelope("t", 128);
        assert_eq!([&head[..], tail], [b"PUB t 128\r\n", END]);
    }
}
