//! What the project depends on, against `.deny.toml`: licences, bans and sources.
//!
//! cargo-deny does the same and more, but takes longer to build than all tests together.

use std::process::Command;

/// One crate of the tree.
struct Package<'a> {
    name: &'a str,
    licence: &'a str,
}

/// The packages that are built on this machine for us or for our tests.
pub(crate) fn tree() -> String {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let arguments = "tree --workspace --all-features --locked --offline --no-dedupe --prefix none";
    let tree = Command::new(env!("CARGO"))
        .args(arguments.split(' '))
        .args(["--edges", "normal,build,dev", "--format", "{p}|{l}", "--target", &target])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs, since it runs this test");
    assert!(tree.status.success(), "cargo tree: {}", String::from_utf8_lossy(&tree.stderr));
    String::from_utf8(tree.stdout).expect("cargo prints UTF-8")
}

/// Licences and names in the output of `cargo tree`.
pub(crate) fn packages(tree: &str, policy: &str) -> Vec<String> {
    let (allowed, banned) = (list(policy, "allow"), list(policy, "deny"));
    // a package that is its own dependency, for its tests, is marked the second time
    let lines = tree.lines().map(|line| line.trim_end_matches(" (*)"));
    let mut packages: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    packages.sort_unstable();
    packages.dedup();
    let mut findings = vec![];
    for line in &packages {
        let Some((id, licence)) = line.rsplit_once('|') else {
            findings.push(format!("cargo tree: not a package: {line}"));
            continue;
        };
        let package = Package { name: id.split(' ').next().unwrap_or(id), licence };
        if !is_allowed(package.licence, &allowed) {
            findings.push(format!("{id}: licence '{licence}' is not in .deny.toml: {allowed:?}"));
        }
        if banned.contains(&package.name) {
            findings.push(format!("{id}: banned by .deny.toml"));
        }
    }
    let unused = allowed.iter().filter(|id| !packages.iter().any(|line| line.contains(*id)));
    findings.extend(unused.map(|id| format!(".deny.toml: no package needs licence {id}")));
    if packages.len() < 10 {
        findings.push(format!("cargo tree: only {} packages", packages.len()));
    }
    findings
}

/// Where the packages of all platforms come from, as `Cargo.lock` says.
pub(crate) fn sources(lock: &str, policy: &str) -> Vec<String> {
    let allowed = list(policy, "allow-registry");
    let mut findings = vec![];
    for (number, line) in lock.lines().enumerate() {
        let Some(source) = line.strip_prefix("source = ") else { continue };
        let registry = source.trim_matches('"').strip_prefix("registry+");
        if !registry.is_some_and(|registry| allowed.contains(&registry)) {
            findings.push(format!("Cargo.lock:{}: {source} is not in .deny.toml", number + 1));
        }
    }
    findings
}

/// The texts of a list in `.deny.toml`; in a list of tables, those of `crate`.
fn list<'a>(policy: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!("\n{name} = [");
    let at = policy.find(&start).expect("the list is in .deny.toml") + start.len();
    let items = &policy[at..at + policy[at..].find(']').expect("the list ends")];
    let texts = items.lines().flat_map(|line| {
        let is_table = line.trim_start().starts_with('{');
        line.split('"').skip(1).step_by(2).take(if is_table { 1 } else { usize::MAX })
    });
    texts.collect()
}

/// Whether an SPDX expression can be met by what is allowed; `AND` binds tighter than `OR`, and
/// `/` is how old crates write `OR`.
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let is_met = any(&mut words, allowed);
    is_met && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let mut is_met = all(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        is_met |= all(words, allowed);
    }
    is_met
}

fn all(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let mut is_met = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        is_met &= one(words, allowed);
    }
    is_met
}

fn one(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let is_met = any(words, allowed);
        return words.next_if_eq(&")").is_some() && is_met;
    }
    let Some(id) = words.next() else { return false };
    let with = words.next_if_eq(&"WITH").and_then(|_| words.next());
    let id = with.map_or_else(|| id.to_owned(), |exception| format!("{id} WITH {exception}"));
    allowed.contains(&id.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "x\nallow = [\n  \"MIT\",\n  \"Unicode-3.0\",\n]\ndeny = [\n  \
        { crate = \"openssl\", reason = \"x\" },\n]\nallow-registry = [\"https://a\"]\n";

    #[test]
    fn licences_are_read_as_spdx_writes_them() {
        let allowed = list(POLICY, "allow");
        for fine in ["MIT", "MIT OR X", "X/MIT", "(X OR MIT) AND Unicode-3.0", "X AND Y OR MIT"] {
            assert!(is_allowed(fine, &allowed), "{fine}");
        }
        for wrong in ["", "X", "MIT AND X", "MIT WITH X", "(MIT", "MIT) ", "MIT X", "AND"] {
            assert!(!is_allowed(wrong, &allowed), "{wrong}");
        }
    }

    #[test]
    fn a_wrong_package_is_found() {
        let ten: Vec<_> =
            (0..10).map(|number| format!("p{number} v1|MIT AND Unicode-3.0")).collect();
        let fine = ten.join("\n");
        assert_eq!(packages(&fine, POLICY), [""; 0]);
        assert_eq!(packages(&format!("{fine}\np0 v1|MIT AND Unicode-3.0 (*)"), POLICY), [""; 0]);
        assert_eq!(packages(&format!("{fine}\na v1|GPL-3.0-only"), POLICY).len(), 1);
        assert_eq!(packages(&format!("{fine}\na v1|"), POLICY).len(), 1);
        assert_eq!(packages(&format!("{fine}\nopenssl v1|MIT"), POLICY).len(), 1);
        assert_eq!(packages(&fine.replace(" AND Unicode-3.0", ""), POLICY).len(), 1);
        assert_eq!(packages("", POLICY).len(), 3);
    }

    #[test]
    fn a_wrong_source_is_found() {
        assert_eq!(sources("source = \"registry+https://a\"\n", POLICY), [""; 0]);
        for wrong in ["registry+https://b", "git+https://a"] {
            assert_eq!(sources(&format!("x\nsource = \"{wrong}\"\n"), POLICY).len(), 1, "{wrong}");
        }
    }
}
