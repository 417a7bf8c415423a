//! SIGHUP: what changes while the broker runs, and what does not.

use rustix::process::Signal;

use crate::configuration::Folder;
use crate::process::Process;
use crate::wire::{Answer, TEXT, Wire, close_payload, frame, handshake};

const BASE: &str = "listen = 'http://127.0.0.1:0'\npin = 'none'\nshards = 1\n";
const SITE: &str = "Origin: http://a.example\r\n";

/// A broker whose file says this besides where to listen.
async fn start(text: &str) -> (Folder, Process) {
    let folder = Folder::with(&[("mercury.toml", &format!("{BASE}{text}"))]);
    let broker = Process::start_in(folder.path(), &["broker"], &[]).await;
    (folder, broker)
}

/// Writes the file anew, sends SIGHUP, and returns what is logged until the reload is over.
async fn reload(folder: &Folder, broker: &mut Process, text: &str) -> Vec<String> {
    folder.write("mercury.toml", &format!("{BASE}{text}"));
    broker.signal(Signal::HUP);
    let mut lines = vec![];
    loop {
        let line = broker.line().await.expect("it runs");
        let is_last = line.contains(" reloaded changes=") || line.contains("not reloaded");
        lines.push(line);
        if is_last {
            return lines;
        }
    }
}

async fn ask(broker: &Process, request: String) -> Answer {
    Wire::to(broker.port()).await.ask(request).await
}

fn post(path: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: a\r\n{fields}Content-Length: {length}\r\n\r\n{body}")
}

