//! Settings by flag, variable and file, and what `mercury config` says of them.

use super::*;
use crate::cli::setting::{Set, Setting, Value};

/// For each setting another value than its default, as a flag and a variable say it.
pub(super) const OTHERS: &[(&str, &str)] = &[
    ("listen", "http://127.0.0.1:1"),
    ("allow-origin", "https://*.example.com:8080"),
    ("mode", "production"),
    ("backlog", "5"),
    ("proxy", "1"),
    ("clients", "7"),
    ("inactivity-timeout", "1m"),
    ("trusted-proxy", "10.1.0.0/16"),
    ("proxy-header", "forwarded"),
    ("shards", "77"),
    ("pin", "none"),
    ("acceptors", "3"),
    ("connections-per-ip", "2"),
    ("accept-rate", "5/m"),
    ("max-message", "100KiB"),
    ("max-body", "1MiB"),
    ("max-bodies", "512MiB"),
    ("max-topic", "100"),
    ("max-topics", "10"),
    ("max-outbound", "8MiB"),
    ("slow-consumer", "drop-oldest"),
    ("memory-max", "999MiB"),
    ("max-batch", "1KiB"),
    ("max-backlog", "32MiB"),
    ("max-backlog-messages", "5"),
    ("max-backlogs", "1GiB"),
    ("write-timeout", "1500ms"),
    ("ping-interval", "0"),
    ("pong-timeout", "1"),
    ("pull-pong-timeout", "0.5"),
    ("drain-timeout", "0"),
    ("tls-handshake-timeout", "3s"),
    ("tls-handshakes", "100"),
    ("log-format", "json"),
    ("log-level", "warn,hyper=off"),
    ("admin", "http://127.0.0.1:3001"),
    ("admin-public", "1"),
    ("admin-host", "mercury.example"),
];

