//! Makes a configuration file of the original's `mercury.conf`.

use crate::cli::Exit;
use crate::cli::setting::{Value, quoted};
use crate::config::conf::{self, ConfError, Literal, Node};
use crate::config::{Listen, Pattern};

/// The key of the original's that is about the broker.
const BROKER: &str = "broker";

/// The text of a `mercury.toml` that means the same, or where the file is more than can be read.
pub(super) fn import(path: &str, bytes: &[u8]) -> Result<String, Exit> {
    translate(path, bytes).map_err(|error| Exit::start(format_args!("{path}:{error}")))
}

fn translate(path: &str, bytes: &[u8]) -> Result<String, ConfError> {
    let mut lines = vec![format!("# Made from {} by mercury config import.", quoted(path))];
    let root = conf::read(bytes)?;
    for (key, value) in pairs(&root)? {
        if key == BROKER {
            broker(value, &mut lines)?;
        } else {
            lines.push(left_out(key, value));
        }
    }
    Ok(lines.join("\n") + "\n")
}

/// The two keys that the original looks at; it passes over all others.
fn broker(hash: &Node, lines: &mut Vec<String>) -> Result<(), ConfError> {
    for (key, value) in pairs(hash)? {
        let check: fn(&str) -> Result<(), String> = match &**key {
            "listen" => |url| Listen::parse(url).map(drop).map_err(|error| error.to_string()),
            "allow_origin" => {
                |text| Pattern::parse(text).map(drop).map_err(|error| error.to_string())
            }
            _ => {
                lines.push(left_out(key, value));
                continue;
            }
        };
        if is_false(&value.literal) {
            lines.push(format!("# {key} on line {} sets nothing", value.place.line));
            continue;
        }
        let texts = texts(key, value)?;
        for (text, node) in &texts {
            check(text).map_err(|reason| wrong(node, format!("{key}: '{text}' {reason}")))?;
        }
        if key == "listen" && texts.is_empty() {
            return Err(wrong(value, "listen is an empty list"));
        }
        let texts = texts.into_iter().map(|(text, _)| text.clone()).collect();
        lines.push(format!("{key} = {}", Value::List(texts)));
    }
    Ok(())
}

/// The pairs of what must be a hash.
fn pairs(node: &Node) -> Result<&[(String, Node)], ConfError> {
    match &node.literal {
        Literal::Hash(pairs) => Ok(pairs),
        _ => Err(wrong(node, "a hash is expected, { ... }")),
    }
}

/// One text or a list of them.
fn texts<'a>(key: &str, node: &'a Node) -> Result<Vec<(&'a String, &'a Node)>, ConfError> {
    let nodes = match &node.literal {
        Literal::List(nodes) => nodes.iter().collect(),
        _ => vec![node],
    };
    let text = |node: &'a Node| match &node.literal {
        Literal::Text(text) => Ok((text, node)),
        _ => Err(wrong(node, format!("{key}: a text is expected"))),
    };
    nodes.into_iter().map(text).collect()
}

/// What Perl takes for false, so that the original takes its default.
fn is_false(literal: &Literal) -> bool {
    match literal {
        Literal::Undefined => true,
        Literal::Text(text) => text.is_empty() || text == "0",
        _ => false,
    }
}

fn left_out(key: &str, value: &Node) -> String {
    format!("# {} on line {} is nothing that the broker looks at", quoted(key), value.place.line)
}

fn wrong(node: &Node, reason: impl Into<String>) -> ConfError {
    ConfError { place: node.place, reason: reason.into() }
}
