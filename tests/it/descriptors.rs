//! Descriptors run out: new clients wait, those inside notice nothing.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::faults::descriptors;
use crate::process::Process;
use crate::socket::{Socket, TEXT, upgrade};

/// The limits that a broker starts with; it keeps 64 for itself.
const SOFT: usize = 100;
const HARD: usize = 160;
const CLIENTS: usize = HARD - 64;

/// A handshake that nobody answers yet.
async fn knock(port: u16) -> Socket {
    let mut socket = Socket::open(port).await;
    socket.write(upgrade("/bus/x")).await.unwrap();
    socket
}

/// The broker now answers this handshake.
async fn let_in(waiting: &mut Socket) {
    assert_eq!(waiting.answer().await.expect("an answer").0, 101);
}

/// Two peers of a bus still hear each other.
async fn converse(fry: &mut Socket, leela: &mut Socket) {
    for round in 0..100 {
        fry.send(TEXT, round.to_string().as_bytes()).await.unwrap();
        assert_eq!(leela.text().await, round.to_string());
    }
}

/// While nothing happens the broker sleeps: it does not try again and again.
async fn assert_no_spin(process: &Process) {
    let (began, before) = (Instant::now(), process.processor_time());
    sleep(Duration::from_secs(1)).await;
    let used = process.processor_time().saturating_sub(before);
    // a spin takes what it gets of a core, which is little where many share it
    assert!(10 * used < began.elapsed(), "{used:?} of {:?}", began.elapsed());
}

#[tokio::test]
async fn without_descriptors_new_clients_wait_and_those_inside_go_on() {
    let mut process = Process::broker_with_descriptors(SOFT, HARD, &["--shards", "2"]).await;
    assert_eq!(process.descriptor_limits(), (HARD, HARD));
    let shown = format!(" connections={CLIENTS} ");
    assert!(process.start.last().unwrap().contains(&shown), "{:?}", process.start);
    let at_start = process.descriptors();
    let mut inside = vec![];
    for number in 0..CLIENTS {
        inside.push(Socket::join(process.port(), &format!("/bus/{}", number / 2)).await);
    }
    let (mut first, mut second) = (knock(process.port()).await, knock(process.port()).await);
    // the first one was accepted and waits, the second one waits in the kernel
    descriptors(&process, at_start + CLIENTS + 1).await;
    assert_no_spin(&process).await;
    for pair in inside.chunks_exact_mut(2) {
        let [fry, leela] = pair else { unreachable!() };
        converse(fry, leela).await;
    }
    inside.pop().unwrap().close().await;
    let_in(&mut first).await;
    inside.pop().unwrap().reset();
    let_in(&mut second).await;
    converse(&mut first, &mut second).await;
    // it drains although somebody waits
    let mut late = knock(process.port()).await;
    descriptors(&process, at_start + CLIENTS + 1).await;
    let mut leaving = JoinSet::new();
    for mut socket in inside.into_iter().chain([first, second]) {
        leaving.spawn(async move { socket.until_close().await });
    }
    process.signal(rustix::process::Signal::TERM);
    process.line_with("draining").await;
    for (texts, code, _) in leaving.join_all().await {
        assert_eq!((texts.len(), code), (0, 1001));
    }
    assert_eq!(late.answer().await, None);
    let ended = process.ended().await;
    assert!(ended.lines.last().unwrap().contains("drained cut=0 cut_bytes=0 "), "{ended:?}");
    assert_eq!(ended.status, Some(0));
}

#[tokio::test]
async fn descriptors_that_run_out_unforeseen_pause_accepting_as_well() {
    let process = Process::broker_with_descriptors(HARD, HARD, &["--shards", "2"]).await;
    let port = process.port();
    let mut inside = vec![];
    for _ in 0..4 {
        inside.push(Socket::join(port, "/bus/x").await);
    }
    // as if others had taken what the broker counts on; from here on accept(2) fails
    let held = process.descriptors();
    process.allow_descriptors(process.lowest_free_descriptor());
    let (mut first, mut second) = (knock(port).await, knock(port).await);
    assert_no_spin(&process).await;
    assert_eq!(process.descriptors(), held);
    let [fry, leela, others @ ..] = inside.as_mut_slice() else { unreachable!() };
    converse(fry, leela).await;
    for other in others {
        for round in 0..100 {
            assert_eq!(other.text().await, round.to_string());
        }
    }
    inside.pop().unwrap().close().await;
    let_in(&mut first).await;
    process.allow_descriptors(HARD);
    let_in(&mut second).await;
    converse(&mut first, &mut second).await;
    drop((inside, first, second));
    assert_eq!(process.stop().await.status, Some(0));
}
