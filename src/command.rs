//! The command `mercury`: parse, start, wait for a signal, reload or drain.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind::NotFound;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use tokio::runtime::Builder;
use tokio::signal::unix::SignalKind;
use tracing::{error, info, warn};

use crate::cli::{self, Change, Exit, Invocation, Reload, Surroundings};
use crate::config::{Config, Log, LogFormat};
use crate::contents::{self, ContentsError};
use crate::limits::CONFIG_BYTES_MAX;
use crate::server::{Inherited, Server};
use crate::signals::Signals;
use crate::systemd;
use crate::telemetry::{self, Announcement};
use crate::terminal;
use crate::top;

/// Target of the lines about the whole broker, for which operators' rules look.
const LOG: &str = "mercury";

/// Does what `arguments` say, the program's name first, and returns the exit status; a broker runs
/// until it is told to stop.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let environment =
        |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let surroundings = Surroundings { environment: &environment, file: &read };
    let arguments: Vec<_> = arguments.into_iter().collect();
    let end = match cli::parse(arguments.clone(), &surroundings) {
        Ok(Invocation::Broker { config, log }) => {
            let surroundings = Surroundings { file: &read_again, ..surroundings };
            let again =
                |config: &_, log: &_| cli::reload(arguments.clone(), &surroundings, (config, log));
            let format = log.format;
            match run(*config, log, &again) {
                Err(exit) if format == LogFormat::Json => {
                    telemetry::announce_failure(&exit.message);
                    return ExitCode::from(exit.status);
                }
                end => end,
            }
        }
        Ok(Invocation::Check { config, verdict }) => Server::check(&config)
            .map_err(Exit::start)
            .and_then(|()| io::stdout().write_all(verdict.as_bytes()).map_err(Exit::start)),
        Ok(Invocation::Top(top)) => top::run(&top).map_err(Exit::start),
        Ok(Invocation::Health(target)) => top::health(&target).map_err(Exit::start),
        Ok(Invocation::Terminal(terminal)) => return ExitCode::from(terminal::run(&terminal)),
        Ok(Invocation::Print(text)) => io::stdout().write_all(text.as_bytes()).map_err(Exit::start),
        Err(exit) => Err(exit),
    };
    end.map_or_else(|exit| exit.report(), |()| ExitCode::SUCCESS)
}

/// Reads the settings' file at the start.
fn read(path: &str) -> io::Result<Vec<u8>> {
    contents_of(path, false)
}

/// Reads it while the broker runs.
fn read_again(path: &str) -> io::Result<Vec<u8>> {
    contents_of(path, true)
}

fn contents_of(path: &str, runs: bool) -> io::Result<Vec<u8>> {
    contents::read(Path::new(path), CONFIG_BYTES_MAX, runs).map_err(|error| match error {
        // taken for no file at all, it would leave every default, and everybody let in
        ContentsError::System(error)
            if error.kind() == NotFound && fs::symlink_metadata(path).is_ok() =>
        {
            io::Error::other("it is a symbolic link to nothing")
        }
        ContentsError::System(error) => error,
        error => io::Error::other(error),
    })
}

/// Reads the settings anew for a broker that runs with these.
type Again<'a> = &'a dyn Fn(&Config, &Log) -> Result<Reload, Exit>;

/// Runs the broker until it is told to stop.
fn run(mut config: Config, mut log: Log, again: Again<'_>) -> Result<(), Exit> {
    let inherited = Inherited::take().map_err(Exit::start)?;
    let level = telemetry::start(&log);
    let runtime = Builder::new_current_thread().enable_all().build().map_err(Exit::start)?;
    // Before the start: a signal that comes in between drains, too.
    let kinds = [SignalKind::hangup(), SignalKind::terminate(), SignalKind::interrupt()];
    let mut signals = runtime.block_on(async { Signals::new(&kinds) }).map_err(Exit::start)?;
    let server = Server::start_with(&config, inherited).map_err(Exit::start)?;
    let (urls, pins, descriptors) = (server.urls(), server.pins(), server.descriptors());
    let admin = server.admin();
    let announcement = Announcement { urls, admin, config: &config, pins, descriptors };
    telemetry::announce(log.format, &announcement);
    systemd::ready(urls);

    runtime.block_on(async {
        let first = loop {
            let signal = tokio::select! {
                signal = signals.next() => signal,
                never = systemd::beat(|| server.stuck()) => match never {},
            };
            if signal != SignalKind::hangup() {
                break signal;
            }
            systemd::reloading();
            match again(&config, &log) {
                Ok(reload) => {
                    server.adopt(&reload.config);
                    say(&reload.changes);
                    level.set(&reload.log.filter);
                    (config, log) = (reload.config, reload.log);
                    systemd::ready(server.urls());
                }
                Err(exit) => {
                    error!(target: LOG, "not reloaded, nothing changes: {}", exit.message);
                    systemd::not_reloaded(&exit.message);
                }
            }
        };
        systemd::stopping(config.limits.drain_max);
        info!(target: LOG, signal = name(first), timeout = ?config.limits.drain_max, "draining");
        tokio::select! {
            drained = server.drain() => info!(
                target: LOG,
                cut = drained.cut,
                cut_bytes = drained.cut_bytes,
                backlog_messages = drained.backlog_messages,
                "drained"
            ),
            second = stop(&mut signals) => {
                let signal = name(second);
                warn!(target: LOG, signal, "a second signal, the drain is cut short");
                std::process::exit(128 + second.as_raw_value());
            }
            // shards that have ended do not answer: the drain's own deadline counts
            never = systemd::beat(|| None) => match never {},
        }
    });
    Ok(())
}

/// Says what is not as it was.
fn say(changes: &[Change]) {
    for Change { setting, from, to, is_live } in changes {
        if *is_live {
            info!(target: LOG, setting, from, to, "changed");
        } else {
            warn!(target: LOG, setting, from, to, "not changed, needs a restart");
        }
    }
    info!(target: LOG, changes = changes.len(), "reloaded");
}

fn name(signal: SignalKind) -> &'static str {
    if signal == SignalKind::terminate() { "SIGTERM" } else { "SIGINT" }
}

/// The next signal that asks for an end: a broker that stops has no use for new settings.
async fn stop(signals: &mut Signals) -> SignalKind {
    loop {
        let signal = signals.next().await;
        if signal != SignalKind::hangup() {
            return signal;
        }
    }
}
