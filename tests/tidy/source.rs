//! The project's files as the rules see them: Rust without comments, texts and tests.

use std::path::Path;
use std::process::Command;

/// One text file of the project.
pub(crate) struct Source {
    /// From the top of the project, with `/`.
    pub(crate) path: String,
    /// As it stands there.
    pub(crate) text: String,
    /// Rust only: the same lines, comments and the insides of texts blanked.
    pub(crate) code: String,
    /// Rust only: `code` with the tests blanked too.
    pub(crate) product: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let is_rust = path.to_lowercase().ends_with(".rs");
        let code = if is_rust { blank(text) } else { String::new() };
        let is_test = path.contains("tests/") || path.ends_with("/tests.rs");
        let product = if is_test { spaces(&code) } else { without_tests(&code) };
        Self { path: path.to_owned(), text: text.to_owned(), code, product }
    }

    /// Whether it is Rust.
    pub(crate) fn is_rust(&self) -> bool {
        !self.code.is_empty()
    }

    /// Whether it is Rust of the broker itself.
    pub(crate) fn is_product(&self) -> bool {
        self.path.starts_with("src/")
    }

    /// A finding at a byte of this file.
    pub(crate) fn at(&self, byte: usize, finding: &str) -> String {
        let line = self.text[..byte].matches('\n').count() + 1;
        format!("{}:{line}: {finding}", self.path)
    }

    /// Where this identifier stands in code that ships.
    pub(crate) fn identifiers<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        words(&self.product, word)
    }
}

/// Where `word` stands in `text` with nothing before or behind it that an identifier may hold.
pub(crate) fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = text[..*at].chars().next_back();
        let behind = text[at + word.len()..].chars().next();
        !before.is_some_and(in_identifier) && !behind.is_some_and(in_identifier)
    })
}

/// Whether an identifier may hold this character.
pub(crate) fn in_identifier(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Every text file that git knows, or that stands in the folder where there is no git.
pub(crate) fn sources() -> Vec<Source> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(top)
        .output();
    let mut paths = match listed {
        Ok(listed) if listed.status.success() && !listed.stdout.is_empty() => {
            let names = String::from_utf8(listed.stdout).expect("paths are UTF-8");
            names.split_terminator('\0').map(str::to_owned).collect()
        }
        _ => walk(top, ""),
    };
    paths.sort();
    let text =
        |path: &String| Some(Source::new(path, &std::fs::read_to_string(top.join(path)).ok()?));
    paths.iter().filter_map(text).collect()
}

fn walk(top: &Path, folder: &str) -> Vec<String> {
    let mut paths = vec![];
    for entry in std::fs::read_dir(top.join(folder)).expect("a folder of the project") {
        let entry = entry.expect("an entry of a folder");
        let path = format!("{folder}{}", entry.file_name().to_str().expect("paths are UTF-8"));
        if !entry.path().is_dir() {
            paths.push(path);
        } else if !["target", ".git", ".cache"].contains(&path.as_str()) {
            paths.extend(walk(top, &format!("{path}/")));
        }
    }
    paths
}

/// Blanks comments and the insides of texts; every other byte stays where it is.
pub(crate) fn blank(text: &str) -> String {
    let mut blanked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after_word = blanked.chars().next_back().is_some_and(in_identifier);
        let (size, keep) = token(rest, first, after_word);
        let (start, end) = (keep.min(size), size - keep.min(size));
        for (at, character) in rest[..size].char_indices() {
            if at < start || at >= end.max(start) || character == '\n' {
                blanked.push(character);
            } else {
                blanked.extend(std::iter::repeat_n(' ', character.len_utf8()));
            }
        }
        rest = &rest[size..];
    }
    blanked
}

/// The size of what `rest` starts with, and how much of it stays at either end.
fn token(rest: &str, first: char, after_word: bool) -> (usize, usize) {
    let raw = rest.trim_start_matches('b').strip_prefix('r').filter(|_| !after_word);
    let hashes = raw.map_or(0, |raw| raw.len() - raw.trim_start_matches('#').len());
    if raw.is_some_and(|raw| raw[hashes..].starts_with('"')) {
        let open = rest.find('"').expect("seen above") + 1;
        let close = format!("\"{}", "#".repeat(hashes));
        let size = rest[open..].find(&close).map_or(rest.len(), |at| open + at + close.len());
        return (size, open.max(1));
    }
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), 0);
    }
    if rest.starts_with("/*") {
        return (rest.find("*/").map_or(rest.len(), |at| at + 2), 0);
    }
    match first {
        '"' => (quoted(rest, '"'), 1),
        '\'' if is_character(rest) => (quoted(rest, '\''), 1),
        other => (other.len_utf8(), other.len_utf8()),
    }
}

/// Whether a quote opens a character, not a lifetime.
fn is_character(rest: &str) -> bool {
    let mut characters = rest.chars().skip(1);
    characters.next() == Some('\\') || characters.next() == Some('\'')
}

/// The size of a quoted text with escapes.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        if !escaped && character == quote {
            return at + 1;
        }
        escaped = !escaped && character == '\\';
    }
    rest.len()
}

/// As long, and on as many lines.
fn spaces(code: &str) -> String {
    code.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}

/// Blanks modules that are built for tests alone.
fn without_tests(code: &str) -> String {
    let mut inside = false;
    let mut previous = "";
    let mut product = String::with_capacity(code.len());
    for line in code.split_inclusive('\n') {
        inside |= previous.trim() == "#[cfg(test)]" && line.trim_end().ends_with('{');
        if inside {
            product.push_str(&spaces(line));
        } else {
            product.push_str(line);
        }
        inside &= line.trim_end() != "}";
        previous = line;
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_texts_are_blanked_and_nothing_else() {
        let text = "let a = \"x // \\\" y\"; // tokio\nlet b = 'c'; fn f<'a>() {}\n/* é\n*/ z";
        let code = blank(text);
        assert_eq!(code.len(), text.len());
        assert!(!code.contains("tokio") && !code.contains(" y") && !code.contains('é'), "{code}");
        assert!(code.contains("\nlet b = ' '; fn f<'a>() {}\n"), "{code}");
        assert!(code.ends_with("\n   z"), "{code}");
    }

    #[test]
    fn raw_texts_are_blanked() {
        let code = blank("let a = r#\"tokio \" \"#; let bar = br\"tokio\"; c");
        assert!(!code.contains("tokio") && code.ends_with("; c"), "{code}");
    }

    #[test]
    fn tests_are_no_product() {
        let text = "fn a() {}\n\n#[cfg(test)]\nmod tests {\n    use b;\n}\nfn c() {}\n";
        let source = Source::new("src/x.rs", text);
        assert!(source.code.contains("use b"));
        assert!(!source.product.contains("use b"));
        assert!(source.product.contains("fn c"));
        assert_eq!(source.product.len(), text.len());
        assert_eq!(Source::new("src/cli/tests.rs", text).product.trim(), "");
    }
}
