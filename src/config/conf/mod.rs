//! The original's `mercury.conf`: a Perl program, of which only plain literals are read.

#[cfg(test)]
mod tests;

use std::iter::Peekable;
use std::str::Chars;

/// Lists in lists: more is no configuration.
const DEPTH_MAX: usize = 32;

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its first character.
    pub place: Place,
    /// What it is.
    pub literal: Literal,
}

/// A character of the file, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its line.
    pub line: usize,
    /// Its place in the line, in characters.
    pub column: usize,
}

/// What Perl makes of a literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// `undef`
    Undefined,
    /// `'a'`, `"a"`, `q{a}`, `1`
    Text(String),
    /// `[...]`
    List(Vec<Node>),
    /// `{...}`: keys, each but once, and values.
    Hash(Vec<(String, Node)>),
}

/// What is no plain literal, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}: {reason}", place.line, place.column)]
pub struct ConfError {
    /// Where it stands.
    pub place: Place,
    /// Why it is not read.
    pub reason: String,
}

/// Reads a file that is one literal.
pub fn read(bytes: &[u8]) -> Result<Node, ConfError> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let mut reader = Reader::new(&before);
        while reader.next().is_some() {}
        reader.wrong("is not UTF-8")
    });
    let mut reader = Reader::new(text?);
    reader.skip();
    let node = reader.value(0)?;
    reader.skip();
    if reader.peek() == Some(';') {
        reader.next();
        reader.skip();
    }
    match reader.peek() {
        None => Ok(node),
        Some(_) => Err(reader.wrong("expected the end of the file behind the configuration")),
    }
}

