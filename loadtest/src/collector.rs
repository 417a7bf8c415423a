//! Reads with fastwebsockets in place of our own reader, so that one can be held against the other.

use std::io::Cursor;

use bytes::Bytes;
use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket, WebSocketError};
use tokio::io::{AsyncRead, AsyncReadExt as _, Chain, Join, Sink, join, sink};

use crate::frame::Received;

/// The library's reader of one connection. It answers nothing itself: what is sent is the sending
/// half's.
pub(crate) struct Collector<R> {
    /// What came behind the handshake, then the socket.
    messages: FragmentCollector<Join<Chain<Cursor<Bytes>, R>, Sink>>,
}

impl<R: AsyncRead + Unpin> Collector<R> {
    /// Reads `behind` first.
    pub(crate) fn new(reader: R, behind: Bytes) -> Self {
        let stream = join(Cursor::new(behind).chain(reader), sink());
        let mut frames = WebSocket::after_handshake(stream, Role::Client);
        frames.set_auto_close(false);
        frames.set_auto_pong(false);
        Self { messages: FragmentCollector::new(frames) }
    }

    /// Waits for what the server sends next and calls `each` with it; the error is a sentence.
    pub(crate) async fn next(&mut self, each: impl FnOnce(Received<'_>)) -> Result<(), String> {
        let frame = self.messages.read_frame().await.map_err(|error| match error {
            WebSocketError::UnexpectedEOF => "the server hung up".to_owned(),
            error => error.to_string(),
        })?;
        let payload = &frame.payload[..];
        match frame.opcode {
            OpCode::Text => each(Received::Message { binary: false, payload }),
            OpCode::Binary => each(Received::Message { binary: true, payload }),
            OpCode::Ping => each(Received::Ping(payload)),
            OpCode::Close => each(Received::Close(payload)),
            OpCode::Pong => each(Received::Pong(payload)),
            OpCode::Continuation => unreachable!("fragments come as the message they are of"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use rand::rngs::SmallRng;
    use rand::{Rng as _, SeedableRng as _};
    use tokio::io::ReadBuf;

    use super::*;
    use crate::frame::FrameReader;
    use crate::run::runtime;

    /// Streams that are compared; the seed of a wrong one is told.
    const STREAMS: u64 = 300;
    /// Messages and control frames of one stream.
    const ITEMS: usize = 60;
    /// Something that is not ASCII, cut anywhere by fragments.
    const TEXT: &str = "Quecksilber, μέταλλο υγρό, 水銀, 🜐; ";

    /// A socket that gives its pieces one by one.
    struct Pieces(VecDeque<Vec<u8>>);

    impl AsyncRead for Pieces {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if let Some(mut piece) = self.0.pop_front() {
                let rest = piece.split_off(piece.len().min(buffer.remaining()));
                buffer.put_slice(&piece);
                if !rest.is_empty() {
                    self.0.push_front(rest);
                }
            }
            Poll::Ready(Ok(()))
        }
    }

    fn frame(fin: bool, opcode: u8, payload: &[u8], into: &mut Vec<u8>) {
        into.push(u8::from(fin) << 7 | opcode);
        match payload.len() {
            length @ 0..126 => into.push(u8::try_from(length).unwrap()),
            length @ 126..0x1_0000 => {
                into.push(126);
                into.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            length => {
                into.push(127);
                into.extend((length as u64).to_be_bytes());
            }
        }
        into.extend_from_slice(payload);
    }

    /// A ping or a pong, perhaps.
    fn control(random: &mut SmallRng, into: &mut Vec<u8>) {
        if random.random_ratio(1, 4) {
            let opcode = if random.random() { 0x9 } else { 0xa };
            frame(true, opcode, &vec![b'c'; random.random_range(0..126)], into);
        }
    }

    /// A whole message or a fragmented one, with control frames between.
    fn message(random: &mut SmallRng, into: &mut Vec<u8>) {
        let size = match random.random_range(0..40) {
            0 => random.random_range(65_530..70_000),
            1..10 => random.random_range(120..400),
            _ => random.random_range(0..60),
        };
        let binary: bool = random.random();
        let payload: Vec<u8> = if binary {
            (0..size).map(|_| random.random()).collect()
        } else {
            TEXT.repeat(size / TEXT.len() + 1).into_bytes()
        };
        let (mut rest, mut opcode) = (&payload[..], if binary { 2 } else { 1 });
        while random.random_ratio(1, 3) {
            let (fragment, behind) = rest.split_at(random.random_range(0..=rest.len()));
            frame(false, opcode, fragment, into);
            control(random, into);
            (rest, opcode) = (behind, 0);
        }
        frame(true, opcode, rest, into);
    }

    fn stream(random: &mut SmallRng) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..ITEMS {
            control(random, &mut bytes);
            message(random, &mut bytes);
        }
        let reason: [&[u8]; 3] = [b"", b"\x03\xe8", b"\x03\xe9going away"];
        frame(true, 0x8, reason[random.random_range(0..3)], &mut bytes);
        bytes
    }

    /// Cut anywhere, often within a frame's head, sometimes not for long.
    fn pieces(mut bytes: &[u8], random: &mut SmallRng) -> Vec<Vec<u8>> {
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let longest = [1, 4, 300, 100_000][random.random_range(0..4)];
            let (piece, rest) = bytes.split_at(random.random_range(1..=longest).min(bytes.len()));
            pieces.push(piece.to_vec());
            bytes = rest;
        }
        pieces
    }

    fn told(received: &Received<'_>) -> (String, Vec<u8>) {
        match received {
            Received::Message { binary: true, payload } => ("binary".to_owned(), payload.to_vec()),
            Received::Message { binary: false, payload } => ("text".to_owned(), payload.to_vec()),
            Received::Ping(payload) => ("ping".to_owned(), payload.to_vec()),
            Received::Pong(payload) => ("pong".to_owned(), payload.to_vec()),
            Received::Close(payload) => ("close".to_owned(), payload.to_vec()),
        }
    }

    fn by_ours(pieces: &[Vec<u8>]) -> Vec<(String, Vec<u8>)> {
        let (mut reader, mut seen) = (FrameReader::default(), Vec::new());
        for piece in pieces {
            reader.read(piece, &mut |received| seen.push(told(&received))).unwrap();
        }
        seen
    }

    async fn by_theirs(pieces: Vec<Vec<u8>>) -> Vec<(String, Vec<u8>)> {
        let mut pieces = VecDeque::from(pieces);
        let behind = pieces.pop_front().unwrap_or_default().into();
        let (mut reader, mut seen) = (Collector::new(Pieces(pieces), behind), Vec::new());
        while seen.last().is_none_or(|(what, _)| what != "close") {
            reader.next(|received| seen.push(told(&received))).await.unwrap();
        }
        assert_eq!(reader.next(|_| {}).await.unwrap_err(), "the server hung up");
        seen
    }

    #[test]
    fn both_readers_yield_the_same() {
        let runtime = runtime().unwrap();
        for seed in 0..STREAMS {
            let mut random = SmallRng::seed_from_u64(seed);
            let bytes = stream(&mut random);
            let pieces = pieces(&bytes, &mut random);
            let ours = by_ours(&pieces);
            let theirs = runtime.block_on(by_theirs(pieces));
            assert!(ours.len() > ITEMS, "seed {seed}: {} of {ITEMS}", ours.len());
            assert!(ours == theirs, "seed {seed}: the readers differ");
        }
    }
}
