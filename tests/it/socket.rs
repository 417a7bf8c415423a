//! A WebSocket by hand: cheap enough for ten thousand, and rude where a library is polite.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::server::PATIENCE;

/// Op codes (RFC 6455 5.2).
pub(crate) const TEXT: u8 = 1;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// The length stands in the next two bytes, or in the next eight (RFC 6455 5.2).
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// Receives so little that what it does not read soon waits at the broker.
const SMALL_BYTES: u32 = 4096;

/// A connection that speaks HTTP, then frames.
pub(crate) struct Socket {
    stream: TcpStream,
    /// Read and not yet used.
    buffer: BytesMut,
}

impl Socket {
    /// A TCP connection to 127.0.0.1.
    pub(crate) async fn open(port: u16) -> Self {
        Self::of(TcpStream::connect(("127.0.0.1", port)).await.unwrap())
    }

    /// A WebSocket; it is a member when this returns.
    pub(crate) async fn join(port: u16, path: &str) -> Self {
        Self::open(port).await.upgrade(path).await
    }

    /// A WebSocket whose kernel holds little.
    pub(crate) async fn join_small(port: u16, path: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(SMALL_BYTES).unwrap();
        let stream = socket.connect(([127, 0, 0, 1], port).into()).await.unwrap();
        Self::of(stream).upgrade(path).await
    }

    /// A TCP connection that is made.
    pub(crate) fn of(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: BytesMut::new() }
    }

    /// A connection to a socket's file. tokio's type takes any stream socket.
    pub(crate) fn open_file(file: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(file)?;
        stream.set_nonblocking(true)?;
        let stream = TcpStream::from_std(OwnedFd::from(stream).into())?;
        Ok(Self { stream, buffer: BytesMut::new() })
    }

    /// A TCP connection to 127.0.0.1 from any address of this host; the broker may reset it.
    pub(crate) async fn open_from(address: Ipv4Addr, port: u16) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((address, 0).into())?;
        let stream = socket.connect(([127, 0, 0, 1], port).into()).await?;
        Ok(Self { stream, buffer: BytesMut::new() })
    }

    /// Makes this connection a WebSocket; it is a member when this returns.
    pub(crate) async fn upgrade(mut self, path: &str) -> Self {
        self.write(upgrade(path)).await.unwrap();
        let (status, _) = self.answer().await.expect("an answer");
        assert_eq!(status, 101, "{path}");
        self
    }

    /// Sends bytes as they are.
    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    /// Sends one frame, masked with zeros.
    pub(crate) async fn send(&mut self, op_code: u8, payload: &[u8]) -> io::Result<()> {
        let mut frame = vec![0x80 | op_code];
        if let Some(length) = u8::try_from(payload.len()).ok().filter(|length| *length < LENGTH_16)
        {
            frame.push(0x80 | length);
        } else {
            frame.push(0x80 | LENGTH_16);
            frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        self.write(frame).await
    }

    /// The next frame: op code and payload; `None` when the broker hung up.
    pub(crate) async fn frame(&mut self) -> Option<(u8, Bytes)> {
        loop {
            if let Some((head, length)) = head(&self.buffer)
                && self.buffer.len() >= head + length
            {
                let mut frame = self.buffer.split_to(head + length).freeze();
                return Some((frame[0] & 0x0f, frame.split_off(head)));
            }
            self.more().await.ok().filter(|count| *count > 0)?;
        }
    }

    /// The next text.
    pub(crate) async fn text(&mut self) -> String {
        match self.frame().await {
            Some((TEXT, payload)) => String::from_utf8(payload.into()).unwrap(),
            other => panic!("expected text, got {other:?}"),
        }
    }

    /// Every text up to the broker's Close, and the Close's code and reason.
    pub(crate) async fn until_close(&mut self) -> (Vec<String>, u16, String) {
        let mut texts = vec![];
        loop {
            match self.frame().await {
                Some((TEXT, payload)) => texts.push(String::from_utf8(payload.into()).unwrap()),
                Some((CLOSE, payload)) => {
                    let code = u16::from_be_bytes([payload[0], payload[1]]);
                    return (texts, code, String::from_utf8(payload[2..].into()).unwrap());
                }
                Some((PING, _)) => {}
                other => panic!("expected text or a Close, got {other:?}"),
            }
        }
    }

    /// Closes in order and waits for the echo.
    pub(crate) async fn close(mut self) {
        self.send(CLOSE, &1000u16.to_be_bytes()).await.unwrap();
        while self.frame().await.expect("an echo").0 != CLOSE {}
    }

    /// POSTs on this connection, which stays open; the status, `None` when the broker hung up.
    pub(crate) async fn post(&mut self, path: &str, body: &str) -> Option<u16> {
        self.write(post(path, body)).await.ok()?;
        Some(self.answer().await?.0)
    }

    /// Status and body of the next HTTP answer; `None` when the broker hung up.
    pub(crate) async fn answer(&mut self) -> Option<(u16, String)> {
        let end = loop {
            match self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                Some(at) => break at + 4,
                None => self.more().await.ok().filter(|count| *count > 0)?,
            };
        };
        let head = String::from_utf8(self.buffer.split_to(end).into()).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().unwrap());
        while self.buffer.len() < length {
            self.more().await.ok().filter(|count| *count > 0)?;
        }
        let body = String::from_utf8(self.buffer.split_to(length).into()).unwrap();
        Some((head.split(' ').nth(1).unwrap().parse().unwrap(), body))
    }

    async fn more(&mut self) -> io::Result<usize> {
        self.buffer.reserve(4096);
        let reading = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer));
        reading.await.expect("something to read in time")
    }

    /// Says that nothing more will be sent.
    pub(crate) async fn shut(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Its own address, as the broker sees it.
    pub(crate) fn address(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    /// The connection itself, to be read by another process; nothing was read ahead.
    pub(crate) fn into_std(self) -> std::net::TcpStream {
        assert!(self.buffer.is_empty());
        let stream = self.stream.into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        stream
    }

    /// Ends with a reset, as a killed host does.
    pub(crate) fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }
}

/// A handshake.
pub(crate) fn upgrade(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// A POST.
pub(crate) fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// Size of a frame's head, and of its payload (RFC 6455 5.2); servers do not mask.
fn head(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes.get(1)? {
        LENGTH_16 => {
            let length = bytes.get(2..4)?.try_into().unwrap();
            Some((4, usize::from(u16::from_be_bytes(length))))
        }
        LENGTH_64 => {
            let length = bytes.get(2..10)?.try_into().unwrap();
            Some((10, usize::try_from(u64::from_be_bytes(length)).unwrap()))
        }
        length => Some((2, usize::from(length))),
    }
}
