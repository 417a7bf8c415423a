//! Who may import whom, where threads meet, and what the core must not know.

use crate::source::{Source, in_identifier, words};

/// The modules, lowest rank first. A module imports only from lower ranks and from inside its own
/// folder; those of one rank never import each other. At the bottom stand the words that all
/// others are made of: there, a module imports only from those before it.
const RANKS: [&[&str]; 9] = [
    &[
        "cause",
        "grouped",
        "slow_consumer",
        "rate",
        "slack",
        "limits",
        "metrics",
        "memory",
        "heap",
        "signals",
        "code",
        "close",
        "refusal",
        "config",
        "contents",
        "tls",
        "socket",
        "frame",
        "faults",
    ],
    &["outbound"],
    &["broker"],
    &["handover"],
    &["http", "connection", "backplane"],
    &["shard"],
    &["server", "cli", "systemd", "telemetry", "terminal", "top"],
    &["command"],
    &["main"],
];

/// What crosses threads, and the files that may name it.
const THREADS: [(&str, &[&str]); 11] = [
    ("ArcSwap", &["src/handover/"]),
    ("crossbeam_channel", &["src/handover/"]),
    ("AtomicBool", &["src/handover/"]),
    ("AtomicUsize", &["src/handover/", "src/limits/"]),
    ("AtomicU64", &["src/handover/", "src/metrics/"]),
    ("papaya", &["src/handover/"]),
    // starts threads and hears of their end
    ("mpsc", &["src/server/"]),
    // the answer to a POST comes back to the door
    ("oneshot", &["src/handover/", "src/server/", "src/http/publish.rs"]),
    // an acceptor waits for its own visits, and a terminal's one thread for itself
    ("Notify", &["src/handover/", "src/http/mod.rs", "src/terminal/"]),
    ("Mutex", &[]),
    ("RwLock", &[]),
];

/// What would make the core depend on sockets, clocks or a runtime.
const IMPURE: [&str; 10] = [
    "tokio",
    "hyper",
    "socket2",
    "rustix",
    "net",
    "thread",
    "Instant",
    "SystemTime",
    "async",
    "await",
];
const PURE: [&str; 3] = ["src/broker/", "src/frame/", "src/outbound/"];

/// The module that a file is part of, and how deep it stands in it.
fn place(path: &str) -> (&str, usize) {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    (inside.split('/').next().unwrap_or(inside), inside.split('/').count())
}

fn rank(module: &str) -> Option<(usize, usize)> {
    RANKS.iter().enumerate().find_map(|(rank, modules)| {
        Some((rank, modules.iter().position(|other| *other == module)?))
    })
}

/// Every import against the ranks.
pub(crate) fn direction(source: &Source) -> Vec<String> {
    let (module, depth) = place(&source.path);
    if !source.is_product() || module == "lib" {
        return vec![];
    }
    let Some((own, own_place)) = rank(module) else {
        return vec![source.at(0, &format!("module {module} has no rank"))];
    };
    let mut findings = vec![];
    for (at, imported) in top_level_paths(&source.product, depth) {
        let finding = match rank(imported) {
            _ if imported == module => continue,
            None => format!("imports {imported}, which has no rank"),
            Some((0, place)) if own == 0 && place < own_place => continue,
            Some((other, _)) if other < own => continue,
            Some((other, _)) => {
                format!("{module} (rank {own}) imports {imported} (rank {other})")
            }
        };
        findings.push(source.at(at, &finding));
    }
    findings
}

/// Every name behind `crate::`, or behind as many `super::` as lead to the top.
fn top_level_paths(code: &str, depth: usize) -> Vec<(usize, &str)> {
    let up = "super::".repeat(depth);
    let mut paths = vec![];
    for prefix in ["crate::", "mercury::", &up] {
        for (at, _) in code.match_indices(prefix) {
            let before = &code[..at];
            if before.ends_with(in_identifier) || before.ends_with("::") {
                continue;
            }
            let rest = &code[at + prefix.len()..];
            paths.extend(first_names(rest).into_iter().map(|name| (at, name)));
        }
    }
    paths
}

