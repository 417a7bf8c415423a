//! A broker of the same build, as a process of its own that ends with us.

use std::collections::{BTreeSet, VecDeque};
use std::env;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStderr, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mercury::config::{Pin, cores};
use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
use rustix::thread::set_name;

use crate::cli::BrokerArgs;
use crate::connection::Target;
use crate::placement::{Placement, Return};

/// First word of a command line of ours that asks for a broker; the second is our process.
const WORD: &str = "spawned-broker";
/// This program, even when its file has been replaced since.
const PROGRAM: &str = "/proc/self/exe";
/// A broker that does not listen by now will not.
const START_WAIT_MAX: Duration = Duration::from_secs(10);
/// One that has not drained by now will not.
const STOP_WAIT_MAX: Duration = Duration::from_secs(30);
/// How often we look whether it has ended.
const LOOK: Duration = Duration::from_millis(10);
/// Last lines of its log that are kept to explain a failure.
const LINES_MAX: usize = 20;

/// A broker that runs.
#[derive(Debug)]
pub(crate) struct Broker {
    /// Where it listens.
    pub(crate) target: Target,
    /// Its process.
    process: Process,
    /// Reads its log, and returns the end of it.
    log: JoinHandle<VecDeque<String>>,
    /// Where we were allowed to run before.
    _back: Option<Return>,
}

/// A child that is not left behind.
#[derive(Debug)]
struct Process {
    /// It.
    child: Child,
}

/// Is the broker, if that is what our own command line asks for.
pub(crate) fn run_if_spawned() -> Option<ExitCode> {
    let mut words = env::args_os().skip(1);
    if words.next()? != WORD {
        return None;
    }
    let parent = words.next()?;
    // The parent's end is a reason to drain. It may have ended before we asked to be told.
    let asked = set_parent_process_death_signal(Some(Signal::TERM));
    let is_orphan = getppid().is_none_or(|pid| *pid.to_string() != *parent);
    if asked.is_err() || is_orphan {
        eprintln!("mercury-loadtest: {WORD} is for this program's own use");
        return Some(ExitCode::FAILURE);
    }
    // A name is for those who look; without it all is the same.
    set_name(c"mercury").ok();
    let command = ["mercury", "broker"].map(OsString::from);
    Some(mercury::command::main(command.into_iter().chain(words)))
}

/// How many CPUs the shards of a broker with these options may run on, beside a client of
/// `threads`.
pub(crate) fn cpus(args: &BrokerArgs, threads: usize) -> usize {
    match pin(args) {
        Some(Pin::List(cpus)) => cpus.iter().collect::<BTreeSet<_>>().len(),
        _ => placement(args, threads)
            .map_or_else(|| cores::available().len(), |placement| placement.broker.len()),
    }
}

fn placement(args: &BrokerArgs, threads: usize) -> Option<Placement> {
    let is_wanted = !args.no_placement;
    is_wanted.then(|| Placement::find(threads, pin(args).as_ref())).flatten()
}

fn pin(args: &BrokerArgs) -> Option<Pin> {
    args.pin.as_deref().and_then(|pin| Pin::parse(pin).ok())
}

