//! A URL, or the beginning of one, as a criterion.

use std::fmt;

use url::{Position, Url};

/// A URL as an analyst has it: a whole one, or its beginning. Without a scheme it stands for each scheme, and `*.`
/// before the host stands for all hosts below it and the host itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlMatch {
    text: String,
    scheme: Option<String>,
    host: String,
    has_subdomains: bool,
    port: Option<u16>,
    /// Path, query and fragment, as far as they are given.
    rest: String,
}

impl UrlMatch {
    /// Reads a URL; also one that was written so that it cannot be followed by accident: `hxxps://evil[.]example`.
    /// Returns `None` where it has no host.
    pub fn new(text: &str) -> Option<Self> {
        let plain = text.replace("[.]", ".").replace("(.)", ".").replace("[:]", ":").replace("[@]", "@");
        let (scheme, after) = match plain.split_once("://") {
            Some((scheme, after)) => (Some(scheme.to_ascii_lowercase().replace("hxxp", "http")), after),
            None => (None, plain.as_str()),
        };
        let (has_subdomains, after) = match after.strip_prefix("*.") {
            Some(below) => (true, below),
            None => (false, after),
        };
        if after.starts_with(['/', '\\']) {
            return None;
        }
        let url = Url::parse(&format!("{}://{after}", scheme.as_deref().unwrap_or("http"))).ok()?;
        let rest = &url[Position::BeforePath..];
        // The parser adds a path where there is none.
        let rest = if after.contains(['/', '?', '#']) { rest } else { "" };
        let host = url.host_str()?.trim_end_matches('.').to_ascii_lowercase();
        if host.is_empty() {
            return None;
        }
        Some(Self {
            text: text.to_owned(),
            scheme,
            host,
            has_subdomains,
            port: url.port(),
            rest: rest.to_owned(),
        })
    }

    /// The host, without `*.`
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether `url` is the URL, or begins with it, up to the end of a part.
    pub fn matches(&self, url: &Url) -> bool {
        let Some(host) = url.host_str().map(|host| host.trim_end_matches('.').to_ascii_lowercase()) else {
            return false;
        };
        let is_below = || host.strip_suffix(&self.host).is_some_and(|before| before.ends_with('.'));
        let rest = &url[Position::BeforePath..];
        (host == self.host || self.has_subdomains && is_below())
            && self.scheme.as_deref().is_none_or(|scheme| scheme == url.scheme())
            && (self.port.is_none() && self.scheme.is_none() || self.port == url.port())
            && rest.strip_prefix(&self.rest).is_some_and(|after| {
                after.is_empty()
                    || self.rest.is_empty()
                    || self.rest.ends_with(['/', '?', '#', '&', '='])
                    || after.starts_with(['/', '?', '#', '&'])
            })
    }
}

impl fmt::Display for UrlMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_is_compared_up_to_the_end_of_a_part() {
        let matches =
            |wanted: &str, url: &str| UrlMatch::new(wanted).unwrap().matches(&Url::parse(url).unwrap());
        for (wanted, url) in [
            ("https://evil.example/login", "https://EVIL.example/login?user=a"),
            ("https://evil.example", "https://evil.example/anything#x"),
            ("hxxps://evil[.]example/a", "https://evil.example/a"),
            ("evil.example", "http://evil.example:8080/a"),
            ("evil.example", "http://evil.example./a"),
            ("*.evil.example", "ftp://deep.login.evil.example/"),
            ("*.evil.example", "https://evil.example/"),
            ("evil.example/r?u=", "https://evil.example/r?u=17"),
            ("https://evil.example:443/", "https://evil.example/x"),
            ("https://b\u{fc}cher.example", "https://xn--bcher-kva.example/"),
        ] {
            assert!(matches(wanted, url), "{wanted} {url}");
        }
        for (wanted, url) in [
            ("https://evil.example/log", "https://evil.example/login"),
            ("https://evil.example", "http://evil.example/"),
            ("evil.example", "https://evil.example.com/"),
            ("evil.example", "https://notevil.example/"),
            ("evil.example", "https://login.evil.example/"),
            ("*.evil.example", "https://notevil.example/"),
            ("good.example", "https://good.example@evil.example/"),
            ("good.example", "https://evil.example/?u=good.example"),
            ("https://evil.example", "https://evil.example:8443/"),
            ("evil.example", "mailto:a@evil.example"),
        ] {
            assert!(!matches(wanted, url), "{wanted} {url}");
        }
        for none in ["", "https://", "https:///a", "two words.example", "*."] {
            assert_eq!(UrlMatch::new(none), None, "{none}");
        }
    }
}
