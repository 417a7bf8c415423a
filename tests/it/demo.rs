//! The page at `/`: who gets it, and with which fields. What it does is tried out in `tests/page`.

use mercury::config::Mode;

use crate::server::TestServer;
use crate::wire::{Answer, Wire, handshake};

async fn ask(server: &TestServer, method: &str, path: &str, more: &str) -> Answer {
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: broker\r\nConnection: close\r\n{more}\r\n");
    Answer::parse(&server.exchange(request).await)
}

/// The paths of the files that the page names.
fn files(page: &Answer) -> Vec<String> {
    let quoted = page.body.split('"').filter(|text| text.starts_with("mercury-"));
    quoted.map(|path| format!("/{path}")).collect()
}

fn expect_guarded(answer: &Answer) {
    let policy = answer.field("content-security-policy").expect("a policy");
    for part in ["default-src 'none'", "script-src 'self'", "style-src 'self'"] {
        assert!(policy.split("; ").any(|directive| directive == part), "{part}: {policy}");
    }
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.field("x-frame-options"), Some("DENY"));
    assert_eq!(answer.field("referrer-policy"), Some("no-referrer"));
}

#[tokio::test]
async fn the_page_is_asked_for_again_and_its_files_are_kept_for_ever() {
    let server = TestServer::start();
    let page = ask(&server, "GET", "/", "").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.field("cache-control"), Some("no-cache"));
    expect_guarded(&page);
    let files = files(&page);
    assert!(files.len() >= 3, "a style, a script and an icon: {files:?}");
    for path in &files {
        let file = ask(&server, "GET", path, "").await;
        assert_eq!(file.status, 200, "{path}");
        assert_eq!(file.field("cache-control"), Some("public, max-age=31536000, immutable"));
        assert!(!file.field("content-type").unwrap().contains("html") && !file.body.is_empty());
        expect_guarded(&file);
    }
    let tag = page.field("etag").expect("a tag");
    let known = ask(&server, "GET", "/", &format!("If-None-Match: {tag}\r\n")).await;
    assert_eq!((known.status, known.body.as_str()), (304, ""));
    assert_eq!((known.field("etag"), known.field("cache-control")), (Some(tag), Some("no-cache")));
    assert_eq!(server.count(|counters| &counters.refusals), 0);
}

#[tokio::test]
async fn another_broker_of_the_same_build_has_the_same_names() {
    let (one, other) = (TestServer::start(), TestServer::start());
    let (one, other) = (ask(&one, "GET", "/", "").await, ask(&other, "GET", "/", "").await);
    assert_eq!(files(&one), files(&other));
    assert_eq!(one.field("etag"), other.field("etag"));
}

#[tokio::test]
async fn a_head_is_answered_and_other_methods_are_a_405() {
    let server = TestServer::start();
    let page = ask(&server, "GET", "/", "").await;
    for path in files(&page).into_iter().chain(["/".to_owned()]) {
        let whole = ask(&server, "GET", &path, "").await;
        let head = ask(&server, "HEAD", &path, "").await;
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        for name in ["content-type", "content-length", "etag", "cache-control"] {
            assert_eq!(head.field(name), whole.field(name), "{name} of {path}");
        }
        assert_eq!(head.field("content-length"), Some(&*whole.body.len().to_string()));
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
            let answer = ask(&server, method, &path, "").await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.field("allow"), Some("GET, HEAD"));
            assert_eq!(answer.field("mercury-code"), Some("method-not-allowed"));
        }
    }
}

#[tokio::test]
async fn a_connection_goes_on_behind_the_page() {
    let server = TestServer::start();
    let mut wire = Wire::open(&server).await;
    for path in ["/", "/nowhere", "/"] {
        let answer = wire.ask(format!("GET {path} HTTP/1.1\r\nHost: broker\r\n\r\n")).await;
        assert_eq!(answer.status, if path == "/" { 200 } else { 404 });
    }
    assert_eq!(wire.ask(handshake("/sub/x", "")).await.status, 101);
}

#[tokio::test]
async fn no_socket_is_at_the_page() {
    let server = TestServer::start();
    let page = ask(&server, "GET", "/", "").await;
    for path in ["/", &files(&page)[0]] {
        let answer = Wire::open(&server).await.ask(handshake(path, "")).await;
        assert_eq!((answer.status, answer.field("sec-websocket-accept")), (404, None), "{path}");
        assert!(answer.body.contains("/bus/*topic"), "{answer:?}");
    }
}

#[tokio::test]
async fn production_has_neither_the_page_nor_its_files() {
    let page = ask(&TestServer::start(), "GET", "/", "").await;
    let server = TestServer::with(|config| config.mode = Mode::Production);
    for path in files(&page).into_iter().chain(["/".to_owned()]) {
        for method in ["GET", "HEAD", "POST"] {
            let answer = ask(&server, method, &path, "").await;
            assert_eq!(answer.status, 404, "{method} {path}");
            assert_eq!(answer.field("mercury-code"), Some("no-such-route"));
            assert_eq!(answer.field("content-security-policy"), None);
        }
    }
}
