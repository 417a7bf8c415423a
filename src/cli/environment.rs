//! The variables behind the flags, ours and those of the original.

use crate::cli::setting::Setting;

/// Reads one variable.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The variables that stand for a flag, strongest first.
pub(super) fn variables(setting: &Setting) -> Vec<String> {
    let ours = variable(setting.name);
    std::iter::once(ours).chain(setting.theirs.iter().map(|&name| name.to_owned())).collect()
}

/// Our variable for a flag.
pub(super) fn variable(flag: &str) -> String {
    format!("MERCURY_{}", flag.to_ascii_uppercase().replace('-', "_"))
}

/// The strongest variable that has a value, and the value; an empty one is none.
pub(super) fn find(environment: Environment<'_>, setting: &Setting) -> Option<(String, String)> {
    variables(setting).into_iter().find_map(|name| {
        let text = environment(&name).filter(|text| !text.is_empty())?;
        translate(&name, text).map(|text| (name, text))
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