#[test]
fn every_setting_is_reached_by_flag_variable_and_file() {
    let names: Vec<_> = settings::all().map(|setting| setting.name).collect();
    assert_eq!(names, OTHERS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    let default = broker("", &[]).unwrap();
    for (setting, (name, other)) in settings::all().zip(OTHERS) {
        let key = name.replace('-', "_");
        let is_switch = matches!(setting.set, Set::Switch(_));
        let flag = if is_switch { format!("--{name}") } else { format!("--{name} {other}") };
        let by_flag = broker(&flag, &[]).unwrap();
        assert_ne!(by_flag, default, "{name}");
        let variable = format!("MERCURY_{}", key.to_uppercase());
        assert_eq!(broker("", &[(&variable, other)]).unwrap(), by_flag, "{variable}");
        let mut lines = vec![format!("{key} = '{other}'")];
        if is_switch {
            lines = vec![format!("{key} = true")];
        } else if matches!(setting.set, Set::Many(_)) {
            lines.push(format!("{key} = [\n  '{other}',\n]"));
        } else if other.parse::<f64>().is_ok() {
            lines.push(format!("{key} = {other}"));
        }
        for line in lines {
            assert_eq!(configured("", &line).unwrap(), by_flag, "{line}");
        }
        let value = (setting.value)(&by_flag.0, &by_flag.1);
        let written = format!("{key} = {value}");
        assert_eq!(configured("", &written).unwrap(), by_flag, "{written}");
    }
}

#[test]
fn every_setting_says_where_a_wrong_value_stands() {
    for setting in settings::all() {
        let (key, ours) = (setting.key(), environment::variable(setting.name));
        let exit = broker("", &[(&ours, "?")]).unwrap_err();
        assert!(exit.message.starts_with(&format!("{ours}: '?' ")), "{}", exit.message);
        assert_eq!(exit.status, 2, "{ours}");
        let wrong = if matches!(setting.set, Set::Switch(_)) { "" } else { "'?' " };
        for flags in ["", "--mode production"] {
            let exit = configured(flags, &format!("\n{key} = '?'")).unwrap_err();
            let start = format!("mercury.toml:2: {key}: {wrong}");
            assert!(exit.message.starts_with(&start), "{}", exit.message);
            assert_eq!(exit.status, 1, "{key}");
        }
        if !matches!(setting.set, Set::Switch(_)) {
            let exit = broker(&format!("--{} ?", setting.name), &[]).unwrap_err();
            assert!(exit.message.starts_with(&format!("--{}: '?' ", setting.name)));
        }
    }
}

/// What a command prints beside a configuration file.
fn printed_with(line: &str, variables: Variables<'_>, file: &str) -> Result<String, Exit> {
    match parse_with(line, variables, &[("mercury.toml", file)])? {
        Invocation::Check { verdict: text, .. } | Invocation::Print(text) => Ok(text),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn the_example_is_the_defaults_with_its_comment_marks_and_without() {
    let example = printed("mercury config example");
    let default = broker("", &[]).unwrap();
    assert_eq!(configured("", &example).unwrap(), default);
    let mut keys = vec![];
    let uncomment = |line: &str| {
        let bare = line.strip_prefix("# ").unwrap_or_default();
        let key = bare.split_once(" = ").map_or("", |(key, _)| key);
        let is_key = settings::all().any(|setting| setting.key() == key);
        if is_key {
            keys.push(key.to_owned());
        }
        format!("{}\n", if is_key { bare } else { line })
    };
    let bare: String = example.lines().map(uncomment).collect();
    let named = (Config { listen_is_default: false, ..default.0 }, default.1);
    assert_eq!(configured("", &bare).unwrap(), named, "{bare}");
    let has_value = |setting: &&Setting| !["allow-origin", "admin"].contains(&setting.name);
    assert_eq!(keys, settings::all().filter(has_value).map(Setting::key).collect::<Vec<_>>());
    assert!(example.contains("\n# allow_origin is not set\n"), "{example}");
    assert!(example.lines().all(|line| line.is_empty() || line.starts_with('#')), "{example}");
    assert!(example.lines().all(|line| line.len() <= 100), "{example}");
}

#[test]
fn what_is_shown_says_where_it_comes_from_and_is_a_file_that_says_the_same() {
    let file = "\nshards = 3\nlisten = [\n  'http://127.0.0.1:1',\n  'http://[::1]:1',\n]";
    let variables: Variables<'_> = &[("MOJO_MODE", "test"), ("MERCURY_PROXY", "1")];
    let shown = printed_with("mercury config show --max-message 1MiB", variables, file).unwrap();
    for (key, value, source) in [
        ("shards", "3", "mercury.toml:2"),
        ("listen", r#"["http://127.0.0.1:1", "http://[::1]:1"]"#, "mercury.toml:3"),
        ("mode", r#""production""#, "MOJO_MODE"),
        ("proxy", "true", "MERCURY_PROXY"),
        ("max_message", r#""1MiB""#, "--max-message"),
        ("max_body", r#""16MiB""#, "default"),
        ("clients", "0", "default"),
        ("pin", r#""auto""#, "default"),
    ] {
        let line = shown.lines().find(|line| line.starts_with(&format!("{key} = ")));
        let (setting, from) = line.unwrap().split_once("  # ").unwrap();
        assert_eq!(setting.trim_end(), format!("{key} = {value}"));
        assert_eq!(from, source, "{key}");
    }
    assert_eq!(shown.lines().count(), settings::all().count());
    let again = printed_with("mercury config show", &[], &shown).unwrap();
    let values = |shown: &str| -> Vec<_> {
        shown.lines().map(|line| line.split_once("  # ").unwrap().0.trim_end().to_owned()).collect()
    };
    assert_eq!(values(&again), values(&shown));
}

#[test]
fn a_secret_is_not_shown() {
    let value = Value::List(vec!["nats://a:b@host".to_owned(), "c".to_owned()]);
    let shown = value.clone().masked(false).to_string();
    assert_eq!(shown, r#"["nats://a:***@host", "c"]"#);
    assert_eq!(value.masked(true).to_string(), r#"["***", "***"]"#);
    assert_eq!(Value::Text("a\"\\\n".to_owned()).to_string(), r#""a\"\\\u000A""#);
}

#[test]
fn a_check_says_what_a_start_would() {
    let check = "mercury config check";
    assert_eq!(printed_with(check, &[], "").unwrap(), "mercury.toml is fine\n");
    assert_eq!(printed(check), "there is no mercury.toml, and all else is fine\n");
    let wrong = "max_topic = '5KiB'";
    let exit = printed_with(check, &[], wrong).unwrap_err();
    assert_eq!(exit.message, "mercury.toml:1: max_topic: '5KiB' is more than 4KiB");
    assert_eq!(exit.status, 1);
    assert_eq!(configured("", wrong).unwrap_err(), exit);
    assert_eq!(printed_with(&format!("{check} --shards x"), &[], "").unwrap_err().status, 2);
    let help = printed("mercury config");
    assert!(help.contains("Usage: mercury config [COMMAND]"), "{help}");
    assert_eq!(printed("mercury help config"), help);
}

#[test]
fn flag_beats_variable_beats_file() {
    let shards = |flags: &str, variables: Variables<'_>| {
        let line = format!("mercury broker {flags}");
        match parse_with(&line, variables, &[("mercury.toml", "shards = 1\nproxy = true")]) {
            Ok(Invocation::Broker { config, .. }) => {
                (config.shards.get(), config.proxies.are_believed)
            }
            other => panic!("{other:?}"),
        }
    };
    let variables: Variables<'_> = &[("MERCURY_SHARDS", "2"), ("MERCURY_PROXY", "0")];
    assert_eq!(shards("--shards 3", variables), (3, false));
    assert_eq!(shards("", variables), (2, false));
    assert_eq!(shards("-p", variables), (2, true));
    assert_eq!(shards("", &[("MERCURY_SHARDS", ""), ("MOJO_REVERSE_PROXY", "0")]), (1, false));
    assert_eq!(shards("", &[]), (1, true));
}

#[test]
fn a_file_is_the_one_that_is_named_or_the_one_that_lies_there() {
    let files = [("mercury.toml", "shards = 1"), ("a", "shards = 2"), ("b", "shards = 3")];
    let shards = |flags: &str, variables: Variables<'_>, files: Variables<'_>| {
        let parsed = parse_with(&format!("mercury broker {flags}"), variables, files);
        parsed.map(|invocation| match invocation {
            Invocation::Broker { config, .. } => config.shards.get(),
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(shards("", &[], &files), Ok(1));
    assert_eq!(shards("", &[("MERCURY_CONFIG", "a")], &files), Ok(2));
    assert_eq!(shards("--config b", &[("MERCURY_CONFIG", "a")], &files), Ok(3));
    assert_eq!(shards("", &[("MERCURY_CONFIG", "")], &files), Ok(1));
    for (flags, variables) in [("--config c", &[][..]), ("", &[("MERCURY_CONFIG", "c")])] {
        let exit = shards(flags, variables, &files).unwrap_err();
        assert_eq!((&*exit.message, exit.status), ("cannot read c: entity not found", 1));
    }
}

#[test]
fn a_wrong_file_ends_with_file_line_and_reason_and_status_1() {
    for (file, message) in [
        ("\nmax_mesage = 1", "2: unknown key 'max_mesage', did you mean max_message"),
        ("max-message = 1", "1: unknown key 'max-message', did you mean max_message"),
        ("[limits]\nshards = 1", "1: unknown key 'limits', see mercury config example"),
        ("mode.x = 1", "1: mode: is a table, which means nothing here"),
        ("mode = true", "1: mode: is true or false, which means nothing here"),
        ("mode = ['production']", "1: mode: is a list, and takes one value"),
        ("mode = 2026-01-01", "1: mode: is a date, which means nothing here"),
        ("proxy = 1", "1: proxy: is not true or false"),
        ("listen = []", "1: listen: is an empty list"),
        (
            "listen = [1]",
            "1: listen: is a list of other things than texts, which means nothing here",
        ),
        ("listen = [\n'http://*',\n'x']", "3: listen: 'x' has no scheme, say http://*:3000"),
        ("clients = -5", "1: clients: '-5' is not a whole number"),
        (
            "max_message = '5XB'",
            "1: max_message: '5XB' is not a size like 256KiB, 1MB or a number of bytes",
        ),
        (
            "\nmax_outbound = 1",
            "2: --max-outbound is 1, less than 524,288, which is twice --max-message",
        ),
        (
            "memory_max = '1KiB'\nshards = 1\nacceptors = 1",
            "1: --memory-max is 1,024, less than 41,943,040, which is twice the larger of \
             --max-message and --max-body, and 4 MiB for each thread",
        ),
        ("shards = 1\nshards = 2", "2: duplicate key"),
        ("shards = ", "1: string values must be quoted, expected literal string"),
    ] {
        let exit = configured("", file).unwrap_err();
        assert_eq!(exit.message, format!("mercury.toml:{message}"), "{file}");
        assert_eq!(exit.status, 1, "{file}");
    }
}
