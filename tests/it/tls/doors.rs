//! The handshake of TLS: who is let in, who is not, and what a flood of halves does.

use std::process::Command;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls::ProtocolVersion;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use super::{Pair, Speaker, VERSIONS, simple, start};
use crate::configuration::Folder;
use crate::frames::handshake;
use crate::process::Process;
use crate::server::PATIENCE;

/// A POST that is the last.
fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("no status in {answer:?}"))
}

#[tokio::test]
async fn both_versions_are_spoken_and_a_chain_is_shown() {
    let folder = Folder::with(&[]);
    let (authority, own) = Pair::chain();
    folder.write("own.crt", &format!("{}{}", own.cert, authority.cert));
    folder.write("own.key", &own.key);
    let server = start(&folder, "", |_| {});
    let expected = [ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3];
    for (version, expected) in VERSIONS.into_iter().zip(expected) {
        let speaker = Speaker::new(&[&authority], &[version], None);
        let stream = speaker.connect(server.port).await.unwrap();
        let connection = stream.get_ref().1;
        assert_eq!(connection.protocol_version(), Some(expected));
        assert_eq!(connection.peer_certificates().unwrap().len(), 2);
        let mut listener = speaker.join(server.port, "/sub/fry").await;
        let answer = speaker.exchange(server.port, post("/pub/fry", "hello")).await;
        assert_eq!(status(&answer), "200");
        assert_eq!(listener.text().await, "hello");
        listener.close().await;
    }
    assert_eq!(server.count(|c| &c.tls_handshakes), 6);
    assert_eq!(server.count(|c| &c.tls_handshakes_failed), 0);
}

#[tokio::test]
async fn the_protocol_inside_is_agreed_on() {
    let (_folder, server, speaker) = simple(|_| {});
    for (offers, agreed) in [
        (&["h2", "http/1.1"][..], Some(&b"http/1.1"[..])),
        (&["http/1.0"], Some(b"http/1.0")),
        (&[], None),
    ] {
        let stream = speaker.clone().offering(offers).connect(server.port).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), agreed);
    }
    let error = speaker.clone().offering(&["h2"]).connect(server.port).await.unwrap_err();
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
    server.until(|c| &c.tls_handshakes_failed, 1).await;
}

/// Whether somebody may talk to the broker.
async fn is_let_in(speaker: &Speaker, port: u16) -> bool {
    // over TLS 1.3 a client is told only after it has begun to talk
    let Ok(mut stream) = speaker.connect(port).await else { return false };
    if stream.write_all(post("/pub/fry", "").as_bytes()).await.is_err() {
        return false;
    }
    let mut first = [0; 12];
    let answer = timeout(PATIENCE, stream.read_exact(&mut first)).await.expect("an answer");
    answer.is_ok_and(|_| &first == b"HTTP/1.1 200")
}

#[tokio::test]
async fn clients_are_asked_for_a_certificate_as_the_url_says() {
    let folder = Folder::with(&[]);
    let (authority, good) = Pair::chain();
    let (own, stranger) = (Pair::new(), Pair::chain().1);
    own.write(&folder, "own");
    folder.write("ca.crt", &authority.cert);
    let ca = format!("&ca={}/ca.crt", folder.path().display());
    // with a good certificate, without any, with a stranger's
    let cases = [("", [true, true, false]), ("&verify=3", [true, false, false])];
    for (verify, expected) in cases {
        let server = start(&folder, &format!("{ca}{verify}"), |_| {});
        for version in VERSIONS {
            for (client, expected) in [Some(&good), None, Some(&stranger)].into_iter().zip(expected)
            {
                let speaker = Speaker::new(&[&own], &[version], client);
                assert_eq!(is_let_in(&speaker, server.port).await, expected, "{verify}");
            }
        }
    }
    let server = start(&folder, &format!("{ca}&verify=0"), |_| {});
    let speaker = Speaker::new(&[&own], &VERSIONS, Some(&stranger));
    assert!(is_let_in(&speaker, server.port).await, "it is not asked");
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_given_up() {
    let (_folder, server, speaker) = simple(|config| {
        config.limits.tls_handshake_max = Duration::from_millis(100);
    });
    for begin in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut socket = server.raw().await;
        socket.write_all(begin).await.unwrap();
        let mut rest = vec![];
        timeout(PATIENCE, socket.read_to_end(&mut rest)).await.expect("an end").unwrap();
        assert_eq!(rest, b"");
    }
    assert_eq!(server.count(|c| &c.tls_handshake_timeouts), 2);
    speaker.join(server.port, "/sub/fry").await.close().await;
}

