//! A restart behind a socket that a service manager holds: nobody who connects is refused.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::process::Process;
use crate::server::PATIENCE;
use crate::socket::Socket;
use crate::stopping::reaches;

/// Who connects anew for every POST.
const CLIENTS: usize = 4;
const RESTARTS: usize = 5;

/// The same socket once more, for a broker.
fn same(listener: &TcpListener) -> OwnedFd {
    listener.try_clone().unwrap().into()
}

/// Connects, POSTs, and reads the answer to its end, which must be orderly; its status.
async fn post(port: u16) -> u16 {
    let asking = async {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).await?;
        let request = "POST /pub/fry HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                       Content-Length: 2\r\n\r\nhi";
        socket.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = timeout(PATIENCE, asking).await.expect("an answer in time").unwrap();
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let status = status.unwrap_or_else(|| panic!("{answer:?}")).parse().unwrap();
    assert!(status == 200 || answer.contains("\r\nretry-after: "), "{answer}");
    status
}

#[tokio::test]
async fn nobody_who_connects_during_a_restart_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (answered, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let flags = ["broker", "--pin", "none", "--drain-timeout", "300ms"];
    let mut broker = Process::activate(same(&listener), &flags, &[]).await;
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (answered, is_over) = (Arc::clone(&answered), Arc::clone(&is_over));
        clients.spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                match post(port).await {
                    200 => answered.fetch_add(1, Ordering::Relaxed),
                    // it was let in as the drain began
                    503 => continue,
                    status => panic!("a POST was answered {status}"),
                };
            }
        });
    }
    for restart in 1..=RESTARTS {
        let least = answered.load(Ordering::Relaxed) + 20;
        reaches(|| answered.load(Ordering::Relaxed), least).await;
        // every other time somebody who does not say goodbye makes the drain as long as it may be
        let silent = Socket::join(port, "/sub/fry").await;
        let silent = (restart % 2 == 0).then_some(silent);
        broker.signal(Signal::TERM);
        assert_eq!(broker.ended().await.status, Some(0));
        drop(silent);
        broker = Process::activate(same(&listener), &flags, &[]).await;
    }
    let least = answered.load(Ordering::Relaxed) + 20;
    reaches(|| answered.load(Ordering::Relaxed), least).await;
    is_over.store(true, Ordering::Relaxed);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
}