#[tokio::test]
async fn sites_change_for_the_next_request_and_nobody_inside_is_hung_up_on() {
    let (folder, mut broker) = start("").await;
    let mut inside = Wire::to(broker.port()).await;
    assert_eq!(inside.ask(handshake("/bus/x?echo=1", "")).await.status, 101);
    let lines = reload(&folder, &mut broker, "allow_origin = 'b.example'").await;
    let changed = r#"changed setting="allow_origin" from="not set" to="b.example""#;
    assert!(lines[0].contains(changed), "{lines:?}");
    assert_eq!(ask(&broker, handshake("/sub/x", SITE)).await.status, 401);
    assert_eq!(ask(&broker, post("/pub/x", SITE, "")).await.status, 401);
    inside.send(frame(TEXT, "still here")).await;
    assert_eq!(inside.text().await, "still here");
    reload(&folder, &mut broker, "allow_origin = ['b.example', 'a.example']").await;
    assert_eq!(ask(&broker, handshake("/sub/x", SITE)).await.status, 101);
    let lines = reload(&folder, &mut broker, "allow_origin = []").await;
    assert!(lines[0].ends_with(r#"from="b.example, a.example" to="[]""#), "{lines:?}");
    assert_eq!(ask(&broker, handshake("/sub/x", SITE)).await.status, 401);
    reload(&folder, &mut broker, "").await;
    assert_eq!(ask(&broker, handshake("/sub/x", SITE)).await.status, 101);
}

#[tokio::test]
async fn limits_change_at_the_door() {
    let (folder, mut broker) = start("").await;
    assert_eq!(ask(&broker, post("/pub/abcdef", "", "0123456789")).await.status, 200);
    let lines = reload(&folder, &mut broker, "max_body = 9\nmax_topic = 5").await;
    assert!(lines.iter().any(|line| line.contains(r#"setting="max_body" from="16MiB" to="9B""#)));
    assert_eq!(ask(&broker, post("/pub/abcde", "", "0123456789")).await.status, 413);
    assert_eq!(ask(&broker, post("/pub/abcdef", "", "")).await.status, 414);
}

#[tokio::test]
async fn limits_change_on_the_shards() {
    let (folder, mut broker) = start("log_level = 'info'").await;
    let new = "max_message = 5\nmax_backlog_messages = 1\ninactivity_timeout = '200ms'";
    let mut silent = Wire::to(broker.port()).await;
    assert_eq!(silent.ask(handshake("/sub/x", "")).await.status, 101);
    assert!(!reload(&folder, &mut broker, new).await.is_empty());
    // who was there before is measured by the new limit as soon as the shard has swept
    assert_eq!(
        silent.next().await.payload,
        close_payload(1001, "inactive: nothing came or went for too long")
    );
    let mut wire = Wire::to(broker.port()).await;
    assert_eq!(wire.ask(handshake("/bus/x", "")).await.status, 101);
    wire.send(frame(TEXT, "six by")).await;
    assert_eq!(wire.next().await.closed().0, 1009);
    assert_eq!(ask(&broker, post("/push/x", "", "1")).await.status, 200);
    assert_eq!(ask(&broker, post("/push/x", "", "2")).await.status, 503);
}

#[tokio::test]
async fn the_log_level_changes() {
    let (folder, mut broker) = start("log_level = 'info'").await;
    reload(&folder, &mut broker, "log_level = 'debug'").await;
    let lines = reload(&folder, &mut broker, "log_level = 'error'\nmax_topic = 5").await;
    assert!(lines.iter().any(|line| line.contains(r#"from="debug" to="error""#)), "{lines:?}");
    folder.write("mercury.toml", "mode = 1");
    broker.signal(Signal::HUP);
    // what a reload says is info or warn, and only an error comes through
    let line = broker.line().await.expect("it runs");
    assert!(line.contains("not reloaded"), "{line}");
}

#[tokio::test]
async fn what_needs_a_restart_is_named_and_stays() {
    let (folder, mut broker) = start("").await;
    let new = "proxy = true\nclients = 1\nmax_topic = 5";
    let lines = reload(&folder, &mut broker, new).await;
    for (setting, from, to) in [("proxy", "false", "true"), ("clients", "0", "1")] {
        let part =
            format!("not changed, needs a restart setting={setting:?} from={from:?} to={to:?}");
        assert!(lines.iter().any(|line| line.contains(&part)), "{part} in {lines:?}");
    }
    assert!(lines.last().unwrap().contains("reloaded changes=3"), "{lines:?}");
    let mut wires = vec![];
    for _ in 0..3 {
        let mut wire = Wire::to(broker.port()).await;
        assert_eq!(wire.ask(handshake("/sub/x", "")).await.status, 101);
        wires.push(wire);
    }
    // it is still not so, and is said again
    let lines = reload(&folder, &mut broker, new).await;
    assert_eq!(lines.len(), 3, "{lines:?}");
    let lines = reload(&folder, &mut broker, "max_topic = 5").await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("reloaded changes=0"), "{lines:?}");
}

#[tokio::test]
async fn a_broken_file_changes_nothing() {
    let (folder, mut broker) = start("max_topic = 5\nallow_origin = 'a.example'").await;
    for (text, reason) in [
        (
            "max_topic = 9\nmax_tpic = 1",
            "mercury.toml:5: unknown key 'max_tpic', did you mean max_topic",
        ),
        ("max_topic = 9\nallow_origin = 'a b'", "mercury.toml:5: allow_origin: 'a b' has the host"),
        ("max_topic = 9\nmax_outbound = 1", "mercury.toml:5: --max-outbound is 1, less than "),
        ("max_topic = ", "mercury.toml:4: "),
        // the new message would not fit what was given out at the start
        ("max_topic = 9\nmax_message = '1TiB'", "--memory-max is "),
    ] {
        let lines = reload(&folder, &mut broker, text).await;
        assert_eq!(lines.len(), 1, "{lines:?}");
        let start = format!("ERROR mercury: not reloaded, nothing changes: {reason}");
        assert!(lines[0].contains(&start), "{start} in {lines:?}");
        assert_eq!(ask(&broker, post("/pub/abcdef", SITE, "")).await.status, 414, "{text}");
        assert_eq!(ask(&broker, post("/pub/x", "", "")).await.status, 401, "{text}");
    }
    // without its file a broker that had a list would be open to everybody
    std::fs::remove_file(folder.path().join("mercury.toml")).unwrap();
    folder.write("mercury.conf", "{}");
    broker.signal(Signal::HUP);
    broker.line_with("not reloaded, nothing changes: mercury.conf is the Perl broker's").await;
    assert_eq!(ask(&broker, post("/pub/x", "", "")).await.status, 401);
    assert_eq!(broker.stop().await.status, Some(0));
}

#[tokio::test]
async fn a_file_that_is_gone_or_empty_opens_the_broker_to_nobody() {
    let (folder, mut broker) = start("allow_origin = 'a.example'").await;
    let refused = "not reloaded, nothing changes: the file is gone or empty, and without its \
                   allow_origin everybody may connect";
    folder.write("mercury.toml", "");
    broker.signal(Signal::HUP);
    broker.line_with(refused).await;
    assert_eq!(ask(&broker, post("/pub/x", "", "")).await.status, 401);
    std::fs::remove_file(folder.path().join("mercury.toml")).unwrap();
    broker.signal(Signal::HUP);
    broker.line_with(refused).await;
    assert_eq!(ask(&broker, post("/pub/x", "", "")).await.status, 401);
    // who has no list any more says so by a file without it
    reload(&folder, &mut broker, "").await;
    assert_eq!(ask(&broker, post("/pub/x", "", "")).await.status, 200);
}

#[tokio::test]
async fn a_pipe_in_the_place_of_the_file_keeps_nobody_from_stopping_the_broker() {
    let (folder, mut broker) = start("").await;
    let path = folder.path().join("mercury.toml");
    std::fs::remove_file(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    broker.signal(Signal::HUP);
    broker.line_with("not reloaded, nothing changes: cannot read mercury.toml: it is a pipe").await;
    assert_eq!(broker.stop().await.status, Some(0));
}

#[tokio::test]
async fn what_a_flag_says_stays_whatever_the_file_says() {
    let folder = Folder::with(&[("mercury.toml", BASE)]);
    let flags = ["broker", "--max-topic", "5"];
    let mut broker = Process::start_in(folder.path(), &flags, &[]).await;
    let lines = reload(&folder, &mut broker, "max_topic = 9").await;
    assert!(lines[0].contains("reloaded changes=0"), "{lines:?}");
    assert_eq!(ask(&broker, post("/pub/abcdef", "", "")).await.status, 414);
}
