//! The command line as an operator types it.

use std::ffi::OsString;
use std::time::Duration;

use super::draft::LISTEN_DEFAULT;
use super::*;
use crate::config::{Listen, LogFilter, LogFormat, Mode, Pin, Proxies, cores, memory};
use crate::limits::Limits;
use crate::rate::Rate;
use crate::slow_consumer::{Policy, SlowConsumer};

mod files;
mod import;
mod reload;

type Variables<'a> = &'a [(&'a str, &'a str)];

/// Parses a line split at blanks; `~` stands for a blank inside an argument.
fn parse_line(line: &str, variables: Variables<'_>) -> Result<Invocation, Exit> {
    parse_with(line, variables, &[])
}

/// The same beside files, by name and text.
fn parse_with(
    line: &str,
    variables: Variables<'_>,
    files: Variables<'_>,
) -> Result<Invocation, Exit> {
    let words = line.split_whitespace().map(|word| OsString::from(word.replace('~', " ")));
    let find = |pairs: Variables<'_>, name: &str| {
        let found = pairs.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let environment = |name: &str| find(variables, name);
    let file = |name: &str| {
        find(files, name).map(String::into_bytes).ok_or_else(|| io::ErrorKind::NotFound.into())
    };
    parse(words, &Surroundings { environment: &environment, file: &file })
}

/// A broker whose configuration file says this.
fn configured(flags: &str, file: &str) -> Result<(Config, Log), Exit> {
    match parse_with(&format!("mercury broker {flags}"), &[], &[("mercury.toml", file)])? {
        Invocation::Broker { config, log } => Ok((*config, log)),
        other => panic!("{other:?}"),
    }
}

fn broker(flags: &str, variables: Variables<'_>) -> Result<(Config, Log), Exit> {
    match parse_line(&format!("mercury broker {flags}"), variables)? {
        Invocation::Broker { config, log } => Ok((*config, log)),
        other => panic!("{other:?}"),
    }
}

fn config(flags: &str, variables: Variables<'_>) -> Config {
    broker(flags, variables).unwrap_or_else(|exit| panic!("{flags}: {}", exit.message)).0
}

