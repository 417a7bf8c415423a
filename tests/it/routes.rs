//! Routes and refusals: behaviour section 1.

use mercury::config::Mode;
use tokio_tungstenite::connect_async;

use crate::server::TestServer;
use crate::wire::{Answer, Wire, handshake};

/// Every route, and whether it takes a POST.
const ROUTES: [(&str, bool); 5] =
    [("bus", true), ("pub", true), ("sub", false), ("push", true), ("pull", false)];

fn request(method: &str, path: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: broker\r\nConnection: close\r\n{more}\r\n")
}

async fn ask(server: &TestServer, method: &str, path: &str, more: &str) -> Answer {
    Answer::parse(&server.exchange(request(method, path, more)).await)
}

#[tokio::test]
async fn every_route_is_a_websocket() {
    let server = TestServer::start();
    for (route, _) in ROUTES {
        Wire::connect(&server, &format!("/{route}/x")).await;
    }
}

#[tokio::test]
async fn a_post_on_a_sending_route_is_a_200_with_an_empty_body() {
    let server = TestServer::start();
    for (route, _) in ROUTES.into_iter().filter(|(_, posts)| *posts) {
        let answer = ask(&server, "POST", &format!("/{route}/x"), "Content-Length: 0\r\n").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{route}");
        assert_eq!(answer.field("content-length"), Some("0"), "{route}");
    }
    assert_eq!(server.count(|counters| &counters.posts_in), 3);
}

