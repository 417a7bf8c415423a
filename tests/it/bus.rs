//! The bus: behaviour section 3.

use futures_util::future::join_all;

use crate::server::{Client, TestServer};

/// Reads so many texts.
async fn texts(client: &mut Client, count: usize) -> Vec<String> {
    let mut texts = Vec::with_capacity(count);
    while texts.len() < count {
        texts.push(client.text().await);
    }
    texts
}

/// Says so many numbered texts under a name, all in one go.
async fn talk(client: &mut Client, name: usize, count: usize) {
    for number in 0..count {
        client.feed(&format!("{name}:{number}")).await;
    }
    client.flush().await;
}

/// Whose text it is.
fn speaker(text: &str) -> usize {
    text.split_once(':').unwrap().0.parse().unwrap()
}

async fn peers(server: &TestServer, path: &str, count: usize) -> Vec<Client> {
    let mut peers = vec![];
    for _ in 0..count {
        peers.push(server.connect(path).await);
    }
    peers
}

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

#[tokio::test]
async fn the_bus_has_no_hierarchy() {
    let server = TestServer::start();
    let topics = ["a", "a/b", "a/b/c", "a/b/", "a/bc"];
    let mut peers = vec![];
    for topic in topics {
        peers.push(server.connect(&format!("/bus/{topic}")).await);
    }
    for topic in topics {
        let mut sender = server.connect(&format!("/bus/{topic}")).await;
        sender.send(topic).await;
        sender.quiet().await;
        assert_eq!(server.post(&format!("/bus/{topic}"), topic).await.0, 200);
    }
    for (topic, peer) in topics.iter().zip(&mut peers) {
        assert_eq!(texts(peer, 2).await, [*topic, *topic]);
        peer.quiet().await;
    }
}

#[tokio::test]
async fn echo_is_any_value_that_is_not_empty_and_not_0_and_the_last_counts() {
    let server = TestServer::start();
    for query in [
        "echo=1",
        "echo=yes",
        "echo=false",
        "echo=00",
        "echo=%31",
        "echo==",
        "a=b&echo=1",
        "echo=1&a=b",
        "echo=0&echo=1",
        "echo=&echo=x",
    ] {
        let mut peer = server.connect(&format!("/bus/x?{query}")).await;
        peer.send("hello").await;
        assert_eq!(peer.text().await, "hello", "{query}");
        peer.quiet().await;
        peer.close().await;
    }
    for query in [
        "",
        "echo",
        "echo=",
        "echo=0",
        "echo=%30",
        "echo=1&echo=0",
        "echo=1&echo=",
        "echo=1&echo",
        "xecho=1",
        "echox=1",
        "echo[]=1",
    ] {
        let mut peer = server.connect(&format!("/bus/x?{query}")).await;
        let mut witness = server.connect("/bus/x").await;
        peer.send("hello").await;
        assert_eq!(witness.text().await, "hello", "{query}");
        witness.send("end").await;
        assert_eq!(peer.text().await, "end", "{query}");
        peer.close().await;
        witness.close().await;
    }
}

#[tokio::test]
async fn echoes_come_once_and_in_the_order_that_all_see() {
    const PEERS: usize = 5;
    const TEXTS: usize = 100;
    let server = TestServer::start();
    let mut peers = peers(&server, "/bus/x?echo=1", PEERS).await;
    let heard = join_all(peers.iter_mut().enumerate().map(|(name, peer)| async move {
        talk(peer, name, TEXTS).await;
        texts(peer, PEERS * TEXTS).await
    }))
    .await;
    for name in 0..PEERS {
        let said: Vec<_> = (0..TEXTS).map(|number| format!("{name}:{number}")).collect();
        let mut one = heard[0].clone();
        one.retain(|text| speaker(text) == name);
        assert_eq!(one, said);
        assert!(heard[name] == heard[0], "{name} heard another order");
    }
    for peer in &mut peers {
        peer.quiet().await;
    }
}