fn printed(line: &str) -> String {
    match parse_line(line, &[]) {
        Ok(Invocation::Check { verdict: text, .. } | Invocation::Print(text)) => text,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn nothing_set_means_the_defaults() {
    let (config, log) = broker("", &[]).unwrap();
    let memory_bytes_max = config.limits.memory_bytes_max;
    assert!(memory_bytes_max >= memory::half());
    assert_eq!(config.limits, Limits { memory_bytes_max, ..Limits::default() });
    assert_eq!(config.listen, [Listen::parse(LISTEN_DEFAULT).unwrap()]);
    assert_eq!((config.mode, &config.proxies), (Mode::Development, &Proxies::default()));
    assert_eq!((config.accept_backlog, config.pin), (None, Pin::Auto));
    assert_eq!(config.shards, cores::usable());
    assert_eq!(log, Log { format: LogFormat::Text, filter: LogFilter::default() });
}

#[test]
fn every_flag_reaches_its_setting() {
    let flags = "-l http://*:1 --listen http://[::1]:2 -m production -b 128 -c 10 -i 90 -p \
        --shards 9 --pin 0-1 --max-message 1 --max-body 2 --max-bodies 3KB --max-topic 4 \
        --max-topics 5 --connections-per-ip 11 --accept-rate 6000/m \
        --max-outbound 6KiB --max-batch 7 --max-backlog 8 --max-backlog-messages 9 \
        --max-backlogs 10 --write-timeout 1s --ping-interval 1m30s --pong-timeout 0.5 \
        --pull-pong-timeout 1h --drain-timeout 0 --slow-consumer drop-oldest \
        --slow-consumer bus=close --memory-max 100MiB --tls-handshake-timeout 3s \
        --tls-handshakes 12 --log-format json --log-level debug";
    let (config, log) = broker(flags, &[]).unwrap();
    let urls: Vec<_> = config.listen.iter().map(|listen| listen.url.as_str()).collect();
    assert_eq!(urls, ["http://*:1", "http://[::1]:2"]);
    assert_eq!((config.mode, config.proxies.are_believed), (Mode::Production, true));
    assert_eq!((config.accept_backlog, config.shards.get()), (Some(128), 9));
    assert_eq!((config.acceptors.get(), config.pin), (2, Pin::List(vec![0, 1])));
    assert_eq!(log.format, LogFormat::Json);
    let expected = Limits {
        message_bytes_max: 1,
        body_bytes_max: 2,
        bodies_bytes_max: 3000,
        topic_bytes_max: 4,
        topics_max: 5,
        connections_max: Some(10),
        address_connections_max: Some(11),
        accept_rate_max: Rate::parse("6000/m").unwrap(),
        outbound_bytes_max: 6144,
        memory_bytes_max: 100 << 20,
        slow_consumer: SlowConsumer { bus: Policy::Close, pubsub: Policy::DropOldest },
        write_stall_max: Duration::from_secs(1),
        batch_bytes_max: 7,
        backlog_bytes_max: 8,
        backlog_messages_max: 9,
        backlogs_bytes_max: 10,
        ping_interval: Some(Duration::from_secs(90)),
        pong_wait_max: Duration::from_millis(500),
        pull_pong_wait_max: Duration::from_hours(1),
        inactivity_max: Some(Duration::from_secs(90)),
        drain_max: Duration::ZERO,
        tls_handshake_max: Duration::from_secs(3),
        tls_handshakes_max: 12,
    };
    assert_eq!(config.limits, expected);
}

#[test]
fn zero_is_no_limit_where_that_makes_sense() {
    let flags = "-c 0 -i 0 --ping-interval 0s --connections-per-ip 0 --accept-rate 0";
    let limits = config(flags, &[]).limits;
    assert_eq!(limits.connections_max, None);
    assert_eq!(limits.address_connections_max, None);
    assert_eq!(limits.accept_rate_max, None);
    assert_eq!(limits.inactivity_max, None);
    assert_eq!(limits.ping_interval, None);
}

#[test]
fn one_acceptor_serves_four_shards() {
    for (shards, acceptors) in [(1, 1), (4, 1), (7, 1), (8, 2), (64, 16)] {
        assert_eq!(config(&format!("--shards {shards}"), &[]).acceptors.get(), acceptors);
    }
    assert_eq!(config("--shards 8 --acceptors 5", &[]).acceptors.get(), 5);
}

#[test]
fn the_last_of_several_flags_counts() {
    assert_eq!(config("--shards 1 -p --shards 3 -p", &[]).shards.get(), 3);
}

#[test]
fn flag_beats_ours_beats_the_originals() {
    let mode = |flags, variables: Variables<'_>| config(flags, variables).mode;
    let (development, production) = (Mode::Development, Mode::Production);
    assert_eq!(mode("", &[("PLACK_ENV", "deployment")]), production);
    let plack = ("PLACK_ENV", "production");
    assert_eq!(mode("", &[plack, ("MOJO_MODE", "development")]), development);
    let mojo = ("MOJO_MODE", "development");
    assert_eq!(mode("", &[plack, mojo, ("MERCURY_MODE", "production")]), production);
    assert_eq!(mode("-m development", &[("MERCURY_MODE", "production")]), development);
    assert_eq!(mode("", &[plack, ("MOJO_MODE", ""), ("MERCURY_MODE", "")]), production);
    assert_eq!(mode("-m development", &[("MERCURY_MODE", "nonsense")]), development);
}

#[test]
fn the_originals_variables_keep_their_meaning() {
    let limits = config("", &[("MOJO_MAX_WEBSOCKET_SIZE", "1000")]).limits;
    assert_eq!(limits.message_bytes_max, 1000);
    let limits = config("", &[("MOJO_MAX_WEBSOCKET_SIZE", "0")]).limits;
    assert_eq!(limits, config("", &[]).limits);
    assert_eq!(config("", &[("MOJO_MAX_MESSAGE_SIZE", "1000")]).limits.body_bytes_max, 1000);
    for (value, proxy) in [("1", true), ("0", false), ("", false), ("yes please", true)] {
        let proxies = config("", &[("MOJO_REVERSE_PROXY", value)]).proxies;
        assert_eq!(proxies.are_believed, proxy, "{value}");
    }
    let off = config("", &[("MOJO_REVERSE_PROXY", "1"), ("MERCURY_PROXY", "off")]).proxies;
    assert!(!off.are_believed);
    for (value, level) in [("fatal", "error"), ("trace", "trace"), ("warn", "warn")] {
        let (_, log) = broker("", &[("MOJO_LOG_LEVEL", value)]).unwrap();
        assert_eq!(log.filter.level.to_string(), level);
    }
    let listen = config("", &[("MOJO_LISTEN", "http://*:1, http://127.0.0.1:2,")]).listen;
    let urls: Vec<_> = listen.iter().map(|listen| listen.url.as_str()).collect();
    assert_eq!(urls, ["http://*:1", "http://127.0.0.1:2"]);
}

#[test]
fn a_wrong_flag_ends_with_one_line_and_status_2() {
    let cases = [
        ("-l *:80", "--listen: '*:80' has no scheme, say http://*:3000"),
        (
            "-l https://*:443",
            "--listen: 'https://*:443' has no cert, say \
             https://*:443?cert=server.crt&key=server.key",
        ),
        (
            "-l http://*:1 -l http://127.0.0.1:1",
            "--listen: 'http://127.0.0.1:1' is the same address as 'http://*:1', which only \
             ?reuse=1 on both allows",
        ),
        (
            "--admin https://127.0.0.1:1?cert=a&key=b",
            "--admin: 'https://127.0.0.1:1?cert=a&key=b' is https, and --admin speaks http alone",
        ),
        (
            "--admin http://127.0.0.1:1?proxy=1",
            "--admin: 'http://127.0.0.1:1?proxy=1' has proxy=1, and --admin takes no PROXY header",
        ),
        (
            "--admin http://127.0.0.1:1?reuse=1 -l http://[::1]:2 -l http://*:1?reuse=1",
            "--admin is http://127.0.0.1:1?reuse=1, which is the place of 'http://*:1?reuse=1'",
        ),
        ("-m test", "--mode: 'test' is not development or production"),
        ("-b 0", "--backlog: '0' is too small, the least is 1"),
        ("-b 2147483648", "--backlog: '2147483648' is more than 2147483647"),
        ("-c -5", "--clients: '-5' is not a whole number"),
        ("-c 1e3", "--clients: '1e3' is not a whole number"),
        ("-c 1000000001", "--clients: '1000000001' is more than 1000000000"),
        (
            "-i soon",
            "--inactivity-timeout: 'soon' is not a duration like 25s, 1m30s or a number of \
          seconds",
        ),
        (
            "-i -1",
            "--inactivity-timeout: '-1' is not a duration like 25s, 1m30s or a number of \
          seconds",
        ),
        ("-i 2years", "--inactivity-timeout: '2years' is more than 365 days"),
        (
            "-i 99999999999999999999",
            "--inactivity-timeout: '99999999999999999999' is too long, or \
          finer than a nanosecond",
        ),
        (
            "-i 18446744073709551615s1000000000ns",
            "--inactivity-timeout: \
          '18446744073709551615s1000000000ns' is not a duration like 25s, 1m30s or a number of \
          seconds",
        ),
        ("-i 1us", "--inactivity-timeout: '1us' is less than 1ms"),
        ("--shards 0", "--shards: '0' is too small, the least is 1"),
        ("--shards 100000", "--shards: '100000' is more than 1024"),
        ("--shards x", "--shards: 'x' is not a whole number"),
        ("--shards=", "--shards: '' is not a whole number"),
        ("--acceptors 0", "--acceptors: '0' is too small, the least is 1"),
        ("--pin some", "--pin: 'some' is not auto, none or a list of CPUs like 0,2,4-7"),
        ("--pin 1024", "--pin: '1024' names CPU 1024, the last possible one is 1023"),
        ("--max-message 0", "--max-message: '0' is too small, 0 is not unlimited here"),
        (
            "--max-message -1",
            "--max-message: '-1' is not a size like 256KiB, 1MB or a number of \
          bytes",
        ),
        ("--max-message 1e40", "--max-message: '1e40' is more than 1TiB"),
        ("--max-topic 4097", "--max-topic: '4097' is more than 4KiB"),
        ("--max-topics 0", "--max-topics: '0' is too small, the least is 1"),
        (
            "--max-message 3MiB --max-outbound 4MiB",
            "--max-outbound is 4,194,304, less than 6,291,456, which is twice \
          --max-message",
        ),
        ("--connections-per-ip -1", "--connections-per-ip: '-1' is not a whole number"),
        ("--accept-rate 5/x", "--accept-rate: '5/x' is not a rate like 100/s, 6000/m or 100"),
        ("--write-timeout 0", "--write-timeout: '0' is too short, 0 is not endless here"),
        ("--pong-timeout 0ms", "--pong-timeout: '0ms' is too short, 0 is not endless here"),
        ("--log-format xml", "--log-format: 'xml' is not text or json"),
        (
            "--log-level inof",
            "--log-level: 'inof' has the level 'inof', which is not trace, debug, \
          info, warn, error or off",
        ),
        ("--shards a\u{7}~b", "--shards: 'a\\u{7} b' is not a whole number"),
        ("--proxy=1", "--proxy: '1' is too much, it takes no value"),
        ("--listen", "--listen: needs a value, see mercury help broker"),
        ("-i --shards 3", "--inactivity-timeout: needs a value, see mercury help broker"),
        ("--shard 3", "--shard: unknown option, did you mean --shards"),
        ("-x", "-x: unknown option, see mercury help broker"),
        ("--confg x", "--confg: unknown option, did you mean --config"),
        ("start", "unexpected argument 'start', see mercury help broker"),
    ];
    for (flags, message) in cases {
        let exit = broker(flags, &[]).unwrap_err();
        assert_eq!((exit.message.as_str(), exit.status), (message, 2), "{flags}");
    }
}

#[test]
fn a_wrong_variable_is_named() {
    let cases = [
        ("MERCURY_SHARDS", "x", "is not a whole number"),
        ("MERCURY_PROXY", "maybe", "is not 1 or 0"),
        (
            "MERCURY_LISTEN",
            "http+unix://a/b",
            "has a '/' in the path of its socket file, which is written %2F",
        ),
        ("MOJO_LISTEN", "ftp://*", "has the unknown scheme 'ftp', say http, https or http+unix"),
        ("MERCURY_MODE", "test", "is not development or production"),
        ("MOJO_MAX_MESSAGE_SIZE", "0", "is too small, 0 is not unlimited here"),
    ];
    for (variable, value, reason) in cases {
        let exit = broker("", &[(variable, value)]).unwrap_err();
        assert_eq!(exit.message, format!("{variable}: '{value}' {reason}"));
        assert_eq!(exit.status, 2);
    }
    let exit = broker("", &[("MERCURY_LISTEN", ",")]).unwrap_err();
    assert_eq!(exit.message, "MERCURY_LISTEN: names nothing between its commas");
}

#[test]
fn what_is_no_command_is_refused() {
    for line in ["mercury daemon", "mercury help daemon"] {
        let exit = parse_line(line, &[]).unwrap_err();
        assert_eq!(exit.message, "unknown command 'daemon', see mercury help");
        assert_eq!(exit.status, 2);
    }
    let exit = parse_line("mercury -l http://*:1", &[]).unwrap_err();
    assert_eq!(exit.message, "-l: unknown option, see mercury help broker");
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_not_utf8_is_refused() {
    use std::os::unix::ffi::OsStringExt as _;
    let odd = OsString::from_vec(vec![b'x', 0xff]);
    let words = ["mercury", "broker", "--shards"].map(OsString::from).into_iter().chain([odd]);
    let exit = parse(words, &Surroundings::NONE).unwrap_err();
    assert_eq!(exit.message, "an argument is not valid UTF-8");
}

#[test]
fn a_bare_call_is_a_call_for_help() {
    let help = printed("mercury");
    assert!(help.contains("Usage: mercury [COMMAND]"), "{help}");
    assert!(help.starts_with("A WebSocket message broker"), "{help}");
    let broker = printed("mercury help broker");
    assert!(broker.starts_with("Run the broker until SIGTERM or SIGINT"), "{broker}");
    assert_eq!(printed("mercury broker --help"), broker);
    assert_eq!(printed("mercury broker -h"), broker);
    assert!(!broker.contains('\u{1b}'));
    for line in ["mercury help", "mercury --help", "mercury -h"] {
        assert_eq!(printed(line), help);
    }
    for line in ["mercury version", "mercury --version", "mercury -V"] {
        assert_eq!(printed(line), concat!("mercury ", env!("CARGO_PKG_VERSION"), "\n"));
    }
}
