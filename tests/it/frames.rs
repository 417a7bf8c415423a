//! Frames made by hand, and a connection that sends and reads them as they are.

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpSocket;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use crate::server::{PATIENCE, TestServer};

/// Set in the first byte of a frame that ends its message (RFC 6455 5.2).
pub(crate) const FIN: u8 = 0x80;
/// First byte of a fragment behind the first.
pub(crate) const CONTINUATION: u8 = 0x00;
/// First byte of a whole text message.
pub(crate) const TEXT: u8 = FIN | 0x01;
/// First byte of a whole binary message.
pub(crate) const BINARY: u8 = FIN | 0x02;
/// First byte of a Close.
pub(crate) const CLOSE: u8 = FIN | 0x08;
/// First byte of a Ping.
pub(crate) const PING: u8 = FIN | 0x09;
/// First byte of a Pong.
pub(crate) const PONG: u8 = FIN | 0x0a;

/// Marks a length as masked.
const MASKED: u8 = 0x80;
/// Second byte of a masked frame whose length follows in two bytes.
pub(crate) const TWO_BYTES: u8 = MASKED | 0x7e;
/// Second byte of a masked frame whose length follows in eight bytes.
pub(crate) const EIGHT_BYTES: u8 = MASKED | 0x7f;
/// The key that every frame here is masked with.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The head of a client's frame, its length in the shortest form.
pub(crate) fn head(first: u8, payload: usize) -> Vec<u8> {
    let mut head = vec![first];
    match payload {
        0..=125 => head.push(MASKED | u8::try_from(payload).unwrap()),
        126..=0xffff => {
            head.push(TWO_BYTES);
            head.extend(u16::try_from(payload).unwrap().to_be_bytes());
        }
        _ => {
            head.push(EIGHT_BYTES);
            head.extend((payload as u64).to_be_bytes());
        }
    }
    head.extend(MASK);
    head
}

/// A client's frame.
pub(crate) fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut frame = head(first, payload.len());
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A Close frame.
pub(crate) fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(CLOSE, [&code.to_be_bytes(), reason].concat())
}

/// A binary message of this size that begins with its number; see [`number`].
pub(crate) fn numbered(number: usize, size: usize) -> Vec<u8> {
    let mut frame = frame(BINARY, (number as u64).to_be_bytes());
    frame.splice(..6, head(BINARY, size));
    // masked zeros
    frame.extend(MASK.repeat(size / MASK.len())[8..].iter());
    frame
}

/// The number of a message from [`numbered`].
pub(crate) fn number(payload: &[u8]) -> usize {
    u64::from_be_bytes(*payload.first_chunk().unwrap()).try_into().unwrap()
}

/// A handshake on a path.
pub(crate) fn handshake(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// A WebSocket without a library in between. It answers no ping.
pub(crate) struct Line {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Line {
    /// A connection on a path; it is a member when this returns.
    pub(crate) async fn open(server: &TestServer, path: &str) -> Self {
        Self::dial(server, path, None).await
    }

    /// A connection whose kernel takes little for a reader that does not read.
    pub(crate) async fn narrow(server: &TestServer, path: &str) -> Self {
        Self::dial(server, path, Some(64 * 1024)).await
    }

    async fn dial(server: &TestServer, path: &str, receive_bytes: Option<u32>) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(bytes) = receive_bytes {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        let stream = socket.connect(([127, 0, 0, 1], server.port).into()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (reader, writer) = stream.into_split();
        let mut line = Self { reader: BufReader::with_capacity(64 * 1024, reader), writer };
        line.send(handshake(path)).await;
        let mut answer = vec![];
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(timeout(PATIENCE, line.reader.read_u8()).await.unwrap().unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
        line
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sending = timeout(PATIENCE, self.writer.write_all(bytes.as_ref()));
        sending.await.expect("the broker reads").unwrap();
    }

    /// First byte and payload of the next frame, whatever it is; `None` at the end. A frame that
    /// is cut short fails the test.
    pub(crate) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        timeout(PATIENCE, self.read()).await.expect("a frame in time")
    }

    async fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        read_frame(&mut self.reader).await
    }

    /// Sends bytes and meanwhile reads so many frames, whatever they are.
    pub(crate) async fn exchange(&mut self, bytes: &[u8], frames: usize) -> Vec<(u8, Vec<u8>)> {
        let Self { reader, writer } = self;
        let sending = timeout(PATIENCE, writer.write_all(bytes));
        let reading = async {
            let mut came = vec![];
            while came.len() < frames {
                let frame = timeout(PATIENCE, read_frame(reader)).await.expect("a frame in time");
                came.push(frame.expect("the connection is open"));
            }
            came
        };
        let (sent, came) = tokio::join!(sending, reading);
        sent.expect("the broker reads").unwrap();
        came
    }

    /// The next frame that is not a ping; there must be one.
    pub(crate) async fn next(&mut self) -> (u8, Vec<u8>) {
        loop {
            match self.frame().await.expect("the connection is open") {
                (PING, _) => {}
                frame => return frame,
            }
        }
    }

    /// The next frame, which is text.
    pub(crate) async fn text(&mut self) -> String {
        let (first, payload) = self.next().await;
        assert_eq!(first, TEXT);
        String::from_utf8(payload).unwrap()
    }

    /// The number of the next frame, which is a message from [`numbered`].
    pub(crate) async fn number(&mut self) -> usize {
        let (first, payload) = self.next().await;
        assert_eq!(first, BINARY);
        number(&payload)
    }

    /// Code and reason of the broker's Close, which is the next frame and the last.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        let (messages, close) = self.rest().await;
        assert_eq!(messages.len(), 0, "frames before the Close");
        close
    }

    /// What comes before the broker's Close, whole frames all, and the Close, which is the last.
    pub(crate) async fn rest(&mut self) -> (Vec<Vec<u8>>, (u16, String)) {
        let mut messages = vec![];
        loop {
            match self.next().await {
                (CLOSE, payload) => {
                    assert_eq!(self.frame().await, None, "nothing follows a Close");
                    let (code, reason) = payload.split_at(2);
                    let code = u16::from_be_bytes(code.try_into().unwrap());
                    return (messages, (code, String::from_utf8(reason.to_vec()).unwrap()));
                }
                (_, payload) => messages.push(payload),
            }
        }
    }

    /// Nothing came before this: a ping is answered first.
    pub(crate) async fn quiet(&mut self) {
        self.send(frame(PING, "quiet")).await;
        assert_eq!(self.next().await, (PONG, b"quiet".to_vec()));
    }

    /// Says that nothing more will be sent; what comes can still be read.
    pub(crate) async fn finish(&mut self) {
        self.writer.shutdown().await.unwrap();
    }

    /// Hangs up with a reset.
    pub(crate) fn reset(self) {
        self.writer.as_ref().set_zero_linger().unwrap();
        self.writer.forget();
    }
}

async fn read_frame(reader: &mut BufReader<OwnedReadHalf>) -> Option<(u8, Vec<u8>)> {
    let mut first = [0];
    if reader.read(&mut first).await.unwrap() == 0 {
        return None;
    }
    let length = match reader.read_u8().await.unwrap() {
        126 => reader.read_u16().await.unwrap().into(),
        127 => reader.read_u64().await.unwrap().try_into().unwrap(),
        short => short.into(),
    };
    let mut payload = vec![0; length];
    reader.read_exact(&mut payload).await.unwrap();
    Some((first[0], payload))
}
