//! One thing that an operator can set: by flag, by variable or in the file, under one name.

use std::fmt::{self, Write as _};

use crate::cli::Exit;
use crate::cli::draft::Draft;
use crate::cli::written::{Written, masked};
use crate::config::{Config, Log};

/// All settings of a broker and its log.
pub(super) type Settings = (Config, Log);

/// What there is to know about one setting.
pub(super) struct Setting {
    /// The flag's name; the variable is `MERCURY_MAX_MESSAGE`, the file's key `max_message`.
    pub(super) name: &'static str,
    /// The flag's letter.
    pub(super) short: Option<char>,
    /// The kind of its value, in capitals; nothing for a switch.
    pub(super) kind: &'static str,
    /// What it does, in a sentence without its end.
    pub(super) help: &'static str,
    /// The original's variables, strongest first.
    pub(super) theirs: &'static [&'static str],
    /// The default in words, where its value says too little.
    pub(super) default: Option<&'static str>,
    /// Whether the default is worked out from the machine and written `auto`.
    pub(super) is_auto: bool,
    /// Whether the file may set it to an empty list.
    pub(super) may_be_empty: bool,
    /// Whether its text must not be shown.
    pub(super) is_secret: bool,
    /// Takes it from one configuration to another, if a running broker can.
    pub(super) live: Option<fn(&Settings, &mut Settings)>,
    /// Takes it over.
    pub(super) set: Set,
    /// What it is set to.
    pub(super) value: fn(&Config, &Log) -> Value,
}

/// How often a setting may be written, and what is made of it.
pub(super) enum Set {
    /// Of several flags the last one counts.
    One(fn(&mut Draft, &Written) -> Result<(), Exit>),
    /// Flags add up; in a variable there are commas between, in the file it is a list.
    Many(fn(&mut Draft, &[Written]) -> Result<(), Exit>),
    /// A flag without a value; 1 or 0 in a variable, true or false in the file.
    Switch(fn(&mut Draft, bool)),
}

/// All that was written about one setting in one place.
#[derive(Debug)]
pub(super) struct Found {
    /// One text, or as many as the list has, each with its own place.
    pub(super) values: Vec<Written>,
}

/// A value as the file spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A size, a duration, a word.
    Text(String),
    /// A count, or 0 for none.
    Number(usize),
    /// On or off.
    Switch(bool),
    /// Several texts.
    List(Vec<String>),
    /// Not set, which no value can say.
    Unset,
}

impl Setting {
    /// A setting of one value.
    pub(super) const fn one(
        name: &'static str,
        kind: &'static str,
        help: &'static str,
        set: fn(&mut Draft, &Written) -> Result<(), Exit>,
        value: fn(&Config, &Log) -> Value,
    ) -> Self {
        Self::new(name, kind, help, Set::One(set), value)
    }

    /// A setting of several values.
    pub(super) const fn many(
        name: &'static str,
        kind: &'static str,
        help: &'static str,
        set: fn(&mut Draft, &[Written]) -> Result<(), Exit>,
        value: fn(&Config, &Log) -> Value,
    ) -> Self {
        Self::new(name, kind, help, Set::Many(set), value)
    }

    /// A setting that is on or off.
    pub(super) const fn switch(
        name: &'static str,
        help: &'static str,
        set: fn(&mut Draft, bool),
        value: fn(&Config, &Log) -> Value,
    ) -> Self {
        Self::new(name, "", help, Set::Switch(set), value)
    }

    const fn new(
        name: &'static str,
        kind: &'static str,
        help: &'static str,
        set: Set,
        value: fn(&Config, &Log) -> Value,
    ) -> Self {
        let (short, theirs, default) = (None, &[] as &[&str], None);
        let (is_auto, may_be_empty, is_secret) = (false, false, false);
        #[rustfmt::skip]
        let setting = Self {
            name, short, kind, help, theirs, default, is_auto, may_be_empty, is_secret,
            live: None, set, value,
        };
        setting
    }

    /// With a letter.
    pub(super) const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }

    /// With variables that the original knows.
    pub(super) const fn theirs(mut self, variables: &'static [&'static str]) -> Self {
        self.theirs = variables;
        self
    }

    /// With words for the default.
    pub(super) const fn default(mut self, words: &'static str) -> Self {
        self.default = Some(words);
        self
    }

    /// With a meaning for a list of nothing.
    pub(super) const fn or_nothing(mut self) -> Self {
        self.may_be_empty = true;
        self
    }

    /// With a way to change while the broker runs.
    pub(super) const fn live(mut self, take: fn(&Settings, &mut Settings)) -> Self {
        self.live = Some(take);
        self
    }

    /// With a default that the machine decides, in words.
    pub(super) const fn auto(mut self, words: &'static str) -> Self {
        self.is_auto = true;
        self.default(words)
    }

    /// As the file spells it.
    pub(super) fn key(&self) -> String {
        self.name.replace('-', "_")
    }

    /// Takes over what was found.
    pub(super) fn apply(&self, draft: &mut Draft, found: &Found) -> Result<(), Exit> {
        match self.set {
            Set::Many(set) => set(draft, &found.values),
            // there is one value, whatever the place
            Set::One(set) => found.values.iter().try_for_each(|written| set(draft, written)),
            Set::Switch(set) => found.values.iter().try_for_each(|written| {
                set(draft, written.switch()?);
                Ok(())
            }),
        }
    }
}

impl Value {
    /// As it may be shown.
    pub(super) fn masked(self, is_secret: bool) -> Self {
        let mask = |text: String| masked(&text, is_secret).into_owned();
        match self {
            Self::Text(text) => Self::Text(mask(text)),
            Self::List(texts) => Self::List(texts.into_iter().map(mask).collect()),
            plain => plain,
        }
    }

    /// Without the file's quotes, for sentences.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::List(texts) if !texts.is_empty() => texts.join(", "),
            plain => plain.to_string(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::Number(number) => number.fmt(f),
            Self::Switch(is_on) => is_on.fmt(f),
            Self::Unset => f.write_str("not set"),
            Self::List(texts) => {
                let texts: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
                write!(f, "[{}]", texts.join(", "))
            }
        }
    }
}

/// A text in TOML's quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => {
                write!(quoted, "\\u{:04X}", u32::from(control)).expect("a String takes all");
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
