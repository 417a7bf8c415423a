//! Where each setting is found: its flag, else the environment, else the file, else its default.

use std::io;

use clap::ArgMatches;

use crate::cause;
use crate::cli::draft::{Contradiction, Draft};
use crate::cli::environment::{self, Environment};
use crate::cli::nearest::nearest;
use crate::cli::setting::{Found, Set, Setting};
use crate::cli::settings::{self, LARGEST};
use crate::cli::written::{Source, Written};
use crate::cli::{Exit, Surroundings};
use crate::config::file::{self, Entered, Entry};
use crate::config::{Config, Log};

/// The file that is read where nobody names one.
pub(super) const FILE_DEFAULT: &str = "mercury.toml";
/// The original's, and the variable that names another.
const THEIR_FILE: &str = "mercury.conf";
const THEIR_FILE_VARIABLE: &str = "MOJO_CONFIG";
/// The flag that names one.
pub(super) const FILE_FLAG: &str = "config";
/// All settings, checked, and where they come from.
#[derive(Debug)]
pub(super) struct Settled {
    /// The broker's.
    pub(super) config: Config,
    /// The log's.
    pub(super) log: Log,
    /// Where each has its value from, in the order of the table.
    pub(super) sources: Vec<Source>,
    /// The file that was read.
    pub(super) file: Option<String>,
}

/// Everything that was written anywhere.
pub(super) struct Sources<'a> {
    flags: &'a ArgMatches,
    environment: Environment<'a>,
    file: Option<File>,
}

/// A file that was read.
struct File {
    path: String,
    entries: Vec<Entry>,
}

impl<'a> Sources<'a> {
    /// Reads the file that flags or variables name, or else the one that lies there.
    pub(super) fn new(
        flags: &'a ArgMatches,
        surroundings: &Surroundings<'a>,
    ) -> Result<Self, Exit> {
        let environment = surroundings.environment;
        let variable = || environment(&environment::variable(FILE_FLAG));
        let named = flags.get_one::<String>(FILE_FLAG).cloned().or_else(variable);
        let named = named.filter(|path| !path.is_empty());
        let is_named = named.is_some();
        let path = named.unwrap_or_else(|| FILE_DEFAULT.to_owned());
        let bytes = match (surroundings.file)(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => None,
            Err(error) => return Err(unreadable(&path, &error)),
        };
        // the shell makes an empty file before the command runs that was to fill it
        if !is_named && bytes.as_ref().is_none_or(Vec::is_empty) {
            forestall(surroundings)?;
        }
        let file = bytes.map(|bytes| File::new(path, &bytes)).transpose()?;
        Ok(Self { flags, environment, file })
    }

    /// Takes all settings over and checks them, one by one and against each other.
    pub(super) fn settle(&self) -> Result<Settled, Exit> {
        let mut draft = Draft::new();
        let is_largest = |setting: &&Setting| LARGEST.contains(&setting.name);
        for setting in settings::all().filter(is_largest) {
            self.take(setting, &mut draft)?;
        }
        draft.config.limits.make_room();
        for setting in settings::all().filter(|setting| !is_largest(setting)) {
            self.take(setting, &mut draft)?;
        }
        let (config, log) = draft.settle().map_err(|error| self.contradiction(&error))?;
        let sources = settings::all().map(|setting| self.source(setting)).collect();
        let file = self.file.as_ref().map(|file| file.path.clone());
        Ok(Settled { config, log, sources, file })
    }

    /// One that the file has is checked, even where something stronger is set.
    fn take(&self, setting: &Setting, draft: &mut Draft) -> Result<(), Exit> {
        let places = [self.in_file(setting)?, self.outside(setting)?];
        places.iter().flatten().try_for_each(|found| setting.apply(draft, found))
    }

    /// Where the strongest value stands.
    fn source(&self, setting: &Setting) -> Source {
        let found = self.flag(setting).or_else(|| self.variable(setting));
        let entry = || {
            let file = self.file.as_ref()?;
            Some(file.source(setting, file.entry(setting)?.line))
        };
        found.map(|(source, _)| source).or_else(entry).unwrap_or(Source::Default)
    }

    /// What the flag, else the environment says.
    fn outside(&self, setting: &Setting) -> Result<Option<Found>, Exit> {
        let Some((source, texts)) = self.flag(setting).or_else(|| self.variable(setting)) else {
            return Ok(None);
        };
        if texts.is_empty() {
            return Err(source.wrong("names nothing between its commas"));
        }
        let values = texts.into_iter().map(|text| written(setting, source.clone(), text));
        Ok(Some(Found { values: values.collect() }))
    }

