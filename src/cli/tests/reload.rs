//! Settings read anew for a broker that runs.

use super::files::OTHERS;
use super::*;

/// Those that a running broker takes over.
const LIVE: [&str; 19] = [
    "allow-origin",
    "inactivity-timeout",
    "max-message",
    "max-body",
    "max-bodies",
    "max-topic",
    "max-topics",
    "max-outbound",
    "slow-consumer",
    "max-batch",
    "max-backlog",
    "max-backlog-messages",
    "max-backlogs",
    "ping-interval",
    "pong-timeout",
    "drain-timeout",
    "tls-handshake-timeout",
    "tls-handshakes",
    "log-level",
];

#[test]
fn each_setting_is_taken_over_or_waits_for_a_restart_and_no_other_changes() {
    let (config, log) = broker("", &[]).unwrap();
    for (name, other) in OTHERS {
        let ours = environment::variable(name);
        let environment = |variable: &str| (variable == ours).then(|| (*other).to_owned());
        let surroundings = Surroundings { environment: &environment, ..Surroundings::NONE };
        let words = ["mercury", "broker"].map(OsString::from);
        let reload = reload(words, &surroundings, (&config, &log)).unwrap();
        let is_live = LIVE.contains(name);
        let (new, new_log) = broker("", &[(&ours, other)]).unwrap();
        let change = reload.changes.iter().find(|change| change.setting == name.replace('-', "_"));
        assert_eq!(change.unwrap().is_live, is_live, "{name}");
        for setting in settings::all() {
            let value = |config, log| (setting.value)(config, log);
            let (old, new) = (value(&config, &log), value(&new, &new_log));
            let expected = if LIVE.contains(&setting.name) { &new } else { &old };
            assert_eq!(value(&reload.config, &reload.log), *expected, "{name}: {}", setting.name);
            let key = setting.key();
            let change = reload.changes.iter().find(|change| change.setting == key);
            let said = change.map(|change| (change.from.clone(), change.to.clone()));
            let differs = (old != new).then(|| (old.words(), new.words()));
            assert_eq!(said, differs, "{name}: {key}");
        }
    }
}

#[test]
fn what_does_not_fit_the_memory_of_the_start_is_refused() {
    let (config, log) = broker("--memory-max 100MiB", &[]).unwrap();
    let environment = |name: &str| match name {
        "MERCURY_MAX_BODY" => Some("60MiB".to_owned()),
        _ => None,
    };
    let surroundings = Surroundings { environment: &environment, ..Surroundings::NONE };
    let words = ["mercury", "broker"].map(OsString::from);
    let exit = reload(words, &surroundings, (&config, &log)).unwrap_err();
    assert!(exit.message.starts_with("--memory-max is 104,857,600, less than "), "{exit:?}");
}
