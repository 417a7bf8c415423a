//! A configuration file: what it says, and on which lines.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One `key = value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As it stands there.
    pub key: String,
    /// The line of the key, counted from 1.
    pub line: usize,
    /// What stands behind the `=`.
    pub value: Entered,
}

/// A value with as much of TOML's types as a setting cares for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entered {
    /// A text, or a number as it would be written on the command line.
    Text(String),
    /// `true` or `false`.
    Switch(bool),
    /// Texts, each with its line.
    List(Vec<(usize, String)>),
    /// What no setting is: a table, a date, a list of other things than texts.
    Other(&'static str),
}

/// A text that is no TOML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct FileError {
    /// Where it stops being TOML, counted from 1.
    pub line: usize,
    /// Why, in one line.
    pub reason: String,
}

/// Reads a file: its entries in the order of their lines.
pub fn read(bytes: &[u8]) -> Result<Vec<Entry>, FileError> {
    let text = std::str::from_utf8(bytes).map_err(|error| FileError {
        line: line(bytes, error.valid_up_to()),
        reason: "is not UTF-8".to_owned(),
    })?;
    let table = DeTable::parse(text).map_err(|error| {
        let sentence: Vec<_> = error.message().split_whitespace().collect();
        let start = error.span().map_or(0, |span| span.start);
        FileError { line: line(bytes, start), reason: sentence.join(" ") }
    })?;
    let at = |span: Range<usize>| line(bytes, span.start);
    let entry = |(key, value): (Spanned<_>, _)| Entry {
        line: at(key.span()),
        key: DeString::into_owned(key.into_inner()),
        value: entered(value, &at),
    };
    let mut entries: Vec<_> = table.into_inner().into_iter().map(entry).collect();
    entries.sort_by_key(|entry| entry.line);
    Ok(entries)
}

type DeString<'a> = std::borrow::Cow<'a, str>;

fn entered(value: Spanned<DeValue<'_>>, at: &impl Fn(Range<usize>) -> usize) -> Entered {
    match value.into_inner() {
        DeValue::String(text) => Entered::Text(text.into_owned()),
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Entered::Text(number.to_string()),
            // too long for any setting, which will say so
            Err(_) => Entered::Text(number.as_str().to_owned()),
        },
        DeValue::Float(number) => Entered::Text(number.as_str().to_owned()),
        DeValue::Boolean(is_on) => Entered::Switch(is_on),
        DeValue::Datetime(_) => Entered::Other("a date"),
        DeValue::Table(_) => Entered::Other("a table"),
        DeValue::Array(items) => {
            let text = |item: Spanned<DeValue<'_>>| {
                let line = at(item.span());
                match item.into_inner() {
                    DeValue::String(text) => Some((line, text.into_owned())),
                    _ => None,
                }
            };
            let texts = items.into_iter().map(text).collect::<Option<_>>();
            texts.map_or(Entered::Other("a list of other things than texts"), Entered::List)
        }
    }
}

/// The line of a byte, counted from 1.
fn line(bytes: &[u8], at: usize) -> usize {
    bytes[..at.min(bytes.len())].split(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Entered {
        Entered::Text(text.to_owned())
    }

    #[test]
    fn entries_come_with_their_lines() {
        let file = "# c\nz = '1s'\n\n\"a-b\" = [\n  'x',\n  \"y\", # c\n]\nproxy = true\n";
        let list = Entered::List(vec![(5, "x".to_owned()), (6, "y".to_owned())]);
        let expected =
            [(2, "z", text("1s")), (4, "a-b", list), (8, "proxy", Entered::Switch(true))];
        let read = read(file.as_bytes()).unwrap();
        let read: Vec<_> =
            read.iter().map(|entry| (entry.line, &*entry.key, entry.value.clone())).collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn numbers_are_what_a_flag_would_say() {
        for (written, meant) in [
            ("1_000", "1000"),
            ("+5", "5"),
            ("-5", "-5"),
            ("0x10", "16"),
            ("0o17", "15"),
            ("0.5", "0.5"),
            ("99999999999999999999", "99999999999999999999"),
        ] {
            let read = read(format!("a = {written}").as_bytes()).unwrap();
            assert_eq!(read[0].value, text(meant), "{written}");
        }
        for other in ["2026-01-01", "{}", "[1]", "[[]]"] {
            let read = read(format!("a = {other}").as_bytes()).unwrap();
            assert!(matches!(read[0].value, Entered::Other(_)), "{other}");
        }
    }

    #[test]
    fn what_is_no_toml_has_its_line_and_one_line_of_reason() {
        for (file, line) in [
            (&b"a = 1\nb 2"[..], 2),
            (b"a = 1\na = 2", 2),
            (b"a = 1\n\nb = \"", 3),
            (b"a = 1\n\xff", 2),
            (b"a = [\n1,\n", 2),
        ] {
            let error = read(file).unwrap_err();
            assert!(error.line >= line, "{error:?}");
            assert!(!error.reason.is_empty() && !error.reason.contains('\n'), "{error:?}");
        }
    }
}
