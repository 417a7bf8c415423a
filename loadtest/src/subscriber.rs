//! The receiving end of every connection: reads into one shared buffer and books what came.

use std::fmt::Display;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use fastwebsockets::OpCode;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::tcp::OwnedReadHalf;

use crate::connection::{Connection, Opened};
use crate::dialect::{Listener, Said};
use crate::frame::{FrameReader, Received};
use crate::load::Load;

/// One connection's reading half.
struct Subscriber {
    /// The load it belongs to.
    load: Rc<Load>,
    /// Its sending half, for pongs and the answer to a Close.
    connection: Rc<Connection>,
    /// Its number among the receivers; none if nothing should come.
    receiver: Option<usize>,
    /// What is left of the last read.
    frames: FrameReader,
    /// Of what is inside the frames; none where a frame is a message.
    listener: Option<Listener>,
}

/// Reads `opened` until it ends, and tells the load how.
pub(crate) async fn receive(load: Rc<Load>, opened: Opened, receiver: Option<usize>) {
    let Opened { connection, mut reader, behind } = opened;
    let frames = FrameReader::default();
    let listener = load.plan.server.dialect.listener();
    let mut subscriber = Subscriber { load, connection, receiver, frames, listener };
    let mut end = subscriber.take(&behind);
    while end.is_none() {
        end = poll_fn(|context| subscriber.poll(context, &mut reader)).await;
    }
    subscriber.load.ended(&end.unwrap_or_default());
}

impl Subscriber {
    /// One read; Some is how the connection ended. The buffer is borrowed only here, so all
    /// connections share it.
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        reader: &mut OwnedReadHalf,
    ) -> Poll<Option<String>> {
        let load = Rc::clone(&self.load);
        let mut scratch = load.scratch.borrow_mut();
        let mut buffer = ReadBuf::new(&mut scratch);
        Poll::Ready(match ready!(Pin::new(reader).poll_read(context, &mut buffer)) {
            Ok(()) if buffer.filled().is_empty() => Some("the server hung up".to_owned()),
            Ok(()) => self.take(buffer.filled()),
            Err(error) => Some(error.to_string()),
        })
    }

    /// Books what `bytes` complete.
    fn take(&mut self, bytes: &[u8]) -> Option<String> {
        let mut ledger = self.load.ledger.borrow_mut();
        let (now, mut end) = (self.load.now(), None);
        let outcome = self.frames.read(bytes, &mut |received| match received {
            Received::Message { binary, payload } => match &mut self.listener {
                None => ledger.deliver(self.receiver, payload, binary, now),
                Some(listener) => {
                    let outcome = listener.read(payload, &mut |said| match said {
                        Said::Welcome => self.load.heard(),
                        Said::Message(message) => {
                            ledger.deliver(self.receiver, message, self.load.plan.binary, now);
                        }
                        Said::Reply(reply) => {
                            self.connection.append(OpCode::Binary, &mut reply.to_vec());
                            self.connection.flush();
                        }
                    });
                    end = end.take().or(outcome.err());
                }
            },
            Received::Ping(payload) => {
                self.connection.append(OpCode::Pong, &mut payload.to_vec());
                self.connection.flush();
            }
            // The answer to ours; the server's end of the stream follows (RFC 6455 7.1.1).
            Received::Close(_) if self.load.is_closing() => {}
            Received::Close(payload) => {
                self.connection.append(OpCode::Close, &mut payload.to_vec());
                self.connection.flush();
                end = Some(format!("the server closed it with {}", close_reason(payload)));
            }
        });
        self.load.announce(&ledger);
        end.or(outcome.err().map(|violation| violation.0.to_owned()))
    }
}

/// Code and text of a Close frame (RFC 6455 5.5.1).
fn close_reason(payload: &[u8]) -> impl Display {
    match payload.split_first_chunk() {
        Some((code, text)) => {
            format!("{} {}", u16::from_be_bytes(*code), String::from_utf8_lossy(text))
        }
        None => "no code".to_owned(),
    }
}