#[tokio::test]
async fn other_methods_are_a_405_that_lists_the_right_ones() {
    let server = TestServer::start();
    for (route, posts) in ROUTES {
        let path = format!("/{route}/x");
        let mut methods = vec!["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"];
        if !posts {
            methods.push("POST");
        }
        for method in methods {
            let answer = ask(&server, method, &path, "").await;
            assert_eq!(answer.status, 405, "{method} {path}");
            let allow: Vec<_> = answer.field("allow").unwrap().split(", ").collect();
            assert!(allow.contains(&"GET") && !allow.contains(&method), "{method} {path}");
            assert_eq!(allow.contains(&"POST"), posts, "{method} {path}");
            if method != "HEAD" {
                assert!(answer.body.contains(method) && answer.body.contains(route), "{answer:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_plain_get_is_a_426_with_an_example_that_works() {
    let server = TestServer::start();
    for (route, _) in ROUTES {
        let path = format!("/{route}/a/b%20c?echo=1");
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", server.port);
        let answer = Wire::open(&server).await.ask(request).await;
        assert_eq!(answer.status, 426, "{answer:?}");
        assert_eq!(answer.field("upgrade"), Some("websocket"));
        assert_eq!(answer.field("connection"), Some("Upgrade"));
        assert_eq!(answer.field("sec-websocket-accept"), None);
        assert_eq!(answer.body.lines().count(), 1, "{answer:?}");
        assert!(answer.body.contains(&format!("/{route}/*topic")), "{answer:?}");
        let example = answer.body.split('\'').nth(1).expect("an example in quotes");
        assert!(example.contains(&format!("/{route}/a/b%20c")), "{example}");
        connect_async(example).await.expect("the example works");
    }
}

#[tokio::test]
async fn the_front_is_a_404_in_production() {
    let server = TestServer::with(|config| config.mode = Mode::Production);
    assert_eq!(ask(&server, "GET", "/", "").await.status, 404);
    assert_eq!(Wire::open(&server).await.ask(handshake("/", "")).await.status, 404);
}

#[tokio::test]
async fn a_path_that_is_no_route_is_a_404_that_names_it() {
    let server = TestServer::start();
    for path in ["/x", "/busy/x", "/Bus/x", "//bus/x", "/bus%2Fx", "/subs", "/favicon.ico"] {
        for method in ["GET", "POST", "PUT"] {
            let answer = ask(&server, method, path, "").await;
            assert_eq!(answer.status, 404, "{method} {path}");
            assert!(answer.body.starts_with(path), "{answer:?}");
            assert_eq!(answer.field("allow"), None);
        }
        let answer = Wire::open(&server).await.ask(handshake(path, "")).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.field("sec-websocket-accept"), None);
    }
}

#[tokio::test]
async fn an_error_is_one_line_of_text_or_json_with_a_stable_code() {
    let server = TestServer::start();
    let long = format!("/pub/{}", "x".repeat(1025));
    let deep = format!("/pub{}", "/x".repeat(33));
    let refusals = [
        ("GET", "/nowhere", 404, "no-such-route"),
        ("PUT", "/bus/x", 405, "method-not-allowed"),
        ("GET", "/sub/x", 426, "upgrade-required"),
        ("POST", "/pub/", 404, "topic-empty"),
        ("POST", "/push/%ff", 400, "topic-not-utf8"),
        ("POST", "/bus/$x", 403, "topic-reserved"),
        ("POST", &long, 414, "topic-too-long"),
        ("POST", &deep, 400, "topic-too-deep"),
    ];
    for (method, path, status, code) in refusals {
        let text = ask(&server, method, path, "Accept: text/html, */*\r\n").await;
        assert_eq!(text.status, status, "{text:?}");
        assert_eq!(text.field("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(text.field("mercury-code"), Some(code));
        let sentence = text.body.strip_suffix('\n').expect("a line");
        assert!(!sentence.is_empty() && !sentence.contains('\n'), "{text:?}");
        let json = ask(&server, method, path, "Accept: application/json\r\n").await;
        assert_eq!(json.status, status, "{json:?}");
        assert_eq!(json.field("content-type"), Some("application/json"));
        assert_eq!(json.field("mercury-code"), Some(code));
        let expected = format!("{{\"code\":\"{code}\",\"message\":\"{sentence}\"}}");
        assert_eq!(json.body.trim_end(), expected);
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_413_and_one_at_the_limit_is_fine() {
    let server = TestServer::limited(|limits| limits.body_bytes_max = 1000);
    assert_eq!(server.post("/pub/x", [b'x'; 1000]).await.0, 200);
    let (status, sentence) = server.post("/pub/x", [b'x'; 1001]).await;
    assert_eq!((status, sentence.as_str()), (413, "body is 1,001 bytes, more than 1,000\n"));
    let (_, json) = server.post_as("/pub/x", "Accept: application/json\r\n", [b'x'; 1001]).await;
    assert!(json.starts_with("{\"code\":\"body-too-long\","), "{json}");
    let chunked = "Transfer-Encoding: chunked\r\n\r\n3e9\r\n".to_owned() + &"x".repeat(1001);
    let request = request("POST", "/pub/x", "").trim_end().to_owned() + "\r\n" + &chunked;
    assert_eq!(Wire::open(&server).await.ask(request).await.status, 413);
}

#[tokio::test]
async fn a_handshake_that_finds_no_place_is_a_503_with_retry_after() {
    let server = TestServer::limited(|limits| {
        limits.connections_max = Some(2);
        limits.topics_max = 1;
    });
    let _first = server.connect("/sub/x").await;
    let full = Wire::open(&server).await.ask(handshake("/bus/y", "")).await;
    assert_eq!(full.status, 503, "{full:?}");
    let _second = server.connect("/sub/x").await;
    for accept in ["", "Accept: application/json\r\n"] {
        let full = Wire::open(&server).await.ask(handshake("/sub/x", accept)).await;
        assert_eq!(full.status, 503, "{full:?}");
        assert!(full.field("retry-after").is_some());
        assert_eq!(full.field("sec-websocket-accept"), None);
        assert_eq!(full.field("upgrade"), None);
        assert_eq!(full.body.contains("\"code\":\"connections-full\""), !accept.is_empty());
        assert!(full.body.contains("--clients"), "{full:?}");
    }
}

#[tokio::test]
async fn patterns_never_mix() {
    let server = TestServer::start();
    let mut peer = server.connect("/bus/x").await;
    let mut subscriber = server.connect("/sub/x").await;
    let mut puller = server.connect("/pull/x").await;
    for route in ["bus", "pub", "push"] {
        assert_eq!(server.post(&format!("/{route}/x"), route).await.0, 200);
    }
    assert_eq!(peer.text().await, "bus");
    assert_eq!(subscriber.text().await, "pub");
    assert_eq!(puller.text().await, "push");
    for route in ["bus", "pub", "push"] {
        let mut sender = server.connect(&format!("/{route}/x")).await;
        sender.send(route).await;
    }
    assert_eq!(peer.text().await, "bus");
    assert_eq!(subscriber.text().await, "pub");
    assert_eq!(puller.text().await, "push");
    for client in [&mut peer, &mut subscriber, &mut puller] {
        client.quiet().await;
    }
}
