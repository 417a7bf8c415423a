//! What a run leaves behind: one JSON document and one page.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::{Program, run};

#[test]
fn says_the_same_as_document_and_as_page() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (document, page) = (folder.join("report.json"), folder.join("report.html"));
    let files = format!("--json {} --report {}", document.display(), page.display());
    let ended = run(&format!("fanout --subscribers 3 --window 4 --seconds 1 {files}"));
    assert_eq!(ended.status, Some(0), "{}", ended.errors);

    let document: Value = serde_json::from_str(&fs::read_to_string(document).unwrap()).unwrap();
    assert_eq!(document["schema"], 1, "{document}");
    let report = &document["reports"][0];
    assert_eq!((&report["name"], &report["ok"]), (&"fanout".into(), &true.into()), "{document}");
    let rows = report["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == "connections").unwrap();
    assert_eq!(row["value"].as_f64(), Some(4.0), "{document}");

    let page = fs::read_to_string(page).unwrap();
    let xml = page.strip_prefix("<!doctype html>").unwrap();
    let tree = roxmltree::Document::parse(xml).unwrap();
    let drawings = tree.descendants().filter(|node| node.attribute("role") == Some("img"));
    assert_eq!(drawings.count(), 3, "latency, throughput, CPU: {page}");
    assert!(page.contains("all was delivered once and in order"), "{page}");
    for (part, times) in [("<h1>", 1), ("<table", 1), ("shard-0", 1)] {
        assert!(page.matches(part).count() >= times, "{part}: {page}");
    }
    for foreign in ["<script", "<link", "<img", "url(", "src="] {
        assert!(!page.contains(foreign), "{foreign}: {page}");
    }
}

#[test]
fn standard_output_is_the_document_alone() {
    let ended = run("pushpull --messages 50 --json -");
    assert_eq!(ended.status, Some(0), "{}", ended.errors);
    let document: Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!(document["scenario"], "pushpull");
    assert_eq!(document["parameters"]["size"][0], "128", "what was left out is there, too");
}

#[test]
fn a_report_that_cannot_be_written_is_a_failure() {
    let ended = run("fanout --messages 5 --report /proc/none/report.html");
    assert_eq!(ended.status, Some(1), "{}", ended.output);
    assert!(ended.errors.contains("/proc/none/report.html: "), "{}", ended.errors);
}

#[test]
fn who_stops_reading_has_seen_enough() {
    for words in ["fanout --messages 5", "hostile --floods tiny --rounds 1 --seconds 0.1"] {
        let mut program = Program::start(words);
        program.close_output();
        let ended = program.end();
        assert_eq!(ended.status, Some(0), "{words}: {}", ended.errors);
        assert!(!ended.errors.contains("panicked"), "{words}: {}", ended.errors);
    }
}
