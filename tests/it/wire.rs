//! HTTP and WebSocket byte by byte, for what a library hides.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::server::{PATIENCE, TestServer};

/// Answers [`handshake`]'s key (RFC 6455 1.3).
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// First byte of a whole text frame.
pub(crate) const TEXT: u8 = 0x81;
/// First byte of a whole binary frame.
pub(crate) const BINARY: u8 = 0x82;
/// First byte of a Close frame.
pub(crate) const CLOSE: u8 = 0x88;
/// First byte of a ping.
pub(crate) const PING: u8 = 0x89;
/// First byte of a pong.
pub(crate) const PONG: u8 = 0x8a;

/// What a proper handshake says, with more header lines, each ending in CR LF.
pub(crate) fn handshake(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: broker\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    )
}

/// A client's frame, masked (RFC 6455 5.2).
pub(crate) fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
    let payload = payload.as_ref();
    let mut frame = vec![first];
    match u16::try_from(payload.len()) {
        Ok(length @ 0..=125) => frame.push(0x80 + length.to_be_bytes()[1]),
        Ok(length) => {
            frame.push(0x80 + 126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 + 127);
            frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A client's Close frame.
pub(crate) fn close(code: u16, reason: &str) -> Vec<u8> {
    frame(CLOSE, close_payload(code, reason))
}

/// What a Close frame with this code and reason holds.
pub(crate) fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

/// A frame from the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Its first byte: FIN, reserved bits, op code.
    pub(crate) first: u8,
    /// Its payload.
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// Code and reason of a Close frame.
    pub(crate) fn closed(&self) -> (u16, String) {
        assert_eq!(self.first, CLOSE, "{self:?}");
        let code = u16::from_be_bytes(self.payload[..2].try_into().unwrap());
        (code, String::from_utf8(self.payload[2..].to_vec()).unwrap())
    }
}

/// An HTTP answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: u16,
    /// Status line and fields.
    head: String,
    /// Its body.
    pub(crate) body: String,
}

impl Answer {
    /// Reads a whole answer.
    pub(crate) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// A connection whose every byte we see.
pub(crate) struct Wire {
    socket: TcpStream,
    came: Vec<u8>,
}

impl Wire {
    /// A connection to a port of 127.0.0.1 on which nothing was said yet.
    pub(crate) async fn to(port: u16) -> Self {
        Self { socket: TcpStream::connect(("127.0.0.1", port)).await.unwrap(), came: vec![] }
    }

    /// The same from any address of this host.
    pub(crate) async fn from(client: Ipv4Addr, port: u16) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((client, 0).into()).unwrap();
        let socket = socket.connect(([127, 0, 0, 1], port).into()).await.unwrap();
        Self { socket, came: vec![] }
    }

    /// A connection on which nothing was said yet.
    pub(crate) async fn open(server: &TestServer) -> Self {
        Self { socket: server.raw().await, came: vec![] }
    }

    /// A WebSocket on a path; it is a member when this returns.
    pub(crate) async fn connect(server: &TestServer, path: &str) -> Self {
        Self::open(server).await.member(path, "").await
    }

    /// A WebSocket whose kernel holds little: to be one that does not read.
    pub(crate) async fn narrow(server: &TestServer, path: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let socket = socket.connect(([127, 0, 0, 1], server.port).into()).await.unwrap();
        Self { socket, came: vec![] }.member(path, "").await
    }

    /// Makes it a WebSocket by a handshake with more header lines.
    pub(crate) async fn member(mut self, path: &str, more: &str) -> Self {
        self.send(handshake(path, more)).await;
        let answer = self.answer().await;
        assert_eq!(answer.status, 101, "{answer:?}");
        assert_eq!(answer.field("sec-websocket-accept"), Some(ACCEPT));
        self
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sending = timeout(PATIENCE, self.socket.write_all(bytes.as_ref()));
        sending.await.expect("room in time").unwrap();
    }

    /// Says that we send no more.
    pub(crate) async fn end(&mut self) {
        self.socket.shutdown().await.unwrap();
    }

    /// Hangs up with a reset.
    pub(crate) fn reset(self) {
        self.socket.set_zero_linger().unwrap();
    }

    /// Reads more; false at the end.
    async fn read(&mut self) -> bool {
        let reading = timeout(PATIENCE, self.socket.read_buf(&mut self.came));
        reading.await.expect("bytes in time").unwrap() > 0
    }

    /// The next answer; its body is as long as it says.
    pub(crate) async fn answer(&mut self) -> Answer {
        let head_end = loop {
            if let Some(at) = self.came.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.read().await, "the end in a head: {:?}", self.came);
        };
        let mut answer = Answer::parse(std::str::from_utf8(&self.came[..head_end]).unwrap());
        let length = answer.field("content-length").map_or(0, |length| length.parse().unwrap());
        while self.came.len() < head_end + length {
            assert!(self.read().await, "the end in a body: {answer:?}");
        }
        let rest = self.came.split_off(head_end + length);
        answer.body = String::from_utf8(self.came.split_off(head_end)).unwrap();
        self.came = rest;
        answer
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request).await;
        self.answer().await
    }

    /// The next frame; `None` at the end, even inside a frame.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some((head, length)) = head(&self.came) {
                if self.came.len() >= head + length {
                    let rest = self.came.split_off(head + length);
                    let payload = self.came.split_off(head);
                    let first = self.came[0];
                    self.came = rest;
                    return Some(Frame { first, payload });
                }
                self.came.reserve(head + length - self.came.len());
            }
            if !self.read().await {
                return None;
            }
        }
    }

    /// The next frame, which must come.
    pub(crate) async fn next(&mut self) -> Frame {
        self.frame().await.expect("the connection is open")
    }

    /// The next frame, which must be a whole text.
    pub(crate) async fn text(&mut self) -> String {
        let frame = self.next().await;
        assert_eq!(frame.first, TEXT, "{frame:?}");
        String::from_utf8(frame.payload).unwrap()
    }

    /// Nothing comes for a while.
    pub(crate) async fn silent(&mut self) {
        let reading = timeout(Duration::from_millis(100), self.socket.read_buf(&mut self.came));
        assert!(reading.await.is_err(), "{:?} came", self.came);
        assert_eq!(self.came, b"");
    }
}

/// Size of a frame's head and of its payload, once the head is there. The broker never masks.
fn head(bytes: &[u8]) -> Option<(usize, usize)> {
    let second = *bytes.get(1)?;
    Some(match second {
        126 => (4, u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap()).into()),
        127 => {
            let length = u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap());
            (10, usize::try_from(length).unwrap())
        }
        length => {
            assert!(length < 126, "the broker masks");
            (2, length.into())
        }
    })
}
