//! The sites that may connect: behaviour sections 1 and 7.

use mercury::config::{Origins, Pattern};

use crate::process::Process;
use crate::server::TestServer;
use crate::wire::{Answer, Wire, handshake};

const ROUTES: [&str; 5] = ["/bus/x", "/pub/x", "/sub/x", "/push/x", "/pull/x"];
const SENDERS: [&str; 3] = ["/bus/x", "/pub/x", "/push/x"];
const ASKS: &str = "Access-Control-Request-Method: POST\r\n";
const SITE: &str = "Origin: http://www.example.com:3000\r\n";
/// What a client sends that may not come in, and what it is told.
const STRANGERS: [(&str, &str); 6] = [
    ("", "Origin check failed: the request has none"),
    (
        "Origin: http://example.com.evil.net\r\n",
        "Origin check failed: http://example.com.evil.net may not connect",
    ),
    ("Origin: null\r\n", "Origin check failed: null may not connect"),
    ("Origin: \r\n", "Origin check failed: the request has none"),
    (
        "Origin: http://evil.net/example.com\r\n",
        "Origin check failed: http://evil.net/example.com may not connect",
    ),
    (
        "Origin: http://example.com\r\nOrigin: http://example.com\r\n",
        "Origin check failed: 2 at once, http://example.com, http://example.com",
    ),
];

/// A broker for these sites.
fn server(patterns: &[&str]) -> TestServer {
    let patterns = patterns.iter().map(|text| Pattern::parse(text).unwrap()).collect();
    TestServer::with(|config| config.allow_origin = Some(Origins::new(patterns)))
}

fn request(method: &str, path: &str, fields: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: broker\r\n{fields}\r\n")
}

async fn ask(server: &TestServer, request: String) -> Answer {
    Wire::open(server).await.ask(request).await
}

/// What a script is told that may read the answer.
fn cors(answer: &Answer) -> (Option<&str>, Option<&str>) {
    (answer.field("access-control-allow-origin"), answer.field("vary"))
}

#[tokio::test]
async fn handshakes_and_posts_of_other_sites_are_a_401_that_says_so() {
    let server = server(&["example.com"]);
    let mut refused = 0;
    for (fields, sentence) in STRANGERS {
        for path in ROUTES {
            let answer = ask(&server, handshake(path, fields)).await;
            assert_eq!((answer.status, answer.body.trim_end()), (401, sentence), "{path} {fields}");
            refused += 1;
        }
        for path in SENDERS {
            let answer = ask(&server, request("POST", path, fields)).await;
            assert_eq!((answer.status, answer.body.trim_end()), (401, sentence), "{path} {fields}");
            assert_eq!(answer.field("access-control-allow-origin"), None, "{path} {fields}");
            refused += 1;
        }
    }
    assert_eq!(server.count(|counters| &counters.origin_refused), refused);
    assert_eq!(server.count(|counters| &counters.joins), 0);
    assert_eq!(server.count(|counters| &counters.posts_in), 0);
    let json = handshake("/sub/x", "Accept: application/json\r\nOrigin: http://a\r\n");
    let message = "Origin check failed: http://a may not connect";
    let expected = format!("{{\"code\":\"origin-not-allowed\",\"message\":\"{message}\"}}\n");
    assert_eq!(ask(&server, json).await.body, expected);
}

#[tokio::test]
async fn listed_sites_come_in_and_their_scripts_read_the_answer() {
    let server = server(&["example.com"]);
    for path in ROUTES {
        assert_eq!(ask(&server, handshake(path, SITE)).await.status, 101, "{path}");
    }
    let site = Some("http://www.example.com:3000");
    for path in SENDERS {
        let answer = ask(&server, request("POST", path, SITE)).await;
        assert_eq!((answer.status, cors(&answer)), (200, (site, Some("Origin"))), "{path}");
    }
    // the sentence of a refusal is for them, too
    for (path, status) in [("/sub/x", 405), ("/pub/", 404), ("/nowhere", 404), ("/pub/$x", 403)] {
        let answer = ask(&server, request("POST", path, SITE)).await;
        assert_eq!((answer.status, cors(&answer)), (status, (site, Some("Origin"))), "{path}");
    }
    assert_eq!(server.count(|counters| &counters.origin_refused), 0);
}

