//! Runs side by side, from the files that they left.

use std::fs;
use std::path::{Path, PathBuf};

use crate::program::{Ended, run};

/// A new folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("comparing").join(name);
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Leaves a run of `words` behind as `file`.
fn keep(words: &str, file: &Path) {
    let ended = run(&format!("{words} --json {}", file.display()));
    assert_eq!(ended.status, Some(0), "{words}: {}", ended.errors);
}

fn compare(words: &[&Path]) -> Ended {
    let words: Vec<String> = words.iter().map(|word| word.display().to_string()).collect();
    run(&format!("compare {}", words.join(" ")))
}

#[test]
fn two_runs_side_by_side() {
    let folder = folder("two");
    let [one, other, page] = ["one.json", "other.json", "page.html"].map(|name| folder.join(name));
    keep("fanout --subscribers 3 --messages 60", &one);
    keep("fanout --subscribers 6 --messages 60 --window 4", &other);
    let ended = compare(&[&one, &other, Path::new("--report"), &page]);
    assert_eq!(ended.status, Some(0), "{}", ended.errors);
    let lines: Vec<&str> = ended.output.lines().collect();
    assert_eq!(
        lines[..2],
        ["differs: --subscribers 3 (one), 6 (other)", "differs: --window 1 (one), 4 (other)"]
    );
    let deliveries = lines.iter().find(|line| line.contains(" deliveries ")).unwrap();
    let deliveries: Vec<&str> = deliveries.split_whitespace().collect();
    assert_eq!(deliveries, ["deliveries", "180", "360", "2.00"]);

    let page = fs::read_to_string(page).unwrap();
    let xml = page.strip_prefix("<!doctype html>").unwrap();
    let tree = roxmltree::Document::parse(xml).unwrap();
    let drawings = tree.descendants().filter(|node| node.attribute("role") == Some("img"));
    assert!(drawings.count() >= 2, "latency and CPU cost at least: {page}");
    for part in ["differs: --window 1 (one), 4 (other)", "other to one", "<h3>other</h3>"] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn a_folder_is_one_side() {
    let folder = folder("folded");
    let [before, after] = ["before", "after.json"].map(|name| folder.join(name));
    fs::create_dir(&before).unwrap();
    for name in ["1.json", "2.json"] {
        keep("pushpull --messages 50", &before.join(name));
    }
    keep("pushpull --messages 50", &after);
    let ended = compare(&[&before, &after]);
    assert_eq!(ended.status, Some(0), "{}", ended.errors);
    let lines: Vec<&str> = ended.output.lines().collect();
    assert_eq!(lines[0], "before is the median of 2 runs");
    let deliveries = lines.iter().find(|line| line.contains(" deliveries ")).unwrap();
    let deliveries: Vec<&str> = deliveries.split_whitespace().collect();
    assert_eq!(deliveries, ["deliveries", "50", "50", "1.00"]);

    keep("pushpull --messages 60", &before.join("3.json"));
    let ended = compare(&[&before, &after]);
    assert_eq!(ended.status, Some(1), "{}", ended.output);
    let sentence = "3.json: not a repetition of what else is in its folder: differs: \
                    --messages 50 (the first), 60 (this)\n";
    assert!(ended.errors.ends_with(sentence), "{}", ended.errors);
}

#[test]
fn what_is_no_report_is_refused_by_name() {
    let folder = folder("refused");
    let good = folder.join("good.json");
    keep("fanout --subscribers 1 --messages 1", &good);
    let missing = folder.join("missing.json");
    for (name, text, reason) in [
        ("empty.json", "", "not JSON: EOF while parsing a value at line 1 column 0"),
        ("page.json", "<html>", "not JSON: expected value at line 1 column 1"),
        ("other.json", "{}", "not a report that --json wrote: missing field `schema`"),
        ("part.json", r#"{"schema":1}"#, "not a report that --json wrote: missing field `date`"),
        ("newer.json", r#"{"schema":9}"#, "its form has number 9, and this program reads 1"),
    ] {
        let file = folder.join(name);
        fs::write(&file, text).unwrap();
        let ended = compare(&[&good, &file]);
        assert_eq!(ended.status, Some(1), "{name}: {}", ended.output);
        let start = format!("mercury-loadtest: {}: {reason}", file.display());
        assert!(ended.errors.starts_with(&start), "{name}: {}", ended.errors);
        assert_eq!(ended.output, "", "{name}");
    }
    let ended = compare(&[&good, &missing]);
    let start = format!("mercury-loadtest: {}: No such file", missing.display());
    assert!(ended.errors.starts_with(&start), "{}", ended.errors);
    fs::create_dir(folder.join("none")).unwrap();
    let ended = compare(&[&good, &folder.join("none")]);
    assert!(ended.errors.ends_with("none: no .json files in this folder\n"), "{}", ended.errors);
}

#[test]
fn a_run_that_lost_something_is_told() {
    let folder = folder("faulty");
    let [good, bad] = ["good.json", "bad.json"].map(|name| folder.join(name));
    keep("fanout --subscribers 1 --messages 3", &good);
    let text = fs::read_to_string(&good).unwrap();
    let faulty = text.replace(r#""faults":[]"#, r#""faults":["1 deliveries did not come"]"#);
    fs::write(&bad, faulty.replace(r#""ok":true"#, r#""ok":false"#)).unwrap();
    let ended = compare(&[&good, &bad]);
    assert_eq!(ended.status, Some(1));
    let sentence = "mercury-loadtest: bad: 1 deliveries did not come\n";
    assert_eq!(ended.errors, sentence);
}
