//! What is logged, and how it looks.

use std::fmt;
use std::str::FromStr as _;

use tracing::level_filters::LevelFilter;

/// How and what to log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// Which events become a line.
    pub filter: LogFilter,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line, for programs.
    Json,
}

impl LogFormat {
    /// The format of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// Which events are logged: a level for all, and others for some modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter {
    /// For everything that no directive names.
    pub level: LevelFilter,
    /// Path of a module and its level: the longest path that fits decides.
    pub directives: Vec<(String, LevelFilter)>,
}

/// A text that is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogFilterError {
    /// Not one of the six words.
    #[error("has the level '{0}', which is not trace, debug, info, warn, error or off")]
    Level(String),
    /// `=debug`.
    #[error("has a directive without a module, say mercury=debug")]
    ModuleMissing,
}

impl Default for LogFilter {
    fn default() -> Self {
        Self { level: LevelFilter::INFO, directives: Vec::new() }
    }
}

impl LogFilter {
    /// Reads `debug`, or `warn,mercury::http=debug`. Modules alone leave the rest at info.
    pub fn parse(text: &str) -> Result<Self, LogFilterError> {
        let mut filter = Self::default();
        for part in text.split(',').map(str::trim) {
            match part.split_once('=') {
                None => filter.level = level(part)?,
                Some(("", _)) => return Err(LogFilterError::ModuleMissing),
                Some((module, name)) => filter.directives.push((module.to_owned(), level(name)?)),
            }
        }
        Ok(filter)
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.level.fmt(f)?;
        self.directives.iter().try_for_each(|(module, level)| write!(f, ",{module}={level}"))
    }
}

/// By name alone: tracing would also read digits, and a misspelt level as a module.
fn level(name: &str) -> Result<LevelFilter, LogFilterError> {
    let wrong = || LogFilterError::Level(name.to_owned());
    if !name.bytes().all(|byte| byte.is_ascii_alphabetic()) || name.is_empty() {
        return Err(wrong());
    }
    LevelFilter::from_str(name).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_directives_are_read() {
        let filter = LogFilter::parse("warn,mercury::http=debug, hyper=off").unwrap();
        assert_eq!(filter.level, LevelFilter::WARN);
        let expected = [
            ("mercury::http".to_owned(), LevelFilter::DEBUG),
            ("hyper".to_owned(), LevelFilter::OFF),
        ];
        assert_eq!(filter.directives, expected);
        assert_eq!(LogFilter::parse("DEBUG").unwrap().level, LevelFilter::DEBUG);
        assert_eq!(LogFilter::parse("mercury=trace").unwrap().level, LevelFilter::INFO);
    }

    #[test]
    fn a_misspelt_level_is_refused() {
        for text in ["inof", "", "3", "info,", "mercury=", "mercury=loud", "mercury"] {
            assert!(matches!(LogFilter::parse(text), Err(LogFilterError::Level(_))), "{text}");
        }
        assert_eq!(LogFilter::parse("=info"), Err(LogFilterError::ModuleMissing));
    }
}
