//! `mercury pull --exec`: a command for each job.

use std::fs;
use std::process::Stdio;

use rustix::process::Signal;

use super::{Ended, Tool};
use crate::configuration::Folder;
use crate::server::TestServer;

async fn push(server: &TestServer, jobs: &[u8]) {
    assert_eq!(Tool::run(server.port, &["push", "jobs"], jobs).await, Ended::silent(0));
}

#[tokio::test]
async fn a_command_gets_the_job_and_knows_its_topic() {
    let server = TestServer::start();
    push(&server, b"one\n\xff\n").await;
    let command = "echo \"$MERCURY_JOB $MERCURY_TOPIC $MERCURY_KIND $(wc -c | tr -d ' ')\"";
    let tool = Tool::start(server.port, &["pull", "jobs", "--exec", command, "--count", "2"]);
    let output = b"1 jobs text 3\n2 jobs binary 1\n".to_vec();
    assert_eq!(tool.end().await, Ended { output, ..Ended::silent(0) });
}

#[tokio::test]
async fn jobs_that_fail_are_told_and_the_others_go_on() {
    let server = TestServer::start();
    push(&server, b"exit 0\nexit 7\nkill -9 $$\ntrue\n").await;
    let tool = Tool::start(server.port, &["pull", "jobs", "--exec", "sh", "--count", "4"]);
    let errors = [
        "mercury: job 2 ended with status 7",
        // the shell around it tells of the signal
        "mercury: job 3 ended with status 137",
        "mercury: 2 jobs failed",
    ];
    let mut ended = tool.end().await;
    // that shell may have words of its own
    ended.errors.retain(|line| line.starts_with("mercury: "));
    if ended.errors[1].ends_with("was killed by signal 9") {
        // a shell that became its last command
        ended.errors[1] = errors[1].to_owned();
    }
    assert_eq!(ended.errors, errors);
    assert_eq!(ended.status, Some(6));
}

#[tokio::test]
async fn so_many_run_at_once_as_they_may() {
    let server = TestServer::start();
    let folder = Folder::with(&[]);
    // each waits for the two others
    let command = format!(
        "cd {} && touch \"$(cat)\" && until test -e a -a -e b -a -e c; do sleep 0.01; done",
        folder.path().display()
    );
    push(&server, b"a\nb\nc\n").await;
    let flags = ["pull", "jobs", "--exec", &command, "--parallel", "3", "--count", "3"];
    assert_eq!(Tool::start(server.port, &flags).end().await, Ended::silent(0));
}

#[tokio::test]
async fn a_busy_puller_is_passed_over_and_does_what_it_has_before_it_goes() {
    const JOBS: usize = 80;
    let server = TestServer::start();
    let folder = Folder::with(&[]);
    let go = folder.path().join("go");
    let command = format!("wc -c; until test -e '{}'; do sleep 0.01; done", go.display());
    let mut busy = Tool::joined(&server, &["pull", "jobs", "--exec", &command]).await;
    let mut puller = server.connect("/pull/jobs").await;
    let job = [&vec![b'x'; 250_000][..], b"\n"].concat();
    push(&server, &job.repeat(JOBS)).await;
    assert_eq!(busy.line().await.trim(), "250000");
    let mut taken = 0;
    // once the busy one is passed over all others are for this one
    while taken < JOBS / 2 + 1 {
        assert_eq!(puller.text().await.len(), 250_000);
        taken += 1;
    }
    busy.signal(Signal::TERM);
    fs::write(&go, "").unwrap();
    let ended = busy.end().await;
    assert_eq!((ended.status, ended.errors.len()), (Some(0), 0), "{ended:?}");
    let done = 1 + String::from_utf8(ended.output).unwrap().lines().count();
    // those that it had not got in whole, and no other
    while taken < JOBS - done {
        assert_eq!(puller.text().await.len(), 250_000);
        taken += 1;
    }
    puller.quiet().await;
}

#[tokio::test]
async fn a_job_need_not_be_read() {
    let server = TestServer::start();
    push(&server, &[&vec![b'x'; 200_000][..], b"\n"].concat()).await;
    let tool = Tool::start(server.port, &["pull", "jobs", "--exec", "true", "--count", "1"]);
    assert_eq!(tool.end().await, Ended::silent(0));
}

#[tokio::test]
async fn a_first_signal_leaves_the_last_job_of_a_count_at_work() {
    let server = TestServer::start();
    let folder = Folder::with(&[]);
    let go = folder.path().join("go");
    let command = format!("echo begun; until test -e '{}'; do sleep 0.01; done", go.display());
    push(&server, b"one\n").await;
    let flags = ["pull", "jobs", "--exec", &command, "--count", "1"];
    let mut tool = Tool::start(server.port, &flags);
    assert_eq!(tool.line().await, "begun");
    tool.signal(Signal::TERM);
    fs::write(&go, "").unwrap();
    assert_eq!(tool.end().await, Ended::silent(0));
}

#[tokio::test]
async fn ctrl_c_leaves_a_job_at_work_until_the_second() {
    let server = TestServer::start();
    let folder = Folder::with(&[]);
    let go = folder.path().join("go");
    let command = format!(
        "trap 'echo stopped; exit 1' TERM; echo begun; until test -e '{}'; do sleep 0.01; done",
        go.display()
    );
    push(&server, b"one\n").await;
    let mut tool = Tool::start(server.port, &["pull", "jobs", "--exec", &command]);
    assert_eq!(tool.line().await, "begun");
    tool.interrupt_foreground();
    fs::write(&go, "").unwrap();
    assert_eq!(tool.end().await, Ended::silent(0));
    fs::remove_file(&go).unwrap();
    push(&server, b"two\n").await;
    let mut tool = Tool::joined(&server, &["pull", "jobs", "--exec", &command]).await;
    assert_eq!(tool.line().await, "begun");
    let leaves = server.count(|counters| &counters.leaves);
    tool.interrupt_foreground();
    // two signals at once are one
    server.until(|counters| &counters.leaves, leaves + 1).await;
    tool.interrupt_foreground();
    let ended = tool.end().await;
    assert_eq!((ended.status, &ended.output[..]), (Some(130), &b"stopped\n"[..]), "{ended:?}");
}

#[tokio::test]
async fn a_command_that_cannot_be_started_ends_it_after_those_that_run() {
    let server = TestServer::start();
    let folder = Folder::with(&[]);
    std::os::unix::fs::symlink("/bin/sh", folder.path().join("sh")).unwrap();
    let path = folder.path().to_str().unwrap();
    let command = format!(
        "/bin/rm {path}/sh; echo begun; until test -e {path}/go; do /bin/sleep 0.01; done; exit 7"
    );
    push(&server, b"one\n").await;
    let url = format!("ws://127.0.0.1:{}", server.port);
    let pull = ["pull", "jobs", "--exec", &command, "--parallel", "2"];
    let mut tool = Tool::with(&pull, &[("MERCURY_URL", &url), ("PATH", path)], Stdio::piped());
    assert_eq!(tool.line().await, "begun");
    let leaves = server.count(|counters| &counters.leaves);
    let mut pusher = server.connect("/push/jobs").await;
    pusher.send("two").await;
    server.until(|counters| &counters.leaves, leaves + 1).await;
    fs::write(folder.path().join("go"), "").unwrap();
    let errors = vec![
        "mercury: job 1 ended with status 7".to_owned(),
        "mercury: cannot run a command for job 2: no such file or directory".to_owned(),
    ];
    assert_eq!(tool.end().await, Ended { errors, ..Ended::silent(1) });
}
