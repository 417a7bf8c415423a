//! Nothing idle and nothing unsaid: limits, counters and flags.

use crate::source::{Source, in_identifier, words};

fn find<'a>(sources: &'a [Source], path: &str) -> &'a Source {
    let found = sources.iter().find(|source| source.path == path);
    found.unwrap_or_else(|| panic!("{path} is missing; this rule reads it"))
}

/// Every number bounds something. That it fits others is no use.
pub(crate) fn limits(sources: &[Source]) -> Vec<String> {
    let limits = find(sources, "src/limits/mod.rs");
    let mut findings = vec![];
    for (at, _) in limits.product.match_indices("pub const ") {
        let rest = &limits.product[at + "pub const ".len()..];
        let name = &rest[..rest.find(|next| !in_identifier(next)).unwrap_or(0)];
        if name == "fn" || name.is_empty() {
            continue;
        }
        let here = limits.product.lines().any(|line| {
            let is_definition = ["pub const ", "const _"].iter().any(|d| line.starts_with(d));
            !is_definition && words(line, name).next().is_some()
        });
        let mut others = sources.iter().filter(|source| source.is_product());
        let elsewhere = |source: &Source| {
            source.path != limits.path && source.identifiers(name).next().is_some()
        };
        if !here && !others.any(elsewhere) {
            findings.push(limits.at(at, &format!("{name} bounds nothing")));
        }
    }
    findings
}

/// Where counters are chosen by the code of a refusal.
const CODES: &str = "src/code/refusals.rs";

/// Every counter counts: it is added to, or chosen to be.
pub(crate) fn counters(sources: &[Source]) -> Vec<String> {
    let metrics = find(sources, "src/metrics/mod.rs");
    let start = metrics.product.find("\ncounters! {").expect("the list of counters");
    let size = metrics.product[start..].find("\n}").expect("the end of the list");
    let product = |source: &&Source| source.is_product() && source.path != metrics.path;
    let squeezed: String = sources
        .iter()
        .filter(product)
        .flat_map(|source| source.product.chars().filter(|character| !character.is_whitespace()))
        .collect();
    let is_chosen = |name: &str| {
        let mut tables = sources.iter().filter(|source| source.path == CODES);
        tables.any(|table| table.product.contains(&format!("counter: {name},")))
    };
    let mut findings = vec![];
    let mut at = start + 1;
    for line in metrics.product[start + 1..start + size].split_inclusive('\n').skip(1) {
        let name = line.trim().trim_end_matches(',').split(": ").next().unwrap_or_default();
        // by pattern: `pattern.of(&counters.NAME).add(`
        let uses = [".{}.add(", ".{}).add(", "=>&counters.{},"];
        let is_counted = uses.iter().any(|use_| squeezed.contains(&use_.replace("{}", name)))
            || is_counted_by_code(&squeezed, name);
        if !name.is_empty() && !is_counted && !is_chosen(name) {
            let at = metrics.product[at..].find(name).map_or(at, |offset| at + offset);
            findings.push(metrics.at(at, &format!("{name} is never added to")));
        }
        at += line.len();
    }
    findings
}

/// Every flag is explained.
pub(crate) fn flags(sources: &[Source]) -> Vec<String> {
    let tables = || sources.iter().filter(|source| source.path.starts_with("src/cli/settings/"));
    let mut findings = vec![];
    for source in tables() {
        for (at, name) in literals(source).into_iter().filter(|(at, _)| is_setting(source, *at)) {
            let flag = format!("--{name}");
            if !is_documented(sources, &flag) {
                findings.push(source.at(at, &format!("{flag} is not in docs/")));
            }
        }
    }
    if tables().next().is_none() {
        findings.push("src/cli/settings/ is missing; this rule reads it".to_owned());
    }
    findings
}

/// Whether the text at `at` is the name of a setting: the first thing that makes one.
fn is_setting(source: &Source, at: usize) -> bool {
    let before = source.product[..at].trim_end();
    ["Setting::one(", "Setting::many(", "Setting::switch(", "limit!("]
        .iter()
        .any(|maker| before.ends_with(maker))
}

/// The one-line texts of a file's product code, with where they stand.
fn literals(source: &Source) -> Vec<(usize, &str)> {
    let quotes = source.product.match_indices('"').map(|(at, _)| at).collect::<Vec<_>>();
    let inside = |pair: &[usize]| Some((pair[0], &source.text[pair[0] + 1..*pair.get(1)?]));
    quotes.chunks(2).filter_map(inside).collect()
}