    /// The flag, as often as it was given.
    fn flag(&self, setting: &Setting) -> Option<(Source, Vec<String>)> {
        let texts: Vec<String> = match setting.set {
            Set::Switch(_) if self.flags.get_flag(setting.name) => vec!["1".to_owned()],
            Set::Switch(_) => return None,
            _ => self.flags.get_many::<String>(setting.name)?.cloned().collect(),
        };
        Some((Source::Flag(format!("--{}", setting.name)), texts))
    }

    /// The strongest variable; several values stand between commas.
    fn variable(&self, setting: &Setting) -> Option<(Source, Vec<String>)> {
        let (name, text) = environment::find(self.environment, setting)?;
        let texts = match setting.set {
            Set::Many(_) => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                parts.map(str::to_owned).collect()
            }
            _ => vec![text],
        };
        Some((Source::Variable(name), texts))
    }

    /// What the file says.
    fn in_file(&self, setting: &Setting) -> Result<Option<Found>, Exit> {
        let Some(file) = &self.file else { return Ok(None) };
        let Some(Entry { line, value, .. }) = file.entry(setting) else { return Ok(None) };
        let source = file.source(setting, *line);
        let reason = match (&setting.set, value) {
            (Set::Switch(_), Entered::Switch(is_on)) => {
                let text = if *is_on { "1" } else { "0" };
                let values = vec![written(setting, source, text.to_owned())];
                return Ok(Some(Found { values }));
            }
            (Set::One(_) | Set::Many(_), Entered::Text(text)) => {
                let values = vec![written(setting, source, text.clone())];
                return Ok(Some(Found { values }));
            }
            (Set::Many(_), Entered::List(texts)) if setting.may_be_empty || !texts.is_empty() => {
                let each = |(line, text): &(usize, String)| {
                    written(setting, file.source(setting, *line), text.clone())
                };
                return Ok(Some(Found { values: texts.iter().map(each).collect() }));
            }
            (Set::Many(_), Entered::List(_)) => "is an empty list",
            (Set::Switch(_), _) => "is not true or false",
            (Set::One(_), Entered::List(_)) => "is a list, and takes one value",
            (_, Entered::Switch(_)) => "is true or false, which means nothing here",
            (_, Entered::Other(what)) => {
                let reason = format_args!("is {what}, which means nothing here");
                return Err(source.wrong(reason));
            }
        };
        Err(source.wrong(reason))
    }

    /// Two settings that cannot both hold: it is for the one that must give way to say where.
    fn contradiction(&self, error: &Contradiction) -> Exit {
        let name = error.flag().trim_start_matches('-');
        let found = settings::all().find(|setting| setting.name == name);
        match found.map(|setting| self.source(setting)) {
            Some(Source::File { path, line, .. }) => {
                Exit::start(format_args!("{path}:{line}: {error}"))
            }
            _ => Exit::usage(error),
        }
    }
}

fn written(setting: &Setting, source: Source, text: String) -> Written {
    Written { source, text, is_secret: setting.is_secret }
}

impl File {
    /// Every key must be a setting's.
    fn new(path: String, bytes: &[u8]) -> Result<Self, Exit> {
        let entries = file::read(bytes)
            .map_err(|error| Exit::start(format_args!("{path}:{}: {error}", error.line)))?;
        for Entry { key, line, .. } in &entries {
            if settings::all().any(|setting| setting.key() == *key) {
                continue;
            }
            let advice = match nearest(key, settings::all().map(Setting::key)) {
                Some(nearest) => format!("did you mean {nearest}"),
                None => "see mercury config example".to_owned(),
            };
            return Err(Exit::start(format_args!("{path}:{line}: unknown key '{key}', {advice}")));
        }
        Ok(Self { path, entries })
    }

    fn entry(&self, setting: &Setting) -> Option<&Entry> {
        let key = setting.key();
        self.entries.iter().find(|entry| entry.key == key)
    }

    fn source(&self, setting: &Setting, line: usize) -> Source {
        Source::File { path: self.path.clone(), line, key: setting.key() }
    }
}

/// Nobody starts with the defaults who has a list of sites in a file that is not read.
fn forestall(surroundings: &Surroundings<'_>) -> Result<(), Exit> {
    let named = (surroundings.environment)(THEIR_FILE_VARIABLE).filter(|path| !path.is_empty());
    let path = match named {
        Some(path) => path,
        None => match (surroundings.file)(THEIR_FILE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            _ => THEIR_FILE.to_owned(),
        },
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte);
    let word = if path.bytes().all(is_plain) && !path.starts_with('-') {
        path.clone()
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
    };
    Err(Exit::start(format_args!(
        "{path} is the Perl broker's and not read, and without its allow_origin everybody may \
         connect; convert it: mercury config import {word} > {FILE_DEFAULT}"
    )))
}

/// A file that cannot be read.
pub(super) fn unreadable(path: &str, error: &io::Error) -> Exit {
    Exit::start(format_args!("cannot read {path}: {}", cause::words(error)))
}
