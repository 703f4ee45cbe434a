//! URLs in plain text.

use super::{FoundUrls, MOST_TEXT, MOST_URL, cut};

const BEGINNINGS: [&str; 5] = ["https://", "http://", "ftp://", "file://", "www."];

/// No more URLs within one URL are looked for.
const MOST_INNER: usize = 4;

/// Returns the URLs in plain text.
pub fn in_text(text: &str) -> FoundUrls {
    let (text, is_all) = cut(text, MOST_TEXT);
    let mut found = FoundUrls { complete: is_all, ..FoundUrls::default() };
    scan(text, &mut found);
    found
}

/// Adds the URLs in `text`.
pub(super) fn scan(text: &str, found: &mut FoundUrls) {
    let mut rest = text;
    let mut is_word_start = true;
    while let Some(first) = rest.chars().next().filter(|_| found.left > 0) {
        let beginning = BEGINNINGS.iter().find(|beginning| {
            rest.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning))
        });
        if let Some(beginning) = beginning.filter(|beginning| is_word_start || beginning.ends_with('/')) {
            let url = extent(rest);
            if url.len() > beginning.len() {
                take_with_inner(url, found);
            }
            rest = &rest[url.len().max(beginning.len())..];
            is_word_start = false;
        } else {
            rest = &rest[first.len_utf8()..];
            is_word_start = !first.is_alphanumeric();
        }
    }
    found.complete &= rest.is_empty();
}

/// Adds a URL, and those within it: an address that redirects holds the one that it leads to.
pub(super) fn take_with_inner(url: &str, found: &mut FoundUrls) {
    found.take(url);
    let mut inner = url.match_indices("://").skip(1);
    for (at, _) in inner.by_ref().take(MOST_INNER) {
        let start = url[..at].rfind(|c: char| !c.is_ascii_alphanumeric()).map_or(0, |before| before + 1);
        if url.is_char_boundary(start) && BEGINNINGS.iter().any(|known| url[start..].starts_with(known)) {
            found.take(&url[start..]);
        }
    }
    found.complete &= inner.next().is_none();
}

/// Returns the URL at the beginning of `text`, without the punctuation of the sentence around it.
fn extent(text: &str) -> &str {
    let (text, _) = cut(text, MOST_URL + 1);
    let end =
        text.find(|c: char| c.is_whitespace() || c.is_control() || "<>\"`{}|^".contains(c) || is_quote(c));
    let mut url = &text[..end.unwrap_or(text.len())];
    // How many more of these brackets are closed than opened.
    let surplus = |open, close| url.matches(close).count().saturating_sub(url.matches(open).count());
    let (mut round, mut square) = (surplus('(', ')'), surplus('[', ']'));
    while let Some(last) = url.chars().next_back() {
        match last {
            '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '*' | '_' | '~' => {}
            ')' if round > 0 => round -= 1,
            ']' if square > 0 => square -= 1,
            _ => break,
        }
        url = &url[..url.len() - last.len_utf8()];
    }
    url
}

fn is_quote(c: char) -> bool {
    matches!(c, '\u{2018}'..='\u{201f}' | '«' | '»' | '‹' | '›' | '\u{200b}' | '。' | '，')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_in_text_ends_before_punctuation() {
        let text = "See HTTP://Evil.example/a(b), (https://x.example/y). www.z.example! „ftp://f.example/1“ \
                    awww.no.example hxxp://no.example https:// and <https://last.example>";
        let expected = [
            "http://evil.example/a(b)",
            "https://x.example/y",
            "http://www.z.example/",
            "ftp://f.example/1",
            "https://last.example/",
        ];
        assert_eq!(in_text(text).urls, expected);
        let inner = in_text("https://good.example/?to=http://evil.example/x.");
        assert_eq!(inner.urls, ["https://good.example/?to=http://evil.example/x", "http://evil.example/x"]);
    }

    #[test]
    fn too_much_text_is_incomplete() {
        assert!(in_text(&"x".repeat(MOST_TEXT)).complete);
        assert!(!in_text(&"x".repeat(MOST_TEXT + 1)).complete);
        assert!(!in_text(&format!("https://x.example/{}", "x".repeat(MOST_URL))).complete);
        let many: Vec<_> = (0..2_000).map(|nth| format!("https://x.example/{nth} ")).collect();
        let found = in_text(&many.concat());
        assert!(found.urls.len() == super::super::MOST_URLS && !found.complete);
        let same = in_text(&"https://x.example/ ".repeat(2_000));
        assert!(same.urls.len() == 1 && same.complete);
        // Each of these could be the beginning of a URL to the end of the text.
        let hostile = "http://a)))".repeat(300_000);
        assert!(!in_text(&hostile).complete);
    }
}
