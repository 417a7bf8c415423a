//! Runs a command for each job, some at once.

use std::io::{self, ErrorKind};
use std::num::NonZeroUsize;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
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
    /// What the command said in the end, or why there was none.
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
    loop {
        let is_free = running.len() < parallel.get();
        let done = tokio::select! {
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
                running.spawn_local(run(shell(command, terminal, number, &job), number, job));
                if output.count.is_some_and(|count| number == count.get()) {
                    has_more = false;
                    desk.enough();
                }
                continue;
            }
            else => break,
        };
        desk.incoming.resume();
        if let Some(reason) = reason(done.status)? {
            failed += 1;
            say(&format!("job {} {reason}", done.number));
        }
    }
    if failed == 0 { Ok(()) } else { Err(Failure::Jobs(failed)) }
}

/// The command, and what it can know of its job.
fn shell(command: &str, terminal: &Terminal, number: u64, job: &Message) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command);
    shell.env("MERCURY_TOPIC", &terminal.topic);
    shell.env("MERCURY_KIND", job.kind());
    shell.env("MERCURY_JOB", number.to_string());
    shell.stdin(Stdio::piped());
    shell
}

/// Runs it with the job as its standard input.
async fn run(mut shell: Command, number: u64, job: Message) -> Done {
    let running = async {
        let mut child = shell.spawn()?;
        let mut stdin = child.stdin.take().expect("it is a pipe");
        let feeding = async move {
            match stdin.write_all(&job.payload).await {
                // it need not read what it does not want
                Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
                fed => fed,
            }
        };
        let (fed, status) = tokio::join!(feeding, child.wait());
        fed.and(status)
    };
    Done { number, status: running.await }
}

/// What was wrong with a job, if anything was. That there is no shell is wrong with all.
fn reason(status: io::Result<ExitStatus>) -> Result<Option<String>, Failure> {
    let status = status
        .map_err(|error| Failure::Own(format!("cannot run a command: {}", cause::words(&error))))?;
    if status.success() {
        return Ok(None);
    }
    Ok(Some(match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with status {code}"),
        (None, signal) => format!("was killed by signal {}", signal.unwrap_or_default()),
    }))
}
