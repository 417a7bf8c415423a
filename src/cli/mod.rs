//! The command line and the environment, down to a checked configuration.

mod environment;
mod exit;
mod help;
mod options;
mod setting;
mod sources;
#[cfg(test)]
mod tests;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _};

use crate::config::{Config, Log};
use options::{Arguments, Command};
use sources::Sources;

pub use exit::Exit;

/// Where the original listens.
const LISTEN_DEFAULT: &str = "http://*:3000";

/// What the command line asks for.
#[derive(Debug)]
pub enum Invocation {
    /// Run the broker.
    Broker {
        /// Its settings.
        config: Box<Config>,
        /// Its log's, which come first.
        log: Log,
    },
    /// Write this to standard output, and that is all.
    Print(String),
}

/// Reads the command line, the program's name first, and the environment behind it.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Invocation, Exit> {
    let mut command = help::complete(Arguments::command());
    let parsed = command
        .try_get_matches_from_mut(arguments)
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    match parsed {
        Ok(Arguments { command: Some(Command::Broker(options)) }) => {
            let (config, log) = Sources { environment }.settle(*options)?;
            Ok(Invocation::Broker { config: Box::new(config), log })
        }
        Ok(Arguments { command: Some(Command::Version) }) => {
            Ok(Invocation::Print(command.render_version()))
        }
        // As the original does.
        Ok(Arguments { command: None }) => Ok(Invocation::Print(command.render_help().to_string())),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                Ok(Invocation::Print(error.to_string()))
            }
            _ => Err(Exit::from(error)),
        },
    }
}
