//! The codes of refused requests and handshakes.

use super::{Entry, Tally};

codes! {
    /// Why a request gets a 4xx or 5xx.
    RefusalCode,
    /// What is known of them, in the order of `docs/protocol.md`.
    REFUSALS;

    NoSuchRoute = "no-such-route" 404 {
        means: "the path is none of the five",
        cause: "a misspelt path, or a prefix that a proxy should have taken off",
        cure: "look at the path",
    }
    MethodNotAllowed = "method-not-allowed" 405 {
        means: "the route does not take this method",
        cause: "a POST to a route that only listens, or a method other than GET and POST",
        cure: "see `Allow`",
    }
    OriginNotAllowed = "origin-not-allowed" 401 {
        means: "the site is not on the operator's list",
        cause: "a page of another site connects, or a program that sends no Origin",
        cure: "ask the operator for `--allow-origin`",
        flag: "allow-origin",
        counter: origin_refused,
    }
    HostNotAllowed = "host-not-allowed" 403 {
        means: "a request to `--admin` whose `Host` may be another site's",
        cause: "a name of the machine's own, or a page whose name leads to it (DNS rebinding)",
        cure: "`localhost`, an IP address, or a name of `--admin-host`",
        flag: "admin-host",
    }
    TlsExpected = "tls-expected" 400 {
        means: "a request without TLS to a port that speaks it",
        cause: "a URL of http:// or ws://, or a proxy that takes TLS off and is not told to",
        cure: "https:// or wss://",
        counter: tls_expected,
    }
    Query = "query" 400 {
        means: "a parameter of a request to `--admin` is unknown or wrong",
        cause: "a misspelt word, or a `next` that was changed or is another page's",
        cure: "see the sentence",
    }
    NoSuchConnection = "no-such-connection" 404 {
        means: "no connection is called so, or no longer",
        cause: "its client hung up, or a start of the broker lies in between",
        cure: "look for it in `/connections` again",
    }
    SurveysFull = "surveys-full" 503 {
        means: "as many ask for topics or connections as may at once",
        cause: "several programs that look at all pages, or one that does not wait for answers",
        cure: "try later, one page after the other",
    }
    ShardBusy = "shard-busy" 503 {
        means: "a shard did not answer an operator within 5 s",
        cause: "its core has more to do than it can, or very many topics or connections",
        cure: "try later",
    }
    UpgradeRequired = "upgrade-required" 426 {
        means: "a plain GET on a socket's route",
        cause: "a browser's address line, or a proxy that does not pass `Upgrade` on",
        cure: "connect as a WebSocket, or POST",
    }
    TopicEmpty = "topic-empty" 404 {
        means: "nothing stands behind the pattern",
        cause: "the variable that should hold the topic is empty",
        cure: "name a topic",
    }
    TopicTooLong = "topic-too-long" 414 {
        means: "the topic has more bytes than `--max-topic`",
        cause: "a topic made of something that has no limit itself",
        cure: "a shorter name",
        flag: "max-topic",
        counter: topic_too_long,
    }
    TopicTooDeep = "topic-too-deep" 400 {
        means: "the topic has more than 32 segments",
        cause: "a path or an address as it is was made a topic",
        cure: "fewer slashes",
        counter: topic_too_long,
    }
    TopicNotUtf8 = "topic-not-utf8" 400 {
        means: "the decoded topic is not UTF-8",
        cause: "percent-encoded from another character set",
        cure: "encode it as UTF-8",
    }
    TopicReserved = "topic-reserved" 403 {
        means: "the first segment starts with `$`",
        cause: "names of that kind are kept for the broker itself",
        cure: "another name",
    }
    TopicsFull = "topics-full" 503 {
        means: "`--max-topics` is used up",
        cause: "clients make up topics without end, or there are really so many",
        cure: "try later, or tell the operator",
        flag: "max-topics",
        counter: topics_full,
    }
    Handshake = "handshake" 400 {
        means: "the handshake is wrong in another way",
        cause: "a WebSocket client that somebody wrote by hand",
        cure: "see the sentence",
    }
    HandshakeHttpVersion = "handshake-http-version" 400 {
        means: "not HTTP/1.1",
        cause: "a proxy that speaks HTTP/1.0 to the broker, as nginx does unless told",
        cure: "check proxies on the way",
    }
    HandshakeConnection = "handshake-connection" 400 {
        means: "`Connection` has no `upgrade`",
        cause: "a proxy that passes `Upgrade` on and `Connection` not",
        cure: "a proxy has removed it: let it pass",
    }
    HandshakeVersion = "handshake-version" 426 {
        means: "`Sec-WebSocket-Version` is not 13",
        cause: "a client from before RFC 6455",
        cure: "use 13",
    }
    HandshakeKey = "handshake-key" 400 {
        means: "the key is not 16 bytes in base64",
        cause: "a WebSocket client that somebody wrote by hand",
        cure: "16 random bytes",
    }
    HandshakeBody = "handshake-body" 400 {
        means: "the handshake has a body",
        cause: "an HTTP client that sends `Content-Length` or chunks with every request",
        cure: "send none",
    }
    Host = "host" 400 {
        means: "a request over HTTP/1.1 without exactly one `Host`, or one that is none",
        cause: "a client that somebody wrote by hand, or an attempt to smuggle a request",
        cure: "send one",
    }
    HandshakeHost = "handshake-host" 400 {
        means: "the same for a handshake",
        cause: "a WebSocket client that somebody wrote by hand",
        cure: "send one",
    }
    BodyTooLong = "body-too-long" 413 {
        means: "the body has more bytes than `--max-body`, or could never be held",
        cause: "a file is published whole, or too many levels of its topic are heard",
        cure: "a smaller body",
        flag: "max-body",
        counter: body_too_long,
    }
    BodyFraming = "body-framing" 400 {
        means: "both `Content-Length` and `Transfer-Encoding`, or chunked twice",
        cause: "a broken client or proxy, or an attempt to smuggle a request",
        cure: "send one of them",
    }
    TransferCoding = "transfer-coding" 501 {
        means: "a `Transfer-Encoding` other than chunked",
        cause: "a client that compresses the transfer and not the content",
        cure: "only chunked",
    }
    BodyBroken = "body-broken" 400 {
        means: "the body ended early or is badly chunked",
        cause: "the client hung up, or a length that is not that of the body",
        cure: "send all of it",
    }
    BodyStalled = "body-stalled" 408 {
        means: "less than 10 KiB of the body came in 10 s, and not its end",
        cause: "a bad link, or a client that produces the body while it sends",
        cure: "send it in one go",
        counter: body_stalls,
    }
    BodiesFull = "bodies-full" 503 {
        means: "all bodies together reached `--max-bodies`",
        cause: "many large POSTs at once, or some that come slowly",
        cure: "try later",
        flag: "max-bodies",
        counter: bodies_full,
    }
    MemoryFull = "memory-full" 503 {
        means: "all queues together nearly reached `--memory-max`",
        cause: "receivers that are behind, backlogs without a puller, large bodies",
        cure: "try later",
        flag: "memory-max",
        counter: memory_full,
    }
    TargetTooLong = "target-too-long" 414 {
        means: "the request line has more than 15 KiB",
        cause: "data in the query",
        cure: "a shorter query",
    }
    HttpVersion = "http-version" 505 {
        means: "HTTP/2 without HTTP/1.1 before it",
        cause: "a client or proxy that was told that the broker speaks HTTP/2",
        cure: "HTTP/1.1",
    }
    HeadTimeout = "head-timeout" 408 {
        means: "the head did not come whole within 5 s",
        cause: "a bad link, or somebody who keeps connections open on purpose",
        cure: "send it in one go",
        counter: head_timeouts,
    }
    ConnectionsFull = "connections-full" 503 {
        means: "`--clients` connections are open",
        cause: "more clients than expected, or some that do not close what they opened",
        cure: "try later",
        flag: "clients",
        counter: connections_full,
    }
    AddressFull = "address-full" 429 {
        means: "the client's address has `--connections-per-ip` connections, or requests through a \
                proxy",
        cause: "a client that opens one for each topic, or many behind one address, or behind a \
                proxy that is not trusted",
        cure: "close some, or try later",
        flag: "connections-per-ip",
        counter: address_full,
    }
    AcceptRate = "accept-rate" 503 {
        means: "new connections come faster than `--accept-rate`",
        cause: "everybody reconnects at once, or somebody floods the port",
        cure: "try later",
        flag: "accept-rate",
        counter: accept_rate,
    }
    ProxyUntrusted = "proxy-untrusted" 403 {
        means: "the listener is for proxies, and the connection came from no trusted one",
        cause: "clients that reach a listener of `?proxy=1`, or a proxy whose network is not named",
        cure: "ask the operator for `--trusted-proxy`, or connect through the proxy",
        flag: "trusted-proxy",
        counter: proxy_untrusted,
    }
    InboxFull = "inbox-full" 503 {
        means: "the topic's shard is behind",
        cause: "more handshakes and POSTs for one shard than it can take",
        cure: "try later",
        counter: inbox_full,
    }
    TopicBusy = "topic-busy" 503 {
        means: "the topic had no room for 5 s",
        cause: "more is published to it than one core can give out",
        cure: "publish less, or try later",
        flag: "max-batch",
        counter: batch_full,
    }
    BacklogFull = "backlog-full" 503 {
        means: "no puller took a job for 5 s and the topic's backlog, or all together, is full",
        cause: "no puller is there, or all are busy",
        cure: "add pullers, or try later",
        flag: "max-backlog",
        counter: backlog_full,
    }
    ShardStuck = "shard-stuck" 503 {
        means: "`/health/ready` of `--admin`: a shard has not answered for 5 s",
        cause: "a CPU that others take from the shard, memory that is swapped out, or a bug",
        cure: "look at the machine; restart the broker if it stays so",
    }
    Draining = "draining" 503 {
        means: "the broker is shutting down",
        cause: "its operator stops or restarts it",
        cure: "connect again",
    }
}
