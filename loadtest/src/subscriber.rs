//! The receiving end of every connection: books what came and answers what wants an answer.

use std::fmt::Display;
use std::future::poll_fn;
use std::io::{Error, ErrorKind};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use clap::ValueEnum;
use fastwebsockets::OpCode;
use mercury::frame::sent_size;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{RecvFlags, recv};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::task::coop::consume_budget;

use crate::collector::Collector;
use crate::connection::{Connection, Opened};
use crate::dialect::{Listener, Said};
use crate::frame::{FrameReader, Received};
use crate::ledger::Ledger;
use crate::load::Load;
use crate::think::Think;
use crate::timer::Timer;

/// What reads the frames
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Client {
    /// Our own reader, with one buffer for all connections
    #[default]
    Lean,
    /// The library, with a buffer for each: dearer, to check the other
    Fastwebsockets,
}

/// One connection's reading half.
struct Subscriber {
    /// The load it belongs to.
    load: Rc<Load>,
    /// Its sending half, for pongs and the answer to a Close.
    connection: Rc<Connection>,
    /// Its number among the receivers; none if nothing should come.
    receiver: Option<usize>,
    /// Of what is inside the frames; none where a frame is a message.
    listener: Option<Listener>,
    /// How it ended.
    end: Option<String>,
    /// It got a job and has not done it.
    has_job: bool,
}

/// Reads `opened` until it ends, and tells the load how.
pub(crate) async fn receive(load: Rc<Load>, opened: Opened, receiver: Option<usize>) {
    let Opened { connection, mut reader, behind } = opened;
    let listener = load.plan.server.dialect.listener();
    let client = load.plan.server.client;
    let mut subscriber =
        Subscriber { load, connection, receiver, listener, end: None, has_job: false };
    match client {
        Client::Lean if subscriber.works().is_some() => {
            subscriber.work(&mut reader, &behind).await;
        }
        Client::Lean => {
            let mut frames = FrameReader::default();
            subscriber.take(&mut frames, &behind);
            while subscriber.end.is_none() {
                subscriber.read(&mut frames, &mut reader, usize::MAX).await;
            }
        }
        Client::Fastwebsockets => {
            // On the heap, or every lean reader would be as large.
            let mut frames = Box::new(Collector::new(reader, behind));
            while subscriber.end.is_none() {
                let outcome = Box::pin(frames.next(|received| subscriber.book_one(received))).await;
                subscriber.conclude(outcome.err());
            }
        }
    }
    let Subscriber { load, connection, end, .. } = subscriber;
    load.ended(&connection, &end.unwrap_or_default());
}

impl Subscriber {
    /// How long it works on a job, if it is a puller that does.
    fn works(&self) -> Option<Think> {
        self.load.plan.think.filter(|_| self.receiver.is_some())
    }

    /// Reads job by job and works on each until the end. A read is at most as long as the frame of
    /// a job, so no two jobs end in one.
    async fn work(&mut self, reader: &mut OwnedReadHalf, behind: &[u8]) {
        let timer = match Timer::new() {
            Ok(timer) => timer,
            Err(error) => return self.conclude(Some(format!("no timer for a puller: {error}"))),
        };
        let most = sent_size(self.load.plan.size);
        let mut frames = FrameReader::default();
        self.take(&mut frames, behind);
        while self.end.is_none() {
            if let Err(error) = self.think(&timer).await {
                return self.conclude(Some(format!("a puller's timer failed: {error}")));
            }
            self.read(&mut frames, reader, most).await;
        }
    }

    /// Does its job, if it has one; we say goodbye to those who are at work, too.
    async fn think(&mut self, timer: &Timer) -> Result<(), Error> {
        let is_at_work = std::mem::take(&mut self.has_job) && !self.load.is_closing();
        let Some(think) = self.works().filter(|_| is_at_work) else { return Ok(()) };
        tokio::select! {
            outcome = timer.wait(think.next()) => outcome,
            () = self.load.farewell.notified() => Ok(()),
        }
    }

    /// One read of at most `most` bytes. Who finds more than that goes on, but not for ever.
    async fn read(&mut self, frames: &mut FrameReader, reader: &mut OwnedReadHalf, most: usize) {
        let has_more = poll_fn(|context| self.poll(frames, context, reader.as_ref(), most)).await;
        if has_more {
            consume_budget().await;
        }
    }

