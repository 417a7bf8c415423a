//! Certificates that are renewed while the broker runs.

use rustix::process::Signal;

use super::{Pair, Speaker, Tls, VERSIONS, simple, start};
use crate::configuration::Folder;
use crate::process::Process;
use crate::server::Client;

/// Whether a new connection is shown this certificate.
async fn is_shown(pair: &Pair, port: u16) -> bool {
    Speaker::new(&[pair], &VERSIONS, None).connect(port).await.is_ok()
}

/// It is there, and its messages come.
async fn echoes(client: &mut Client<Tls>, text: &str) {
    client.send(text).await;
    assert_eq!(client.text().await, text);
}

#[tokio::test]
async fn a_file_that_changes_is_read_and_a_broken_one_is_not_taken_over() {
    let folder = Folder::with(&[]);
    let [old, new] = [Pair::new(), Pair::new()];
    old.write(&folder, "own");
    let server = start(&folder, "", |_| {});
    let speaker = Speaker::new(&[&old], &VERSIONS, None);
    let mut inside = speaker.join(server.port, "/bus/fry?echo=1").await;
    folder.write("own.crt", &new.cert);
    server.until(|c| &c.certificates_refused, 1).await;
    assert!(is_shown(&old, server.port).await, "the key is still to come");
    folder.write("own.key", &new.key);
    server.until(|c| &c.certificates_reloaded, 1).await;
    assert!(is_shown(&new, server.port).await);
    assert!(!is_shown(&old, server.port).await);
    echoes(&mut inside, "still here").await;
    assert_eq!(server.count(|c| &c.certificates_refused), 1);
}

#[tokio::test]
async fn a_signal_is_answered_at_once() {
    let folder = Folder::with(&[]);
    let [old, new] = [Pair::new(), Pair::new()];
    old.write(&folder, "own");
    let url = "https://127.0.0.1:0?cert=own.crt&key=own.key";
    let flags = ["broker", "--listen", url, "--pin", "none"];
    let mut broker = Process::start_in(folder.path(), &flags, &[]).await;
    let speaker = Speaker::new(&[&old], &VERSIONS, None);
    let mut inside = speaker.join(broker.port(), "/bus/fry?echo=1").await;
    new.write(&folder, "own");
    broker.signal(Signal::HUP);
    broker.line_with("certificate read again").await;
    assert!(is_shown(&new, broker.port()).await);
    echoes(&mut inside, "still here").await;
    folder.write("own.key", "broken");
    broker.signal(Signal::HUP);
    let line = broker.line_with("the one before stays").await;
    assert!(line.contains("own.key: holds no private key in PEM"), "{line}");
    assert!(is_shown(&new, broker.port()).await);
    echoes(&mut inside, "and here").await;
    assert_eq!(broker.stop().await.status, Some(0));
}

#[tokio::test]
async fn who_comes_back_need_not_prove_everything_again() {
    let (_folder, server, speaker) = simple(|_| {});
    let mut first = speaker.join(server.port, "/bus/fry?echo=1").await;
    // the ticket comes behind the handshake
    echoes(&mut first, "x").await;
    let second = speaker.connect(server.port).await.unwrap();
    let kind = second.get_ref().1.handshake_kind();
    assert_eq!(kind, Some(tokio_rustls::rustls::HandshakeKind::Resumed));
}
