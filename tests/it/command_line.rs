//! The command line, seen from outside: behaviour section 8.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::process::{Process, permitted};
use crate::server::PATIENCE;
use crate::socket::Socket;

/// Any free port.
const ANY: &str = "http://127.0.0.1:0";

fn connects(address: &str, port: u16) -> bool {
    let address = format!("{address}:{port}").parse().unwrap();
    TcpStream::connect_timeout(&address, PATIENCE).is_ok()
}

#[tokio::test]
async fn help_and_version_go_to_standard_output() {
    for (arguments, first) in [
        (&["help"][..], "A WebSocket message broker"),
        (&["--help"], "A WebSocket message broker"),
        (&[], "A WebSocket message broker"),
        (&["help", "broker"], "Run the broker until SIGTERM or SIGINT"),
        (&["broker", "--help"], "Run the broker until SIGTERM or SIGINT"),
        (&["version"], concat!("mercury ", env!("CARGO_PKG_VERSION"), "\n")),
        (&["--version"], concat!("mercury ", env!("CARGO_PKG_VERSION"), "\n")),
    ] {
        let ended = Process::run(arguments, &[]).await;
        assert!(ended.output.starts_with(first), "{arguments:?}: {ended:?}");
        assert_eq!((ended.status, ended.lines.len()), (Some(0), 0), "{arguments:?}");
    }
}

#[tokio::test]
async fn codes_are_explained() {
    let ended = Process::run(&["explain", "topic-too-long"], &[]).await;
    assert_eq!((ended.status, ended.lines.len()), (Some(0), 0), "{ended:?}");
    assert!(ended.output.starts_with("topic-too-long, status 414\n"), "{ended:?}");
    let ended = Process::run(&["explain", "topic-to-long"], &[]).await;
    assert_eq!((ended.status, &*ended.output), (Some(2), ""));
    let line = "mercury: unknown code 'topic-to-long', did you mean topic-too-long";
    assert_eq!(ended.lines, [line]);
}

#[tokio::test]
async fn a_wrong_value_ends_with_one_line_and_status_2_before_anything_listens() {
    let cases = [
        (&["-l", "*:80"][..], "--listen: '*:80' has no scheme, say http://*:3000"),
        (&["-l", "http://*:99999"], "--listen: 'http://*:99999' has the port '99999', "),
        (
            &["-l", "https://*:443"],
            "--listen: 'https://*:443' has no cert, say https://*:443?cert=",
        ),
        (&["-l", "http+unix://x?mode=9"], "--listen: 'http+unix://x?mode=9' has '9' for mode, "),
        (&["-l", "http://*:1", "-l", "http://[::1]:1"], "--listen: 'http://[::1]:1' is the same "),
        (&["-m", "test"], "--mode: 'test' is not development or production"),
        (&["-b", "0"], "--backlog: '0' is too small, the least is 1"),
        (&["-c", "many"], "--clients: 'many' is not a whole number"),
        (&["-i", "soon"], "--inactivity-timeout: 'soon' is not a duration like "),
        (&["--shards", "0"], "--shards: '0' is too small, the least is 1"),
        (&["--acceptors", "x"], "--acceptors: 'x' is not a whole number"),
        (&["--pin", "some"], "--pin: 'some' is not auto, none or a list of CPUs"),
        (&["--pin", "3-1"], "--pin: '3-1' has the range 3-1, which runs backwards"),
        (&["--max-message", "0"], "--max-message: '0' is too small"),
        (&["--max-outbound", "1"], "--max-outbound is 1, less than 524,288, which is twice "),
        (&["--drain-timeout", "x"], "--drain-timeout: 'x' is not a duration like "),
        (&["--log-format", "xml"], "--log-format: 'xml' is not text or json"),
        (&["--log-level", "loud"], "--log-level: 'loud' "),
        (&["--shard", "3"], "--shard: unknown option, did you mean --shards"),
        (&["--shards"], "--shards: needs a value, see mercury help broker"),
        (&["now"], "unexpected argument 'now', see mercury help broker"),
    ];
    for (flags, message) in cases {
        let ended = Process::run(&[&["broker", "-l", ANY], flags].concat(), &[]).await;
        assert_eq!(ended.lines.len(), 1, "{flags:?}: {ended:?}");
        assert!(ended.lines[0].starts_with(&format!("mercury: {message}")), "{ended:?}");
        assert_eq!((ended.status, ended.output.as_str()), (Some(2), ""), "{flags:?}");
    }
    let ended = Process::run(&["config", "import"], &[]).await;
    assert_eq!(ended.lines, ["mercury: <FILE> is missing, see mercury help config"]);
    assert_eq!((ended.status, ended.output.as_str()), (Some(2), ""));
    let ended = Process::run(&["daemon"], &[]).await;
    assert_eq!(ended.lines, ["mercury: unknown command 'daemon', see mercury help"]);
    assert_eq!((ended.status, ended.output.as_str()), (Some(2), ""));
}