#[tokio::test]
async fn sixteen_peers_at_once_hear_all_others_in_order_and_not_themselves() {
    const PEERS: usize = 16;
    const TEXTS: usize = 50;
    let server = TestServer::start();
    let mut witness = server.connect("/bus/x").await;
    let mut peers = peers(&server, "/bus/x", PEERS).await;
    let all = texts(&mut witness, PEERS * TEXTS);
    let others = join_all(peers.iter_mut().enumerate().map(|(name, peer)| async move {
        talk(peer, name, TEXTS).await;
        texts(peer, (PEERS - 1) * TEXTS).await
    }));
    let (all, heard) = tokio::join!(all, others);
    for (name, heard) in heard.iter().enumerate() {
        let mut expected = all.clone();
        expected.retain(|text| speaker(text) != name);
        assert!(*heard == expected, "{name} heard something else");
        let said: Vec<_> = (0..TEXTS).map(|number| format!("{name}:{number}")).collect();
        let mut one = all.clone();
        one.retain(|text| speaker(text) == name);
        assert_eq!(one, said);
    }
    for peer in &mut peers {
        peer.quiet().await;
    }
}

#[tokio::test]
async fn a_peer_may_publish_while_a_large_batch_is_in_flight() {
    // more than one turn's writes, so that a batch is in flight over several turns
    const LISTENERS: usize = 100;
    const TEXTS: usize = 50;
    let server = TestServer::start();
    let mut listeners = peers(&server, "/bus/x", LISTENERS).await;
    let mut first = server.connect("/bus/x").await;
    let mut second = server.connect("/bus/x?echo=1").await;
    let listening = join_all(listeners.iter_mut().enumerate().map(|(at, peer)| async move {
        if at % 10 > 0 {
            return texts(peer, 2 * TEXTS).await;
        }
        // some answer at once, and hear each other
        let start = peer.text().await;
        peer.send("2:0").await;
        [vec![start], texts(peer, 2 * TEXTS - 1).await].concat()
    }));
    let answers = LISTENERS / 10;
    let talking = async {
        talk(&mut first, 0, TEXTS).await;
        texts(&mut first, TEXTS + answers).await
    };
    let answering = async {
        let start = second.text().await;
        talk(&mut second, 1, TEXTS).await;
        [vec![start], texts(&mut second, 2 * TEXTS + answers - 1).await].concat()
    };
    let (heard, of_second, all) = tokio::join!(listening, talking, answering);
    let of = |name: usize| (0..TEXTS).map(move |number| format!("{name}:{number}"));
    assert!(all.iter().filter(|text| speaker(text) == 0).eq(of(0).collect::<Vec<_>>().iter()));
    assert!(all.iter().filter(|text| speaker(text) == 1).eq(of(1).collect::<Vec<_>>().iter()));
    assert!(of_second.iter().eq(all.iter().filter(|text| speaker(text) != 0)));
    for (at, heard) in heard.iter().enumerate() {
        // all heard the same order as far as they read
        if at % 10 > 0 {
            assert!(heard[..] == all[..2 * TEXTS], "{at} heard another order");
        }
    }
    for (at, peer) in listeners.iter_mut().enumerate() {
        let rest = answers - usize::from(at % 10 == 0);
        assert!(texts(peer, rest).await.iter().all(|text| speaker(text) < 3));
        peer.quiet().await;
    }
}

#[tokio::test]
async fn a_post_reaches_all_peers_in_one_place_of_the_order() {
    let server = TestServer::start();
    let mut one = server.connect("/bus/x").await;
    let mut two = server.connect("/bus/x?echo=1").await;
    assert_eq!(server.post("/bus/x", "first").await.0, 200);
    one.send("second").await;
    assert_eq!(texts(&mut two, 2).await, ["first", "second"]);
    assert_eq!(server.post("/bus/x", "third").await.0, 200);
    assert_eq!(texts(&mut one, 2).await, ["first", "third"]);
    assert_eq!(two.text().await, "third");
}

#[tokio::test]
async fn a_peer_that_left_is_gone() {
    let server = TestServer::start();
    let mut stays = server.connect("/bus/x").await;
    server.connect("/bus/x").await.close().await;
    drop(server.connect("/bus/x").await);
    server.until(|counters| &counters.connections, 1).await;
    assert_eq!(server.count(|counters| &counters.leaves), 2);
    assert_eq!(server.post("/bus/x", "hello").await.0, 200);
    assert_eq!(stays.text().await, "hello");
    server.until(|counters| &counters.batches_out, 1).await;
    stays.close().await;
    server.until(|counters| &counters.topics, 0).await;
}

#[tokio::test]
async fn a_newcomer_hears_nothing_from_before() {
    let server = TestServer::start();
    let mut one = server.connect("/bus/x").await;
    let mut two = server.connect("/bus/x").await;
    one.send("before").await;
    assert_eq!(two.text().await, "before");
    let mut newcomer = server.connect("/bus/x").await;
    one.send("after").await;
    assert_eq!(newcomer.text().await, "after");
}
