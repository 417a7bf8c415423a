//! One connection's life: reading and writing side by side, until its end.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::pin;
use std::time::Duration;

use fastwebsockets::{OpCode, Role, after_handshake_split};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep, timeout};

use super::desk::Desk;
use super::ear::Ear;
use super::reader::{Reader, Received, Unreadable};
use super::writer::Writer;
use crate::cause;
use crate::config::Terminal;

/// How long a last Close may take, either way.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(2);
/// While nothing is read, nothing is answered either. So often the broker hears that we live.
const HEARTBEAT: Duration = Duration::from_secs(20);

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parting {
    /// We closed, and the broker has answered.
    Done,
    /// The broker closed: code and text.
    Closed(Option<u16>, String),
    /// Without a Close: why.
    Lost(String),
    /// The broker sent what it must not, or what is too much: why.
    Breach(String),
}

/// What reading has writing do.
#[derive(Default)]
struct Wishes {
    /// The latest ping, to be answered (RFC 6455 5.5.3 lets the others go).
    pong: RefCell<Option<Vec<u8>>>,
    /// The broker is to say that it is there.
    ping: Cell<bool>,
    /// A Close is to be sent with this code, and nothing after it.
    close: Cell<Option<u16>>,
    /// Nothing is read, since there is no room.
    is_deaf: Cell<bool>,
    /// Bytes that came.
    heard: Cell<u64>,
    /// We have sent a Close.
    said_goodbye: Cell<bool>,
}

/// Uses a connection to its end.
pub(super) async fn run(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    terminal: &Terminal,
    desk: &Desk,
) -> Parting {
    let (read_half, write_half) = tokio::io::split(stream);
    let wishes = Wishes::default();
    let ear = Ear::new(read_half, &wishes.heard);
    let (frames, _) = after_handshake_split(ear, tokio::io::empty(), Role::Client);
    let reader = Reader::new(frames, terminal.message_bytes_max);
    let mut reading = pin!(read(reader, terminal, desk, &wishes));
    let mut writing = pin!(write(Writer::new(write_half), terminal, desk, &wishes));
    let mut is_written = false;
    loop {
        tokio::select! {
            biased;
            parting = &mut reading => {
                if wishes.close.get().is_some() && !is_written {
                    // a broker that does not take our last Close knows why it closed
                    drop(timeout(CLOSE_WAIT_MAX, &mut writing).await);
                }
                return parting;
            }
            written = &mut writing, if !is_written => match written {
                Ok(()) => is_written = true,
                // it may have said why before it hung up
                Err(error) => {
                    let parting = timeout(CLOSE_WAIT_MAX, &mut reading).await;
                    return match parting {
                        Ok(Parting::Lost(_)) | Err(_) => Parting::Lost(cause::words(&error)),
                        Ok(parting) => parting,
                    };
                }
            }
        }
    }
}

/// Hands over what comes, until nothing more will.
async fn read(
    mut reader: Reader<impl AsyncRead + Unpin>,
    terminal: &Terminal,
    desk: &Desk,
    wishes: &Wishes,
) -> Parting {
    loop {
        wishes.is_deaf.set(!desk.incoming.has_room());
        desk.incoming.room().await;
        wishes.is_deaf.set(false);
        let mut next = pin!(reader.next());
        // what had been heard when it was asked
        let mut asked = None;
        let received = loop {
            tokio::select! {
                biased;
                received = &mut next => break received,
                () = sleep(terminal.idle.unwrap_or_default()), if terminal.idle.is_some() => {
                    // a long message takes its time
                    if asked.replace(wishes.heard.get()) == Some(wishes.heard.get()) {
                        return Parting::Lost("the broker is silent".to_owned());
                    }
                    wishes.ping.set(true);
                    desk.outgoing.stir();
                }
            }
        };
        let close = |code| {
            wishes.close.set(Some(code));
            desk.outgoing.stir();
        };
        match received {
            Ok(Received::Message(message)) => desk.incoming.put(message),
            Ok(Received::Pong(payload)) => desk.ledger.borrow_mut().hear(&payload, Instant::now()),
            Ok(Received::Ping(payload)) => {
                wishes.pong.replace(Some(payload));
                desk.outgoing.stir();
            }
            Ok(Received::Close(code, _)) if wishes.said_goodbye.get() && code == Some(1000) => {
                return Parting::Done;
            }
            Ok(Received::Close(code, text)) => {
                close(code.unwrap_or(1000));
                return Parting::Closed(code, text);
            }
            Err(Unreadable::Lost(reason)) => return Parting::Lost(reason),
            Err(Unreadable::Breach(code, reason)) => {
                close(code);
                return Parting::Breach(reason);
            }
        }
    }
}

/// Sends what is to be sent, until our Close.
async fn write(
    mut writer: Writer<impl AsyncWrite + Unpin>,
    terminal: &Terminal,
    desk: &Desk,
    wishes: &Wishes,
) -> io::Result<()> {
    loop {
        if let Some(code) = wishes.close.get() {
            writer.append(OpCode::Close, code.to_be_bytes().to_vec());
            return writer.write().await;
        }
        if let Some(payload) = wishes.pong.take() {
            writer.append(OpCode::Pong, payload);
        }
        if wishes.ping.take() {
            writer.append(OpCode::Ping, vec![]);
        }
        while !writer.is_full()
            && let Some(message) = desk.outgoing.take_now()
        {
            writer.append(message.kind.op_code(), message.payload);
            desk.ledger.borrow_mut().send();
        }
        if desk.outgoing.is_done() {
            writer.append(OpCode::Close, 1000_u16.to_be_bytes().to_vec());
            wishes.said_goodbye.set(true);
            return writer.write().await;
        }
        let question = terminal.input.as_ref().and_then(|_| desk.ledger.borrow_mut().ask());
        if let Some(number) = question {
            writer.append(OpCode::Ping, number.to_vec());
        }
        if writer.is_empty() {
            tokio::select! {
                () = desk.outgoing.stirred() => {}
                () = sleep(HEARTBEAT) => if wishes.is_deaf.get() {
                    writer.append(OpCode::Pong, vec![]);
                },
            }
        }
        writer.write().await?;
    }
}