impl Broker {
    /// Spawns one and waits until it listens; the error is a sentence with the end of its log.
    /// Where there are CPUs enough, it gets its own, and the calling thread, for a client of
    /// `threads`, keeps the others until the broker is stopped, which `announce` tells.
    pub(crate) fn start(args: &BrokerArgs, threads: usize, announce: bool) -> Result<Self, String> {
        let sentence = |error| format!("CPUs for the broker and its client: {error}");
        let placement = placement(args, threads);
        let back = placement.as_ref().map(Placement::enter_broker).transpose().map_err(sentence)?;
        let mut process = Process::spawn(&args.flags())?;
        if let Some(placement) = &placement {
            placement.enter_client().map_err(sentence)?;
            if announce {
                eprintln!("mercury-loadtest: {placement}");
            }
        }
        let (announce, announced) = mpsc::channel();
        let stderr = process.child.stderr.take().expect("it is piped");
        let log = thread::Builder::new()
            .name("broker-log".to_owned())
            .spawn(move || read_log(stderr, &announce))
            .map_err(|error| format!("no thread for the broker's log: {error}"))?;
        let why = match announced.recv_timeout(START_WAIT_MAX) {
            Ok(url) => match Target::parse(&url) {
                Ok(target) => return Ok(Self { target, process, log, _back: back }),
                Err(error) => format!("it listens on {url}: {error}"),
            },
            Err(RecvTimeoutError::Timeout) => "it does not listen after 10 s".to_owned(),
            Err(RecvTimeoutError::Disconnected) => match process.wait(STOP_WAIT_MAX) {
                Ok(status) => status.to_string(),
                Err(error) => error,
            },
        };
        drop(process);
        Err(explain(&format!("the broker did not start, {why}"), log))
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// Tells it to drain and waits for its end; any other end than a good one is an error.
    pub(crate) fn stop(mut self) -> Result<(), String> {
        self.process.terminate();
        let why = match self.process.wait(STOP_WAIT_MAX) {
            Ok(status) if status.success() => return Ok(()),
            Ok(status) => format!("the broker ended with {status}"),
            Err(error) => format!("the broker {error}"),
        };
        drop(self.process);
        Err(explain(&why, self.log))
    }
}

impl Process {
    /// In a process group of its own, so that Ctrl-C reaches us alone and we stop it in order.
    fn spawn(flags: &[String]) -> Result<Self, String> {
        let own = std::process::id().to_string();
        let child = Command::new(PROGRAM)
            .arg0("mercury-loadtest")
            .args([WORD, &own, "-l", "http://127.0.0.1:0"])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("the broker did not start: {error}"))?;
        Ok(Self { child })
    }

    fn terminate(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // It may have ended already, which its status tells.
        pid.map(|pid| kill_process(pid, Signal::TERM).ok());
    }

    /// Its status, once it has ended; the error is half a sentence.
    fn wait(&mut self, limit: Duration) -> Result<ExitStatus, String> {
        let start = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) if start.elapsed() < limit => thread::sleep(LOOK),
                Ok(None) => return Err(format!("did not end within {limit:?}")),
                Err(error) => return Err(format!("cannot be waited for: {error}")),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both do nothing once it has ended and been waited for.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Reads until the broker ends: says where it listens, passes its warnings on, and keeps the last
/// lines.
fn read_log(stderr: ChildStderr, announce: &mpsc::Sender<String>) -> VecDeque<String> {
    let mut lines = VecDeque::new();
    let mut listens = false;
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        if let Some(url) = url(&line).filter(|_| !listens) {
            listens = true;
            // Nobody waits any more if it took too long.
            announce.send(url.to_owned()).ok();
        } else if listens && (line.contains(" WARN ") || line.contains("ERROR ")) {
            eprintln!("broker: {line}");
        }
        if lines.len() == LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(line);
    }
    lines
}

/// What a line in text or JSON says where the broker listens.
fn url(line: &str) -> Option<&str> {
    let (_, behind) = line.split_once("listening on ")?;
    behind.split(['"', ' ']).next()
}

/// A sentence, and the end of the log of a broker that has ended.
fn explain(sentence: &str, log: JoinHandle<VecDeque<String>>) -> String {
    let lines = log.join().unwrap_or_else(|_| VecDeque::from(["its log was lost".to_owned()]));
    let lines = lines.into_iter().map(|line| format!("\n    {line}"));
    format!("{sentence}{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_up_lines() {
        assert_eq!(url("listening on http://127.0.0.1:41"), Some("http://127.0.0.1:41"));
        let json = r#"{"message":"listening on http://127.0.0.1:41","url":"http://127.0.0.1:41"}"#;
        assert_eq!(url(json), Some("http://127.0.0.1:41"));
        assert_eq!(url("started shards=2"), None);
    }
}
