//! Whom a command goes to, what it says there, and what it does when it is not let in.

use std::process::Stdio;

use mercury::config::{Origins, Pattern};
use tokio_tungstenite::tungstenite::Message;

use super::reconnecting::{StandIn, next};
use super::{Ended, Tool};
use crate::configuration::Folder;
use crate::process::Process;
use crate::server::TestServer;
use crate::tls;

#[tokio::test]
async fn an_origin_that_is_not_welcome_is_refused() {
    let server = TestServer::with(|config| {
        config.allow_origin =
            Some(Origins::new(vec![Pattern::parse("https://example.com").unwrap()]));
    });
    let ended = Tool::run(server.port, &["pub", "news"], b"hi\n").await;
    assert_eq!(ended.status, Some(3), "{ended:?}");
    let (line, url) = (&ended.errors[0], format!("ws://127.0.0.1:{}", server.port));
    let start = format!("mercury: {url} answers /pub/news with 401: Origin check failed");
    assert!(line.starts_with(&start) && line.ends_with("(origin-not-allowed)"), "{line}");
    for flags in [["--origin", "https://example.com"], ["--header", "Origin: https://example.com"]]
    {
        let publish = [&["pub", "news"], &flags[..]].concat();
        assert_eq!(Tool::run(server.port, &publish, b"hi\n").await, Ended::silent(0));
    }
}

#[tokio::test]
async fn a_topic_that_cannot_be_is_refused_with_the_brokers_words() {
    let server = TestServer::start();
    let ended = Tool::run(server.port, &["sub", "$sys"], b"").await;
    let error = format!(
        "mercury: ws://127.0.0.1:{} answers /sub/%24sys with 403: topics that start with $ are \
         reserved: $sys (topic-reserved)",
        server.port
    );
    assert_eq!(ended, Ended { errors: vec![error], ..Ended::silent(3) });
}

#[tokio::test]
async fn a_prefix_and_fields_are_kept() {
    let stand_in = StandIn::new().await;
    let url = format!("http://127.0.0.1:{}/behind/a/proxy/", stand_in.port());
    let flags = ["--header", "Authorization: Bearer x", "--header", "X-A: 1", "--header", "x-a: 2"];
    let arguments = [&["sub", "a b/c", "--url", &url], &flags[..]].concat();
    let tool = Tool::at("ws://127.0.0.1:1", &arguments);
    let head = stand_in.answer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
    assert!(head.starts_with("GET /behind/a/proxy/sub/a%20b/c HTTP/1.1\r\n"), "{head}");
    for field in ["authorization: Bearer x", "x-a: 1", "x-a: 2", "upgrade: websocket"] {
        assert_eq!(head.matches(&format!("\r\n{field}\r\n")).count(), 1, "{field} in {head}");
    }
    let host = format!("\r\nhost: 127.0.0.1:{}\r\n", stand_in.port());
    assert_eq!(head.matches(&host).count(), 1, "{head}");
    assert_eq!(tool.end().await.status, Some(3));
}

#[tokio::test]
async fn a_wrong_handshake_is_no_broker() {
    for answer in [
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
    ] {
        let stand_in = StandIn::new().await;
        let tool = Tool::start(stand_in.port(), &["sub", "logs"]);
        stand_in.answer(answer).await;
        let ended = tool.end().await;
        assert_eq!((ended.status, ended.errors.len()), (Some(3), 1), "{ended:?}");
    }
}

/// A pong of 126 bytes.
const LONG_PONG: &[u8] = &{
    let mut pong = [b'x'; 4 + 126];
    (pong[0], pong[1], pong[2], pong[3]) = (0x8a, 126, 0, 126);
    pong
};

