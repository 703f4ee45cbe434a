//! Placeholder.
use url::Url;
/// The URLs in a body.
pub(crate) fn body_urls(text: &str) -> Vec<Url> {
    text.split(|c: char| c.is_whitespace() || "\"'<>".contains(c))
        .filter_map(|word| Url::parse(word).ok())
        .collect()
}
