//! Reads what is to be sent: lines of standard input, files, or words of the command line.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, BufReader, stdin};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use super::desk::Desk;
use super::message::Message;
use super::status::Failure;
use crate::cause;
use crate::config::{Input, Size, Supply, Terminal};
use crate::contents;
use crate::frame::Kind;
use crate::rate::Rate;

/// Read of standard input at once.
const READ_BYTES: usize = 64 * 1024;

/// Reads all of it, as fast as it is sent.
pub(super) async fn feed(terminal: &Terminal, input: &Input, desk: &Desk) -> Result<(), Failure> {
    let bytes_max = terminal.message_bytes_max;
    let mut outlet = Outlet { input, desk, pace: input.rate.map(Pace::new) };
    match &input.supply {
        Supply::Words(words) => {
            for word in words {
                outlet.send(word.as_bytes().to_vec()).await;
            }
        }
        Supply::Files(files) => {
            for file in files {
                let contents = read(file, bytes_max).await?;
                outlet.send(contents).await;
            }
        }
        Supply::Lines => {
            let mut lines = Lines::new(BufReader::with_capacity(READ_BYTES, stdin()), bytes_max);
            while let Some(line) = lines.next().await? {
                outlet.send(line).await;
            }
        }
    }
    Ok(())
}

/// A whole file. Elsewhere: it may be a pipe.
async fn read(file: &Path, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let path = file.to_owned();
    let reading = spawn_blocking(move || contents::read(&path, bytes_max, false));
    let contents = reading.await.expect("reading does not panic");
    let wrong = |error| Failure::Own(format!("cannot read {}: {error}", file.display()));
    contents.map_err(wrong)
}

/// Where messages go out.
struct Outlet<'a> {
    input: &'a Input,
    desk: &'a Desk,
    pace: Option<Pace>,
}

impl Outlet<'_> {
    async fn send(&mut self, payload: Vec<u8>) {
        self.desk.outgoing.room().await;
        if let Some(pace) = &mut self.pace {
            pace.wait().await;
        }
        let is_text = !self.input.is_binary && simdutf8::basic::from_utf8(&payload).is_ok();
        let kind = if is_text { Kind::Text } else { Kind::Binary };
        self.desk.outgoing.put(Message::new(kind, payload));
    }
}

/// When the next message may go out.
struct Pace {
    rate: Rate,
    start: Instant,
    /// Nanoseconds from the start.
    due: u64,
}

impl Pace {
    fn new(rate: Rate) -> Self {
        Self { rate, start: Instant::now(), due: 0 }
    }

    async fn wait(&mut self) {
        sleep_until(self.start + Duration::from_nanos(self.due)).await;
        let now = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.due = self.rate.after(self.due, now);
    }
}

/// Lines of up to so many bytes.
struct Lines<R> {
    reader: R,
    bytes_max: usize,
    number: u64,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    const fn new(reader: R, bytes_max: usize) -> Self {
        Self { reader, bytes_max, number: 0 }
    }

    /// The next line without its end, which the last one need not have.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let mut line = vec![];
        self.number += 1;
        loop {
            let bytes = self.reader.fill_buf().await.map_err(|error| {
                Failure::Own(format!("cannot read standard input: {}", cause::words(&error)))
            })?;
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let part = &bytes[..end.unwrap_or(bytes.len())];
            if line.len() + part.len() > self.bytes_max {
                let (number, most) = (self.number, Size(self.bytes_max));
                let sentence = format!("line {number} is more than {most} (--max-message)");
                return Err(Failure::Own(sentence));
            }
            line.extend_from_slice(part);
            let (used, is_over) = (part.len() + usize::from(end.is_some()), bytes.is_empty());
            self.reader.consume(used);
            if end.is_some() || is_over {
                return Ok((end.is_some() || !line.is_empty()).then_some(line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a text that is read in pieces of so many bytes, and what was wrong in the end.
    fn lines(text: &[u8], piece: usize) -> (Vec<Vec<u8>>, Option<Failure>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut lines = Lines::new(BufReader::with_capacity(piece, text), 4);
            let mut read = vec![];
            loop {
                match lines.next().await {
                    Ok(Some(line)) => read.push(line),
                    Ok(None) => return (read, None),
                    Err(failure) => return (read, Some(failure)),
                }
            }
        })
    }

    #[test]
    fn lines_end_at_line_feeds_and_at_the_end() {
        for piece in [1, 2, 3, 100] {
            let read = |text: &[u8]| lines(text, piece).0;
            assert_eq!(read(b""), [b""; 0]);
            assert_eq!(read(b"\n"), [b""]);
            assert_eq!(read(b"a\n\nb\r\n"), [&b"a"[..], b"", b"b\r"]);
            assert_eq!(read(b"a\n\xffb"), [&b"a"[..], b"\xffb"]);
        }
    }

    #[test]
    fn a_line_is_bounded() {
        for piece in [1, 3, 100] {
            let (read, failure) = lines(b"1234\n12345\n1\n", piece);
            assert_eq!(read, [b"1234"]);
            let sentence = "line 2 is more than 4B (--max-message)".to_owned();
            assert_eq!(failure, Some(Failure::Own(sentence)));
        }
    }
}