#[tokio::test]
async fn a_flood_of_halves_is_bounded_and_does_not_keep_others_out() {
    let (_folder, server, speaker) = simple(|config| config.limits.tls_handshakes_max = 4);
    let mut halves = vec![];
    for round in 0..5_u64 {
        for _ in 0..8 {
            let mut half = server.raw().await;
            half.write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
            halves.push(half);
        }
        let mut innocent = speaker.join(server.port, "/bus/fry?echo=1").await;
        innocent.send("still there").await;
        assert_eq!(innocent.text().await, "still there");
        // each of them took a place, and four stay in theirs but for the one that was needed
        server.until(|c| &c.tls_handshakes_crowded_out, 9 * (round + 1) - 4 - round).await;
    }
    assert_eq!(server.count(|c| &c.tls_handshakes), 5);
    let mut rest = vec![];
    timeout(PATIENCE, halves[0].read_to_end(&mut rest)).await.expect("an end").unwrap();
}

#[tokio::test]
async fn http_without_tls_is_told_so() {
    let (_folder, server, _) = simple(|_| {});
    let answer = server.exchange("GET /sub/fry HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(status(&answer), "400");
    let sentence = "this port speaks TLS, so the URL begins with https:// or wss://\n";
    assert!(answer.ends_with(sentence), "{answer}");
    assert_eq!(server.count(|c| &c.tls_expected), 1);
    assert_eq!(server.count(|c| &c.refusals), 1);
    // and noise is only hung up on
    assert_eq!(&server.exchange(b"\0\0\0\0\0\0").await.into_bytes()[..1], [21], "an alert");
    server.until(|c| &c.tls_handshakes_failed, 1).await;
}

#[tokio::test]
async fn refusals_come_through_tls() {
    let (_folder, server, speaker) = simple(|config| config.limits.connections_max = Some(1));
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost:1\r\n\r\n");
    let answer = speaker.exchange(server.port, get("/nowhere")).await;
    assert_eq!(status(&answer), "404");
    let answer = speaker.exchange(server.port, get("/sub/fry")).await;
    assert_eq!(status(&answer), "426");
    assert!(answer.contains("new WebSocket('wss://localhost:1/sub/fry')"), "{answer}");
    let answer = speaker.exchange(server.port, format!("GET /{}", "x".repeat(16_000))).await;
    assert_eq!(status(&answer), "414");
    let inside = speaker.join(server.port, "/sub/fry").await;
    // by the shard
    let handshake = crate::frames::handshake("/sub/fry");
    let answer = speaker.exchange(server.port, handshake).await;
    assert_eq!(status(&answer), "503");
    drop(inside);
}

#[tokio::test]
async fn who_is_turned_away_before_the_first_request_is_told_so_through_tls() {
    let (_folder, server, speaker) = simple(|config| {
        config.limits.address_connections_max = Some(1);
    });
    let inside = speaker.connect(server.port).await.unwrap();
    let request = "GET /sub/fry HTTP/1.1\r\nHost: localhost:1\r\n\r\n";
    assert_eq!(status(&speaker.exchange(server.port, request).await), "429");
    drop(inside);
}

#[tokio::test]
async fn a_proxy_names_its_client_in_front_of_the_handshake() {
    let (folder, pair) = (Folder::with(&[]), Pair::new());
    pair.write(&folder, "own");
    let server = start(&folder, "&proxy=1", |config| {
        config.proxies.are_believed = true;
        config.limits.address_connections_max = Some(1);
    });
    let speaker = Speaker::new(&[&pair], &VERSIONS, None);
    let come = async |client: &str| {
        let mut stream = server.raw().await;
        let header = format!("PROXY TCP4 {client} 10.0.0.1 4711 443\r\n");
        stream.write_all(header.as_bytes()).await.unwrap();
        let mut stream = speaker.over(stream).await.unwrap();
        stream.write_all(handshake("/sub/fry").as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        timeout(PATIENCE, stream.read_exact(&mut answer)).await.expect("an answer").unwrap();
        (stream, String::from_utf8_lossy(&answer).into_owned())
    };
    let (_fry, answer) = come("203.0.113.7").await;
    assert_eq!(status(&answer), "101");
    assert_eq!(status(&come("203.0.113.7").await.1), "429");
    let (_leela, answer) = come("203.0.113.8").await;
    assert_eq!(status(&answer), "101");
    assert_eq!(server.count(|c| &c.address_full), 1);
}

#[tokio::test]
async fn a_drain_does_not_wait_for_handshakes_that_do_not_end() {
    let (_folder, server, speaker) = simple(|config| {
        config.limits.drain_max = PATIENCE * 10;
        config.limits.tls_handshake_max = PATIENCE * 10;
    });
    let mut half = server.raw().await;
    half.write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
    // whoever comes later is looked at later
    speaker.join(server.port, "/sub/fry").await.close().await;
    let drained = timeout(PATIENCE, server.drain()).await.expect("an end before any deadline");
    assert_eq!((drained.cut, drained.cut_bytes), (0, 0));
    let mut rest = vec![];
    let ended = timeout(PATIENCE, half.read_to_end(&mut rest)).await.expect("an end");
    // it is of no matter whether as an end or as a reset
    assert!(ended.is_err() || rest.is_empty(), "{rest:?}");
}

#[tokio::test]
async fn a_late_head_is_told_so() {
    let (_folder, server, speaker) = simple(|_| {});
    let mut stream = speaker.connect(server.port).await.unwrap();
    stream.write_all(b"GET /sub/fry HTTP/1.1\r\nHost:").await.unwrap();
    let mut answer = vec![];
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an answer").unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn a_body_that_is_cut_short_is_not_taken() {
    let (_folder, server, speaker) = simple(|_| {});
    let mut listener = speaker.join(server.port, "/sub/fry").await;
    for is_told in [false, true] {
        let mut stream = speaker.connect(server.port).await.unwrap();
        let head = "POST /pub/fry HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf";
        stream.write_all(head.as_bytes()).await.unwrap();
        if is_told {
            stream.shutdown().await.unwrap();
        } else {
            stream.get_mut().0.shutdown().await.unwrap();
        }
        let mut answer = vec![];
        // how the broker ends a connection that was cut off is of no matter
        timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an end").ok();
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
    listener.quiet().await;
}

#[tokio::test]
async fn who_is_cut_off_has_hung_up() {
    let (_folder, server, speaker) = simple(|_| {});
    let listener = speaker.join(server.port, "/sub/fry").await;
    let stream: TcpStream = listener.0.into_inner().into_inner().0;
    drop(stream);
    server.until(|c| &c.connections, 0).await;
    let told = speaker.join(server.port, "/sub/fry").await;
    let mut stream = told.0.into_inner();
    stream.shutdown().await.unwrap();
    let mut rest = vec![];
    timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("an end").unwrap();
    server.until(|c| &c.connections, 0).await;
}

#[tokio::test]
async fn curl_and_the_command_agree() {
    let folder = Folder::with(&[]);
    let pair = Pair::new();
    pair.write(&folder, "own");
    let url = "https://127.0.0.1:0?cert=own.crt&key=own.key";
    let flags = ["broker", "--listen", url, "--pin", "none"];
    let broker = Process::start_in(folder.path(), &flags, &[]).await;
    assert!(broker.start[0].starts_with("listening on https://127.0.0.1:"), "{:?}", broker.start);
    let speaker = Speaker::new(&[&pair], &[&TLS12, &TLS13], None);
    let mut listener = speaker.join(broker.port(), "/sub/fry").await;
    let url = format!("https://localhost:{}/pub/fry", broker.port());
    for version in ["--tlsv1.3", "--tls-max=1.2"] {
        let (name, value) = version.split_once('=').unwrap_or((version, ""));
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--cacert", "own.crt", "-d", "hi", "-w", "%{http_code}", name]);
        curl.args((!value.is_empty()).then_some(value)).arg(&url);
        let ended = curl.current_dir(folder.path()).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&ended.stdout), "200", "{ended:?}");
        assert_eq!(listener.text().await, "hi");
    }
    assert_eq!(broker.stop().await.status, Some(0));
    // 1001 and the end of TLS
    assert_eq!(listener.closed().await, (1001, "going away".to_owned()));
    assert!(listener.0.next().await.is_none_or(|end| end.is_err()));
}

/// What a broker with these files in its URL ends with, behind that URL.
async fn refusal(folder: &Folder, files: &str) -> String {
    let url = format!("https://127.0.0.1:0?{files}");
    let ended = Process::run_in(folder.path(), &["broker", "-l", &url], &[]).await;
    assert_eq!((ended.status, ended.lines.len()), (Some(1), 1), "{ended:?}");
    let reason = ended.lines[0].strip_prefix(&format!("mercury: cannot listen on {url}: "));
    reason.unwrap_or_else(|| panic!("{ended:?}")).to_owned()
}

#[tokio::test]
async fn a_broken_pair_stops_the_start() {
    let folder = Folder::with(&[]);
    Pair::new().write(&folder, "own");
    Pair::new().write(&folder, "other");
    for (files, reason) in [
        ("cert=own.crt&key=missing", "missing: no such file or directory"),
        ("cert=own.key&key=own.key", "own.key: holds no certificate in PEM"),
        ("cert=own.crt&key=other.key", "other.key: is not the key of the certificate in own.crt"),
    ] {
        assert_eq!(refusal(&folder, files).await, reason);
    }
}

#[tokio::test]
async fn nothing_of_a_broken_key_is_shown() {
    let folder = Folder::with(&[]);
    let pair = Pair::new();
    pair.write(&folder, "own");
    for (broken, reason) in [
        // what a variable without quotes makes of it
        (
            pair.key.replace(['\r', '\n'], " "),
            "a part does not end with its line -----END ...-----",
        ),
        (pair.key.replace("KEY-----", "KEY----"), "a line that begins with -----BEGIN is broken"),
        (pair.key.replacen('M', "*", 1), "what stands between BEGIN and END is not base64"),
    ] {
        folder.write("broken.key", &broken);
        let expected = format!("broken.key: is not PEM: {reason}");
        assert_eq!(refusal(&folder, "cert=own.crt&key=broken.key").await, expected);
    }
}
