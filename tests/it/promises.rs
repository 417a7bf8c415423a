//! Every promise of `docs/operating.md` names a test that shows it, and every such test exists.

use std::fs;
use std::path::{Path, PathBuf};

use crate::readme::{document, rows};

/// The sections of `docs/operating.md` whose tables end with a column of tests.
const SECTIONS: [&str; 3] = ["Limits", "Promises", "Faults"];

/// Where a test may be that cargo calls `lib: http::listener::tests::name` or, of this program,
/// `trouble::links::name`.
fn homes(modules: &str, is_lib: bool) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(if is_lib { "src" } else { "tests/it" });
    // the tests of a file are a module at its end
    let inline = modules.strip_suffix("::tests").filter(|_| is_lib);
    let modules = inline.into_iter().chain([modules]).map(|modules| modules.replace("::", "/"));
    let homes = modules.flat_map(|path| [format!("{path}.rs"), format!("{path}/mod.rs")]);
    homes.map(|path| root.join(path)).collect()
}

/// Whether a source has a test of this name.
fn has_test(source: &str, name: &str) -> bool {
    let head = format!("fn {name}(");
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let is_test = |pair: &[&str]| {
        let attribute = pair[0];
        attribute.starts_with("#[test]") || attribute.starts_with("#[tokio::test")
    };
    lines.windows(2).any(|pair| pair[1].contains(&head) && is_test(pair))
}

/// Whether there is what a cell of a column of tests names: a test, or a program in `tests`.
fn exists(name: &str) -> bool {
    if name.starts_with("tests/") {
        return Path::new(env!("CARGO_MANIFEST_DIR")).join(name).is_file();
    }
    let in_lib = name.strip_prefix("lib: ");
    let Some((modules, test)) = in_lib.unwrap_or(name).rsplit_once("::") else { return false };
    let homes = homes(modules, in_lib.is_some());
    let mut sources = homes.iter().filter_map(|home| fs::read_to_string(home).ok());
    sources.any(|source| has_test(&source, test))
}

#[test]
fn every_promise_has_a_test_that_exists() {
    let operating = document("docs/operating.md");
    for section in SECTIONS {
        let rows = rows(&operating, section);
        assert!(rows.len() > 10, "the table of {section} was not understood: {rows:?}");
        for row in rows {
            for name in row.last().unwrap().split(", ") {
                assert!(exists(name), "there is no test {name}, which shows: {}", row[0]);
            }
        }
    }
}

#[test]
fn a_name_without_a_test_is_noticed() {
    let itself = "promises::a_name_without_a_test_is_noticed";
    assert!(exists(itself));
    // another module, a function that is no test, no module, nothing
    for name in ["pongs::a_name_without_a_test_is_noticed", "promises::exists", "exists", "-", ""] {
        assert!(!exists(name), "{name}");
    }
    assert!(!exists(&format!("lib: {itself}")));
    assert!(!exists(itself.strip_suffix('d').unwrap()));
    assert!(exists("lib: memory::tests::no_size_overflows"));
    assert!(!exists("tests/nothing"));
}