#[tokio::test]
async fn a_preflight_names_listed_sites_alone() {
    let server = server(&["example.com", "none"]);
    let site = Some("http://www.example.com:3000");
    for path in SENDERS {
        let listed = ask(&server, request("OPTIONS", path, &format!("{SITE}{ASKS}"))).await;
        assert_eq!((listed.status, cors(&listed)), (204, (site, Some("Origin"))), "{path}");
        assert_eq!(listed.field("access-control-allow-methods"), Some("POST"), "{path}");
        assert_eq!(listed.field("access-control-allow-headers"), Some("content-type"), "{path}");
        for fields in ["", "Origin: http://a\r\n", "Origin: null\r\n"] {
            let other = ask(&server, request("OPTIONS", path, &format!("{fields}{ASKS}"))).await;
            assert_eq!((other.status, cors(&other)), (204, (None, Some("Origin"))), "{fields}");
        }
    }
    assert_eq!(server.count(|counters| &counters.refusals), 0);
}

#[tokio::test]
async fn only_the_five_routes_are_guarded() {
    let server = server(&["example.com"]);
    for (method, path, status) in [
        ("GET", "/", 200),
        ("POST", "/", 405),
        ("GET", "/nowhere", 404),
        ("POST", "/nowhere", 404),
        ("GET", "/sub/x", 426),
        ("POST", "/sub/x", 405),
        ("PUT", "/pub/x", 405),
    ] {
        let answer = ask(&server, request(method, path, "Origin: http://a\r\n")).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.field("access-control-allow-origin"), None, "{method} {path}");
    }
    assert_eq!(server.count(|counters| &counters.origin_refused), 0);
}

#[tokio::test]
async fn the_words_none_null_and_star_admit_what_they_say() {
    let (none, null, other) = ("", "Origin: null\r\n", "Origin: http://a\r\n");
    for (patterns, admitted) in [
        (&["none"][..], &[none][..]),
        (&["null"], &[null]),
        (&["*"], &[null, other]),
        (&["*", "none"], &[none, null, other]),
        (&[], &[]),
    ] {
        let server = server(patterns);
        for fields in [none, null, other] {
            let expected = if admitted.contains(&fields) { 200 } else { 401 };
            let answer = ask(&server, request("POST", "/pub/x", fields)).await;
            assert_eq!(answer.status, expected, "{patterns:?} {fields}");
            let origin = fields.trim_end().split_once(": ").map(|(_, origin)| origin);
            let named = origin.filter(|_| expected == 200);
            assert_eq!(answer.field("access-control-allow-origin"), named, "{patterns:?}");
        }
    }
}

#[tokio::test]
async fn without_a_list_everybody_comes_in() {
    let server = TestServer::start();
    for (fields, _) in STRANGERS {
        assert_eq!(ask(&server, request("POST", "/pub/x", fields)).await.status, 200, "{fields}");
        assert_eq!(ask(&server, handshake("/sub/x", fields)).await.status, 101, "{fields}");
    }
}

#[tokio::test]
async fn a_list_is_set_by_flags_and_a_wrong_pattern_ends_the_start() {
    let flags =
        ["--allow-origin", "example.com", "--allow-origin", "https://*.b\u{fc}cher.example"];
    let broker = Process::broker(&flags).await;
    for (origin, status) in [
        ("http://a.example.com", 101),
        ("https://a.xn--bcher-kva.example", 101),
        ("http://a.xn--bcher-kva.example", 401),
    ] {
        let mut wire = Wire::to(broker.port()).await;
        let answer = wire.ask(handshake("/sub/x", &format!("Origin: {origin}\r\n"))).await;
        assert_eq!(answer.status, status, "{origin}");
    }
    let wrong = ["broker", "-l", "http://127.0.0.1:0", "--allow-origin", "exam*ple.com"];
    let ended = Process::run(&wrong, &[]).await;
    assert_eq!((ended.status, ended.lines.len()), (Some(2), 1), "{ended:?}");
    let start = "mercury: --allow-origin: 'exam*ple.com' has a * where none can stand";
    assert!(ended.lines[0].starts_with(start), "{ended:?}");
}

#[tokio::test]
async fn an_empty_list_says_at_the_start_that_nobody_may_connect() {
    let file = "allow_origin = []\nlisten = 'http://127.0.0.1:0'\npin = 'none'";
    let folder = crate::configuration::Folder::with(&[("mercury.toml", file)]);
    let broker = Process::start_in(folder.path(), &["broker"], &[]).await;
    let warning = "allow_origin is an empty list: nobody may connect";
    assert!(broker.start.iter().any(|line| line.contains(warning)), "{:?}", broker.start);
    let answer = Wire::to(broker.port()).await.ask(handshake("/sub/x", SITE)).await;
    assert_eq!(answer.status, 401);
}
