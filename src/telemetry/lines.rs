//! Keeps every event on the line that it was given, whatever a client wrote into it.

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

use crate::config::LogFormat;

/// What makes the writers of events.
#[derive(Debug)]
pub(super) struct Lines<M> {
    /// What they write to.
    pub(super) make: M,
    /// Says how a character is escaped.
    pub(super) format: LogFormat,
    /// Whether lines are coloured.
    pub(super) ansi: bool,
}

/// Writes one event, which the formatter gives to it in one piece.
#[derive(Debug)]
pub(super) struct Line<W> {
    writer: W,
    format: LogFormat,
    ansi: bool,
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Lines<M> {
    type Writer = Line<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Line { writer: self.make.make_writer(), format: self.format, ansi: self.ansi }
    }
}

impl<W: Write> Write for Line<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(bytes).ok().and_then(|line| tame(line, self.format, self.ansi)) {
            Some(tame) => self.writer.write_all(tame.as_bytes())?,
            None => self.writer.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// The line without characters that would end it, or have a terminal show it as another one;
/// `None` when it has none. Those of strings in JSON keep their meaning.
fn tame(line: &str, format: LogFormat, ansi: bool) -> Option<String> {
    let body = line.strip_suffix('\n').unwrap_or(line);
    let is_wild = |character: char| is_wild(character) && !(ansi && character == '\u{1b}');
    if !body.contains(is_wild) {
        return None;
    }
    let mut tame = String::with_capacity(2 * line.len());
    for character in body.chars() {
        match format {
            _ if !is_wild(character) => tame.push(character),
            LogFormat::Text => tame.extend(character.escape_default()),
            LogFormat::Json => {
                let units = character.encode_utf16(&mut [0; 2]).to_vec();
                tame.extend(units.into_iter().map(|unit| format!("\\u{unit:04x}")));
            }
        }
    }
    tame.push_str(&line[body.len()..]);
    Some(tame)
}

/// Controls, separators of lines, and what turns the direction of text or shows nothing.
fn is_wild(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_and_what_is_harmless_stays_as_it_is() {
        let text = |line| tame(line, LogFormat::Text, false);
        assert_eq!(text("INFO fry=\"bücher 漢字 🚀\"\n"), None);
        assert_eq!(text("a\nb\u{9b}c\u{202e}\n").unwrap(), "a\\nb\\u{9b}c\\u{202e}\n");
        let json = |line| tame(line, LogFormat::Json, false);
        assert_eq!(json("{\"a\":\"\\n\"}\n"), None);
        let line = "{\"a\":\"\u{2028}\u{7f}\u{e0041}\"}\n";
        assert_eq!(json(line).unwrap(), "{\"a\":\"\\u2028\\u007f\\udb40\\udc41\"}\n");
    }

    #[test]
    fn colours_stay() {
        assert_eq!(tame("\u{1b}[2mINFO\u{1b}[0m\n", LogFormat::Text, true), None);
        assert_eq!(tame("\u{1b}[2m\n", LogFormat::Text, false).unwrap(), "\\u{1b}[2m\n");
    }
}
