//! Behind proxies: whose a request is, who says so, and what it counts for.

use mercury::config::{Config, ForwardedField, Listen, Network};
use mercury::rate::Rate;

use crate::process::Process;
use crate::server::TestServer;
use crate::wire::{Answer, Wire, close, frame, handshake};

/// Addresses that no client on this machine has.
const FRY: &str = "203.0.113.7";
const LEELA: &str = "2001:db8::7";

/// A broker that believes proxies on this machine, and lets each client have one connection.
fn start(change: impl FnOnce(&mut Config)) -> TestServer {
    TestServer::with(|config| {
        config.proxies.are_believed = true;
        config.limits.address_connections_max = Some(1);
        change(config);
    })
}

fn by(client: &str) -> String {
    format!("X-Forwarded-For: {client}\r\n")
}

fn post(fields: &str, body: &str) -> String {
    let length = body.len();
    format!("POST /bus/x HTTP/1.1\r\nHost: a\r\n{fields}Content-Length: {length}\r\n\r\n{body}")
}

fn full(client: &str) -> String {
    format!("{client} has as many open connections as --connections-per-ip allows, 1\n")
}

#[tokio::test]
async fn a_proxys_connection_carries_many_clients_and_each_is_counted_for_itself() {
    let server = start(|_| {});
    let mut fry = Wire::open(&server).await;
    assert_eq!(fry.ask(handshake("/bus/x", &by(FRY))).await.status, 101);
    let mut proxy = Wire::open(&server).await;
    // on one connection: who has as many as it may, and others
    for _ in 0..2 {
        let refused = proxy.ask(post(&by(FRY), "")).await;
        assert_eq!((refused.status, &*refused.body), (429, &*full(FRY)));
        assert_eq!(refused.field("retry-after"), Some("5"));
        assert_eq!(refused.field("connection"), None);
        assert_eq!(proxy.ask(post(&by(LEELA), "hello")).await.status, 200);
        assert_eq!(fry.text().await, "hello");
    }
    assert_eq!(server.count(|c| &c.address_full), 2);
    let refused = proxy.ask(handshake("/bus/x", &by(FRY))).await;
    assert_eq!((refused.status, refused.body), (429, full(FRY)));
    // of IPv6 it is the first 64 bits
    let mut leela = proxy;
    assert_eq!(leela.ask(handshake("/bus/x", &by(LEELA))).await.status, 101);
    let mut proxy = Wire::open(&server).await;
    let refused = proxy.ask(handshake("/bus/x", &by("2001:db8::1:2:3"))).await;
    assert_eq!((refused.status, refused.body), (429, full("2001:db8::/64")));
    // what ends gives its place back
    fry.send(close(1000, "")).await;
    assert_eq!(fry.next().await.closed().0, 1000);
    drop(fry);
    server.until(|c| &c.connections, 1).await;
    let answer = loop {
        let answer = proxy.ask(handshake("/bus/x", &by(FRY))).await;
        if answer.status != 429 {
            break answer;
        }
    };
    assert_eq!(answer.status, 101);
}

#[tokio::test]
async fn a_post_counts_for_its_client_until_it_is_answered() {
    let server = start(|_| {});
    let mut first = Wire::open(&server).await;
    let (head, body) = ("Expect: 100-continue\r\n".to_owned() + &by(FRY), "hello");
    let whole = post(&head, body);
    let begun = first.ask(whole.strip_suffix(body).unwrap()).await;
    assert_eq!(begun.status, 100);
    let mut second = Wire::open(&server).await;
    assert_eq!(second.ask(post(&by(FRY), "")).await.status, 429);
    assert_eq!(second.ask(post(&by(LEELA), "")).await.status, 200);
    assert_eq!(first.ask(body).await.status, 200);
    assert_eq!(second.ask(post(&by(FRY), "")).await.status, 200);
}

