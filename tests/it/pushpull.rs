//! Push/pull, who gets a job: behaviour section 5.

use std::time::Duration;

use crate::server::{Client, TestServer};
use crate::wire::{TEXT, Wire, close, frame};

/// Size of a job that soon fills a puller that does not read.
const BIG: usize = 60_000;

/// A broker that gives a puller little ahead.
fn short() -> TestServer {
    TestServer::limited(|limits| {
        limits.message_bytes_max = BIG;
        limits.outbound_bytes_max = 2 * BIG;
    })
}

/// Pushes jobs with these numbers, one after the other.
async fn push(server: &TestServer, numbers: std::ops::Range<usize>) {
    for number in numbers {
        assert_eq!(server.post("/push/x", number.to_string()).await.0, 200);
    }
}

/// The next job is this one.
async fn gets(puller: &mut Client, number: usize) {
    assert_eq!(puller.text().await, number.to_string());
}

/// A job that is known by its number and as long as [`BIG`].
fn big(number: usize) -> String {
    format!("{number:0>BIG$}")
}

/// The number of a job made by [`big`].
fn number_of(job: impl AsRef<[u8]>) -> usize {
    let job = std::str::from_utf8(job.as_ref()).unwrap();
    assert_eq!(job.len(), BIG);
    job.parse().unwrap()
}

#[tokio::test]
async fn each_job_goes_to_one_puller_in_turn_in_order_of_arrival() {
    let server = TestServer::start();
    let mut pullers = vec![];
    for _ in 0..4 {
        pullers.push(server.connect("/pull/x").await);
    }
    push(&server, 0..10).await;
    let mut pusher = server.connect("/push/x").await;
    for number in 10..400 {
        pusher.feed(&number.to_string()).await;
    }
    pusher.flush().await;
    for number in 0..400 {
        gets(&mut pullers[number % 4], number).await;
    }
    for puller in &mut pullers {
        puller.quiet().await;
    }
    pusher.quiet().await;
}

#[tokio::test]
async fn push_and_pull_have_no_hierarchy() {
    let server = TestServer::start();
    let mut parent = server.connect("/pull/a").await;
    let mut child = server.connect("/pull/a/b").await;
    assert_eq!(server.post("/push/a/b", "for the child").await.0, 200);
    assert_eq!(server.post("/push/a", "for the parent").await.0, 200);
    assert_eq!(child.text().await, "for the child");
    assert_eq!(parent.text().await, "for the parent");
}

#[tokio::test]
async fn a_newcomer_stands_behind_all_others() {
    let server = TestServer::start();
    let mut pullers = vec![];
    for _ in 0..3 {
        pullers.push(server.connect("/pull/x").await);
    }
    push(&server, 0..3).await;
    pullers.push(server.connect("/pull/x").await);
    push(&server, 3..8).await;
    pullers.push(server.connect("/pull/x").await);
    push(&server, 8..14).await;
    let jobs: [&[usize]; 5] = [&[0, 3, 7, 11], &[1, 4, 8, 13], &[2, 5, 9], &[6, 10], &[12]];
    for (puller, jobs) in pullers.iter_mut().zip(jobs) {
        for number in jobs {
            gets(puller, *number).await;
        }
        puller.quiet().await;
    }
}

#[tokio::test]
async fn the_turn_of_one_that_leaves_passes_to_the_one_that_followed_it() {
    let server = TestServer::start();
    for (served, leaver) in (0..4).flat_map(|served| (0..3).map(move |leaver| (served, leaver))) {
        let mut pullers = vec![];
        for _ in 0..3 {
            pullers.push(Some(server.connect("/pull/x").await));
        }
        push(&server, 0..served).await;
        for number in 0..served {
            gets(pullers[number % 3].as_mut().unwrap(), number).await;
        }
        pullers[leaver].take().unwrap().close().await;
        let mut turns = (served..).map(|turn| turn % 3).filter(|turn| *turn != leaver);
        push(&server, served..served + 5).await;
        for number in served..served + 5 {
            gets(pullers[turns.next().unwrap()].as_mut().unwrap(), number).await;
        }
        for puller in pullers.into_iter().flatten() {
            puller.close().await;
        }
    }
}

#[tokio::test]
async fn the_turn_passes_on_when_the_socket_just_breaks() {
    let server = TestServer::start();
    let mut first = server.connect("/pull/x").await;
    let second = server.connect("/pull/x").await;
    let mut third = server.connect("/pull/x").await;
    push(&server, 0..1).await;
    drop(second);
    server.until(|counters| &counters.leaves, 1).await;
    push(&server, 1..5).await;
    for (puller, numbers) in [(&mut first, [0, 2, 4].as_slice()), (&mut third, &[1, 3])] {
        for number in numbers {
            gets(puller, *number).await;
        }
        puller.quiet().await;
    }
}