#[tokio::test]
async fn a_wrong_variable_is_named_and_ends_with_status_2() {
    let ended = Process::run(&["broker", "-l", ANY], &[("MERCURY_SHARDS", "x")]).await;
    assert_eq!(ended.lines, ["mercury: MERCURY_SHARDS: 'x' is not a whole number"]);
    assert_eq!((ended.status, ended.output.as_str()), (Some(2), ""));
}

#[tokio::test]
async fn a_taken_port_ends_with_one_line_and_status_1() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", held.local_addr().unwrap());
    let ended = Process::run(&["broker", "-l", ANY, "-l", &url], &[]).await;
    assert_eq!(ended.lines.len(), 1, "{ended:?}");
    let expected = format!("mercury: cannot listen on {url}: address ");
    assert!(ended.lines[0].starts_with(&expected), "{ended:?}");
    assert!(ended.lines[0].ends_with("in use"), "{ended:?}");
    assert_eq!((ended.status, ended.output.as_str()), (Some(1), ""));
}

#[tokio::test]
async fn each_listener_is_told_and_accepts_at_once() {
    let urls = [ANY, "http://[::1]:0", "http://*:0"];
    let flags = ["broker", "-l", urls[0], "-l", urls[1], "--listen", urls[2], "--shards", "2"];
    let settings = ["--acceptors", "3", "-c", "50", "--max-body", "1MiB", "--pin", "none"];
    let process = Process::start(&[&flags[..], &settings].concat(), &[]).await;
    let [first, second, third] = process.ports[..] else { panic!("{:?}", process.ports) };
    assert_eq!(process.start[0], format!("listening on http://127.0.0.1:{first}"));
    assert_eq!(process.start[1], format!("listening on http://[::1]:{second}"));
    assert_eq!(process.start[2], format!("listening on http://*:{third}"));
    let rest = "  INFO mercury::start: started shards=2 pins=\"none\" acceptors=3 connections=50 \
                max_message=256KiB max_body=1MiB max_outbound=4MiB memory_max=";
    assert!(process.start[3].contains(rest), "{:?}", process.start);
    assert_eq!(process.start.len(), 4);
    assert!(process.ports.iter().all(|port| *port != 0));
    assert!(connects("127.0.0.1", first) && !connects("[::1]", first));
    assert!(connects("[::1]", second) && !connects("127.0.0.1", second));
    assert!(connects("127.0.0.1", third) && connects("[::1]", third));
    let ended = process.stop().await;
    assert_eq!((ended.status, ended.output.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn json_names_the_url_in_a_field() {
    for level in ["info", "off"] {
        let process = Process::broker(&["--log-format", "json", "--log-level", level]).await;
        let url = format!("\"url\":\"http://127.0.0.1:{}\"", process.port());
        assert!(process.start[0].contains(&url), "{:?}", process.start);
        let start = process.start.clone();
        let ended = process.stop().await;
        for line in start.iter().chain(&ended.lines) {
            assert!(line.starts_with("{\"timestamp\":") && line.ends_with('}'), "{line}");
        }
        assert_eq!(ended.lines.is_empty(), level == "off", "{ended:?}");
        assert_eq!((ended.status, ended.output.as_str()), (Some(0), ""));
    }
}

#[tokio::test]
async fn the_environment_is_read_and_the_flag_beats_it() {
    let mojo = [("MOJO_LISTEN", "http://127.0.0.1:0,http://[::1]:0")];
    let process = Process::start(&["broker"], &mojo).await;
    assert_eq!(process.ports.len(), 2);
    let ours = [mojo[0], ("MERCURY_LISTEN", "http://[::1]:0")];
    let process = Process::start(&["broker"], &ours).await;
    assert!(process.start[0].starts_with("listening on http://[::1]:"), "{:?}", process.start);
    assert_eq!(process.ports.len(), 1);
    let process = Process::start(&["broker", "-l", ANY], &ours).await;
    assert!(process.start[0].starts_with("listening on http://127."), "{:?}", process.start);
    assert_eq!(process.ports.len(), 1);
}

#[tokio::test]
async fn ours_beats_the_originals_variable() {
    let mojo = ("MOJO_MAX_WEBSOCKET_SIZE", "1024");
    let ours = ("MERCURY_MAX_MESSAGE", "2048");
    let shards = ("MERCURY_SHARDS", "3");
    let cases = [
        (&[][..], &[mojo, shards][..], "max_message=1KiB"),
        (&[], &[mojo, ours, shards], "max_message=2KiB"),
        (&["--max-message", "3KiB"], &[mojo, ours, shards], "max_message=3KiB"),
    ];
    for (flags, variables, expected) in cases {
        let process = Process::start(&[&["broker", "-l", ANY], flags].concat(), variables).await;
        let line = process.start.last().unwrap();
        assert!(line.contains(expected) && line.contains("shards=3"), "{line}");
    }
}

#[tokio::test]
async fn a_weaker_mode_is_not_even_looked_at() {
    let plack = ("PLACK_ENV", "anything");
    let wrong = ("MERCURY_MODE", "anything");
    let broker = ["broker", "-l", ANY];
    // the original knows every mode, ours only two
    drop(Process::start(&broker, &[plack, ("MOJO_MODE", "staging")]).await);
    drop(Process::start(&[&broker[..], &["-m", "production"]].concat(), &[plack, wrong]).await);
    let ended = Process::run(&broker, &[plack, ("MOJO_MODE", "production"), wrong]).await;
    let line = "mercury: MERCURY_MODE: 'anything' is not development or production";
    assert_eq!((ended.lines, ended.status), (vec![line.to_owned()], Some(2)));
}

#[tokio::test]
async fn threads_are_as_many_as_asked_for_and_named() {
    let process = Process::broker(&["--shards", "3", "--acceptors", "2"]).await;
    let expected =
        ["acceptor-0", "acceptor-1", "clock", "mercury", "shard-0", "shard-1", "shard-2"];
    // nobody waits for the clock, and a thread names itself when it first runs
    let deadline = Instant::now() + PATIENCE;
    loop {
        let names: Vec<_> = process.threads().into_iter().map(|(name, _)| name).collect();
        if names == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{names:?}");
        sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn shards_run_where_they_are_pinned_and_nothing_else_is() {
    let mask = permitted(Path::new("/proc/thread-self/status"));
    let last = mask.rsplit([',', '-']).next().unwrap();
    for pin in ["auto", "none", last] {
        let flags = ["broker", "-l", ANY, "--shards", "1", "--pin", pin];
        let process = Process::start(&flags, &[]).await;
        let line = process.start.last().unwrap();
        let pins = line.split_once("pins=\"").unwrap().1.split('"').next().unwrap();
        let first = mask.split([',', '-']).next().unwrap();
        let expected = match pin {
            // all or none: a cgroup's quota may forbid it
            "auto" if pins.starts_with("none: ") => mask.as_str(),
            "auto" => first,
            "none" => mask.as_str(),
            _ => last,
        };
        assert!(pin == "auto" || pins == pin, "{line}");
        for (name, cpus) in process.threads() {
            let cpus_expected = if name == "shard-0" { expected } else { &mask };
            assert_eq!(cpus, cpus_expected, "{name} with {pin}");
        }
    }
}

#[tokio::test]
async fn a_pin_to_a_cpu_that_does_not_exist_is_a_warning() {
    let process = Process::start(&["broker", "-l", ANY, "--shards", "1", "--pin", "1023"], &[]);
    let process = process.await;
    let warning = "cannot pin the shard to its CPU shard=0 cpu=1023";
    let warned = process.start.iter().filter(|line| line.contains(warning)).count();
    assert_eq!(warned, 1, "{:?}", process.start);
    Socket::join(process.port(), "/sub/fry").await.close().await;
    assert_eq!(process.stop().await.status, Some(0));
}
