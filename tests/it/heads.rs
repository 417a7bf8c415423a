//! Heads: what a request line, a target, a field and a host may be. Behaviour section 1; RFC 9112
//! 2.2, 3 and 5.

use crate::smuggling::Outcome::{Alone, Both, Next, Refused};
use crate::smuggling::{CHUNKED, Watch, chunks, post};

#[tokio::test]
async fn what_is_no_field_is_refused() {
    let mut watch = Watch::new().await;
    for fields in [
        "Transfer-Encoding : chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "Content-Length : 5\r\n",
        "Content-Length\t: 5\r\n",
        "Content-Length: 5\r\n 0\r\n",
        "Content-Length:\r\n 5\r\n",
        "X: y\r\n\tContent-Length: 5\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "X: y\rContent-Length: 5\r\n",
        "X: y\r\rContent-Length: 5\r\n",
        "X: y\r \nContent-Length: 5\r\n",
        "Content-Length: 5\r",
        "X: y\0\r\n",
        "X: \0Content-Length: 5\r\n",
        "X\0: y\r\n",
        "Content\0-Length: 5\r\n",
        "Content-Length\0: 5\r\n",
        "Content-Length: 5\0\r\n",
        "X: \u{1}\r\n",
        "X: \u{7f}\r\n",
        ": y\r\n",
        "X\r\n",
        "X y: z\r\n",
        "X(y): z\r\n",
        "X\u{e9}: z\r\n",
    ] {
        watch.check_both(post(fields, "hello"), Refused(400)).await;
    }
}

#[tokio::test]
async fn a_bare_line_feed_ends_a_line_of_a_head() {
    let mut watch = Watch::new().await;
    let request = post("Content-Length: 5\r\n", "hello");
    watch.check_both(request.replace("\r\n", "\n"), Both("hello")).await;
    watch.check_both(post("X: y\nContent-Length: 5\n", "hello"), Both("hello")).await;
    watch.check_both(format!("\r\n\r\n{request}"), Both("hello")).await;
    // in chunks it does not (RFC 9112 2.2 has it for heads)
    watch.check_both(chunks("5\nhello\r\n0\r\n\r\n"), Refused(400)).await;
    let both = format!("X: y\nContent-Length: 5\n{CHUNKED}");
    watch.check(post(&both, "0\r\n\r\n"), Refused(400)).await;
}

