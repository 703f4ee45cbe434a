//! A text in which `*` stands for any text.

use std::fmt;

/// A text in which `*` stands for any text, also for none. Case does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wildcard(String);

impl Wildcard {
    /// Takes a text as an analyst writes it.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether it stands for the whole of `text`.
    pub fn matches(&self, text: &str) -> bool {
        let (own, text) = (self.0.to_lowercase(), text.to_lowercase());
        let mut parts = own.split('*');
        let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            match rest.split_once(part) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

impl fmt::Display for Wildcard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_stands_for_any_text() {
        for (pattern, matching, other) in [
            ("invoice.pdf", "INVOICE.PDF", "invoice.pdf.exe"),
            ("*.pdf", ".pdf", "a.pdf.exe"),
            ("in*e*.p*f", "invoice-e.pdf", "in.pdf"),
            ("a*a", "aa", "a"),
            ("*", "", "\u{0}x"),
        ] {
            assert!(Wildcard::new(pattern).matches(matching), "{pattern} {matching}");
            assert_eq!(Wildcard::new(pattern).matches(other), pattern == "*", "{pattern} {other}");
        }
        assert!(Wildcard::new("100%.[x]?").matches("100%.[X]?"), "no other character is special");
    }
}
