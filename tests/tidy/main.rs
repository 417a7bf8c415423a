//! The shape of the project: what its documents promise, held against its files.
//!
//! Each rule takes files and gives findings, and is itself shown to bite beside its code.

mod coverage;
mod imports;
mod policy;
mod shape;
mod source;

use source::{Source, sources};

/// Fails with all findings, one on a line.
fn expect_none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}:\n{}\n", findings.join("\n"));
}

/// A rule that looks at one file at a time.
fn each(rule: &str, findings: impl Fn(&Source) -> Vec<String>) {
    expect_none(rule, &sources().iter().flat_map(findings).collect::<Vec<_>>());
}

fn read(path: &str) -> String {
    let sources = sources();
    let found = sources.into_iter().find(|source| source.path == path);
    found.unwrap_or_else(|| panic!("{path} is missing")).text
}

#[test]
fn imports_point_one_way() {
    each("a module imports only from lower ranks", imports::direction);
}

#[test]
fn threads_meet_in_handover() {
    each("what crosses threads has its places", imports::threads);
}

#[test]
fn the_core_is_pure() {
    each("the core has no sockets, no clock, no runtime", imports::purity);
}

#[test]
fn files_functions_and_lines_are_short() {
    each("lengths", shape::lengths);
}

#[test]
fn nothing_is_left_over() {
    each("leftovers", shape::leftovers);
}

#[test]
fn the_top_level_shows_what_it_should() {
    let sources = sources();
    let paths: Vec<_> = sources.iter().map(|source| source.path.as_str()).collect();
    expect_none("the visible top level", &shape::top_level(&paths));
    expect_none("benches", &shape::benches(&paths, &read("Cargo.toml")));
    expect_none("fuzz targets", &shape::fuzz_targets(&paths, &read("tests/fuzz/Cargo.toml")));
}

#[test]
fn every_limit_bounds_something() {
    expect_none("limits", &coverage::limits(&sources()));
}

#[test]
fn every_counter_counts() {
    expect_none("counters", &coverage::counters(&sources()));
}

#[test]
fn every_flag_is_documented() {
    expect_none("flags", &coverage::flags(&sources()));
}

#[test]
fn dependencies_follow_the_policy() {
    let policy = read(".deny.toml");
    expect_none("packages", &policy::packages(&policy::tree(), &policy));
    expect_none("sources", &policy::sources(&read("Cargo.lock"), &policy));
}
