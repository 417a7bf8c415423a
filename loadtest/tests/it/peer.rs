//! One client's connection to a server of the tests' own, which may lie.

use std::io::{BufRead as _, BufReader, Error, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

/// The answer to the key that the load tester offers, which is that of RFC 6455 1.3.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// One client's end of a connection.
pub(crate) struct Peer {
    /// Where it comes from.
    reader: BufReader<TcpStream>,
    /// It subscribes.
    pub(crate) subscribes: bool,
}

impl Peer {
    /// Waits for one handshake and answers it.
    pub(crate) fn accept(listener: &TcpListener) -> Self {
        let mut peer = Self::meet(listener);
        peer.welcome();
        peer
    }

    /// Waits for one handshake.
    pub(crate) fn meet(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut reader = BufReader::new(stream);
        let mut request = String::new();
        while !request.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut request).unwrap(), 0, "{request}");
        }
        Self { reader, subscribes: request.starts_with("GET /sub/") }
    }

    /// The same one, to write to it from elsewhere.
    pub(crate) fn other_half(&self) -> Self {
        let stream = self.reader.get_ref().try_clone().unwrap();
        Self { reader: BufReader::new(stream), subscribes: self.subscribes }
    }

    /// Answers its handshake.
    pub(crate) fn welcome(&mut self) {
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
        );
        self.write(answer.as_bytes());
    }

    /// Refuses its handshake, for no time at all.
    pub(crate) fn refuse(&mut self) {
        self.write(
            b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n",
        );
    }

    /// From now on it waits for half a second, no longer, for what it reads.
    pub(crate) fn be_impatient(&self) {
        self.reader.get_ref().set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    }

    /// Its next frame's first byte and payload.
    pub(crate) fn read(&mut self) -> (u8, Vec<u8>) {
        self.try_read().unwrap()
    }

    /// The same, or how it ended. RFC 6455 5.2.
    pub(crate) fn try_read(&mut self) -> Result<(u8, Vec<u8>), Error> {
        let mut take = |size| {
            let mut bytes = vec![0; size];
            self.reader.read_exact(&mut bytes).map(|()| bytes)
        };
        let head = take(2)?;
        let length = match head[1] & 0x7f {
            126 => usize::from(u16::from_be_bytes(take(2)?.try_into().unwrap())),
            127 => panic!("a frame of more than 64 KiB"),
            length => usize::from(length),
        };
        let (mask, mut payload) = (take(4)?, take(length)?);
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        Ok((head[0], payload))
    }

    /// Sends a frame of less than 126 bytes.
    pub(crate) fn send(&mut self, first: u8, payload: &[u8]) {
        let length = u8::try_from(payload.len()).unwrap();
        assert!(length < 126);
        self.write(&[&[first, length], payload].concat());
    }

    /// Sends a frame to one who may be gone.
    pub(crate) fn try_send(&mut self, first: u8, payload: &[u8]) {
        let length = u8::try_from(payload.len()).unwrap();
        self.reader.get_mut().write_all(&[&[first, length], payload].concat()).ok();
    }

    /// Hangs up without a word.
    pub(crate) fn cut(&mut self) {
        self.reader.get_mut().shutdown(Shutdown::Both).unwrap();
    }

    fn write(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).unwrap();
    }
}
