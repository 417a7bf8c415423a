//! Lengths, first lines, leftovers, and what stands where.

use crate::source::Source;

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
/// A test may hold a table of cases.
const TEST_LINES_MAX: usize = 100;
const LINE_CHARACTERS_MAX: usize = 100;
/// What a visitor sees. Names with a dot are the workshop's.
const TOP: [&str; 8] =
    ["Cargo.lock", "Cargo.toml", "README.md", "benches", "docs", "loadtest", "src", "tests"];
/// Written in two parts, so that this file does not hold them.
const LEFTOVERS: [&str; 7] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("todo", "!"),
    concat!("unimplemented", "!"),
    concat!("#[ig", "nore"),
    concat!("db", "g!("),
];
/// Of the machine that somebody worked on.
const MACHINE: [&str; 2] = [concat!("/wo", "rk/"), concat!("/tmp", "/h/")];
/// Hosts that packages come from: which one is the reader's choice.
const REGISTRIES: [&str; 4] = ["debian.", "pypi.", "npmjs.", "crates."];

/// Sizes, and the sentence that opens a file.
pub(crate) fn lengths(source: &Source) -> Vec<String> {
    if !source.is_rust() {
        return vec![];
    }
    let mut findings = vec![];
    let lines = source.text.lines().count();
    if lines > FILE_LINES_MAX {
        findings.push(source.at(0, &format!("{lines} lines, more than {FILE_LINES_MAX}")));
    }
    if !source.text.starts_with("//! ") {
        findings.push(source.at(0, "does not open with a //! that says what it is"));
    }
    for (number, line) in source.text.lines().enumerate() {
        let characters = line.chars().count();
        if characters > LINE_CHARACTERS_MAX {
            let (path, number) = (&source.path, number + 1);
            findings.push(format!("{path}:{number}: {characters} characters in a line"));
        }
    }
    for (at, lines) in functions(&source.code) {
        let is_product = source.product[at..].starts_with("fn");
        let most = if is_product { FUNCTION_LINES_MAX } else { TEST_LINES_MAX };
        if lines > most {
            findings.push(source.at(at, &format!("function of {lines} lines, more than {most}")));
        }
    }
    findings
}

/// Where each function with a body starts, and its lines.
fn functions(code: &str) -> impl Iterator<Item = (usize, usize)> {
    crate::source::words(code, "fn").filter_map(|at| {
        let (mut depth, mut has_body) = (0_usize, false);
        for (end, character) in code[at..].char_indices() {
            match character {
                '(' | '[' | '{' => {
                    has_body |= character == '{' && depth == 0;
                    depth += 1;
                }
                // a declaration, or a pointer type in something else
                ')' | ']' | '}' | ';' if depth == 0 => return None,
                ')' | ']' | '}' => depth -= 1,
                _ => {}
            }
            if has_body && depth == 0 {
                return Some((at, code[at..=at + end].lines().count()));
            }
        }
        None
    })
}

/// What somebody meant to come back to, and where they worked.
pub(crate) fn leftovers(source: &Source) -> Vec<String> {
    let mut findings = vec![];
    for word in LEFTOVERS.into_iter().chain(MACHINE) {
        let places = source.text.match_indices(word);
        findings.extend(places.map(|(at, _)| source.at(at, &format!("{word} is left over"))));
    }
    if source.path.to_lowercase().ends_with(".lock") {
        return findings;
    }
    for (at, _) in source.text.match_indices("//") {
        let host = source.text[at + 2..].split(['/', ' ', '\n', '"', ')']).next().unwrap_or("");
        if REGISTRIES.iter().any(|registry| host.contains(registry)) {
            findings.push(source.at(at, &format!("{host} is the host of a registry")));
        }
    }
    findings
}

/// The visible top level.
pub(crate) fn top_level(paths: &[&str]) -> Vec<String> {
    let tops = || paths.iter().filter_map(|path| path.split('/').next());
    let mut findings: Vec<_> = tops()
        .filter(|top| !top.starts_with('.') && !TOP.contains(top))
        .map(|top| format!("{top}: not one of {TOP:?}"))
        .collect();
    findings.dedup();
    let missing = TOP.into_iter().filter(|wanted| tops().all(|top| top != *wanted));
    findings.extend(missing.map(|wanted| format!("{wanted}: missing at the top level")));
    findings
}

/// A bench is named after the file that it measures, and cargo knows it.
pub(crate) fn benches(paths: &[&str], manifest: &str) -> Vec<String> {
    let entry = |name: &str| format!("[[bench]]\nname = \"{name}\"\nharness = false\n");
    namesakes(paths, "benches/", manifest, entry)
}