#[tokio::test]
async fn a_refusal_for_the_client_is_one_of_the_others() {
    let server = start(|_| {});
    let mut fry = Wire::open(&server).await;
    assert_eq!(fry.ask(handshake("/bus/x", &by(FRY))).await.status, 101);
    let mut proxy = Wire::open(&server).await;
    // a script may read it, and who asks for JSON gets that
    let fields = format!("{}Origin: http://a.example\r\nAccept: application/json\r\n", by(FRY));
    let refused = proxy.ask(post(&fields, "")).await;
    assert_eq!(refused.field("access-control-allow-origin"), Some("*"));
    assert!(refused.body.starts_with(r#"{"code":"address-full","message":"#), "{refused:?}");
    // what does not last counts for nobody, and a body that nobody wants ends the connection
    for (request, status) in [
        (handshake("/nowhere", &by(FRY)), 404),
        (format!("GET /bus/x HTTP/1.1\r\nHost: a\r\n{}\r\n", by(FRY)), 426),
    ] {
        assert_eq!(proxy.ask(request).await.status, status);
    }
    let refused = proxy.ask(post(&by(FRY), "hello")).await;
    assert_eq!((refused.status, refused.field("connection")), (429, Some("close")));
}

#[tokio::test]
async fn who_is_no_trusted_proxy_speaks_for_itself() {
    let untrusted = |config: &mut Config| {
        config.proxies.networks = vec![Network::parse("10.0.0.0/8").unwrap()];
    };
    let off = |config: &mut Config| config.proxies.are_believed = false;
    for server in [start(untrusted), start(off)] {
        let mut proxy = Wire::open(&server).await;
        for client in [FRY, LEELA] {
            assert_eq!(proxy.ask(post(&by(client), "")).await.status, 200);
        }
        // its connection is the one that it may have
        let refused = Wire::open(&server).await.ask(post(&by(FRY), "")).await;
        assert_eq!((refused.status, refused.body), (429, full("127.0.0.1")));
    }
}

#[tokio::test]
async fn a_client_without_a_proxy_counts_for_itself() {
    let server = start(|_| {});
    let mut inside = Wire::open(&server).await;
    assert_eq!(inside.ask(handshake("/bus/x", "")).await.status, 101);
    let refused = Wire::open(&server).await.ask(handshake("/bus/x", "")).await;
    assert_eq!((refused.status, refused.body), (429, full("127.0.0.1")));
    // nor is anything believed that was there before the nearest proxy wrote
    let refused = Wire::open(&server).await.ask(handshake("/bus/x", &by("x, unknown"))).await;
    assert_eq!((refused.status, refused.body), (429, full("127.0.0.1")));
    let forged = by(&format!("198.51.100.1, {FRY}"));
    let mut fry = Wire::open(&server).await;
    assert_eq!(fry.ask(handshake("/bus/x", &forged)).await.status, 101);
    let refused = Wire::open(&server).await.ask(handshake("/bus/x", &by(FRY))).await;
    assert_eq!((refused.status, refused.body), (429, full(FRY)));
}

#[tokio::test]
async fn one_field_counts_and_the_other_does_not() {
    let server = start(|config| config.proxies.field = ForwardedField::Forwarded);
    let both = |fry: &str| format!("X-Forwarded-For: 198.51.100.1\r\nForwarded: for={fry}\r\n");
    let mut fry = Wire::open(&server).await;
    assert_eq!(fry.ask(handshake("/bus/x", &both(FRY))).await.status, 101);
    let mut proxy = Wire::open(&server).await;
    assert_eq!(proxy.ask(post(&both(FRY), "")).await.body, full(FRY));
    let leela = both("\"[2001:db8::7]:4711\"");
    assert_eq!(proxy.ask(post(&leela, "")).await.status, 200);
    // nobody named: the proxy's own
    assert_eq!(proxy.ask(handshake("/bus/x", &by(FRY))).await.status, 101);
    let refused = Wire::open(&server).await.ask(post(&by(LEELA), "")).await;
    assert_eq!((refused.status, refused.body), (429, full("127.0.0.1")));
}

#[tokio::test]
async fn the_pace_of_new_connections_is_that_of_the_proxy() {
    let server = start(|config| {
        config.limits.address_connections_max = None;
        config.limits.accept_rate_max = Rate::parse("1/h").unwrap();
    });
    let mut proxy = Wire::open(&server).await;
    for client in [FRY, LEELA, FRY] {
        assert_eq!(proxy.ask(post(&by(client), "")).await.status, 200);
    }
    assert_eq!(Wire::open(&server).await.ask(post(&by(FRY), "")).await.status, 503);
}

#[tokio::test]
async fn the_log_shows_clients_and_the_start_whom_it_believes() {
    let mut broker = Process::broker(&["-p", "--log-level", "debug"]).await;
    let started = broker.start.last().unwrap();
    let believed = r#" trusted_proxies="loopback, private" proxy_header="x-forwarded-for""#;
    assert!(started.ends_with(believed), "{started}");
    for (client, shown) in [(FRY, FRY), ("203.0.113.7:4711", "203.0.113.7:4711"), (LEELA, LEELA)] {
        let mut client = Wire::to(broker.port()).await.member("/pub/x", &by(client)).await;
        // a frame of the reserved op code 3
        client.send(frame(0x83, "")).await;
        let line = broker.line_with(": opened id=").await;
        assert!(line.contains(&format!(" peer={shown} ")), "{line}");
    }
}

#[tokio::test]
async fn who_came_by_ipv4_over_an_ipv6_socket_is_logged_as_ipv4() {
    let arguments = ["broker", "-l", "http://*:0", "--pin", "none", "--log-level", "debug"];
    let mut broker = Process::start(&arguments, &[]).await;
    let mut client = Wire::to(broker.port()).await.member("/pub/x", "").await;
    client.send(frame(0x83, "")).await;
    let line = broker.line_with(": opened id=").await;
    assert!(line.contains(" peer=127.0.0.1:"), "{line}");
}

/// A header of version 2 for a connection over IPv4.
fn binary(source: [u8; 4], port: u16) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    let ends = [&source[..], &[10, 0, 0, 1, high, low, 0, 80]].concat();
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", &ends[..]].concat()
}

fn line(client: &str) -> Vec<u8> {
    let family = if client.contains(':') { "TCP6" } else { "TCP4" };
    let own = if client.contains(':') { "::1" } else { "10.0.0.1" };
    format!("PROXY {family} {client} {own} 4711 80\r\n").into_bytes()
}

fn proxied(config: &mut Config) {
    config.listen = vec![Listen::parse("http://127.0.0.1:0?proxy=1").unwrap()];
}

/// The answer to a request behind a header.
async fn introduced(server: &TestServer, header: Vec<u8>, request: &str) -> (Wire, Answer) {
    let mut wire = Wire::open(server).await;
    let answer = wire.ask([header, request.into()].concat()).await;
    (wire, answer)
}

#[tokio::test]
async fn whom_a_proxy_header_names_is_counted() {
    let server = start(|config| {
        proxied(config);
        // what names the client is the header alone
        config.proxies.are_believed = false;
    });
    let join = handshake("/bus/x", &by("198.51.100.1"));
    let (_fry, answer) = introduced(&server, line(FRY), &join).await;
    assert_eq!(answer.status, 101);
    for header in [line(FRY), binary([203, 0, 113, 7], 1), line("::ffff:203.0.113.7")] {
        let (_, refused) = introduced(&server, header, &join).await;
        assert_eq!((refused.status, refused.body), (429, full(FRY)));
    }
    let (_leela, answer) = introduced(&server, line(LEELA), &join).await;
    assert_eq!(answer.status, 101);
    // a proxy that speaks for itself counts for nobody
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".to_vec();
    for header in [local.clone(), local, b"PROXY UNKNOWN\r\n".to_vec()] {
        let (_, answer) = introduced(&server, header, &post("", "")).await;
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn a_proxy_may_pass_on_the_connection_of_another() {
    let server = start(proxied);
    let far = |client: &str| introduced_by(client);
    let (_fry, answer) = introduced(&server, line("10.9.8.7"), &far(FRY)).await;
    assert_eq!(answer.status, 101);
    let (mut proxy, refused) = introduced(&server, line("10.9.8.7"), &far(FRY)).await;
    assert_eq!((refused.status, refused.body), (429, full(FRY)));
    assert_eq!(proxy.ask(post(&by(LEELA), "")).await.status, 200);
    // a client that says so itself is not believed
    let (_leela, answer) = introduced(&server, line(LEELA), &far("198.51.100.1")).await;
    assert_eq!(answer.status, 101);
    let (_, refused) = introduced(&server, line(LEELA), &far("198.51.100.2")).await;
    assert_eq!((refused.status, refused.body), (429, full("2001:db8::/64")));
}

fn introduced_by(client: &str) -> String {
    handshake("/bus/x", &by(client))
}

#[tokio::test]
async fn a_proxy_header_from_elsewhere_is_refused() {
    let server = start(|config| {
        proxied(config);
        config.proxies.networks = vec![Network::parse("10.0.0.0/8").unwrap()];
    });
    let refusal = "127.0.0.1 is no proxy that --trusted-proxy names, and others are refused\n";
    for request in [line(FRY), post("", "").into_bytes()] {
        let mut wire = Wire::open(&server).await;
        let refused = wire.ask(request).await;
        assert_eq!((refused.status, &*refused.body), (403, refusal));
    }
    assert_eq!(server.count(|c| &c.proxy_untrusted), 2);
    assert_eq!(server.count(|c| &c.proxy_header_errors), 0);
}

#[tokio::test]
async fn the_log_shows_whom_a_proxy_header_names_and_what_is_none() {
    let url = "http://127.0.0.1:0?proxy=1";
    let arguments = ["broker", "-l", url, "--pin", "none", "--log-level", "mercury=debug"];
    let mut broker = Process::start(&arguments, &[]).await;
    assert!(broker.start.last().unwrap().ends_with(r#" trusted_proxies="loopback, private""#));
    // a look whether it lives, with a header and without, leaves no line
    for header in [&b""[..], b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
        let mut wire = Wire::to(broker.port()).await;
        wire.send(header).await;
        wire.end().await;
        assert_eq!(wire.frame().await, None);
    }
    let mut wire = Wire::to(broker.port()).await;
    wire.send("GET / HTTP/1.1\r\n").await;
    let line = broker.line().await.unwrap();
    assert!(line.contains("DEBUG mercury::http"), "{line}");
    let reason = "closed: the connection does not begin with a PROXY header peer=127.0.0.1:";
    assert!(line.contains(reason), "{line}");
    let mut wire = Wire::to(broker.port()).await;
    wire.send(self::line(LEELA)).await;
    let _client = wire.member("/pub/x", "").await;
    let line = broker.line_with(": opened id=").await;
    assert!(line.contains(" peer=[2001:db8::7]:4711 "), "{line}");
}
