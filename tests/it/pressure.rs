//! Bodies, backlogs and receivers that do not keep up, all at once, where there is little memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use mercury::metrics::Metrics;
use mercury::slow_consumer::{Policy, SlowConsumer};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::memory::{MEMORY_BYTES, MIB, little};
use crate::server::{PATIENCE, TestServer};
use crate::socket::{Socket, TEXT, upgrade};

/// Topics of each kind; each has a root of its own, so that they are on both shards.
const TOPICS: usize = 6;
/// Size of a message; of a job, and of a body that is published.
const MESSAGE_BYTES: usize = 60_000;
const JOB_BYTES: usize = 64 * 1024;
const BODY_BYTES: usize = MIB;
/// Jobs that nobody pulls for a while: half of what jobs may take.
const JOBS: usize = 32;
/// So often each way of making room, or of doing without, must have been gone.
const TIMES: u64 = 20;

/// Looks at what is held until all is over; the most that was.
fn watch(metrics: Metrics, over: Arc<AtomicBool>) -> thread::JoinHandle<u64> {
    thread::spawn(move || {
        let mut most = 0;
        while !over.load(Relaxed) {
            // the sum of several threads: what moves from one to the other is seen twice by one
            // look, but not by two
            let looks = [(); 2].map(|()| metrics.sum(|c| &c.memory_bytes));
            most = most.max(looks[0].min(looks[1]));
            thread::sleep(Duration::from_micros(50));
        }
        most
    })
}

/// Publishes again and again; it waits while there is no memory. Who is cut short in the middle of
/// a message, or not let in, comes again.
async fn publish(port: u16, path: String) {
    let message = vec![b'x'; MESSAGE_BYTES];
    loop {
        let mut publisher = Socket::open(port).await;
        publisher.write(upgrade(&path)).await.ok();
        if let Some((101, _)) = publisher.answer().await {
            while publisher.send(TEXT, &message).await.is_ok() {}
        }
    }
}

/// POSTs again and again until so many were accepted.
async fn post(port: u16, path: String, bytes: usize, accepted: Arc<AtomicUsize>, until: usize) {
    let body = "x".repeat(bytes);
    let mut socket = Socket::open(port).await;
    while accepted.load(Relaxed) < until {
        match socket.post(&path, &body).await {
            Some(200) => drop(accepted.fetch_add(1, Relaxed)),
            // who is refused while it sends a body is hung up on
            Some(503) | None => socket = Socket::open(port).await,
            other => panic!("{path} was answered with {other:?}"),
        }
    }
}

/// A body that is half there and stays so.
async fn half_a_body(port: u16) -> Socket {
    let mut socket = Socket::open(port).await;
    let head = "POST /pub/slow0 HTTP/1.1\r\nHost: x\r\nContent-Length: 2097152\r\n\r\n";
    socket.write([head.as_bytes(), &vec![b'x'; MIB]].concat()).await.unwrap();
    socket
}

/// Pulls for ever; counts the jobs.
async fn pull(port: u16, path: String, jobs: Arc<AtomicUsize>) {
    let mut puller = Socket::join(port, &path).await;
    while let Some((op_code, _)) = puller.frame().await {
        jobs.fetch_add(usize::from(op_code == TEXT), Relaxed);
    }
}

/// Two shards with little memory. Of its receivers the peers are closed, from the subscribers
/// messages are dropped.
fn server() -> TestServer {
    TestServer::with(|config| {
        little(&mut config.limits);
        config.limits.ping_interval = None;
        config.limits.write_stall_max = 3 * PATIENCE;
        config.limits.slow_consumer =
            SlowConsumer { bus: Policy::Close, pubsub: Policy::DropOldest };
    })
}

/// Receivers that read nothing, each with a publisher that never ends.
async fn lag(port: u16, tasks: &mut JoinSet<()>) -> Vec<Socket> {
    let mut laggards = vec![];
    for topic in 0..TOPICS {
        for (receiver, sender) in [("sub", "pub"), ("bus", "bus")] {
            laggards.push(Socket::join_small(port, &format!("/{receiver}/slow{topic}")).await);
            tasks.spawn(publish(port, format!("/{sender}/slow{topic}")));
        }
    }
    laggards
}

/// Waits until this is so.
async fn until(is_so: impl Fn() -> bool) {
    let waited = async {
        while !is_so() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(3 * PATIENCE, waited).await.expect("it in time");
}

/// Ends tasks, none of which may have failed.
async fn end(mut tasks: JoinSet<()>) {
    tasks.abort_all();
    while let Some(ended) = tasks.join_next().await {
        assert!(ended.is_ok() || ended.unwrap_err().is_cancelled());
    }
}

#[tokio::test]
async fn bodies_backlogs_and_laggards_of_two_shards_stay_within_memory_max_together() {
    let server = server();
    let to = server.port;
    let over = Arc::default();
    let watching = watch(server.metrics(), Arc::clone(&over));
    let mut tasks = JoinSet::new();
    let (half, laggards) = (half_a_body(to).await, lag(to, &mut tasks).await);
    let [others, kept, came] = <[Arc<AtomicUsize>; 3]>::default();
    for topic in 0..TOPICS {
        let path = |role| format!("/{role}{topic}");
        let others = || Arc::clone(&others);
        tasks.spawn(pull(to, path("pull/taken"), Arc::default()));
        tasks.spawn(post(to, path("push/taken"), JOB_BYTES, others(), usize::MAX));
        tasks.spawn(post(to, path("pub/slow"), BODY_BYTES, others(), usize::MAX));
        tasks.spawn(post(to, path("push/kept"), JOB_BYTES, Arc::clone(&kept), JOBS));
    }
    let counts = || {
        [
            server.count(|c| &c.memory_sheds),
            server.count(|c| &c.memory_full),
            server.count(|c| &c.publisher_waits),
            others.load(Relaxed) as u64,
            kept.load(Relaxed) as u64,
        ]
    };
    until(|| counts().into_iter().all(|count| count >= TIMES)).await;
    end(tasks).await;
    drop((half, laggards));
    server.until(|c| &c.connections, 0).await;
    let mut tasks = JoinSet::new();
    for topic in 0..TOPICS {
        tasks.spawn(pull(to, format!("/pull/kept{topic}"), Arc::clone(&came)));
        // here a few may be left
        tasks.spawn(pull(to, format!("/pull/taken{topic}"), Arc::default()));
    }
    server.until(|c| &c.memory_bytes, 0).await;
    server.until(|c| &c.backlog_messages, 0).await;
    // what was accepted comes
    until(|| came.load(Relaxed) >= kept.load(Relaxed)).await;
    over.store(true, Relaxed);
    let most = watching.join().unwrap();
    println!("{most} bytes at most, after {:?}", counts());
    assert!(most <= MEMORY_BYTES as u64, "{most} bytes");
    assert!(most > MEMORY_BYTES as u64 / 2, "{most} bytes only");
}
