//! Prints what comes, one message a line.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal as _};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use tokio::io::AsyncWriteExt as _;

use super::desk::Desk;
use super::message::Message;
use super::status::Failure;
use crate::cause;
use crate::config::{Form, Output, Terminal};
use crate::frame::Kind;

/// More than this is not gathered before it is written.
const BATCH_BYTES: usize = 64 * 1024;

/// A line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    /// When it came, RFC 3339.
    time: String,
    /// `text` or `binary`.
    kind: &'static str,
    /// On which we listen; which one below it was published on is not told.
    topic: &'a str,
    /// What it says; of binary in base64.
    message: std::borrow::Cow<'a, str>,
}

/// Prints until there is no more, or enough.
pub(super) async fn print(
    terminal: &Terminal,
    output: &Output,
    desk: &Desk,
) -> Result<(), Failure> {
    let is_seen = io::stdout().is_terminal();
    let mut stdout = tokio::io::stdout();
    let (mut batch, mut left) = (vec![], output.count.map(u64::from));
    let append = |message: &Message, batch: &mut Vec<u8>| match output.form {
        Form::Json => json(message, &terminal.topic, batch),
        Form::Lengths => length(message, batch),
        Form::Lines | Form::Exec { .. } => line(message, is_seen, batch),
    };
    while let Some(message) = desk.incoming.take().await {
        let (mut next, mut count) = (Some(message), 0);
        while let Some(message) = next {
            append(&message, &mut batch);
            count += 1;
            left = left.map(|left| left - 1);
            let is_enough = left == Some(0) || batch.len() >= BATCH_BYTES;
            next = if is_enough { None } else { desk.incoming.take_now() };
        }
        let written = async {
            stdout.write_all(&batch).await?;
            stdout.flush().await
        };
        written.await.map_err(|error| {
            // a part may be written, but who knows which
            desk.incoming.spill(count);
            if error.kind() == ErrorKind::BrokenPipe {
                return Failure::Pipe;
            }
            Failure::Own(format!("cannot write to standard output: {}", cause::words(&error)))
        })?;
        batch.clear();
        if left == Some(0) {
            break;
        }
    }
    Ok(())
}

/// A message as a line: a line feed inside becomes the two characters `\n`, all else stays as it
/// is. On a terminal, which obeys control characters, none stays, and nothing that is no text.
fn line(message: &Message, is_seen: bool, batch: &mut Vec<u8>) {
    if is_seen {
        for chunk in message.payload.utf8_chunks() {
            let mut shown = String::new();
            for character in chunk.valid().chars() {
                match character {
                    '\t' => shown.push('\t'),
                    control if control.is_control() => shown.extend(control.escape_default()),
                    other => shown.push(other),
                }
            }
            for byte in chunk.invalid() {
                write!(shown, "\\x{byte:02x}").expect("a String takes all");
            }
            batch.extend_from_slice(shown.as_bytes());
        }
    } else {
        let mut lines = message.payload.split(|byte| *byte == b'\n');
        batch.extend_from_slice(lines.next().unwrap_or_default());
        for line in lines {
            batch.extend_from_slice(b"\\n");
            batch.extend_from_slice(line);
        }
    }
    batch.push(b'\n');
}

/// A message as it is behind its length.
fn length(message: &Message, batch: &mut Vec<u8>) {
    let length = u32::try_from(message.payload.len()).expect("--max-message is below 4 GiB");
    batch.extend_from_slice(&length.to_be_bytes());
    batch.extend_from_slice(&message.payload);
}

/// A message as an object.
fn json(message: &Message, topic: &str, batch: &mut Vec<u8>) {
    let text = std::str::from_utf8(&message.payload).ok().filter(|_| message.kind == Kind::Text);
    let line = Line {
        time: time(message.time),
        kind: message.kind_word(),
        topic,
        message: text.map_or_else(|| STANDARD.encode(&message.payload).into(), Into::into),
    };
    serde_json::to_writer(&mut *batch, &line).expect("memory takes all, and texts are JSON");
    batch.push(b'\n');
}

/// To the microsecond.
fn time(time: SystemTime) -> String {
    humantime::format_rfc3339_micros(time).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn shown(payload: &[u8], is_seen: bool) -> Vec<u8> {
        let mut batch = vec![];
        line(&Message::new(Kind::Text, payload.to_vec()), is_seen, &mut batch);
        batch
    }

    #[test]
    fn a_message_is_one_line_and_otherwise_as_it_was() {
        assert_eq!(shown(b"", false), b"\n");
        assert_eq!(shown(b"a\nb\n", false), b"a\\nb\\n\n");
        assert_eq!(shown(b"\\n\t\r\x1b\xff", false), b"\\n\t\r\x1b\xff\n");
    }

    #[test]
    fn a_terminal_is_not_commanded() {
        assert_eq!(
            shown("ü\ta\n\x1b[2J\r\u{9b}".as_bytes(), true),
            "ü\ta\\n\\u{1b}[2J\\r\\u{9b}\n".as_bytes()
        );
        assert_eq!(shown(b"a\xffb\xc3", true), b"a\\xffb\\xc3\n");
    }

    #[test]
    fn json_says_when_and_what() {
        let mut batch = vec![];
        let time = UNIX_EPOCH + Duration::from_millis(1500);
        let mut message = Message { kind: Kind::Text, payload: b"a\n\"".to_vec(), time };
        json(&message, "x/y", &mut batch);
        (message.kind, message.payload) = (Kind::Binary, b"\xff\0".to_vec());
        json(&message, "x/y", &mut batch);
        let expected = "{\"time\":\"1970-01-01T00:00:01.500000Z\",\"kind\":\"text\",\
            \"topic\":\"x/y\",\"message\":\"a\\n\\\"\"}\n\
            {\"time\":\"1970-01-01T00:00:01.500000Z\",\"kind\":\"binary\",\
            \"topic\":\"x/y\",\"message\":\"/wA=\"}\n";
        assert_eq!(String::from_utf8(batch).unwrap(), expected);
    }

    #[test]
    fn lengths_are_four_bytes() {
        let mut batch = vec![];
        length(&Message::new(Kind::Binary, vec![7; 258]), &mut batch);
        assert_eq!((&batch[..5], batch.len()), (&[0, 0, 1, 2, 7][..], 262));
    }
}
