//! The bus: behaviour section 3.

use crate::server::TestServer;

#[tokio::test]
async fn what_a_peer_sends_reaches_every_other_peer_and_not_itself() {
    let server = TestServer::start();
    let mut fry = server.connect("/bus/fry").await;
    let mut leela = server.connect("/bus/fry").await;
    let mut other = server.connect("/bus/bender").await;
    fry.send("hello").await;
    assert_eq!(leela.text().await, "hello");
    leela.send("hi").await;
    assert_eq!(fry.text().await, "hi");
    fry.quiet().await;
    other.quiet().await;
}