/// Whether the word is in a file of `docs/`, whole: `--max-backlog` is not `--max-backlogs`.
fn is_documented(sources: &[Source], word: &str) -> bool {
    let goes_on = |next: char| in_identifier(next) || next == '-';
    sources.iter().filter(|source| source.path.starts_with("docs/")).any(|source| {
        source.text.match_indices(word).any(|(at, _)| {
            !source.text[..at].ends_with(goes_on)
                && !source.text[at + word.len()..].starts_with(goes_on)
        })
    })
}

/// Whether there is a `NAME.of(CODE).add(` in a text without spaces.
fn is_counted_by_code(squeezed: &str, name: &str) -> bool {
    let chosen = format!(".{name}.of(");
    squeezed.match_indices(&chosen).any(|(at, _)| {
        let code = &squeezed[at + chosen.len()..];
        code.split_once(')').is_some_and(|(_, behind)| behind.starts_with(".add("))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(files: &[(&str, &str)]) -> Vec<Source> {
        files.iter().map(|(path, text)| Source::new(path, text)).collect()
    }

    #[test]
    fn a_limit_that_bounds_nothing_is_found() {
        let text = "pub const A_MAX: u8 = 1;\npub const B_MAX: u8 = 1;\nconst _: () = A_MAX;\n";
        let limits = ("src/limits/mod.rs", text);
        let user = ("src/x.rs", "use A_MAX;\n// B_MAX\n");
        assert_eq!(limits_of(&[limits]), 2);
        assert_eq!(limits_of(&[limits, user]), 1);
        assert_eq!(limits_of(&[limits, user, ("src/y.rs", "B_MAXIMUM; B_MAX")]), 0);
        assert_eq!(limits_of(&[limits, user, ("tests/y.rs", "B_MAX")]), 1);
    }

    fn limits_of(files: &[(&str, &str)]) -> usize {
        limits(&sources(files)).len()
    }

    #[test]
    fn a_counter_that_never_counts_is_found() {
        let metrics =
            ("src/metrics/mod.rs", "\ncounters! {\n    /// A.\n    first,\n    other,\n}\n");
        let both = "c.first\n    .add(1); match x { _ => &counters.other, }";
        assert_eq!(counters(&sources(&[metrics, ("src/x.rs", both)])), [""; 0]);
        let read = "c.first.add(1); sum(|counters| &counters.other);";
        let found = counters(&sources(&[metrics, ("src/x.rs", read)]));
        assert_eq!(found, ["src/metrics/mod.rs:5: other is never added to"]);
    }

    #[test]
    fn a_counter_with_parts_that_never_counts_is_found() {
        let list = "\ncounters! {\n    /// A.\n    first: ByPattern,\n    other: ByCode,\n}\n";
        let metrics = ("src/metrics/mod.rs", list);
        let both = "pattern\n.of(&c.first)\n.add(1); c.other.of(code as usize).add(1);";
        assert_eq!(counters(&sources(&[metrics, ("src/x.rs", both)])), [""; 0]);
        let read = "pattern.of(&c.first).value(); c.other.of(code).value(); c.others.of(1).add(1)";
        assert_eq!(counters(&sources(&[metrics, ("src/x.rs", read)])).len(), 2);
    }

    #[test]
    fn a_counter_of_a_refusal_counts_and_that_of_a_close_must_be_added_to() {
        let metrics = ("src/metrics/mod.rs", "\ncounters! {\n    first,\n}\n");
        let entry = "counter: first,";
        assert_eq!(counters(&sources(&[metrics, (CODES, entry)])), [""; 0]);
        let found = counters(&sources(&[metrics, ("src/code/closes.rs", entry)]));
        assert_eq!(found, ["src/metrics/mod.rs:3: first is never added to"]);
    }

    #[test]
    fn a_flag_without_words_is_found() {
        let flag = "Setting::one(\n    \"max-backlog\",\n    \"SIZE\");";
        let files = [("src/cli/settings/limits.rs", flag)];
        let silent = sources(&files);
        assert_eq!(flags(&silent), ["src/cli/settings/limits.rs:2: --max-backlog is not in docs/"]);
        let similar = sources(&[files[0], ("docs/x.md", "`--max-backlogs`")]);
        assert_eq!(flags(&similar).len(), 1);
        let said = sources(&[files[0], ("docs/x.md", "`--max-backlog`: words")]);
        assert_eq!(flags(&said).len(), 0);
    }
}
