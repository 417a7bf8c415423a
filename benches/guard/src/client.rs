//! The simplest client there can be: a blocking socket that counts bytes.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

/// A broker under callgrind on a busy machine may take long.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long the broker has to come to rest: what comes before it waits for events again saves it
/// a turn, or not, as it happens.
const PAUSE: Duration = Duration::from_micros(500);
/// What a server's frame of up to 125 bytes has in front of its payload (RFC 6455 5.2).
const HEAD_BYTES: usize = 2;

/// One WebSocket.
pub(crate) struct Client(TcpStream);

impl Client {
    /// Connects to a path and is what the path says.
    pub(crate) fn connect(address: SocketAddr, path: &str) -> io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        pause();
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        (&socket).write_all(request.as_bytes())?;
        // one byte at a time, so that nothing of what follows is taken
        let mut answer = BufReader::with_capacity(1, &socket);
        let mut first = String::new();
        answer.read_line(&mut first)?;
        if !first.starts_with("HTTP/1.1 101 ") {
            return Err(io::Error::other(format!("{path} was answered: {}", first.trim_end())));
        }
        let mut line = first;
        while line != "\r\n" {
            line.clear();
            if answer.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        pause();
        Ok(Self(socket))
    }

    /// Sends so many messages of so many bytes, up to 125, in one write.
    pub(crate) fn send(&mut self, messages: usize, bytes: u8) -> io::Result<()> {
        assert!(bytes <= 125, "{bytes} bytes need a longer head");
        let head = [0x82, 0x80 | bytes, 0, 0, 0, 0];
        let frame = [&head[..], &vec![b'm'; bytes.into()]].concat();
        self.0.write_all(&frame.repeat(messages))
    }

    /// Waits for so many messages of so many bytes.
    pub(crate) fn receive(&mut self, messages: usize, bytes: u8) -> io::Result<()> {
        let mut frames = vec![0; messages * (HEAD_BYTES + usize::from(bytes))];
        self.0.read_exact(&mut frames)?;
        let heads = frames.chunks(HEAD_BYTES + usize::from(bytes));
        match heads.into_iter().find(|frame| frame[..HEAD_BYTES] != [0x82, bytes]) {
            Some(other) => Err(io::Error::other(format!("no message: {:?}", &other[..HEAD_BYTES]))),
            None => Ok(()),
        }
    }
}

/// Lets the broker come to rest.
pub(crate) fn pause() {
    thread::sleep(PAUSE);
}