#[tokio::test]
async fn a_puller_that_cannot_take_more_is_passed_over() {
    const JOBS: usize = 150;
    let server = short();
    let mut stuck = Wire::narrow(&server, "/pull/x").await;
    let mut reads = server.connect("/pull/x").await;
    let mut pusher = server.connect("/push/x").await;
    let push = async {
        for number in 0..JOBS {
            pusher.send(&big(number)).await;
        }
    };
    let read = async {
        let mut numbers = vec![];
        while numbers.last() != Some(&(JOBS - 1)) {
            numbers.push(number_of(reads.text().await));
        }
        numbers
    };
    let ((), numbers) = tokio::join!(push, read);
    assert!(numbers.is_sorted(), "{numbers:?}");
    let left: Vec<_> = (0..JOBS).filter(|number| !numbers.contains(number)).collect();
    assert!((1..JOBS / 2).contains(&left.len()), "{left:?}");
    for number in left {
        assert_eq!(number_of(stuck.text().await), number);
    }
    // it has its turns again
    for _ in 0..2 {
        pusher.send("turn").await;
    }
    assert_eq!(stuck.text().await, "turn");
    assert_eq!(reads.text().await, "turn");
}

#[tokio::test]
async fn a_busy_puller_is_not_closed_however_long_it_does_not_read() {
    let server = TestServer::limited(|limits| {
        limits.message_bytes_max = BIG;
        limits.outbound_bytes_max = 2 * BIG;
        limits.write_stall_max = Duration::from_millis(100);
        limits.ping_interval = Some(Duration::from_millis(100));
        limits.pong_wait_max = Duration::from_millis(100);
    });
    let mut stuck = Wire::narrow(&server, "/pull/x").await;
    for number in 0..40 {
        assert_eq!(server.post("/push/x", big(number)).await.0, 200);
    }
    assert!(server.count(|counters| &counters.backlog_messages) > 0);
    // longer than the timeouts of all others, and than the kernel's for a host that is dead
    tokio::time::sleep(Duration::from_secs(33)).await;
    assert_eq!(server.count(|counters| &counters.write_stalls), 0);
    for number in 0..40 {
        let mut next = stuck.next().await;
        while next.first != TEXT {
            next = stuck.next().await;
        }
        assert_eq!(number_of(next.payload), number);
    }
    assert_eq!(server.count(|counters| &counters.backlog_messages), 0);
}

/// Fills a puller that does not read, ends it this way, and gives the jobs that it did not get
/// whole to another that is there already or joins later.
async fn returned_jobs(other_is_there: bool, ending: &[u8]) {
    const JOBS: usize = 40;
    let server = short();
    let mut stuck = Wire::narrow(&server, "/pull/x").await;
    let mut pusher = server.connect("/push/x").await;
    for number in 0..JOBS {
        pusher.send(&big(number)).await;
    }
    server.until(|counters| &counters.messages_in, JOBS as u64).await;
    assert!(server.count(|counters| &counters.backlog_messages) > 0);
    let mut other = None;
    if other_is_there {
        other = Some(server.connect("/pull/x").await);
    }
    stuck.send(ending).await;
    stuck.end().await;
    server.until(|counters| &counters.leaves, 1).await;
    assert!(server.count(|counters| &counters.jobs_returned) > 0);
    let mut got = vec![];
    while let Some(frame) = stuck.frame().await
        && frame.first == TEXT
    {
        got.push(number_of(frame.payload));
    }
    assert!(!got.is_empty() && got.is_sorted(), "{got:?}");
    let rest: Vec<_> = (0..JOBS).filter(|number| !got.contains(number)).collect();
    let mut other = match other {
        Some(other) => other,
        None => server.connect("/pull/x").await,
    };
    let mut others = vec![];
    for _ in &rest {
        others.push(number_of(other.text().await));
    }
    other.quiet().await;
    if other_is_there {
        // what came back stands behind what it already had, and is in order itself
        let back = others.windows(2).filter(|pair| pair[0] > pair[1]).count();
        assert!(back <= 1, "{others:?}");
        others.sort_unstable();
    }
    assert_eq!(others, rest);
    assert_eq!(server.count(|counters| &counters.backlog_messages), 0);
}

#[tokio::test]
async fn what_was_not_written_when_the_socket_broke_goes_to_the_next_puller_in_order() {
    returned_jobs(false, &[]).await;
}

#[tokio::test]
async fn what_was_not_written_when_the_socket_broke_goes_to_those_who_are_there() {
    returned_jobs(true, &[]).await;
}

#[tokio::test]
async fn what_was_not_written_before_a_close_goes_to_the_next_puller_in_order() {
    returned_jobs(false, &close(1000, "enough")).await;
}

#[tokio::test]
async fn what_was_not_written_before_a_breach_goes_to_the_next_puller_in_order() {
    returned_jobs(false, &frame(0xf1, "reserved bits")).await;
}
