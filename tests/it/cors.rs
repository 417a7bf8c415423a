//! Browsers' scripts on other sites: behaviour section 1; the CORS protocol of the Fetch standard.

use mercury::limits::PREFLIGHT_AGE_SECONDS;

use crate::server::TestServer;
use crate::smuggling::Outcome::{Next, Refused};
use crate::smuggling::{CHUNKED, Watch};
use crate::wire::{Answer, Wire, handshake};

const ORIGIN: &str = "Origin: http://planet.express:8080\r\n";
const ASKS: &str = "Access-Control-Request-Method: POST\r\n";
const SENDERS: [&str; 3] = ["/bus/x", "/pub/x", "/push/x"];
/// Every field that the protocol knows in an answer.
const FIELDS: [&str; 6] = [
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-max-age",
    "access-control-expose-headers",
];

/// A request with these header lines, each ending in CR LF.
fn request(method: &str, path: &str, fields: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: broker\r\n{fields}\r\n")
}

/// The fields of the protocol that an answer has.
fn said(answer: &Answer) -> Vec<(&str, &str)> {
    FIELDS.iter().filter_map(|name| Some((*name, answer.field(name)?))).collect()
}

#[tokio::test]
async fn a_script_may_read_the_answer_to_its_post_whatever_it_is() {
    let server = TestServer::limited(|limits| {
        limits.body_bytes_max = 10;
        limits.topics_max = 1;
    });
    let _only = server.connect("/sub/x").await;
    let long = format!("/pub/{}", "x".repeat(1025));
    let both = format!("Content-Length: 0\r\n{CHUNKED}");
    for (path, fields, status) in [
        ("/bus/x", "", 200),
        ("/pub/x", "", 200),
        ("/nowhere", "", 404),
        ("/sub/x", "", 405),
        ("/pull/x", "", 405),
        ("/pub/", "", 404),
        ("/pub/$x", "", 403),
        ("/pub/%ff", "", 400),
        (&long, "", 414),
        ("/pub/x", "Content-Length: 11\r\n", 413),
        ("/pub/x", "Host: broker\r\n", 400),
        ("/pub/x", &both, 400),
        ("/pub/x", "Transfer-Encoding: gzip, chunked\r\n", 501),
        ("/push/x", "", 503),
    ] {
        for accept in ["", "Accept: application/json\r\n"] {
            let plain = request("POST", path, &format!("{accept}{fields}"));
            let answer = Wire::open(&server).await.ask(plain).await;
            assert_eq!((answer.status, said(&answer)), (status, vec![]), "{path} {fields}");
            for origin in [ORIGIN, "origin: null\r\n", "Origin: \r\n"] {
                let scripted = request("POST", path, &format!("{origin}{accept}{fields}"));
                let read = Wire::open(&server).await.ask(scripted).await;
                assert_eq!((read.status, &read.body), (status, &answer.body), "{path} {fields}");
                let exposed = (FIELDS[5], "mercury-code");
                let expected = [(FIELDS[0], "*"), exposed];
                let expected = if status == 200 { &expected[..1] } else { &expected };
                assert_eq!(said(&read), expected, "{path} {fields}");
                assert_eq!(read.field("mercury-code").is_some(), status != 200, "{path} {fields}");
                assert_eq!(read.field("vary"), None, "it is the same for every site");
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_told_to_its_script() {
    let server = TestServer::start();
    let mut wire = Wire::open(&server).await;
    wire.send(request("POST", "/pub/x", &format!("{ORIGIN}Content-Length: 9\r\n")) + "half").await;
    wire.end().await;
    let answer = wire.answer().await;
    let expected = vec![(FIELDS[0], "*"), (FIELDS[5], "mercury-code")];
    assert_eq!((answer.status, said(&answer)), (400, expected));
    assert_eq!(answer.field("mercury-code"), Some("body-broken"));
}

#[tokio::test]
async fn a_preflight_is_a_204_and_the_post_comes_on_the_same_connection() {
    let server = TestServer::start();
    let asks_more = format!("{ASKS}Access-Control-Request-Headers: content-type\r\n");
    for path in SENDERS {
        let mut wire = Wire::open(&server).await;
        for fields in [
            format!("{ORIGIN}{asks_more}"),
            format!("Origin: null\r\n{ASKS}Content-Length: 0\r\n"),
            ASKS.to_owned(),
            ASKS.replace("POST", "PUT"),
        ] {
            let answer = wire.ask(request("OPTIONS", path, &fields)).await;
            assert_eq!(answer.status, 204, "{path} {fields}");
            let seconds = PREFLIGHT_AGE_SECONDS.to_string();
            let expected = [
                ("access-control-allow-origin", "*"),
                ("access-control-allow-methods", "POST"),
                ("access-control-allow-headers", "content-type"),
                ("access-control-max-age", &*seconds),
            ];
            assert_eq!(said(&answer), expected, "{path} {fields}");
            // RFC 9110 8.6, RFC 9112 6.1
            for absent in ["content-length", "transfer-encoding", "content-type", "connection"] {
                assert_eq!(answer.field(absent), None, "{path} {fields}");
            }
        }
        let json = format!("{ORIGIN}Content-Type: application/json\r\nContent-Length: 2\r\n");
        let answer = wire.ask(request("POST", path, &json) + "{}").await;
        assert_eq!((answer.status, said(&answer)), (200, vec![(FIELDS[0], "*")]), "{path}");
    }
    assert_eq!(server.count(|counters| &counters.posts_in), 3);
    assert_eq!(server.count(|counters| &counters.refusals), 0);
}

#[tokio::test]
async fn a_preflight_is_about_the_route_and_the_post_is_told_about_its_topic() {
    let server = TestServer::start();
    let long = format!("/push/{}", "x".repeat(1025));
    for (path, status) in
        [("/pub", 404), ("/pub/", 404), ("/bus/$x", 403), ("/push/%ff", 400), (&long, 414)]
    {
        let mut wire = Wire::open(&server).await;
        let answer = wire.ask(request("OPTIONS", path, &format!("{ORIGIN}{ASKS}"))).await;
        assert_eq!(answer.status, 204, "{path}");
        let answer = wire.ask(request("POST", path, ORIGIN)).await;
        let expected = vec![(FIELDS[0], "*"), (FIELDS[5], "mercury-code")];
        assert_eq!((answer.status, said(&answer)), (status, expected), "{path}");
        assert!(!answer.body.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn nothing_but_a_post_and_its_preflight_is_for_scripts() {
    let server = TestServer::start();
    let asks = format!("{ORIGIN}{ASKS}");
    for (method, path, fields, status) in [
        ("OPTIONS", "/pub/x", ORIGIN, 405),
        ("OPTIONS", "/pub/x", "", 405),
        ("OPTIONS", "/sub/x", &asks, 405),
        ("OPTIONS", "/pull/x", &asks, 405),
        ("OPTIONS", "/nowhere", &asks, 404),
        ("OPTIONS", "*", &asks, 404),
        ("options", "/pub/x", &asks, 405),
        ("PUT", "/pub/x", &asks, 405),
        ("GET", "/pub/x", &asks, 426),
        ("GET", "/sub/x", &asks, 426),
    ] {
        let answer = Wire::open(&server).await.ask(request(method, path, fields)).await;
        assert_eq!((answer.status, said(&answer)), (status, vec![]), "{method} {path} {fields}");
        let allow = answer.field("allow").unwrap_or("GET");
        assert!(!allow.contains("OPTIONS"), "{method} {path} {fields}");
    }
    let answer = Wire::open(&server).await.ask(handshake("/sub/x", &asks)).await;
    assert_eq!((answer.status, said(&answer)), (101, vec![]));
}

#[tokio::test]
async fn a_preflight_hides_no_request() {
    let mut watch = Watch::new().await;
    let preflight = |more: &str| request("OPTIONS", "/pub/first", &format!("{ORIGIN}{ASKS}{more}"));
    watch.check_both(preflight(""), Next(204)).await;
    watch.check_both(preflight("Content-Length: 0\r\n"), Next(204)).await;
    // its body is nobody's, so what stands behind its head is not looked at
    watch.check_both(preflight("Content-Length: 5\r\n") + "hello", Refused(204)).await;
    watch.check_both(preflight("Content-Length: 500\r\n"), Refused(204)).await;
    watch.check_both(preflight(CHUNKED) + "0\r\n\r\n", Refused(204)).await;
    let both = format!("Content-Length: 5\r\n{CHUNKED}");
    watch.check(preflight(&both) + "0\r\n\r\n", Refused(400)).await;
    watch.check_both(preflight("Host: broker\r\n"), Refused(400)).await;
    watch.check_both(preflight("Transfer-Encoding: gzip, chunked\r\n"), Refused(501)).await;
}
