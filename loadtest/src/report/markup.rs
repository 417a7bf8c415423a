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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_markup_any_more() {
        assert_eq!(escaped("<a b='c'>\"&\u{7}"), "&lt;a b=&#39;c&#39;&gt;&quot;&amp;\u{fffd}");
        assert_eq!(escaped("µ, 3 %\n"), "µ, 3 %\n");
    }
}
