//! A run spawns its broker, measures it, and leaves none behind.

use rustix::process::Signal;

use crate::program::{Program, run, signal};

#[test]
fn one_command_does_it_all() {
    let ended = run("fanout --subscribers 3 --messages 200");
    assert_eq!(ended.status, Some(0), "{}", ended.errors);
    for row in ["deliveries", " server\n", "resident max", "shard-0 busy", " client\n"] {
        assert!(ended.output.contains(row), "{row}: {}", ended.output);
    }
    let words = "pushpull --messages 200 --shards 2 --pin none --no-placement --broker -i=1h";
    let ended = run(words);
    assert_eq!(ended.status, Some(0), "{}", ended.errors);
    assert!(ended.output.contains("shard-1 busy"), "{}", ended.output);
    assert!(!ended.errors.contains("client on CPU"), "{}", ended.errors);
}

#[test]
fn a_broker_that_does_not_start_says_why() {
    let ended = run("fanout --messages 1 --broker --max-outbound=1");
    assert_eq!(ended.status, Some(1));
    let sentence = "mercury-loadtest: the broker did not start, exit status: 2\n    mercury: ";
    assert!(ended.errors.contains(sentence), "{}", ended.errors);
    assert!(ended.errors.contains("--max-outbound"), "{}", ended.errors);
}

#[test]
fn a_broker_that_breaks_is_a_fault() {
    let program = Program::start("fanout --subscribers 3 --seconds 60");
    signal(program.broker(), Signal::KILL);
    let ended = program.end();
    assert_eq!(ended.status, Some(1));
    assert!(ended.errors.contains("signal: 9 (SIGKILL)"), "{}", ended.errors);
}

#[test]
fn an_interrupt_ends_both_in_order() {
    let program = Program::start("fanout --subscribers 3 --warm-up 0 --seconds 60");
    program.settle();
    signal(program.pid(), Signal::INT);
    let ended = program.end();
    assert_eq!(ended.status, Some(0), "{}", ended.errors);
    assert!(ended.output.contains("deliveries"), "{}", ended.output);
}

#[test]
fn an_interrupt_ends_all_rounds_of_floods() {
    let words = "hostile --floods tiny --rounds 1000 --warm-up 0 --seconds 1";
    let program = Program::start(words);
    program.settle();
    signal(program.pid(), Signal::INT);
    let ended = program.end();
    assert_eq!(ended.status, Some(0), "{}", ended.errors);
    assert!(!ended.errors.contains("round 2 of"), "{}", ended.errors);
}

#[test]
fn a_killed_run_leaves_no_broker_behind() {
    let program = Program::start("fanout --subscribers 3 --seconds 60");
    program.broker();
    signal(program.pid(), Signal::KILL);
    assert_eq!(program.end().status, None);
}

#[test]
fn the_word_for_the_broker_is_ours() {
    let ended = run("spawned-broker 1");
    assert_eq!(ended.status, Some(1));
    assert!(ended.errors.contains("for this program's own use"), "{}", ended.errors);
}
