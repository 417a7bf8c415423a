//! What Prometheus reads: every counter, in a form that its own tool finds no fault with.

#![expect(clippy::float_cmp, reason = "what is counted is whole")]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::process::{Command, Stdio};
use std::sync::Arc;

use mercury::broker::topic::Topic;
use mercury::broker::{Bounds, Broker, Kind, MemberId, Pattern, Receivers, Role, Taken};
use mercury::code::REFUSALS;
use mercury::limits::Limits;
use mercury::metrics::{Counted, Counters};
use mercury::outbound::Batch;

use crate::admin::{administered, ask};
use crate::server::TestServer;

/// The series of a page: name and labels as they stand, and the value.
pub(crate) type Series = BTreeMap<String, f64>;

/// What the broker says now.
async fn page(server: &TestServer) -> String {
    let answer = ask(server.admin_port(), "/metrics").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.field("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    answer.body
}

/// All series of a page.
pub(crate) fn series(page: &str) -> Series {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let each = lines.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line}")))
    });
    each.collect()
}

/// What one series says now.
async fn value(server: &TestServer, name: &str) -> f64 {
    let series = series(&page(server).await);
    *series.get(name).unwrap_or_else(|| panic!("no {name} in {series:?}"))
}

#[tokio::test]
async fn promtool_finds_no_fault() {
    let server = TestServer::with(administered);
    let _subscriber = server.connect("/sub/a").await;
    assert_eq!(server.post("/pub/a", "hello").await.0, 200);
    let page = page(&server).await;
    let tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut tool) = tool else {
        // tests/run fetches it
        assert!(std::env::var_os("TESTS_SKIPPED").is_none(), "promtool is not on the PATH");
        return eprintln!("skipped: promtool of Debian's package prometheus is not on the PATH");
    };
    tool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}\n{page}");
}

#[tokio::test]
async fn every_counter_is_there_with_its_help_and_type() {
    let server = TestServer::with(administered);
    let page = page(&server).await;
    for count in Counters::default().each() {
        let kind = if count.is_now { "gauge" } else { "counter" };
        let name = format!("mercury_{}{}", count.name, if count.is_now { "" } else { "_total" });
        assert!(page.contains(&format!("\n# TYPE {name} {kind}\n")), "{name}");
        assert!(page.contains(&format!("# HELP {name} {}\n", count.help)), "{name}");
        let has_series =
            |line: &str| line.strip_prefix(&name).is_some_and(|rest| rest.starts_with([' ', '{']));
        assert!(page.lines().any(has_series), "{name}");
    }
}

#[tokio::test]
async fn what_happens_is_counted_there() {
    let server = TestServer::with(|config| {
        administered(config);
        config.shards = NonZeroUsize::new(3).unwrap();
    });
    let mut subscriber = server.connect("/sub/a").await;
    let _peer = server.connect("/bus/a").await;
    assert_eq!(server.post("/pub/a", "hello").await.0, 200);
    assert_eq!(subscriber.text().await, "hello");
    assert_eq!(value(&server, "mercury_connections{pattern=\"pubsub\"}").await, 1.0);
    assert_eq!(value(&server, "mercury_posts_in_total{pattern=\"pubsub\"}").await, 1.0);
    let page = page(&server).await;
    let series = series(&page);
    let sum = |start: &str| {
        let each = series.iter().filter(|(name, _)| name.starts_with(start));
        each.map(|(_, value)| *value).sum::<f64>()
    };
    assert_eq!(sum("mercury_shard_connections{"), 2.0);
    for shard in 0..3 {
        for gauge in ["heartbeat_age_seconds", "inbox_entries", "inbox_bytes"] {
            assert!(
                series.contains_key(&format!("mercury_{gauge}{{shard=\"{shard}\"}}")),
                "{page}"
            );
        }
        let lag = format!("mercury_loop_lag_seconds_count{{shard=\"{shard}\"}}");
        assert!(series.contains_key(&lag), "{page}");
    }
    assert_eq!(series["mercury_shards"], 3.0);
    assert_eq!(series["mercury_draining"], 0.0);
    assert!(series["mercury_start_time_seconds"] > 1.7e9);
    assert!(series["mercury_descriptors"] >= 2.0);
    assert!(series["mercury_descriptors_max"] > series["mercury_descriptors"]);
    assert!(series["mercury_memory_max_bytes"] > series["mercury_memory_bytes"]);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(series[&format!("mercury_build_info{{version=\"{version}\"}}")], 1.0);
    // a topic may be anything, and there may be a million of them
    assert!(!page.contains("topic=") && !page.contains("\"a\""), "{page}");
}

