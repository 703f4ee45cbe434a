//! Texts as people type and paste them: what cannot be seen at their ends, and text areas with a format.

use net::untrusted::text::is_unsafe_to_display;
use serde_json::Value;

/// Whether `c` is white space or cannot be seen. A text of such characters looks empty.
pub(super) fn is_blank(c: char) -> bool {
    // U+2800 and the Hangul fillers are letters and symbols by their category, but their glyphs are empty.
    c.is_whitespace()
        || is_unsafe_to_display(c)
        || is_joiner(c)
        || matches!(c, '\u{2800}' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}')
        || matches!(c, '\u{34f}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{fe00}'..='\u{fe0f}')
}

/// Joiners are invisible, but some scripts and emoji need them within a word.
pub(super) fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Removes white space and invisible characters at both ends.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(is_blank)
}

/// A text for a mail or a meeting, with its format.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::functions) enum RichText {
    /// Markup. A text without a format is markup, too.
    Html(String),
    /// No text.
    #[default]
    Empty,
    /// Text whose line ends and angle brackets the reader must see.
    Plain(String),
}

impl RichText {
    /// Reads the format of a text area, `{"format": "text", "content": "…"}`.
    pub(super) fn new(value: &Value, content: String) -> Self {
        let is_plain = value.get("format").and_then(Value::as_str).is_some_and(|format| {
            let format = format.trim();
            format.eq_ignore_ascii_case("text") || format.eq_ignore_ascii_case("plain")
        });
        if is_plain { Self::Plain(content) } else { Self::Html(content) }
    }

    /// The body of a mail or a meeting at Graph.
    pub(in crate::functions) fn body(&self) -> graph::models::Body<'_> {
        match self {
            Self::Html(html) => graph::models::Body::html(html),
            Self::Empty => graph::models::Body::html(""),
            Self::Plain(text) => graph::models::Body::text(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_invisible_characters_is_blank() {
        for blank in
            ["", " \t\r\n", "\u{3000}", "\u{200b}\u{feff}", "\u{a0}\u{2003}", "\u{200d}", "\u{3164}\u{2800}"]
        {
            assert!(blank.chars().all(is_blank), "{blank:?}");
            assert_eq!(trim(blank), "");
        }
        assert_eq!(trim("\u{feff} Rechnung\u{a0}Nr. 5 \u{200b}"), "Rechnung\u{a0}Nr. 5");
    }
}