#[tokio::test]
async fn a_request_line_is_exact() {
    let mut watch = Watch::new().await;
    let line = "POST /pub/first HTTP/1.1\r\n";
    for other in [
        "POST /pub/first\r\n",
        "POST /pub/first HTTP/0.9\r\n",
        "POST /pub/first HTTP/1.2\r\n",
        "POST /pub/first HTTP/2.0\r\n",
        "POST /pub/first HTTP/11\r\n",
        "POST /pub/first http/1.1\r\n",
        "POST /pub/first HTTP/1.1 \r\n",
        "POST  /pub/first HTTP/1.1\r\n",
        "POST /pub/first  HTTP/1.1\r\n",
        "POST\t/pub/first HTTP/1.1\r\n",
        " POST /pub/first HTTP/1.1\r\n",
        "POST /pub/first HTTP/1.1\r",
        "POST /pub/\0first HTTP/1.1\r\n",
        "POST /pub/\u{1}first HTTP/1.1\r\n",
        "POST /pub/fi\trst HTTP/1.1\r\n",
        "POST /pub/fi\rrst HTTP/1.1\r\n",
        "POST /pub/fi rst HTTP/1.1\r\n",
        "POST /pub/first\u{7f} HTTP/1.1\r\n",
        "PO\0ST /pub/first HTTP/1.1\r\n",
        "PO(ST /pub/first HTTP/1.1\r\n",
        "POST pub/first HTTP/1.1\r\n",
        "POST broker/pub/first HTTP/1.1\r\n",
        "POST http:///pub/first HTTP/1.1\r\n",
        "nonsense\r\n",
        "\u{16}\u{3}\u{1}\r\n",
        "POST\r\n",
    ] {
        let request = post("Content-Length: 5\r\n", "hello").replace(line, other);
        watch.check_both(request, Refused(400)).await;
    }
    watch.check_both("GET /sub/first\r\n", Refused(400)).await;
    watch.check("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refused(505)).await;
}

#[tokio::test]
async fn an_old_request_has_no_chunks_and_ends_its_connection() {
    let mut watch = Watch::new().await;
    let old = |text: String| text.replace("HTTP/1.1", "HTTP/1.0");
    watch.check_both(old(post("Content-Length: 5\r\n", "hello")), Alone("hello")).await;
    watch.check_both(old(post("", "")), Alone("")).await;
    let kept = "Content-Length: 5\r\nConnection: keep-alive\r\n";
    watch.check_both(old(post(kept, "hello")), Both("hello")).await;
    watch.check_both(old(chunks("5\r\nhello\r\n0\r\n\r\n")), Refused(400)).await;
    let both = format!("Content-Length: 5\r\n{CHUNKED}");
    watch.check_both(old(post(&both, "0\r\n\r\n")), Refused(400)).await;
}

#[tokio::test]
async fn a_target_is_a_path_or_has_one() {
    let mut watch = Watch::new().await;
    let to = |target: &str| post("Content-Length: 5\r\n", "hello").replace("/pub/first", target);
    watch.check_both(to("http://broker/pub/first"), Both("hello")).await;
    watch.check_both(to("http://other:1234/pub/first?x=y"), Both("hello")).await;
    for target in ["broker", "broker:3000", "*", "//broker/pub/first"] {
        watch.check_both(to(target), Refused(404)).await;
    }
    for target in ["http://broker", "/"] {
        watch.check_both(to(target), Refused(405)).await;
    }
    let bare = |line: &str| format!("{line} HTTP/1.1\r\nHost: broker\r\n\r\n");
    watch.check_both(bare("OPTIONS *"), Next(404)).await;
    watch.check_both(bare("CONNECT broker:3000"), Refused(404)).await;
    watch.check_both(bare("CONNECT /pub/first"), Refused(405)).await;
    watch.check_both(bare("TRACE /pub/first"), Next(405)).await;
    watch.check_both(bare("GET /pub/first"), Next(426)).await;
}

#[tokio::test]
async fn every_request_names_one_host() {
    let mut watch = Watch::new().await;
    let host =
        |fields: &str| post("Content-Length: 5\r\n", "hello").replace("Host: broker\r\n", fields);
    for fields in [
        "Host: broker:3000\r\n",
        "Host: 127.0.0.1\r\n",
        "Host: [::1]:3000\r\n",
        "Host: BROKER.example.\r\n",
        "Host: broker:\r\n",
        "Host:\r\n",
    ] {
        watch.check_both(host(fields), Both("hello")).await;
    }
    for fields in [
        "",
        "Host: broker\r\nHost: broker\r\n",
        "Host: broker\r\nhost: other\r\n",
        "Host: broker, other\r\n",
        "Host: broker other\r\n",
        "Host: broker/pub\r\n",
        "Host: broker?x\r\n",
        "Host: broker#x\r\n",
        "Host: user@broker\r\n",
        "Host: http://broker\r\n",
        "Host: broker:port\r\n",
        "Host: broker:3000:3000\r\n",
        "Host: broker:99999\r\n",
        "Host: [::1\r\n",
        "Host: ::1\r\n",
        "Host: bro\u{e9}ker\r\n",
        "Host: <broker>\r\n",
    ] {
        watch.check_both(host(fields), Refused(400)).await;
        let without_body = format!("GET /nowhere HTTP/1.1\r\n{fields}\r\n");
        watch.check_both(without_body, Refused(400)).await;
    }
    // an old request may leave it out, and must not name two
    let old = |text: String| text.replace("HTTP/1.1", "HTTP/1.0");
    watch.check_both(old(host("")), Alone("hello")).await;
    watch.check_both(old(host("Host: broker\r\nHost: other\r\n")), Refused(400)).await;
}
