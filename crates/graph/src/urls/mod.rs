//! The URLs in the text of a message, as they are compared with those that an analyst looks for: normalised, and
//! without the address of a service that checks links (Safe Links, URL Defense).
//!
//! These are pure functions on bounded text. An address is read as a browser reads it (WHATWG URL Standard), because a
//! browser is what follows it.

mod entities;
mod find;
mod html;
mod wrapped;

use serde::Serialize;
use url::Url;

pub use find::in_text;
pub use html::in_html;

/// No more text is read.
const MOST_TEXT: usize = 4 << 20;
/// A longer URL is not recognised as one.
const MOST_URL: usize = 8 << 10;
/// No more different URLs of one text are kept.
const MOST_URLS: usize = 1_000;
/// No more texts that look like a URL are read.
const MOST_CANDIDATES: usize = 10_000;
/// Services that check links wrap each other's addresses; no more are taken off.
const MOST_WRAPPINGS: usize = 5;

/// The URLs of a text, each once, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FoundUrls {
    /// Normalised, and without wrapping.
    pub urls: Vec<String>,
    /// Whether the whole text was read and all of its URLs are listed.
    #[serde(rename = "urls_complete")]
    pub complete: bool,
    /// How many texts may still be read as a URL: each costs time, whether it is a new one or not.
    #[serde(skip)]
    pub(crate) left: usize,
}

impl Default for FoundUrls {
    fn default() -> Self {
        Self { urls: Vec::new(), complete: true, left: MOST_CANDIDATES }
    }
}

impl FoundUrls {
    /// Adds the URLs of another text, as far as they fit into what is `left` of a number of bytes.
    pub(crate) fn add_within(&mut self, other: Self, left: &mut usize) {
        self.complete &= other.complete;
        for url in other.urls {
            match left.checked_sub(url.len()) {
                Some(rest) => {
                    *left = rest;
                    self.insert(url);
                }
                None => self.complete = false,
            }
        }
    }

    /// Adds the URL that `text` is, if it is one.
    fn take(&mut self, text: &str) {
        if text.len() > MOST_URL || self.left == 0 {
            self.complete = false;
            return;
        }
        self.left -= 1;
        if let Some(url) = canonical(text) {
            self.insert(url);
        }
    }

    fn insert(&mut self, url: String) {
        if self.urls.contains(&url) {
        } else if self.urls.len() < MOST_URLS {
            self.urls.push(url);
        } else {
            self.complete = false;
        }
    }
}

/// Returns a URL in the form in which URLs are compared: scheme and host in lower case, without the scheme's own port
/// and without wrapping; percent-encoding stays. Returns `None` for text that is not a URL with a host. A text without
/// a scheme is read as a browser's address line reads it.
pub fn canonical(text: &str) -> Option<String> {
    let mut url = parsed(text)?;
    for _ in 0..MOST_WRAPPINGS {
        match wrapped::target(&url).and_then(|target| parsed(&target)) {
            Some(target) => url = target,
            None => break,
        }
    }
    Some(url.into())
}

fn parsed(text: &str) -> Option<Url> {
    let text = text.trim();
    if text.len() > MOST_URL {
        return None;
    }
    let url = match text.strip_prefix("//") {
        Some(rest) => Url::parse(&format!("https://{rest}")),
        None if text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("www.")) => {
            Url::parse(&format!("http://{text}"))
        }
        None => Url::parse(text),
    };
    url.ok().filter(|url| url.host_str().is_some_and(|host| !host.is_empty()))
}

/// Returns at most `most` bytes of `text`, and whether that is all of it.
fn cut(text: &str, most: usize) -> (&str, bool) {
    (net::untrusted::text::beginning(text, most), text.len() <= most)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn canonical_url_has_one_form() {
        for (given, expected) in [
            ("HTTPS://EVIL.Example:443/A%2fB?q=%41#f", "https://evil.example/A%2fB?q=%41#f"),
            ("http://evil.example:80", "http://evil.example/"),
            ("http://evil.example:8080/x", "http://evil.example:8080/x"),
            (" //cdn.evil.example/x ", "https://cdn.evil.example/x"),
            ("www.evil.example/a", "http://www.evil.example/a"),
            ("http:\\\\evil.example\\x", "http://evil.example/x"),
            ("https://bücher.example/", "https://xn--bcher-kva.example/"),
            ("file://host.example/share", "file://host.example/share"),
        ] {
            assert_eq!(canonical(given).as_deref(), Some(expected), "{given}");
        }
        for none in
            ["", "mailto:a@b.example", "javascript:alert(1)", "cid:logo", "data:text/html,x", "/a", "#"]
        {
            assert_eq!(canonical(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn canonical_form_is_stable(text in "(?i)(https?|ftp)://[a-z0-9.-]{1,20}(:[0-9]{1,4})?(/[ -~]{0,30})?") {
            if let Some(once) = canonical(&text) {
                prop_assert_eq!(canonical(&once), Some(once.clone()));
            }
        }

        #[test]
        fn any_text_is_read(text in "(?s).{0,300}") {
            for found in [in_html(&text), in_text(&text)] {
                prop_assert!(found.urls.iter().all(|url| Url::parse(url).is_ok()));
            }
        }

        #[test]
        fn url_in_html_is_found_however_it_is_written(
            path in "[a-zA-Z0-9/=?&;'-]{0,20}",
            attribute in "(href|HREF|Src|action)",
            before in "[a-z>=\"' \n!-]{0,20}",
        ) {
            let url = format!("https://evil.example/{path}");
            let expected = canonical(&url).unwrap();
            let encoded: Vec<_> = url.chars().map(|c| format!("&#x{:x};", u32::from(c))).collect();
            let encoded = encoded.concat();
            let quoted = url.replace('&', "&amp;").replace('\'', "&#39;").replace('"', "&quot;");
            for written in [format!("'{quoted}'"), format!("\"{encoded}\"")] {
                let html = format!("{before}\">'><!--[if mso]><a {attribute} = {written} >x</a>");
                let found = in_html(&html);
                prop_assert!(found.urls.contains(&expected), "{html} {found:?}");
            }
        }
    }
}