#[tokio::test]
async fn what_no_broker_may_send_closes_with_the_right_code() {
    for (message, code, sentence) in [
        (Message::text("x".repeat(201)), 1009, "a message of more than 200B (--max-message)"),
        (Message::Frame(frame(b"\x81\x01\xff")), 1007, "text that is not UTF-8"),
        (Message::Frame(frame(b"\x80\x01x")), 1002, "a fragment without a beginning"),
        (Message::Frame(frame(b"\x81\x81abcd\x00")), 1002, "a frame with a mask"),
        (Message::Frame(frame(b"\xc1\x01x")), 1002, "a frame with reserved bits"),
        (Message::Frame(frame(b"\x83\x01x")), 1002, "a frame of no known kind"),
        (Message::Frame(frame(b"\x09\x01x")), 1002, "a control frame in pieces"),
        (Message::Frame(frame(LONG_PONG)), 1002, "a control frame of more than 125 bytes"),
        (Message::Frame(frame(b"\x88\x01x")), 1002, "a Close of one byte"),
        (
            Message::Frame(frame(b"\x88\x02\x03\xed")),
            1002,
            "a Close with 1005, which nobody may send",
        ),
    ] {
        let stand_in = StandIn::new().await;
        let tool = Tool::start(stand_in.port(), &["sub", "logs", "--max-message", "200"]);
        let mut socket = stand_in.socket().await;
        match message {
            Message::Frame(frame) => {
                use tokio::io::AsyncWriteExt as _;
                socket.get_mut().write_all(&frame.into_payload()).await.unwrap();
            }
            message => futures_util::SinkExt::send(&mut socket, message).await.unwrap(),
        }
        let Message::Close(Some(close)) = next(&mut socket).await else { panic!("no Close") };
        assert_eq!(u16::from(close.code), code);
        let ended = tool.end().await;
        let error = format!("mercury: ws://127.0.0.1:{} sent {sentence}", stand_in.port());
        assert_eq!(ended, Ended { errors: vec![error], ..Ended::silent(3) });
    }
}

/// Carries bytes as they are.
fn frame(bytes: &'static [u8]) -> tokio_tungstenite::tungstenite::protocol::frame::Frame {
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
    Frame::message(bytes, OpCode::Data(Data::Binary), true)
}

#[tokio::test]
async fn tls_is_spoken_with_whom_an_authority_vouches_for() {
    let (authority, pair) = tls::Pair::chain();
    let (other, _) = tls::Pair::chain();
    let folder = Folder::with(&[("ca.crt", &authority.cert), ("other.crt", &other.cert)]);
    pair.write(&folder, "own");
    let server = tls::start(&folder, "", |_| {});
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (ca, other) = (file("ca.crt"), file("other.crt"));
    for scheme in ["wss", "https"] {
        let url = format!("{scheme}://localhost:{}", server.port);
        let joins = server.count(|counters| &counters.joins);
        let tool = Tool::at(&url, &["sub", "logs", "--ca", &ca, "--count", "1"]);
        server.until(|counters| &counters.joins, joins + 1).await;
        let publish = ["pub", "logs", "--ca", &ca, "--message", "hi"];
        assert_eq!(Tool::at(&url, &publish).end().await, Ended::silent(0));
        assert_eq!(tool.end().await, Ended { output: b"hi\n".to_vec(), ..Ended::silent(0) });
    }
    let url = format!("wss://localhost:{}", server.port);
    // what this machine trusts, which this variable names
    for (trusted, status) in [(&ca, 0), (&other, 3)] {
        let variables = [("MERCURY_URL", &*url), ("SSL_CERT_FILE", trusted)];
        let publish = ["pub", "logs", "--message", "hi"];
        let ended = Tool::with(&publish, &variables, Stdio::piped()).end().await;
        assert_eq!(ended.status, Some(status), "{ended:?}");
    }
    let ended = Tool::at(&url, &["sub", "logs", "--ca", &other]).end().await;
    assert_eq!((ended.status, ended.errors.len()), (Some(3), 1), "{ended:?}");
    assert!(ended.errors[0].contains("no TLS with wss://localhost"), "{ended:?}");
    // the certificate is for the name alone
    let url = format!("wss://127.0.0.1:{}", server.port);
    let ended = Tool::at(&url, &["sub", "logs", "--ca", &ca]).end().await;
    assert_eq!(ended.status, Some(3), "{ended:?}");
    let missing = file("missing.crt");
    let ended = Tool::at(&url, &["sub", "logs", "--ca", &missing]).end().await;
    let error = format!("mercury: {missing}: no such file or directory");
    assert_eq!(ended, Ended { errors: vec![error], ..Ended::silent(1) });
}

