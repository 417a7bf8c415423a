//! SIGTERM where many are connected and many jobs wait.

use rustix::process::Signal;
use tokio::task::JoinSet;

use super::root::skip;
use crate::faults::raise_descriptors;
use crate::process::Process;
use crate::socket::Socket;

const CONNECTIONS: usize = 5000;
/// For our ends of them, beside a test that takes more than half of this.
const DESCRIPTORS: u64 = 20_000;
const TOPICS: usize = 10;
const JOBS_PER_TOPIC: usize = 100;

/// Connects some, one after the other, in every role.
async fn connect(port: u16, count: usize) -> Vec<Socket> {
    let mut sockets = vec![];
    for number in 0..count {
        let role = ["sub", "bus", "pull", "pub", "push"][number % 5];
        sockets.push(Socket::join(port, &format!("/{role}/crowd/{}", number % 17)).await);
    }
    sockets
}

#[tokio::test]
async fn sigterm_says_goodbye_to_thousands_and_counts_a_thousand_jobs() {
    if raise_descriptors() < DESCRIPTORS {
        let reason = format!("needs {DESCRIPTORS} descriptors");
        return skip(sigterm_says_goodbye_to_thousands_and_counts_a_thousand_jobs, &reason);
    }
    let mut process = Process::broker(&["--shards", "2", "--drain-timeout", "20s"]).await;
    let at_start = process.descriptors();
    let mut poster = Socket::open(process.port()).await;
    for topic in 0..TOPICS {
        for job in 0..JOBS_PER_TOPIC {
            let status = poster.post(&format!("/push/waiting/{topic}"), &job.to_string()).await;
            assert_eq!(status, Some(200));
        }
    }
    drop(poster);
    let mut crowds = JoinSet::new();
    for _ in 0..50 {
        crowds.spawn(connect(process.port(), CONNECTIONS / 50));
    }
    let sockets: Vec<_> = crowds.join_all().await.into_iter().flatten().collect();
    assert!(process.descriptors() >= at_start + CONNECTIONS);
    let mut goodbyes = JoinSet::new();
    for mut socket in sockets {
        goodbyes.spawn(async move { socket.until_close().await });
    }
    process.signal(Signal::TERM);
    process.line_with("draining signal=").await;
    for goodbye in goodbyes.join_all().await {
        assert_eq!(goodbye, (vec![], 1001, "going away".to_owned()));
    }
    let ended = process.ended().await;
    for topic in 0..TOPICS {
        let left = format!("topic=\"waiting/{topic}\" jobs={JOBS_PER_TOPIC} bytes=190");
        let is_logged = |line: &String| {
            line.contains("WARN") && line.contains("jobs left") && line.ends_with(&left)
        };
        assert!(ended.lines.iter().any(is_logged), "{left} in {:?}", ended.lines);
    }
    let last = ended.lines.last().unwrap();
    assert!(last.contains("drained cut=0 cut_bytes=0 backlog_messages=1000"), "{last}");
    assert_eq!(ended.status, Some(0));
}
