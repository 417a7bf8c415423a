//! One client's connection to a server of the tests' own, which may lie.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

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
    /// Answers one handshake.
    pub(crate) fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut reader = BufReader::new(stream);
        let mut request = String::new();
        while !request.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut request).unwrap(), 0, "{request}");
        }
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
        );
        let mut peer = Self { reader, subscribes: request.starts_with("GET /sub/") };
        peer.write(answer.as_bytes());
        peer
    }

    /// Its next frame's first byte and payload. RFC 6455 5.2.
    pub(crate) fn read(&mut self) -> (u8, Vec<u8>) {
        let mut take = |size| {
            let mut bytes = vec![0; size];
            self.reader.read_exact(&mut bytes).unwrap();
            bytes
        };
        let head = take(2);
        let length = match head[1] & 0x7f {
            126 => usize::from(u16::from_be_bytes(take(2).try_into().unwrap())),
            127 => panic!("a frame of more than 64 KiB"),
            length => usize::from(length),
        };
        let (mask, mut payload) = (take(4), take(length));
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        (head[0], payload)
    }

    /// Sends a frame of less than 126 bytes.
    pub(crate) fn send(&mut self, first: u8, payload: &[u8]) {
        let length = u8::try_from(payload.len()).unwrap();
        assert!(length < 126);
        self.write(&[&[first, length], payload].concat());
    }

    fn write(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).unwrap();
    }
}
