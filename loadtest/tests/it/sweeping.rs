//! A scenario under several settings.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::program::{Program, run, signal};

#[test]
fn every_setting_runs_in_every_round() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let [record, page] = ["sweep.json", "sweep.html"].map(|name| folder.join(name));
    let files = format!("--json {} --report {}", record.display(), page.display());
    let load = "fanout --subscribers 16 --topics 16 --messages 160";
    let ended = run(&format!("sweep --shards 2,1 --sizes 64,128 --rounds 3 {files} {load}"));
    assert_eq!(ended.status, Some(0), "{}", ended.errors);
    let told: Vec<&str> = ended.errors.lines().filter(|line| line.contains(": run ")).collect();
    assert_eq!(told.len(), 12, "{}", ended.errors);
    for (number, setting) in
        ["1 --size 64", "1 --size 128", "2 --size 64", "2 --size 128"].iter().enumerate()
    {
        let end = format!(": --shards {setting}");
        assert!(told[number].ends_with(&end) && told[number + 8].ends_with(&end), "{told:?}");
    }
    assert!(told[11].contains(": run 12 of 12, ") && told[11].contains(" left: "), "{told:?}");
    let lines: Vec<&str> = ended.output.lines().collect();
    assert!(lines[1].contains(" shards ") && lines[1].contains(" min to max "), "{lines:?}");
    let is_choice = |line: &&&str| line.contains("--shards");
    assert!((1..=2).contains(&lines.iter().filter(is_choice).count()), "{lines:?}");

    let record: Value = serde_json::from_str(&fs::read_to_string(record).unwrap()).unwrap();
    assert_eq!(record["swept"]["shards"].as_array().unwrap().len(), 2);
    let settings = record["settings"].as_array().unwrap();
    assert_eq!(settings.len(), 4);
    for setting in settings {
        let runs = setting["runs"].as_array().unwrap();
        assert_eq!(runs.len(), 3);
        for run in runs {
            assert_eq!(run["parameters"]["shards"][0], setting["values"]["shards"]);
            assert_eq!(run["parameters"]["size"][0], setting["values"]["size"]);
            assert_eq!(run["reports"][0]["ok"], true);
        }
    }
    assert_eq!(record["choices"].as_array().unwrap().len(), 2);

    let page = fs::read_to_string(page).unwrap();
    let tree = roxmltree::Document::parse(page.strip_prefix("<!doctype html>").unwrap()).unwrap();
    let drawings = tree.descendants().filter(|node| node.attribute("role") == Some("img"));
    assert_eq!(drawings.count(), 3, "throughput, CPU, latency: {page}");
    assert!(page.contains("Medians of 3 rounds"), "{page}");
}

#[test]
fn a_sweep_is_no_run_to_compare() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let [record, one] = ["sizes.json", "size.json"].map(|name| folder.join(name));
    let ended =
        run(&format!("sweep --sizes 64 --rounds 1 --json {} bus --messages 9", record.display()));
    assert_eq!(ended.status, Some(0), "{}", ended.errors);
    assert!(!ended.output.contains("choose"), "shards were not swept: {}", ended.output);
    run(&format!("bus --messages 9 --json {}", one.display()));
    let ended = run(&format!("compare {} {}", one.display(), record.display()));
    assert_eq!(ended.status, Some(1));
    assert!(ended.errors.contains("sizes.json: it is of a whole sweep"), "{}", ended.errors);
}

#[test]
fn a_load_of_one_topic_is_told_beforehand() {
    let ended = run("sweep --shards 1,2 --rounds 1 --json - fanout --messages 9");
    assert_eq!(ended.status, Some(0), "{}", ended.errors);
    let start = "mercury-loadtest: a topic is on one shard with all below it, so that 1 of 2 \
                 shards have all the work";
    assert!(ended.errors.starts_with(start), "{}", ended.errors);
    let record: Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!(record["choices"][0]["shards"], Value::Null, "one round is no choice: {record}");
}

#[test]
fn what_cannot_be_swept_is_refused_beforehand() {
    for (words, reason) in [
        ("--shards 1,2 fanout --url http://127.0.0.1:9", "cannot be used with"),
        ("fanout --url http://127.0.0.1:9", "cannot be used with"),
        ("--shards 1,2 fanout --shards 2", "cannot be used multiple times"),
        ("--sizes 64,128 fanout --size 64", "cannot be used multiple times"),
        ("--sizes 64,128 idle", "unexpected argument '--size'"),
        ("--shards 1 --sizes 64,64 fanout", "--size 64 is there twice"),
        ("--subscribers 2,3 roundtrip", "'roundtrip' has no number of subscribers"),
        ("--subscribers 2,3 fanout --topics 3", "--subscribers 2: 3 topics for 2 receivers"),
        (
            "--shards 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21 --rounds 100 fanout",
            "21 settings in 100 rounds are 2100 runs, more than 2000",
        ),
        ("--window 1 fanout", "unexpected argument '--window'"),
        ("--shards 1,2 hostile", "hostile repeats and compares by itself"),
        ("--shards 1,2 fanout --json x.json", "they stand before the scenario"),
        ("--shards 1,2 compare a b", "unrecognized subcommand 'compare'"),
    ] {
        let ended = run(&format!("sweep {words}"));
        assert_eq!(ended.status, Some(2), "{words}: {}", ended.errors);
        assert!(ended.errors.contains(reason), "{words}: {}", ended.errors);
        assert!(!ended.errors.contains(": run "), "{words}: {}", ended.errors);
    }
}

#[test]
fn a_broker_that_does_not_start_ends_it() {
    let ended = run("sweep --shards 1 fanout --messages 1 --broker --max-outbound=1");
    assert_eq!(ended.status, Some(1));
    assert!(ended.errors.contains("--shards 1: the broker did not start"), "{}", ended.errors);
    assert_eq!(ended.output, "");
}

#[test]
fn an_interrupt_ends_it_at_this_run() {
    let load = "fanout --subscribers 1 --warm-up 0 --seconds 0.5";
    let program = Program::start(&format!("sweep --shards 1 --rounds 40 {load}"));
    program.broker();
    program.settle();
    signal(program.pid(), Signal::INT);
    let ended = program.end();
    let begun = ended.errors.matches(" of 40").count();
    // it may come while the broker starts, and then the first run is still a whole one
    let is_told = match ended.status {
        Some(0) => ended.output.contains("somebody ended it after 1 of 40 runs"),
        _ => ended.errors.contains("ended before the first round was over"),
    };
    assert!(is_told && begun == 1, "{} {}", ended.output, ended.errors);
}
