//! The command line, the environment and the configuration file, down to checked settings.

mod draft;
mod environment;
mod exit;
mod explain;
mod import;
mod nearest;
mod options;
mod reload;
mod setting;
mod settings;
mod show;
mod sources;
mod terminal;
#[cfg(test)]
mod tests;
mod top;
mod written;

use std::ffi::OsString;
use std::io;

use clap::ArgMatches;
use clap::error::ErrorKind;

use crate::config::{Config, Log, Target, Terminal, Top};
use options::{CHECK, CODE, CONFIG, EXAMPLE, EXPLAIN, IMPORT, IMPORTED, SHOW};
use sources::{Settled, Sources, unreadable};

pub use exit::Exit;
pub use reload::{Change, Reload, reload};

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
    /// See whether a broker would start with these settings, as far as nothing but files has to be
    /// looked at.
    Check {
        /// The broker's.
        config: Box<Config>,
        /// What to write to standard output if so.
        verdict: String,
    },
    /// Show a broker that runs.
    Top(Top),
    /// Ask a broker that runs whether it is ready.
    Health(Target),
    /// Send to a broker that runs, or receive from it.
    Terminal(Box<Terminal>),
    /// Write this to standard output, and that is all.
    Print(String),
}

/// What else decides.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Reads a variable.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// Reads a file whole.
    pub file: &'a dyn Fn(&str) -> io::Result<Vec<u8>>,
}

impl Surroundings<'_> {
    /// No variables and no files.
    pub const NONE: Self =
        Surroundings { environment: &|_| None, file: &|_| Err(io::ErrorKind::NotFound.into()) };
}

/// Reads the command line, the program's name first, and what stands behind it.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    surroundings: &Surroundings<'_>,
) -> Result<Invocation, Exit> {
    let mut command = options::command();
    let arguments: Vec<_> = arguments.into_iter().collect();
    let page = options::page(arguments.iter().skip(1).map_while(|word| word.to_str()));
    let matches = match command.try_get_matches_from_mut(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                    Ok(Invocation::Print(error.to_string()))
                }
                _ => Err(Exit::misread(&error, page)),
            };
        }
    };
    match matches.subcommand() {
        Some(("broker", flags)) => {
            let Settled { config, log, .. } = settle(flags, surroundings)?;
            Ok(Invocation::Broker { config: Box::new(config), log })
        }
        Some((CONFIG, about)) => {
            let text = match about.subcommand() {
                Some((CHECK, flags)) => {
                    let settled = settle(flags, surroundings)?;
                    let verdict = show::verdict(&settled);
                    return Ok(Invocation::Check { config: Box::new(settled.config), verdict });
                }
                Some((SHOW, flags)) => show::show(&settle(flags, surroundings)?),
                Some((IMPORT, arguments)) => {
                    let path = arguments.get_one::<String>(IMPORTED).map_or("", String::as_str);
                    let bytes = (surroundings.file)(path);
                    import::import(path, &bytes.map_err(|error| unreadable(path, &error))?)?
                }
                Some((EXAMPLE, _)) => show::example(),
                _ => {
                    let config = command.find_subcommand_mut(CONFIG);
                    config.map(|config| config.render_help().to_string()).unwrap_or_default()
                }
            };
            Ok(Invocation::Print(text))
        }
        Some((EXPLAIN, arguments)) => {
            let code = arguments.get_one::<String>(CODE);
            explain::explain(code.map(String::as_str)).map(Invocation::Print)
        }
        Some((top::TOP, arguments)) => top::top(arguments).map(Invocation::Top),
        Some((top::HEALTH, arguments)) => top::target(arguments).map(Invocation::Health),
        Some((word, arguments)) if let Some(route) = options::route(word) => {
            let terminal = terminal::terminal(route, arguments, surroundings)?;
            Ok(Invocation::Terminal(Box::new(terminal)))
        }
        Some(("version", _)) => Ok(Invocation::Print(command.render_version())),
        // As the original does.
        _ => Ok(Invocation::Print(command.render_help().to_string())),
    }
}

/// All settings, from wherever they are.
fn settle(flags: &ArgMatches, surroundings: &Surroundings<'_>) -> Result<Settled, Exit> {
    Sources::new(flags, surroundings)?.settle()
}