/// All that the counts of a pattern have come to.
async fn by_pattern<const N: usize>(
    server: &TestServer,
    pattern: &str,
    names: [&str; N],
) -> [f64; N] {
    let series = series(&page(server).await);
    names.map(|name| series[&format!("mercury_{name}{{pattern=\"{pattern}\"}}")])
}

#[tokio::test]
async fn what_goes_on_is_counted_by_pattern() {
    let server = TestServer::with(administered);
    let mut peers = [server.connect("/bus/a").await, server.connect("/bus/a").await];
    let mut subscriber = server.connect("/sub/a").await;
    let mut publisher = server.connect("/pub/a/b").await;
    let mut puller = server.connect("/pull/a").await;
    peers[0].send("to the other").await;
    assert_eq!(peers[1].text().await, "to the other");
    publisher.send("news").await;
    assert_eq!(subscriber.text().await, "news");
    for job in ["one", "two", "three"] {
        assert_eq!(server.post("/push/a", job).await.0, 200);
        assert_eq!(puller.text().await, job);
    }
    let now = ["connections", "joins_total", "leaves_total"];
    assert_eq!(by_pattern(&server, "bus", now).await, [2.0, 2.0, 0.0]);
    assert_eq!(by_pattern(&server, "pubsub", now).await, [2.0, 2.0, 0.0]);
    assert_eq!(by_pattern(&server, "pushpull", now).await, [1.0, 1.0, 0.0]);
    let came = ["messages_in_total", "bytes_in_total", "posts_in_total", "post_bytes_in_total"];
    assert_eq!(by_pattern(&server, "bus", came).await, [1.0, 12.0, 0.0, 0.0]);
    assert_eq!(by_pattern(&server, "pubsub", came).await, [1.0, 4.0, 0.0, 0.0]);
    assert_eq!(by_pattern(&server, "pushpull", came).await, [0.0, 0.0, 3.0, 11.0]);
    let went = ["batches_out_total", "messages_out_total"];
    assert_eq!(by_pattern(&server, "bus", went).await, [1.0, 1.0]);
    assert_eq!(by_pattern(&server, "pubsub", went).await, [1.0, 1.0]);
    assert_eq!(by_pattern(&server, "pushpull", went).await, [3.0, 3.0]);
    let batches = ["batch_messages_count", "batch_messages_sum", "fan_out_seconds_count"];
    assert_eq!(by_pattern(&server, "bus", batches).await, [1.0, 1.0, 1.0]);
    assert_eq!(by_pattern(&server, "pubsub", batches).await, [1.0, 1.0, 1.0]);
    assert_eq!(by_pattern(&server, "pushpull", batches).await, [3.0, 3.0, 3.0]);
    // a handshake is one of a hundred bytes and more; a short message has two in front
    let handshake =
        by_pattern(&server, "pushpull", ["bytes_out_total"]).await[0] - 3.0 * 2.0 - 11.0;
    assert!(handshake > 100.0, "{handshake}");
    let expected = [2.0 * handshake + 14.0, 2.0 * handshake + 6.0];
    let out = ["bus", "pubsub"].map(|pattern| by_pattern(&server, pattern, ["bytes_out_total"]));
    let [bus, pubsub] = out;
    assert_eq!([bus.await[0], pubsub.await[0]], expected);
    drop((publisher, subscriber));
    server.until(|counters| &counters.connections, 3).await;
    assert_eq!(by_pattern(&server, "pubsub", now).await, [0.0, 2.0, 2.0]);
    assert_eq!(by_pattern(&server, "bus", now).await, [2.0, 2.0, 0.0]);
}

