//! What the broker sends, message by message.

use std::convert::Infallible;

use fastwebsockets::{Frame, OpCode, WebSocketError, WebSocketRead};
use tokio::io::AsyncRead;

use super::message::Message;
use super::writer::HEAD_BYTES_MAX;
use crate::cause;
use crate::close::may_be_sent;
use crate::config::Size;
use crate::frame::{CONTROL_BYTES_MAX, Kind};

/// In the second byte of a head (RFC 6455 5.2).
const MASKED: u8 = 0x80;

/// Reads one connection. fastwebsockets reads its frames; fragments are put together here, since
/// there they are bounded one by one and not as a whole.
pub(super) struct Reader<S> {
    frames: WebSocketRead<S>,
    bytes_max: usize,
    /// A message whose end has not come: its kind, and what came of it.
    begun: Option<(Kind, Vec<u8>)>,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// A whole message.
    Message(Message),
    /// What is to be answered with the same.
    Ping(Vec<u8>),
    /// What answers the same.
    Pong(Vec<u8>),
    /// The end; without a code it has none.
    Close(Option<u16>, String),
}

/// Why nothing more will come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// The connection is gone.
    Lost(String),
    /// What came is not to be understood, or not to be held: the code to close with, and why.
    Breach(u16, String),
}

impl<S: AsyncRead + Unpin> Reader<S> {
    /// Reads messages of up to so many bytes.
    pub(super) fn new(mut frames: WebSocketRead<S>, bytes_max: usize) -> Self {
        frames.set_auto_close(false);
        frames.set_auto_pong(false);
        // there the bound itself is too large
        frames.set_max_message_size(bytes_max.saturating_add(1));
        Self { frames, bytes_max, begun: None }
    }

    /// The next of what comes. Must not be given up halfway: a frame that was begun would be lost.
    pub(super) async fn next(&mut self) -> Result<Received, Unreadable> {
        loop {
            let mut never = |_: Frame<'_>| async { Ok::<_, Infallible>(()) };
            let frame = self.frames.read_frame(&mut never).await;
            let mut frame = frame.map_err(|error| unreadable(&error, self.bytes_max))?;
            check(&mut frame)?;
            let (fin, op_code) = (frame.fin, frame.opcode);
            let payload = Vec::from(frame.payload);
            match op_code {
                OpCode::Ping => return Ok(Received::Ping(payload)),
                OpCode::Pong => return Ok(Received::Pong(payload)),
                OpCode::Close => return close(&payload),
                _ => {}
            }
            if let Some(message) = self.gather(op_code, fin, payload)? {
                return Ok(Received::Message(message));
            }
        }
    }

    /// Adds a data frame to what was begun; the message that it ends.
    fn gather(
        &mut self,
        op_code: OpCode,
        fin: bool,
        payload: Vec<u8>,
    ) -> Result<Option<Message>, Unreadable> {
        let (kind, bytes) = match (op_code, self.begun.take()) {
            (OpCode::Continuation, Some((kind, mut bytes))) => {
                if bytes.len() + payload.len() > self.bytes_max {
                    return Err(too_long(self.bytes_max));
                }
                bytes.extend_from_slice(&payload);
                (kind, bytes)
            }
            (OpCode::Continuation, None) => return Err(breach("a fragment without a beginning")),
            (_, Some(_)) => return Err(breach("a message inside another one")),
            (OpCode::Binary, None) => (Kind::Binary, payload),
            (_, None) => (Kind::Text, payload),
        };
        if !fin {
            self.begun = Some((kind, bytes));
            return Ok(None);
        }
        if kind == Kind::Text && simdutf8::basic::from_utf8(&bytes).is_err() {
            return Err(Unreadable::Breach(1007, "text that is not UTF-8".to_owned()));
        }
        Ok(Some(Message::new(kind, bytes)))
    }
}

/// What fastwebsockets lets pass (RFC 6455 5.1 and 5.5).
fn check(frame: &mut Frame<'_>) -> Result<(), Unreadable> {
    // it tells of the mask only where it writes a head
    let mut head = [0; HEAD_BYTES_MAX];
    frame.fmt_head(&mut head);
    if head[1] & MASKED != 0 {
        return Err(breach("a frame with a mask"));
    }
    let is_control = matches!(frame.opcode, OpCode::Close | OpCode::Ping | OpCode::Pong);
    if is_control && frame.payload.len() > CONTROL_BYTES_MAX {
        return Err(control_too_long());
    }
    Ok(())
}

fn control_too_long() -> Unreadable {
    breach("a control frame of more than 125 bytes")
}

fn too_long(bytes_max: usize) -> Unreadable {
    let most = Size(bytes_max);
    Unreadable::Breach(1009, format!("a message of more than {most} (--max-message)"))
}