/// Walks through the file.
struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    /// Of the next character.
    place: Place,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text.chars().peekable(), place: Place { line: 1, column: 1 } }
    }

    fn peek(&mut self) -> Option<char> {
        self.rest.peek().copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.next()?;
        if next == '\n' {
            self.place = Place { line: self.place.line + 1, column: 1 };
        } else {
            self.place.column += 1;
        }
        Some(next)
    }

    /// The next character, if it is this one.
    fn take(&mut self, wanted: char) -> bool {
        let is_there = self.peek() == Some(wanted);
        if is_there {
            self.next();
        }
        is_there
    }

    fn wrong(&self, reason: impl Into<String>) -> ConfError {
        ConfError { place: self.place, reason: reason.into() }
    }

    /// Something that stands where it can't.
    fn unexpected(&mut self, expected: &str) -> ConfError {
        let found = self
            .peek()
            .map_or_else(|| "the file ends".to_owned(), |next| format!("{next:?} stands"));
        self.wrong(format!("{found} where {expected} is expected"))
    }

    /// Blanks and comments.
    fn skip(&mut self) {
        while let Some(next) = self.peek() {
            if next == '#' {
                while self.peek().is_some_and(|next| next != '\n') {
                    self.next();
                }
            } else if next.is_ascii_whitespace() {
                self.next();
            } else {
                return;
            }
        }
    }

    /// A value that is one.
    fn value(&mut self, depth: usize) -> Result<Node, ConfError> {
        let place = self.place;
        match self.element(depth)? {
            Element::One(node) => Ok(node),
            Element::Word(word) => Err(word_error(place, &word)),
            Element::Many(_) => {
                let reason = "qw is a list of its own, and one value is expected".to_owned();
                Err(ConfError { place, reason })
            }
        }
    }

    /// What stands between two commas.
    fn element(&mut self, depth: usize) -> Result<Element, ConfError> {
        if depth > DEPTH_MAX {
            return Err(self.wrong(format!("more than {DEPTH_MAX} lists in one another")));
        }
        let place = self.place;
        let one = |literal| Element::One(Node { place, literal });
        match self.peek() {
            Some('{') => {
                self.next();
                self.hash(depth).map(one)
            }
            Some('[') => {
                self.next();
                let mut nodes = vec![];
                for (element, place) in self.elements(']', depth)? {
                    match element {
                        Element::One(node) => nodes.push(node),
                        Element::Many(words) => nodes.extend(words),
                        Element::Word(word) => return Err(word_error(place, &word)),
                    }
                }
                Ok(one(Literal::List(nodes)))
            }
            Some('\'') => {
                self.next();
                Ok(one(Literal::Text(self.single(None, '\'')?)))
            }
            Some('"') => {
                self.next();
                Ok(one(Literal::Text(self.double(None, '"')?)))
            }
            Some(digit) if digit.is_ascii_digit() || digit == '-' => {
                Ok(one(Literal::Text(self.number()?)))
            }
            Some(letter) if letter.is_ascii_alphabetic() || letter == '_' => self.word(place),
            _ => Err(self.unexpected("a text, a number, [ or {")),
        }
    }

    /// Elements up to the end of their list, and where each stands. `=>` is a comma, and the last
    /// one may stand there for nothing.
    fn elements(&mut self, end: char, depth: usize) -> Result<Vec<(Element, Place)>, ConfError> {
        let mut elements = vec![];
        loop {
            self.skip();
            if self.take(end) {
                return Ok(elements);
            }
            let place = self.place;
            let element = self.element(depth + 1)?;
            self.skip();
            let comma = self.place;
            let element = match (element, self.peek()) {
                // a bare word is a text only in front of an arrow
                (Element::Word(word), Some('=')) => {
                    Element::One(Node { place, literal: Literal::Text(word) })
                }
                (element, _) => element,
            };
            match self.peek() {
                Some(',') => drop(self.next()),
                Some('=') => {
                    self.next();
                    if !self.take('>') {
                        return Err(ConfError { place: comma, reason: "'=' is not =>".to_owned() });
                    }
                }
                Some(next) if next == end => {}
                _ => return Err(self.unexpected(&format!("a comma or {end}"))),
            }
            elements.push((element, place));
        }
    }

    /// A hash behind its brace.
    fn hash(&mut self, depth: usize) -> Result<Literal, ConfError> {
        let mut nodes = vec![];
        for (element, place) in self.elements('}', depth)? {
            match element {
                Element::One(node) => nodes.push(node),
                Element::Many(words) => nodes.extend(words),
                Element::Word(word) => return Err(word_error(place, &word)),
            }
        }
        let mut pairs: Vec<(String, Node)> = vec![];
        let mut nodes = nodes.into_iter();
        while let Some(key) = nodes.next() {
            let Literal::Text(name) = key.literal else {
                return Err(ConfError { place: key.place, reason: "is no key".to_owned() });
            };
            let Some(value) = nodes.next() else {
                let reason = format!("the key '{name}' has no value");
                return Err(ConfError { place: key.place, reason });
            };
            if pairs.iter().any(|(other, _)| *other == name) {
                let reason = format!("the key '{name}' stands twice in the hash");
                return Err(ConfError { place: key.place, reason });
            }
            pairs.push((name, value));
        }
        Ok(Literal::Hash(pairs))
    }

    /// A bare word: a key, `undef`, or the q of a quote.
    fn word(&mut self, place: Place) -> Result<Element, ConfError> {
        let mut word = String::new();
        while let Some(next) =
            self.peek().filter(|next| next.is_ascii_alphanumeric() || *next == '_')
        {
            word.push(next);
            self.next();
        }
        let one = |literal| Ok(Element::One(Node { place, literal }));
        let is_quote = matches!(&*word, "q" | "qq" | "qw");
        if !is_quote && word != "undef" {
            return Ok(Element::Word(word));
        }
        let before = self.place;
        self.skip_blanks();
        let next = self.peek();
        // in front of an arrow or a comma it is a word as well
        if next.is_none_or(|next| matches!(next, '=' | ',' | ';')) {
            return if word == "undef" && next != Some('=') {
                one(Literal::Undefined)
            } else {
                Ok(Element::Word(word))
            };
        }
        if word == "undef" {
            return one(Literal::Undefined);
        }
        // behind a blank it begins a comment
        let is_comment = before != self.place && next == Some('#');
        let open = self.next().expect("it was looked at");
        if open.is_ascii_alphanumeric() || open == '_' || is_comment {
            return Err(ConfError { place, reason: format!("{word} quotes nothing") });
        }
        let (nests, close) = match open {
            '(' => (Some('('), ')'),
            '[' => (Some('['), ']'),
            '{' => (Some('{'), '}'),
            '<' => (Some('<'), '>'),
            other => (None, other),
        };
        match &*word {
            "q" => one(Literal::Text(self.single(nests, close)?)),
            "qq" => one(Literal::Text(self.double(nests, close)?)),
            _ => {
                let text = self.single(nests, close)?;
                let words = text.split_ascii_whitespace();
                let node = |word: &str| Node { place, literal: Literal::Text(word.to_owned()) };
                Ok(Element::Many(words.map(node).collect()))
            }
        }
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(|next| next.is_ascii_whitespace()) {
            self.next();
        }
    }

    /// A text in which only the backslash means something, up to its closing mark; the opening
    /// mark nests if it is another one.
    fn single(&mut self, nests: Option<char>, close: char) -> Result<String, ConfError> {
        let start = self.place;
        let (mut text, mut depth) = (String::new(), 0_usize);
        while let Some(next) = self.next() {
            if next == '\\' {
                let escaped = self.peek();
                match escaped.filter(|next| *next == '\\' || *next == close || Some(*next) == nests)
                {
                    Some(next) => {
                        self.next();
                        text.push(next);
                    }
                    None => text.push('\\'),
                }
                continue;
            }
            if ends(next, nests, close, &mut depth) {
                return Ok(text);
            }
            text.push(next);
        }
        Err(unclosed(start, close))
    }

    /// A text with escapes. What Perl would fill in, it would have to be asked for.
    fn double(&mut self, nests: Option<char>, close: char) -> Result<String, ConfError> {
        let start = self.place;
        let (mut text, mut depth) = (String::new(), 0_usize);
        loop {
            let place = self.place;
            let Some(next) = self.next() else { break };
            match next {
                '\\' => {
                    let escaped = self.next();
                    text.push(match escaped {
                        Some('n') => '\n',
                        Some('t') => '\t',
                        Some('r') => '\r',
                        // every other sign stands for itself, letters and digits do more
                        Some(sign) if !sign.is_alphanumeric() => sign,
                        _ => {
                            let reason = "an escape that only Perl understands".to_owned();
                            return Err(ConfError { place, reason });
                        }
                    });
                    continue;
                }
                '$' | '@' => {
                    let reason = format!("'{next}' is a variable in a double-quoted text");
                    return Err(ConfError { place, reason });
                }
                _ => {}
            }
            if ends(next, nests, close, &mut depth) {
                return Ok(text);
            }
            text.push(next);
        }
        Err(unclosed(start, close))
    }

    /// A whole number as it would be printed.
    fn number(&mut self) -> Result<String, ConfError> {
        let place = self.place;
        let mut number = String::new();
        if self.take('-') {
            number.push('-');
        }
        while let Some(next) = self.peek() {
            match next {
                '0'..='9' => number.push(next),
                '_' => {}
                '.' | 'a'..='z' | 'A'..='Z' => {
                    return Err(ConfError { place, reason: "is not a whole number".to_owned() });
                }
                _ => break,
            }
            self.next();
        }
        let digits = number.trim_start_matches('-');
        let is_plain = !digits.is_empty() && digits.len() <= 15;
        if !is_plain || digits.len() > 1 && digits.starts_with('0') || number == "-0" {
            return Err(ConfError { place, reason: "is not a whole number".to_owned() });
        }
        Ok(number)
    }
}

/// What stands between two commas.
enum Element {
    /// A value.
    One(Node),
    /// A bare word, which may be a key.
    Word(String),
    /// What `qw` stands for.
    Many(Vec<Node>),
}

fn word_error(place: Place, word: &str) -> ConfError {
    let reason = format!("{word} is a word that only Perl understands");
    ConfError { place, reason }
}

/// Whether this sign ends the text that it stands in; brackets of its own kind may stand within.
fn ends(next: char, nests: Option<char>, close: char, depth: &mut usize) -> bool {
    if next == close && *depth == 0 {
        return true;
    }
    if Some(next) == nests {
        *depth += 1;
    } else if next == close {
        *depth -= 1;
    }
    false
}

fn unclosed(start: Place, close: char) -> ConfError {
    ConfError { place: start, reason: format!("the text that starts here has no {close}") }
}
