//! Thousands of connections from one machine: what keeps them from it is said beforehand.

use std::process::Command;

use crate::program::{Ended, Program, run};

/// Runs it with `words` under a hard limit of so many descriptors.
fn run_with_descriptors(most: u32, words: &str) -> Ended {
    let mut command = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_mercury-loadtest");
    command.args(["-c", &format!("ulimit -n {most} && exec \"$0\" \"$@\""), program]);
    Program::start_as(command, words).end()
}

#[test]
fn a_low_limit_is_told_before_anything_starts() {
    let ended = run_with_descriptors(300, "fanout --subscribers 400 --messages 1");
    assert_eq!(ended.status, Some(1));
    let sentence = "mercury-loadtest: 401 connections need 529 descriptors, and the hard limit is \
                    300: raise it as root with `ulimit -n 529`";
    assert!(ended.errors.starts_with(sentence), "{}", ended.errors);
    assert_eq!(ended.errors.lines().count(), 1, "{}", ended.errors);
    let ended = run_with_descriptors(300, "fanout --subscribers 171 --messages 5");
    assert_eq!(ended.status, Some(0), "what is said to fit does fit: {}", ended.errors);
}

#[test]
fn connections_come_from_several_addresses() {
    let ended = run("fanout --subscribers 20 --messages 10 --source-addresses 3");
    assert_eq!(ended.status, Some(0), "{}", ended.errors);
    // Two connections an address are allowed, so it takes eleven addresses.
    let words = "fanout --subscribers 21 --messages 10 --broker=--connections-per-ip=2";
    assert_eq!(run(&format!("{words} --source-addresses 11")).status, Some(0));
    assert_eq!(run(&format!("{words} --source-addresses 10")).status, Some(1));
}

#[test]
fn other_places_have_no_loopback_sources() {
    let ended = run("fanout --url http://[::1]:9 --source-addresses 2");
    assert_eq!(ended.status, Some(1));
    assert!(ended.errors.contains("not an IPv4 loopback address"), "{}", ended.errors);
}
