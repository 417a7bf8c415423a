//! What HTML and SVG ask of a text.

/// `text` where markup is read, in an attribute too.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // a control character is no character of a document
            control if control.is_control() && control != '\n' => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

/// A drawing with classes in place of colours, and without what the page's style says better.
pub(super) fn classed(drawing: &str, classes: Vec<(String, String)>) -> String {
    let mut drawing =
        drawing.replace(" opacity=\"1\"", "").replace(" font-family=\"sans-serif\"", "");
    for (colour, class) in classes {
        for kind in ["fill", "stroke"] {
            let from = format!(" {kind}=\"{colour}\"");
            drawing = drawing.replace(&from, &format!(" class=\"{kind} {class}\""));
        }
    }
    drawing
}

/// The elements that markup opens and does not close, outermost first; the error is where it
/// closes what is not open, or an element that has no end.
#[cfg(test)]
pub(super) fn unclosed(markup: &str) -> Result<Vec<String>, String> {
    let mut open: Vec<String> = vec![];
    let mut rest = markup;
    while let Some((_, tag)) = rest.split_once('<') {
        let (tag, behind) = tag.split_once('>').ok_or_else(|| format!("no end: {tag}"))?;
        rest = behind;
        if tag.matches('"').count() % 2 == 1 || tag.contains('<') {
            return Err(format!("not a tag: {tag}"));
        }
        let name = |tag: &str| tag.split_whitespace().next().unwrap_or_default().to_owned();
        if let Some(closed) = tag.strip_prefix('/') {
            let last = open.pop();
            if last.as_deref() != Some(closed) {
                return Err(format!("</{closed}> closes {last:?}"));
            }
        } else if !tag.ends_with('/') && !tag.starts_with('!') && !tag.starts_with("meta") {
            open.push(name(tag));
        }
    }
    Ok(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_markup_any_more() {
        assert_eq!(escaped("<a b='c'>\"&\u{7}"), "&lt;a b=&#39;c&#39;&gt;&quot;&amp;\u{fffd}");
        assert_eq!(escaped("µ, 3 %\n"), "µ, 3 %\n");
    }

    #[test]
    fn what_is_not_closed_is_found() {
        assert_eq!(unclosed("<!doctype html><a x=\"1\"><b/>text</a>"), Ok(vec![]));
        assert_eq!(unclosed("<a><b></b>"), Ok(vec!["a".to_owned()]));
        assert!(unclosed("<a></b>").is_err());
        assert!(unclosed("<a x=\"></a>").is_err());
        assert!(unclosed("<a").is_err());
    }
}