    /// One read; true if it was as long as it may be. The buffer is borrowed only here, so all
    /// connections share it.
    fn poll(
        &mut self,
        frames: &mut FrameReader,
        context: &mut Context<'_>,
        socket: &TcpStream,
        most: usize,
    ) -> Poll<bool> {
        let load = Rc::clone(&self.load);
        let mut scratch = load.scratch.borrow_mut();
        let most = most.min(scratch.len());
        let buffer = &mut scratch[..most];
        let count = match ready!(poll_receive(socket, buffer, context)) {
            Ok(count) => count,
            Err(error) => {
                self.conclude(Some(error.to_string()));
                return Poll::Ready(false);
            }
        };
        if count == 0 {
            self.conclude(Some("the server hung up".to_owned()));
        } else {
            self.take(frames, &buffer[..count]);
        }
        Poll::Ready(count == most)
    }

    /// Books what `bytes` complete.
    fn take(&mut self, frames: &mut FrameReader, bytes: &[u8]) {
        let load = Rc::clone(&self.load);
        let (mut ledger, now) = (load.ledger.borrow_mut(), load.now());
        let outcome = frames.read(bytes, &mut |received| self.book(&mut ledger, now, received));
        load.announce(&ledger);
        self.conclude(outcome.err().map(|violation| violation.0.to_owned()));
    }

    /// Books what came alone.
    fn book_one(&mut self, received: Received<'_>) {
        let load = Rc::clone(&self.load);
        let (mut ledger, now) = (load.ledger.borrow_mut(), load.now());
        self.book(&mut ledger, now, received);
        load.announce(&ledger);
    }

    #[inline]
    fn book(&mut self, ledger: &mut Ledger, now: u64, received: Received<'_>) {
        match received {
            Received::Message { binary, payload } if self.listener.is_none() => {
                self.has_job = true;
                ledger.deliver(self.receiver, payload, binary, now);
            }
            Received::Message { payload, .. } => self.listen(ledger, now, payload),
            Received::Ping(payload) => {
                ledger.pings.seen += 1;
                self.answer(OpCode::Pong, payload);
            }
            Received::Pong(payload) => {
                ledger.pings.pong(self.receiver, payload, now);
                self.load.news.notify_one();
            }
            // The answer to ours; the server's end of the stream follows (RFC 6455 7.1.1).
            Received::Close(_) if self.connection.is_closing() => {}
            Received::Close(payload) => {
                self.answer(OpCode::Close, payload);
                let reason = close_reason(payload);
                self.conclude(Some(format!("the server closed it with {reason}")));
            }
        }
    }

    /// Books what is inside a frame.
    fn listen(&mut self, ledger: &mut Ledger, now: u64, payload: &[u8]) {
        let Some(mut listener) = self.listener.take() else { return };
        let outcome = listener.read(payload, &mut |said| match said {
            Said::Welcome => self.load.heard(),
            Said::Message(message) => {
                self.has_job = true;
                ledger.deliver(self.receiver, message, self.load.plan.binary, now);
            }
            Said::Reply(reply) => self.answer(OpCode::Binary, reply),
        });
        self.listener = Some(listener);
        self.conclude(outcome.err());
    }

    fn answer(&self, opcode: OpCode, payload: &[u8]) {
        self.connection.append(opcode, &mut payload.to_vec());
        self.connection.flush();
    }

    /// Notes how it ended, if it did; the first reason stands.
    fn conclude(&mut self, end: Option<String>) {
        if self.end.is_none() {
            self.end = end;
        }
    }
}

/// One `recv`, straight to the kernel. A short one means that the socket is empty: tokio is told so
/// instead of asking the kernel a second time.
fn poll_receive(
    socket: &TcpStream,
    buffer: &mut [u8],
    context: &mut Context<'_>,
) -> Poll<Result<usize, Error>> {
    loop {
        let mut received = Err(Errno::AGAIN);
        // What it returns is what tokio learns; for us there is `received`.
        let learn = || {
            received = retry_on_intr(|| recv(socket, &mut *buffer, RecvFlags::empty()))
                .map(|(count, _)| count);
            match received {
                // the end of input stays readable
                Ok(count) if count == buffer.len() || count == 0 => Ok(()),
                _ => Err(ErrorKind::WouldBlock.into()),
            }
        };
        socket.try_io(Interest::READABLE, learn).ok();
        match received {
            Err(Errno::AGAIN) => ready!(socket.poll_read_ready(context))?,
            outcome => return Poll::Ready(outcome.map_err(Error::from)),
        }
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
