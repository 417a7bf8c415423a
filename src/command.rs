//! The command `mercury`: parse, start, wait for a signal, drain.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use crate::cli::{self, Exit, Invocation, Surroundings};
use crate::config::{Config, Log, Size};
use crate::limits::CONFIG_BYTES_MAX;
use crate::server::Server;
use crate::telemetry::{self, Announcement};

/// Target of the lines about the whole broker, for which operators' rules look.
const LOG: &str = "mercury";

/// Does what `arguments` say, the program's name first, and returns the exit status; a broker runs
/// until it is told to stop.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let environment =
        |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let surroundings = Surroundings { environment: &environment, file: &read };
    let end = match cli::parse(arguments, &surroundings) {
        Ok(Invocation::Broker { config, log }) => run(&config, &log),
        Ok(Invocation::Print(text)) => io::stdout().write_all(text.as_bytes()).map_err(Exit::start),
        Err(exit) => Err(exit),
    };
    end.map_or_else(|exit| exit.report(), |()| ExitCode::SUCCESS)
}

/// Reads a file whole, as far as it is no more than a configuration can be.
fn read(path: &str) -> io::Result<Vec<u8>> {
    let mut bytes = vec![];
    let most = CONFIG_BYTES_MAX as u64;
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() > CONFIG_BYTES_MAX {
        let most = Size(CONFIG_BYTES_MAX);
        return Err(io::Error::other(format!("it is larger than {most}")));
    }
    Ok(bytes)
}

/// Runs the broker until it is told to stop.
fn run(config: &Config, log: &Log) -> Result<(), Exit> {
    telemetry::start(log);
    let runtime = Builder::new_current_thread().enable_io().build().map_err(Exit::start)?;
    // Before the start: a signal that comes in between drains, too.
    let mut signals = runtime.block_on(async { Signals::new() }).map_err(Exit::start)?;
    let server = Server::start(config).map_err(Exit::start)?;
    let (urls, pins, descriptors) = (server.urls(), server.pins(), server.descriptors());
    telemetry::announce(log.format, &Announcement { urls, config, pins, descriptors });

    runtime.block_on(async {
        let first = signals.next().await;
        info!(target: LOG, signal = name(first), timeout = ?config.limits.drain_max, "draining");
        tokio::select! {
            drained = server.drain() => info!(
                target: LOG,
                cut = drained.cut,
                cut_bytes = drained.cut_bytes,
                backlog_messages = drained.backlog_messages,
                "drained"
            ),
            second = signals.next() => {
                let signal = name(second);
                warn!(target: LOG, signal, "a second signal, the drain is cut short");
                std::process::exit(128 + second.as_raw_value());
            }
        }
    });
    Ok(())
}

fn name(signal: SignalKind) -> &'static str {
    if signal == SignalKind::terminate() { "SIGTERM" } else { "SIGINT" }
}

/// The two ways to ask for an end.
struct Signals {
    /// What service managers send.
    terminate: Signal,
    /// What Ctrl-C sends.
    interrupt: Signal,
}

impl Signals {
    /// From here on neither signal ends us by itself.
    fn new() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The next request to stop.
    async fn next(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
        }
    }
}
