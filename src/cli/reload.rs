//! What a broker that runs takes over when its settings are read anew.

use std::cell::Cell;
use std::ffi::OsString;

use crate::cli::setting::Value;
use crate::cli::{Exit, Invocation, Surroundings, parse, settings};
use crate::config::{Config, Log};

/// Settings that were read anew.
#[derive(Debug)]
pub struct Reload {
    /// The running broker's, with everything new that it can take over.
    pub config: Config,
    /// The same of its log's.
    pub log: Log,
    /// Each setting that is not as it was.
    pub changes: Vec<Change>,
}

/// One setting that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its key.
    pub setting: String,
    /// What it was, as it may be shown.
    pub from: String,
    /// What it is now.
    pub to: String,
    /// Whether it holds from here on; else it needs a restart.
    pub is_live: bool,
}

/// Reads the settings anew, and says what of them a broker that runs with these can take over.
/// What is wrong in any way changes nothing.
pub fn reload(
    arguments: impl IntoIterator<Item = OsString>,
    surroundings: &Surroundings<'_>,
    running: (&Config, &Log),
) -> Result<Reload, Exit> {
    let is_blank = Cell::new(true);
    let file = |path: &str| {
        let bytes = (surroundings.file)(path)?;
        is_blank.set(is_blank.get() && bytes.is_empty());
        Ok(bytes)
    };
    let new = match parse(arguments, &Surroundings { file: &file, ..*surroundings })? {
        Invocation::Broker { config, log } => (*config, log),
        _ => unreachable!("the command line is that of a broker"),
    };
    // as an editor leaves it for a moment: flags and variables are as they were, so the file had it
    let loses_list = running.0.allow_origin.is_some() && new.0.allow_origin.is_none();
    if loses_list && is_blank.get() {
        return Err(Exit::start(
            "the file is gone or empty, and without its allow_origin everybody may connect",
        ));
    }
    let mut merged = (running.0.clone(), running.1.clone());
    let mut changes = vec![];
    for setting in settings::all() {
        let value = |(config, log): (&Config, &Log)| (setting.value)(config, log);
        let (from, to) = (value(running), value((&new.0, &new.1)));
        if from == to {
            continue;
        }
        if let Some(take) = setting.live {
            take(&new, &mut merged);
        }
        let shown = |value: Value| value.masked(setting.is_secret).words();
        changes.push(Change {
            setting: setting.key(),
            from: shown(from),
            to: shown(to),
            is_live: setting.live.is_some(),
        });
    }
    let (config, log) = merged;
    let threads = config.shards.get() + config.acceptors.get();
    // what needs a restart is as it was, and the new must fit it, too
    config.limits.check().map_err(Exit::start)?;
    config.limits.check_memory(threads).map_err(Exit::start)?;
    Ok(Reload { config, log, changes })
}
