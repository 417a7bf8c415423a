//! Less memory than slow consumers could take, and a fifth of a CPU.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::cgroup::Cgroup;
use super::footprint::{PLACES_FLAGS, calm, comes_back, has_all_places};
use super::innocents::{Innocents, LEAST};
use super::root::{is_root, skip};
use crate::process::Process;
use crate::server::PATIENCE;
use crate::socket::{Socket, TEXT};
use crate::wire::{self, frame};

const MIB: u64 = 1024 * 1024;
/// All of them wait for a receiver without being too much.
const SHORT_MESSAGES: usize = 100_000;

/// A broker in a control group.
async fn broker(group: &Cgroup, flags: &[&str]) -> Process {
    let launcher = group.launcher();
    let launcher = launcher.each_ref().map(String::as_str);
    let broker = ["broker", "-l", "http://127.0.0.1:0"];
    Process::launch(&launcher, &[&broker, flags].concat(), &[]).await
}

/// On each of many topics, a subscriber that reads nothing and a publisher with much to say.
async fn flood(process: &Process) {
    // more than is there, but with room for the kernel's send buffers, which a cgroup of version 2
    // is charged for
    const TOPICS: usize = 24;
    // more than the default of --max-outbound for each
    const MESSAGES: usize = 100;
    let before = process.descriptors();
    let (mut subscribers, mut publishers) = (vec![], vec![]);
    for topic in 0..TOPICS {
        subscribers.push(Socket::join_small(process.port(), &format!("/sub/{topic}")).await);
        publishers.push(Socket::join(process.port(), &format!("/pub/{topic}")).await);
    }
    let message = vec![b'x'; 60_000];
    for _ in 0..MESSAGES {
        for publisher in &mut publishers {
            publisher.send(TEXT, &message).await.unwrap();
        }
    }
    drop(publishers);
    // all of the subscribers are given up
    while process.descriptors() > before {
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn slow_consumers_do_not_fill_the_memory_of_a_cgroup() {
    if !is_root(slow_consumers_do_not_fill_the_memory_of_a_cgroup) {
        return;
    }
    let group = match Cgroup::of_memory(96 * MIB) {
        Ok(group) => group,
        Err(reason) => return skip(slow_consumers_do_not_fill_the_memory_of_a_cgroup, &reason),
    };
    let flags = [&["--shards", "2"], &PLACES_FLAGS[..]].concat();
    let fault = async |process: &mut Process| {
        let mut innocents = Innocents::join(process.port(), "news").await;
        let flood = timeout(PATIENCE * 2, flood(process));
        innocents.exchange_during(flood).await.expect("an end of the flood in time");
        let reason = "closed: memory-shed: the broker is short of memory";
        process.line_with(reason).await;
    };
    let mut process = broker(&group, &flags).await;
    let started = process.start.last().unwrap();
    assert!(started.contains(" max_outbound=4MiB memory_max=48MiB "), "{started}");
    comes_back(&mut process, calm, fault).await;
    has_all_places(async || Socket::open(process.port()).await).await;
    assert_eq!(group.kills(), 0);
    assert_eq!(process.stop().await.status, Some(0));
}

#[tokio::test]
async fn memory_max_is_half_of_a_cgroup_or_the_least_that_it_must_hold() {
    if !is_root(memory_max_is_half_of_a_cgroup_or_the_least_that_it_must_hold) {
        return;
    }
    // two bodies of 16 MiB and 4 MiB for each of three threads are 44 MiB
    for (given, memory_max) in [(64, "44MiB"), (100, "50MiB")] {
        let group = match Cgroup::of_memory(given * MIB) {
            Ok(group) => group,
            Err(reason) => {
                return skip(
                    memory_max_is_half_of_a_cgroup_or_the_least_that_it_must_hold,
                    &reason,
                );
            }
        };
        let process = broker(&group, &["--shards", "2", "--acceptors", "1"]).await;
        let started = process.start.last().unwrap();
        assert!(started.contains(&format!(" memory_max={memory_max} ")), "{given}: {started}");
        assert_eq!(process.stop().await.status, Some(0));
    }
}

/// Short messages all at once: it is the broker that has work to do.
async fn say(mut publisher: Socket) {
    let frames = (0..SHORT_MESSAGES).flat_map(|number| frame(wire::TEXT, number.to_string()));
    publisher.write(frames.collect::<Vec<_>>()).await.unwrap();
}

/// Hears all of them, in order.
async fn hear(mut subscriber: Socket) {
    for number in 0..SHORT_MESSAGES {
        assert_eq!(subscriber.text().await, number.to_string());
    }
}

/// Much to do for the broker, of which nothing is lost.
async fn chat(port: u16) {
    const SUBSCRIBERS: usize = 2;
    let mut innocents = Innocents::join(port, "news").await;
    let mut hearing = JoinSet::new();
    for _ in 0..SUBSCRIBERS {
        hearing.spawn(hear(Socket::join(port, "/sub/chatter").await));
    }
    let publisher = Socket::join(port, "/pub/chatter").await;
    tokio::join!(innocents.exchange(LEAST), say(publisher), hearing.join_all());
}

#[tokio::test]
async fn a_fifth_of_a_cpu_loses_nothing() {
    if !is_root(a_fifth_of_a_cpu_loses_nothing) {
        return;
    }
    let group = match Cgroup::of_cpu(20) {
        Ok(group) => group,
        Err(reason) => return skip(a_fifth_of_a_cpu_loses_nothing, &reason),
    };
    let mut process = broker(&group, &PLACES_FLAGS).await;
    let started = process.start.last().unwrap();
    assert!(started.contains(" shards=1 "), "{started}");
    let mut waited = 0;
    comes_back(&mut process, calm, async |process| {
        let throttled = async {
            while group.throttlings() == waited {
                chat(process.port()).await;
            }
        };
        timeout(3 * PATIENCE, throttled).await.expect("more than a fifth to do");
        waited = group.throttlings();
    })
    .await;
    has_all_places(async || Socket::open(process.port()).await).await;
    let ended = process.stop().await;
    // nothing was logged
    assert_eq!(ended.lines.len(), 2, "{ended:?}");
    assert!(ended.lines.last().unwrap().contains("drained cut=0 cut_bytes=0 "), "{ended:?}");
}