#[tokio::test]
async fn a_socket_file_leads_to_a_broker() {
    let folder = Folder::with(&[]);
    let file = folder.path().join("mercury.sock");
    let url = format!("http+unix://{}", file.to_str().unwrap().replace('/', "%2F"));
    let broker = Process::start(&["broker", "-l", &url, "--pin", "none"], &[]).await;
    assert_eq!(Tool::at(&url, &["push", "jobs", "--message", "one"]).end().await, Ended::silent(0));
    let ended = Tool::at(&url, &["pull", "jobs", "--count", "1"]).end().await;
    assert_eq!(ended, Ended { output: b"one\n".to_vec(), ..Ended::silent(0) });
    drop(broker);
}

#[tokio::test]
async fn wrong_words_are_one_line_and_status_2() {
    for (arguments, line) in [
        (&["sub"][..], "<TOPIC> is missing, see mercury help sub"),
        (&["sub", ""], "the topic is empty"),
        (&["sub", "a", "b"], "unexpected argument 'b', see mercury help sub"),
        (&["sub", "a", "--jsno"], "--jsno: unknown option, did you mean --json"),
        (&["pub", "a", "--json"], "--json: unknown option, see mercury help pub"),
        (&["sub", "a", "--count", "0"], "--count: '0' is too small, the least is 1"),
        (&["sub", "a", "--count"], "--count: needs a value, see mercury help sub"),
        (&["sub", "a", "--timeout", "0"], "--timeout: '0' is too short, 0 is not endless here"),
        (&["sub", "a", "--max-message", "2GiB"], "--max-message: '2GiB' is more than 1GiB"),
        (
            &["sub", "a", "--url", "ftp://x"],
            "--url: 'ftp://x' is not a URL like ws://localhost:3000, wss://mercury.example or \
             http+unix://%2Frun%2Fm.sock",
        ),
        (&["sub", "a", "--header", "x"], "--header: '***' is not a field like Name: value"),
        (&["sub", "a", "--header", "Upgrade: x"], "--header: upgrade is the handshake's own"),
        (&["sub", "a", "--origin", "a\nb"], "--origin: 'a\\nb' cannot stand in a field"),
        (&["pub", "a", "--rate", "fast"], "--rate: 'fast' is not a rate like 100/s, 6000/m or 100"),
        (
            &["pub", "a", "--message", "x", "--file", "y"],
            "the argument '--message <TEXT>' cannot be used with '--file <FILE>'",
        ),
        (
            &["pull", "a", "--exec", "x", "--json"],
            "the argument '--exec <COMMAND>' cannot be used with '--json'",
        ),
        (&["pull", "a", "--parallel", "2"], "--exec <COMMAND> is missing, see mercury help pull"),
    ] {
        let errors = vec![format!("mercury: {line}")];
        let ended = Tool::at("ws://127.0.0.1:1", arguments).end().await;
        assert_eq!(ended, Ended { errors, ..Ended::silent(2) }, "{arguments:?}");
    }
    let error = "mercury: MERCURY_URL: 'x' is not a URL like ws://localhost:3000, \
                 wss://mercury.example or http+unix://%2Frun%2Fm.sock";
    let ended = Tool::at("x", &["sub", "a"]).end().await;
    assert_eq!(ended, Ended { errors: vec![error.to_owned()], ..Ended::silent(2) });
}