/// The first name of a path, or of each path in a group.
fn first_names(rest: &str) -> Vec<&str> {
    let name = |text: &'_ str| text.find(|character| !in_identifier(character));
    let Some(group) = rest.strip_prefix('{') else {
        return vec![&rest[..name(rest).unwrap_or(rest.len())]];
    };
    let (mut names, mut nested, mut fresh) = (vec![], 0, true);
    for (at, character) in group.char_indices() {
        match character {
            '{' => nested += 1,
            '}' if nested == 0 => break,
            '}' => nested -= 1,
            ',' if nested == 0 => fresh = true,
            other if fresh && in_identifier(other) => {
                let item = &group[at..];
                names.push(&item[..name(item).unwrap_or(item.len())]);
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

/// Threads meet only in `handover`; budgets and counters are shared by design.
pub(crate) fn threads(source: &Source) -> Vec<String> {
    let mut findings = vec![];
    for (word, allowed) in THREADS {
        let is_place = allowed.iter().any(|place| source.path.starts_with(place));
        if source.is_product() && !is_place {
            let finding = format!("{word} outside of {allowed:?}: threads meet in handover");
            findings.extend(source.identifiers(word).map(|at| source.at(at, &finding)));
        }
    }
    findings
}

/// The core has no sockets, no clock and no runtime.
pub(crate) fn purity(source: &Source) -> Vec<String> {
    let mut findings = vec![];
    if PURE.iter().any(|pure| source.path.starts_with(pure)) {
        for word in IMPURE {
            let finding = format!("{word} in the core, which is pure");
            findings.extend(words(&source.product, word).map(|at| source.at(at, &finding)));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bites(path: &str, text: &str) -> usize {
        direction(&Source::new(path, text)).len()
    }

    #[test]
    fn an_import_from_a_higher_rank_is_found() {
        assert_eq!(bites("src/broker/bus.rs", "use crate::handover::Inbox;"), 1);
        assert_eq!(bites("src/broker/bus.rs", "fn f() -> crate::shard::Home {}"), 1);
        assert_eq!(bites("src/broker/bus.rs", "use crate::{frame, handover::{Inbox, Post}};"), 1);
        assert_eq!(bites("src/broker/bus.rs", "use super::super::http::Door;"), 1);
        assert_eq!(bites("src/outbound.rs", "use super::broker::Broker;"), 1);
        assert_eq!(bites("src/broker/mod.rs", "use super::{frame, server};"), 1);
        assert_eq!(bites("src/frame/mod.rs", "pub use mercury::broker::Kind;"), 1);
    }

    #[test]
    fn an_import_from_a_sibling_is_found() {
        assert_eq!(bites("src/http/mod.rs", "use crate::connection::Home;"), 1);
        assert_eq!(bites("src/connection/mod.rs", "use crate::http::Door;"), 1);
        assert_eq!(bites("src/limits/mod.rs", "use crate::frame::Head;"), 1);
    }

    #[test]
    fn a_module_without_a_rank_is_found() {
        assert_eq!(bites("src/utils.rs", ""), 1);
        assert_eq!(bites("src/main.rs", "use crate::utils::x;"), 1);
    }

    #[test]
    fn imports_from_below_and_from_inside_are_fine() {
        assert_eq!(bites("src/broker/bus.rs", "use crate::outbound::Batch;"), 0);
        assert_eq!(bites("src/broker/bus.rs", "use super::topic::Topic;"), 0);
        assert_eq!(bites("src/broker/bus.rs", "use crate::broker::topic::Topic;"), 0);
        assert_eq!(bites("src/frame/mod.rs", "use crate::limits::MIB;"), 0);
        assert_eq!(bites("src/frame/mod.rs", "// use crate::server;\n"), 0);
        let test = "#[cfg(test)]\nmod tests {\n    use crate::server::Server;\n}\n";
        assert_eq!(bites("src/frame/mod.rs", test), 0);
    }

    #[test]
    fn channels_and_clocks_in_the_core_are_found() {
        let text = "use std::sync::mpsc;\nuse std::time::Instant;\nasync fn f() {}\n";
        let source = Source::new("src/broker/bus.rs", text);
        assert_eq!(threads(&source).len(), 1);
        assert_eq!(purity(&source).len(), 2);
        assert!(purity(&source)[1].starts_with("src/broker/bus.rs:3: "), "{:?}", purity(&source));
        let door =
            Source::new("src/http/x.rs", "use crossbeam_channel::Sender; use x::AtomicBool;");
        assert_eq!(threads(&door).len(), 2);
    }
}