/// RFC 6455 7.4.1.
fn unreadable(error: &WebSocketError, bytes_max: usize) -> Unreadable {
    match error {
        WebSocketError::UnexpectedEOF => {
            Unreadable::Lost("the broker hung up without a close".to_owned())
        }
        WebSocketError::IoError(error) => Unreadable::Lost(cause::words(error)),
        WebSocketError::FrameTooLarge => too_long(bytes_max),
        WebSocketError::InvalidUTF8 => {
            Unreadable::Breach(1007, "text that is not UTF-8".to_owned())
        }
        WebSocketError::ReservedBitsNotZero => breach("a frame with reserved bits"),
        WebSocketError::ControlFrameFragmented => breach("a control frame in pieces"),
        WebSocketError::PingFrameTooLarge => control_too_long(),
        WebSocketError::InvalidValue => breach("a frame of no known kind"),
        error => breach(&error.to_string()),
    }
}

fn breach(what: &str) -> Unreadable {
    Unreadable::Breach(1002, what.to_owned())
}

/// Code and text of a Close (RFC 6455 5.5.1).
fn close(payload: &[u8]) -> Result<Received, Unreadable> {
    let Some((code, text)) = payload.split_first_chunk() else {
        let is_empty = payload.is_empty();
        let none = || Received::Close(None, String::new());
        return is_empty.then(none).ok_or_else(|| breach("a Close of one byte"));
    };
    let code = u16::from_be_bytes(*code);
    if !may_be_sent(code) {
        return Err(breach(&format!("a Close with {code}, which nobody may send")));
    }
    Ok(Received::Close(Some(code), String::from_utf8_lossy(text).into_owned()))
}

#[cfg(test)]
mod tests {
    use fastwebsockets::{Role, after_handshake_split};

    use super::*;

    /// What a reader makes of these frames of a broker, up to the first that it does not take.
    fn read(frames: &[(bool, OpCode, &[u8])]) -> (Vec<Received>, Unreadable) {
        let mut bytes = vec![];
        for (fin, op_code, payload) in frames {
            let mut frame = Frame::new(*fin, *op_code, None, (*payload).into());
            let mut wire = vec![];
            bytes.extend_from_slice(frame.write(&mut wire));
        }
        let (frames, _) = after_handshake_split(&bytes[..], tokio::io::sink(), Role::Client);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut reader, mut received) = (Reader::new(frames, 8), vec![]);
            loop {
                match reader.next().await {
                    Ok(it) => received.push(it),
                    Err(unreadable) => return (received, unreadable),
                }
            }
        })
    }

    fn texts(received: &[Received]) -> Vec<&[u8]> {
        let text = |it| match it {
            &Received::Message(Message { kind: Kind::Text, ref payload, .. }) => &payload[..],
            other => panic!("expected text, got {other:?}"),
        };
        received.iter().map(text).collect()
    }

    #[test]
    fn fragments_become_one_message_with_what_comes_between_them() {
        let (received, end) = read(&[
            (false, OpCode::Text, b"\xc3"),
            (true, OpCode::Ping, b"p"),
            (false, OpCode::Continuation, b""),
            (true, OpCode::Continuation, b"\xbc"),
            (true, OpCode::Close, b"\x03\xe8bye"),
        ]);
        assert_eq!(received[0], Received::Ping(b"p".to_vec()));
        assert_eq!(texts(&received[1..2]), ["ü".as_bytes()]);
        assert_eq!(received[2], Received::Close(Some(1000), "bye".to_owned()));
        assert_eq!(end, Unreadable::Lost("the broker hung up without a close".to_owned()));
    }

    #[test]
    fn a_message_is_bounded_as_a_whole() {
        let (received, end) =
            read(&[(true, OpCode::Text, b"12345678"), (true, OpCode::Text, b"123456789")]);
        assert_eq!(texts(&received), [b"12345678"]);
        assert!(matches!(end, Unreadable::Breach(1009, _)), "{end:?}");
        let (received, end) =
            read(&[(false, OpCode::Text, b"12345678"), (true, OpCode::Continuation, b"9")]);
        assert_eq!(received, []);
        let sentence = "a message of more than 8B (--max-message)".to_owned();
        assert_eq!(end, Unreadable::Breach(1009, sentence));
    }

    #[test]
    fn what_no_broker_may_send_is_a_breach() {
        let code = |frames: &[(bool, OpCode, &[u8])]| match read(frames).1 {
            Unreadable::Breach(code, _) => code,
            Unreadable::Lost(reason) => panic!("{reason}"),
        };
        assert_eq!(code(&[(true, OpCode::Continuation, b"x")]), 1002);
        assert_eq!(code(&[(false, OpCode::Text, b"x"), (true, OpCode::Binary, b"x")]), 1002);
        assert_eq!(code(&[(false, OpCode::Ping, b"x")]), 1002);
        assert_eq!(code(&[(true, OpCode::Text, b"\xff")]), 1007);
        assert_eq!(
            code(&[(false, OpCode::Text, b"\xc3"), (true, OpCode::Continuation, b"x")]),
            1007
        );
    }

    #[test]
    fn a_close_has_a_code_that_may_be_sent_or_none() {
        assert_eq!(close(b""), Ok(Received::Close(None, String::new())));
        for payload in [&b"\x03"[..], b"\x03\xed", b"\x03\xe7why", b"\xff\xff"] {
            assert!(matches!(close(payload), Err(Unreadable::Breach(1002, _))), "{payload:?}");
        }
    }
}
