//! What a topic's name is: behaviour section 2.

use crate::server::TestServer;
use crate::wire::{Wire, handshake};

/// POSTs to a topic of the bus reach peers of another spelling; the bus compares whole names.
async fn are_one(server: &TestServer, said: &str, heard: &str) -> bool {
    let mut peer = server.connect(&format!("/bus/{heard}")).await;
    assert_eq!(server.post(&format!("/bus/{said}"), "to one").await.0, 200, "{said}");
    assert_eq!(server.post(&format!("/bus/{heard}"), "end").await.0, 200, "{heard}");
    let first = peer.text().await;
    let same = first == "to one";
    assert!(same || first == "end");
    peer.close().await;
    same
}

/// Status and sentence of a handshake and of a POST.
async fn refusals(server: &TestServer, topic: &str) -> [(u16, String); 2] {
    [
        server.refusal(&format!("/sub/{topic}")).await,
        server.post(&format!("/pub/{topic}"), "x").await,
    ]
}

#[tokio::test]
async fn a_name_is_percent_decoded_once() {
    let server = TestServer::start();
    for (said, heard) in [
        ("a%2Fb", "a/b"),
        ("a%2fb", "a/b"),
        ("%61", "a"),
        ("50%", "50%25"),
        ("%zz", "%25zz"),
        ("%2", "%252"),
        ("%%41", "%25A"),
        ("%e2%82%ac", "%E2%82%AC"),
        ("€", "%E2%82%AC"),
        ("a%3Fb", "a%3fb"),
        ("x?a=b", "x"),
        ("x%20y", "x%20y"),
    ] {
        assert!(are_one(&server, said, heard).await, "{said} is {heard}");
        assert!(are_one(&server, heard, said).await, "{heard} is {said}");
    }
    for (said, heard) in [("%252F", "%2F"), ("%2541", "A"), ("x+y", "x%20y"), ("a%3Fb", "a")] {
        assert!(!are_one(&server, said, heard).await, "{said} is not {heard}");
    }
}

#[tokio::test]
async fn slashes_are_part_of_the_name() {
    let server = TestServer::start();
    for (said, heard) in
        [("foo/", "foo"), ("foo", "foo/"), ("a//b", "a/b"), ("/a", "a"), ("a/./b", "a/b")]
    {
        assert!(!are_one(&server, said, heard).await, "{said} is not {heard}");
    }
    for name in ["foo/", "a//b", "/a", "a/../b", "a///"] {
        assert!(are_one(&server, name, name).await, "{name}");
    }
}

#[tokio::test]
async fn no_character_is_special() {
    let server = TestServer::start();
    for (said, heard) in [
        ("a/b", "a/*"),
        ("a/*", "a/b"),
        ("a/b", "*"),
        ("a/b", "%3E"),
        ("a/b", "a/%23"),
        ("a.b", "axb"),
        ("A", "a"),
        ("a/b", "a/+"),
    ] {
        assert!(!are_one(&server, said, heard).await, "{said} is not {heard}");
    }
    for name in ["*", "%3E", "%23", ".", "..", "a.b", "+", "a%00b", "a%0Ab", "~;:@!,()'&="] {
        assert!(are_one(&server, name, name).await, "{name}");
    }
    let mut star = server.connect("/sub/a/*").await;
    server.post("/pub/a/b", "not for a star").await;
    server.post("/pub/a/*/c", "for a star").await;
    assert_eq!(star.text().await, "for a star");
}

#[tokio::test]
async fn a_name_that_is_not_utf8_is_a_400_that_says_where() {
    let server = TestServer::start();
    for topic in ["ab%ff", "ab%c3", "ab%ed%a0%80", "ab%C0%80/c"] {
        for (status, sentence) in refusals(&server, topic).await {
            assert_eq!(status, 400, "{topic}");
            assert_eq!(sentence, "topic is not UTF-8 from byte 2 on\n");
        }
    }
}

#[tokio::test]
async fn an_empty_topic_is_a_404() {
    let server = TestServer::start();
    for route in ["bus", "pub", "sub", "push", "pull"] {
        for path in [format!("/{route}"), format!("/{route}/"), format!("/{route}?echo=1")] {
            let plain = format!("GET {path} HTTP/1.1\r\nHost: broker\r\n\r\n");
            for request in [handshake(&path, ""), plain] {
                let answer = Wire::open(&server).await.ask(request).await;
                assert_eq!((answer.status, answer.body.as_str()), (404, "the topic is empty\n"));
            }
            if !matches!(route, "sub" | "pull") {
                assert_eq!(server.post(&path, "x").await.0, 404, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn a_first_segment_that_starts_with_a_dollar_is_a_403() {
    let server = TestServer::start();
    for topic in ["$", "$sys", "%24sys/a", "$a/b"] {
        for (status, sentence) in refusals(&server, topic).await {
            assert_eq!(status, 403, "{topic}");
            assert!(sentence.contains("reserved: $"), "{sentence}");
        }
    }
    for topic in ["a/$b", "a$", "/$a"] {
        assert!(are_one(&server, topic, topic).await, "{topic}");
    }
}

#[tokio::test]
async fn a_name_has_1024_bytes_at_most_counted_decoded() {
    let server = TestServer::start();
    for longest in ["x".repeat(1024), "%78".repeat(1024), "%C3%A9".repeat(512)] {
        assert!(are_one(&server, &longest, &longest).await);
    }
    for topic in ["x".repeat(1025), "%78".repeat(1025), "%C3%A9".repeat(512) + "x"] {
        for (status, sentence) in refusals(&server, &topic).await {
            assert_eq!(
                (status, sentence.as_str()),
                (414, "topic is 1,025 bytes, more than 1,024\n")
            );
        }
    }
    assert_eq!(server.count(|counters| &counters.topic_too_long), 6);
}

#[tokio::test]
async fn a_name_has_32_segments_at_most() {
    let server = TestServer::start();
    let deepest = ["x"; 32].join("/");
    assert!(are_one(&server, &deepest, &deepest).await);
    for topic in [["x"; 33].join("/"), ["x"; 33].join("%2F"), "/".repeat(32)] {
        for (status, sentence) in refusals(&server, &topic).await {
            assert_eq!((status, sentence.as_str()), (400, "topic has 33 segments, more than 32\n"));
        }
    }
}