/// A fuzz target is named after the file that it feeds, cargo knows it and runs it as no test.
pub(crate) fn fuzz_targets(paths: &[&str], manifest: &str) -> Vec<String> {
    let entry =
        |name: &str| format!("[[bin]]\nname = \"{name}\"\npath = \"{name}.rs\"\ntest = false\n");
    let targets: Vec<_> =
        paths.iter().copied().filter(|path| *path != "tests/fuzz/lib.rs").collect();
    namesakes(&targets, "tests/fuzz/", manifest, entry)
}

/// Each file in the folder has the name of a source file, and its entry in the manifest.
fn namesakes(
    paths: &[&str],
    folder: &str,
    manifest: &str,
    entry: impl Fn(&str) -> String,
) -> Vec<String> {
    let mut findings = vec![];
    for path in paths {
        let Some(name) = path.strip_prefix(folder).and_then(|path| path.strip_suffix(".rs")) else {
            continue;
        };
        // a program of its own
        if name.contains('/') {
            continue;
        }
        let meant = [format!("/{name}.rs"), format!("/{name}/mod.rs")];
        let is_meant = |path: &&str| meant.iter().any(|end| path.ends_with(end));
        if !paths.iter().filter(|path| path.starts_with("src/")).any(is_meant) {
            findings.push(format!("{path}: there is no source file {name}"));
        }
        let entry = entry(name);
        if !manifest.contains(&entry) {
            findings
                .push(format!("{path}: its Cargo.toml does not say: {}", entry.replace('\n', " ")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_things_and_a_silent_file_are_found() {
        let file = "//! X.\n".to_owned() + &"\n".repeat(FILE_LINES_MAX);
        assert_eq!(lengths(&Source::new("src/x.rs", &file)).len(), 1);
        let body = "    let a = [0; 4];\n".repeat(FUNCTION_LINES_MAX);
        let function = format!("//! X.\n\nfn f(a: [u8; 4]) {{\n{body}}}\n");
        let found = lengths(&Source::new("src/x.rs", &function));
        assert_eq!(found, ["src/x.rs:3: function of 72 lines, more than 70"]);
        let line = format!("//! {}\n", "é".repeat(LINE_CHARACTERS_MAX));
        assert_eq!(lengths(&Source::new("src/x.rs", &line)).len(), 1);
        assert_eq!(lengths(&Source::new("src/x.rs", "use x;\n")).len(), 1);
    }

    #[test]
    fn a_function_ends_where_its_body_does() {
        let code = "trait T { fn a(&self); fn b() {\n} }\nstruct S(fn(u8));\nfn c() {\n\n}";
        let lines: Vec<_> = functions(code).map(|(_, lines)| lines).collect();
        assert_eq!(lines, [2, 3]);
    }

    #[test]
    fn leftovers_are_found_in_any_file() {
        for word in LEFTOVERS.into_iter().chain(MACHINE) {
            assert_eq!(leftovers(&Source::new("docs/x.md", word)).len(), 1, "{word}");
        }
        let host = concat!("https:/", "/deb.debian", ".org/x");
        assert_eq!(leftovers(&Source::new("tests/run", host)).len(), 1);
        assert_eq!(
            leftovers(&Source::new("README.md", "https://example.org/debian.html")).len(),
            0
        );
    }

    #[test]
    fn the_top_level_is_exact() {
        let fine = ["Cargo.lock", "Cargo.toml", "README.md", ".ci/run"];
        let more = ["benches/a.rs", "docs/a.md", "loadtest/a", "src/a.rs", "tests/run"];
        let all = [&fine[..], &more].concat();
        assert_eq!(top_level(&all), [""; 0]);
        assert_eq!(top_level(&[&all[..], &["notes.md"]].concat()).len(), 1);
        assert_eq!(top_level(&fine).len(), 5);
    }

    #[test]
    fn a_bench_of_nothing_is_found() {
        let manifest = "[[bench]]\nname = \"frame\"\nharness = false\n";
        let paths = ["benches/frame.rs", "src/frame/mod.rs", "benches/guard/src/main.rs"];
        assert_eq!(benches(&paths, manifest), [""; 0]);
        assert_eq!(benches(&paths, "").len(), 1);
        assert_eq!(benches(&paths[..1], manifest).len(), 1);
    }

    #[test]
    fn a_fuzz_target_of_nothing_is_found() {
        let manifest = "[[bin]]\nname = \"topic\"\npath = \"topic.rs\"\ntest = false\n";
        let paths = ["src/broker/topic.rs", "tests/fuzz/topic.rs", "tests/fuzz/lib.rs"];
        assert_eq!(fuzz_targets(&paths, manifest), [""; 0]);
        assert_eq!(fuzz_targets(&paths, "").len(), 1);
        assert_eq!(fuzz_targets(&paths[1..], manifest).len(), 1);
    }
}
