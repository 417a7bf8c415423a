//! Runs a command for each job, some at once.

use std::io::{self, ErrorKind};
use std::num::NonZeroUsize;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use super::desk::Desk;
use super::message::Message;
use super::status::{Failure, say};
use crate::cause;
use crate::config::{Output, Terminal};

/// How one job ended.
struct Done {
    /// Counted from 1.
    number: u64,
    /// What the command said in the end, or why that is not known.
    status: io::Result<ExitStatus>,
}

/// Does jobs until there are no more, or enough. While as many run as may, no job is read.
pub(super) async fn work(
    terminal: &Terminal,
    output: &Output,
    (command, parallel): (&str, NonZeroUsize),
    desk: &Desk,
) -> Result<(), Failure> {
    let mut running = JoinSet::new();
    let (mut number, mut failed, mut has_more) = (0, 0, true);
    let mut broken = None;
    loop {
        let is_free = running.len() < parallel.get();
        let done: Done = tokio::select! {
            biased;
            Some(done) = running.join_next() => done.expect("a job does not panic"),
            job = desk.incoming.take(), if is_free && has_more => {
                let Some(job) = job else {
                    has_more = false;
                    continue;
                };
                number += 1;
                if running.len() + 1 == parallel.get() && !desk.is_leaving() {
                    desk.incoming.pause();
                }
                match shell(command, terminal, number, &job).spawn() {
                    Ok(child) => {
                        desk.groups.borrow_mut().extend(group(&child).map(|it| (number, it)));
                        running.spawn_local(finish(child, number, job));
                    }
                    Err(error) => broken = Some(unable(number, &error)),
                }
                if broken.is_some() || output.count.is_some_and(|count| number == count.get()) {
                    has_more = false;
                    desk.enough();
                }
                continue;
            }
            else => break,
        };
        desk.incoming.resume();
        desk.groups.borrow_mut().remove(&done.number);
        match done.status {
            Ok(status) if status.success() => {}
            Ok(status) => {
                failed += 1;
                say(&format!("job {} {}", done.number, reason(status)));
            }
            Err(error) => {
                broken = Some(unable(done.number, &error));
                has_more = false;
                desk.enough();
            }
        }
    }
    match broken {
        Some(failure) => Err(failure),
        None if failed > 0 => Err(Failure::Jobs(failed)),
        None => Ok(()),
    }
}

/// The command, and what it can know of its job.
fn shell(command: &str, terminal: &Terminal, number: u64, job: &Message) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command);
    shell.env("MERCURY_TOPIC", &terminal.topic);
    shell.env("MERCURY_KIND", job.kind_word());
    shell.env("MERCURY_JOB", number.to_string());
    shell.stdin(Stdio::piped());
    // Ctrl-C on a terminal goes to its whole foreground, and is for us alone
    shell.process_group(0);
    shell
}

/// Gives it the job as its standard input, and waits for its end.
async fn finish(mut child: Child, number: u64, job: Message) -> Done {
    let mut stdin = child.stdin.take().expect("it is a pipe");
    let feeding = async move {
        match stdin.write_all(&job.payload).await {
            // it need not read what it does not want
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            fed => fed,
        }
    };
    let (fed, status) = tokio::join!(feeding, child.wait());
    Done { number, status: fed.and(status) }
}

/// The process group that a command leads.
fn group(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?))
}

/// Ends the commands that run.
pub(super) fn stop(desk: &Desk) {
    for group in desk.groups.borrow().values() {
        // one that has just ended is not there any more
        kill_process_group(*group, Signal::TERM).unwrap_or_default();
    }
}

/// What is wrong with a job whose command we cannot run is wrong with all.
fn unable(number: u64, error: &io::Error) -> Failure {
    Failure::Own(format!("cannot run a command for job {number}: {}", cause::words(error)))
}

/// How a command failed.
fn reason(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with status {code}"),
        (None, signal) => format!("was killed by signal {}", signal.unwrap_or_default()),
    }
}
