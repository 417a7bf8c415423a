//! The variables behind the flags, ours and those of the original.

use crate::cli::setting::Setting;

/// Reads one variable.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The variables that stand for a flag, strongest first.
pub(super) fn variables(flag: &str) -> Vec<String> {
    let ours = format!("MERCURY_{}", flag.to_ascii_uppercase().replace('-', "_"));
    let theirs: &[&str] = match flag {
        "listen" => &["MOJO_LISTEN"],
        "mode" => &["MOJO_MODE", "PLACK_ENV"],
        "proxy" => &["MOJO_REVERSE_PROXY"],
        "max-message" => &["MOJO_MAX_WEBSOCKET_SIZE"],
        "max-body" => &["MOJO_MAX_MESSAGE_SIZE"],
        "log-level" => &["MOJO_LOG_LEVEL"],
        _ => &[],
    };
    std::iter::once(ours).chain(theirs.iter().map(|&name| name.to_owned())).collect()
}

/// The flag's value from the strongest variable that has one; an empty one has none.
pub(super) fn setting(environment: Environment<'_>, flag: &str) -> Option<Setting> {
    variables(flag).into_iter().find_map(|source| {
        let text = environment(&source).filter(|text| !text.is_empty())?;
        translate(&source, text).map(|text| Setting { source, text })
    })
}

/// What the original's values mean in our words; `None` is its default.
fn translate(variable: &str, text: String) -> Option<String> {
    let word = match (variable, text.as_str()) {
        // Any mode is allowed there, and only one shows more than a stranger should see.
        ("MOJO_MODE" | "PLACK_ENV", "development") => "development",
        ("MOJO_MODE" | "PLACK_ENV", _) => "production",
        ("MOJO_LOG_LEVEL", "fatal") => "error",
        // Truth in Perl.
        ("MOJO_REVERSE_PROXY", "0") => "0",
        ("MOJO_REVERSE_PROXY", _) => "1",
        // `$ENV{MOJO_MAX_WEBSOCKET_SIZE} || 262144`
        ("MOJO_MAX_WEBSOCKET_SIZE", "0") => return None,
        _ => return Some(text),
    };
    Some(word.to_owned())
}
