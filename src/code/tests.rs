//! The table is in order, and `docs/protocol.md` holds what it does.

use super::*;

const PROTOCOL: &str = include_str!("../../docs/protocol.md");

/// The lines of a table as the document has them.
fn table(title: &str, entries: &[Entry]) -> String {
    let rows = entries.iter().map(|entry| {
        let Entry { name, number, means, cure, .. } = entry;
        format!("| `{name}` | {number} | {means} | {cure} |\n")
    });
    format!("| code | {title} | means | cure |\n|---|---|---|---|\n{}", rows.collect::<String>())
}

#[test]
fn the_document_lists_every_code_with_its_cure() {
    for (title, entries) in [("status", REFUSALS), ("close code", CLOSES)] {
        let table = table(title, entries);
        assert!(PROTOCOL.contains(&table), "docs/protocol.md should have\n{table}");
    }
}

#[test]
fn a_code_is_there_once_and_its_number_of_the_right_kind() {
    let names: Vec<_> = all().map(|entry| entry.name).collect();
    for (at, name) in names.iter().enumerate() {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        assert!(name.split('-').all(|word| !word.is_empty() && word.bytes().all(is_plain)));
        assert!(!names[..at].contains(name), "{name}");
    }
    assert!(REFUSALS.iter().all(|entry| (400..600).contains(&entry.number)));
    assert!(CLOSES.iter().all(|entry| (1000..5000).contains(&entry.number)));
}

#[test]
fn a_code_finds_its_own_entry() {
    for code in [RefusalCode::NoSuchRoute, RefusalCode::Draining] {
        assert_eq!((code.entry().name, code.entry().number), (code.name(), code.number()));
    }
    for code in [CloseCode::GoingAway, CloseCode::DrainCut] {
        assert_eq!((code.entry().name, code.entry().number), (code.name(), code.number()));
    }
}

#[test]
fn what_is_said_of_a_code_goes_into_lists_and_sentences() {
    for Entry { name, means, cause, cure, .. } in all() {
        for words in [means, cause, cure] {
            let fits = !words.is_empty() && !words.contains(['|', '\n']) && !words.ends_with('.');
            assert!(fits, "{name}: {words}");
        }
    }
}
