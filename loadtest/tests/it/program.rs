//! A run of the program, which ends with its test, and the broker that it spawned.

use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// What did not happen by now will not.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// One run.
pub(crate) struct Program {
    child: Option<Child>,
}

/// How a run ended.
pub(crate) struct Ended {
    /// Exit status; none after a signal.
    pub(crate) status: Option<i32>,
    /// Standard output, if that was not closed.
    pub(crate) output: String,
    /// Standard error.
    pub(crate) errors: String,
}

impl Program {
    /// Starts it with `words`.
    pub(crate) fn start(words: &str) -> Self {
        Self::start_as(Command::new(env!("CARGO_BIN_EXE_mercury-loadtest")), words)
    }

    /// Starts what `command` makes of `words`.
    pub(crate) fn start_as(mut command: Command, words: &str) -> Self {
        let child = command
            .args(words.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self { child: Some(child.unwrap()) }
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// The broker that it spawned, as soon as that has all its threads.
    pub(crate) fn broker(&self) -> u32 {
        let pid = self.pid();
        until(|| broker_of(pid).filter(|broker| has_shards(*broker)))
    }

    /// Nobody reads its standard output any more.
    pub(crate) fn close_output(&mut self) {
        drop(self.child.as_mut().unwrap().stdout.take());
    }

    /// Waits until it hears SIGINT, which is when the load runs.
    pub(crate) fn settle(&self) {
        let path = format!("/proc/{}/status", self.pid());
        until(|| {
            let status = fs::read_to_string(&path).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
            (caught & (1 << (Signal::INT.as_raw() - 1)) != 0).then_some(())
        });
    }

    /// Waits for its end, and sees that it left no broker behind.
    pub(crate) fn end(mut self) -> Ended {
        let pid = self.pid();
        until(|| self.child.as_mut().unwrap().try_wait().unwrap());
        let Output { status, stdout, stderr } =
            self.child.take().unwrap().wait_with_output().unwrap();
        until(|| broker_of(pid).is_none().then_some(()));
        Ended {
            status: status.code(),
            output: String::from_utf8(stdout).unwrap(),
            errors: String::from_utf8(stderr).unwrap(),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// Runs it with `words` to its end.
pub(crate) fn run(words: &str) -> Ended {
    Program::start(words).end()
}

/// Sends `signal` to `pid`.
pub(crate) fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
}

/// Asks again and again until there is an answer.
fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < WAIT_MAX, "waited {WAIT_MAX:?} in vain");
        sleep(Duration::from_millis(10));
    }
}

/// The broker that the program with this number spawned, found by its command line.
fn broker_of(pid: u32) -> Option<u32> {
    let words = format!("\0spawned-broker\0{pid}\0");
    fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let broker = entry.file_name().to_str()?.parse().ok()?;
        let line = fs::read_to_string(entry.path().join("cmdline")).ok()?;
        line.contains(&words).then_some(broker)
    })
}

fn has_shards(broker: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{broker}/task")).into_iter().flatten().flatten();
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.into_iter().any(|name| name.starts_with("shard-"))
}