thread_local! {
    /// Microseconds by the clock of a broker that a test tells the time.
    static CLOCK: Cell<u64> = const { Cell::new(0) };
}

/// Receivers that take long.
struct Slow;

impl Receivers for Slow {
    fn fan_out(&mut self, _: MemberId, _: &Batch, _: &[Range<usize>]) {
        CLOCK.set(CLOCK.get() + 10);
    }

    fn jobs(&mut self, _: MemberId, frames: Vec<u8>) -> Taken {
        CLOCK.set(CLOCK.get() + 10);
        Taken { outbound: 0, spare: Some(frames) }
    }
}

#[test]
fn a_fan_out_takes_until_the_last_receiver_has_the_batch() {
    let counters = Arc::new(Counters::default());
    let bounds = Bounds::new(&Limits::default(), Arc::clone(&counters));
    let mut broker = Broker::new(Bounds { clock: || CLOCK.get(), ..bounds });
    let topic = Topic::parse("a", 1024).unwrap();
    for role in [Role::Subscriber, Role::Subscriber, Role::Subscriber, Role::Puller] {
        broker.join(role, &topic, false).unwrap();
    }
    let post = |broker: &mut Broker, pattern, at| {
        CLOCK.set(at);
        broker.post(pattern, &topic, Kind::Text, b"x").unwrap().unwrap();
    };
    let fan_out = |pattern: Pattern| {
        let Counted { sum, count, .. } = pattern.of(&counters.fan_out).counted();
        (sum, count)
    };
    let messages = |pattern: Pattern| pattern.of(&counters.batch_messages).counted().sum;
    post(&mut broker, Pattern::PubSub, 1_000);
    post(&mut broker, Pattern::PubSub, 1_100);
    CLOCK.set(1_200);
    assert!(broker.flush(2, &mut Slow));
    assert_eq!(fan_out(Pattern::PubSub), (0, 0), "the third has not got it");
    // the next batch begins while the first one is still on its way
    post(&mut broker, Pattern::PubSub, 2_000);
    assert!(broker.flush(1, &mut Slow));
    assert_eq!(fan_out(Pattern::PubSub), (1_010, 1));
    assert_eq!(messages(Pattern::PubSub), 2);
    assert!(!broker.flush(3, &mut Slow));
    assert_eq!(fan_out(Pattern::PubSub), (1_010 + 40, 2));
    assert_eq!(messages(Pattern::PubSub), 3);
    assert_eq!(counters.messages_out.pubsub.value(), 9);
    assert_eq!(counters.batches_out.pubsub.value(), 6);
    // what begins between two flushes has the time of the first
    post(&mut broker, Pattern::PushPull, 3_000);
    post(&mut broker, Pattern::PubSub, 3_500);
    assert!(!broker.flush(4, &mut Slow));
    assert_eq!(fan_out(Pattern::PushPull), (510, 1));
    assert_eq!(fan_out(Pattern::PubSub), (1_050 + 540, 3));
}

#[tokio::test]
async fn refusals_are_counted_by_code() {
    let server = TestServer::with(administered);
    let refused = |code: &str| format!("mercury_refusals_total{{code=\"{code}\"}}");
    assert_eq!(value(&server, &refused("method-not-allowed")).await, 0.0);
    for _ in 0..2 {
        assert_eq!(server.post("/sub/a", "").await.0, 405);
    }
    assert_eq!(server.post("/pub/", "").await.0, 404);
    let answer = server.exchange(b"no HTTP at all\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(value(&server, &refused("method-not-allowed")).await, 2.0);
    assert_eq!(value(&server, &refused("topic-empty")).await, 1.0);
    assert_eq!(value(&server, &refused("none")).await, 1.0);
    let page = page(&server).await;
    let series = series(&page);
    let all = series.iter().filter(|(name, _)| name.starts_with("mercury_refusals_total{"));
    assert_eq!(all.map(|(_, count)| count).sum::<f64>(), 4.0);
    for entry in REFUSALS {
        assert!(series.contains_key(&refused(entry.name)), "{} in {page}", entry.name);
    }
}
