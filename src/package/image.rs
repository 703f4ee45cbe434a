//! The name of a container image, as it is pushed and as App Host expects it.

use std::fmt;
use std::str::FromStr;

/// A container image of one version: `[registry/]name:tag` or `[registry/]name@sha256:digest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    registry: Option<String>,
    name: String,
    version: Version,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Version {
    Tag(String),
    Digest(String),
}

/// A text is not the name of an image for App Host.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnImage {
    /// The name has neither tag nor digest, so the image could change.
    #[error("it names no version; end it with :TAG or @sha256:DIGEST")]
    Unversioned,
    /// The part before the version is not a valid name in a registry.
    #[error(
        "{0:?} is not the name of an image: lower-case letters, digits, and single . _ - between them, in parts with / between"
    )]
    Name(String),
    /// The tag is not valid.
    #[error("{0:?} is not a tag: at most 128 letters, digits, and _ . - after the first")]
    Tag(String),
    /// The digest is not valid.
    #[error("{0:?} is not a digest: sha256: and 64 lower-case hexadecimal digits")]
    Digest(String),
}

impl Image {
    /// The registry of the image, if the name has one.
    pub fn registry(&self) -> Option<&str> {
        self.registry.as_deref()
    }
}

impl fmt::Display for Image {
    /// The name for App Host: without the registry, which is a setting of App Host.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Version::Tag(tag) => write!(f, "{}:{tag}", self.name),
            Version::Digest(digest) => write!(f, "{}@sha256:{digest}", self.name),
        }
    }
}

impl FromStr for Image {
    type Err = NotAnImage;

    fn from_str(text: &str) -> Result<Self, NotAnImage> {
        let (named, digest) = match text.split_once('@') {
            Some((named, digest)) => (named, Some(digest)),
            None => (text, None),
        };
        // A colon before the last slash separates a port.
        let (path, tag) = match named.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
            _ => (named, None),
        };
        let tag = tag.map(|tag| if is_tag(tag) { Ok(tag) } else { Err(NotAnImage::Tag(tag.to_owned())) });
        let tag = tag.transpose()?;
        let version = match (tag, digest) {
            // A digest makes a tag irrelevant.
            (_, Some(digest)) => Version::Digest(
                hexadecimal(digest).ok_or_else(|| NotAnImage::Digest(digest.to_owned()))?.to_owned(),
            ),
            (Some(tag), None) => Version::Tag(tag.to_owned()),
            (None, None) => return Err(NotAnImage::Unversioned),
        };
        let (registry, name) = match path.split_once('/') {
            Some((host, rest)) if is_registry(host) => (Some(host.to_owned()), rest),
            _ => (None, path),
        };
        if !name.split('/').all(is_part) {
            return Err(NotAnImage::Name(path.to_owned()));
        }
        Ok(Self { registry, name: name.to_owned(), version })
    }
}

/// Whether the first part of a name is the host of a registry, by the rule that all container tools use.
fn is_registry(part: &str) -> bool {
    let (host, port) = part.split_once(':').unwrap_or((part, "0"));
    let of_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    (part.contains(['.', ':']) || part == "localhost")
        && !host.is_empty()
        && host.chars().all(of_host)
        && port.parse::<u16>().is_ok()
}

/// Lower-case letters and digits, separated by `.`, `_`, `__` or dashes.
fn is_part(part: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    part.starts_with(word)
        && part.ends_with(word)
        && part.split(word).all(|between| {
            matches!(between, "" | "." | "_" | "__") || between.bytes().all(|byte| byte == b'-')
        })
}

fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= 128 && tag.starts_with(word) && tag.chars().all(|c| word(c) || matches!(c, '.' | '-'))
}

/// The digits of a digest.
fn hexadecimal(digest: &str) -> Option<&str> {
    let digits = digest.strip_prefix("sha256:")?;
    let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (digits.len() == 64 && digits.bytes().all(hexadecimal)).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn read(text: &str) -> (Option<String>, String) {
        let image: Image = text.parse().unwrap_or_else(|error| unreachable!("{text}: {error}"));
        (image.registry().map(str::to_owned), image.to_string())
    }

    #[test]
    fn registry_is_separated_from_the_name_as_by_other_tools() {
        let own = |registry: &str, name: &str| (Some(registry.to_owned()), name.to_owned());
        let none = |name: &str| (None, name.to_owned());
        assert_eq!(read("fn_exchange_online:2.0.0"), none("fn_exchange_online:2.0.0"));
        assert_eq!(read("team/fn_exchange_online:2.0.0"), none("team/fn_exchange_online:2.0.0"));
        assert_eq!(
            read("quay.io/team/fn_exchange_online:2.0.0"),
            own("quay.io", "team/fn_exchange_online:2.0.0")
        );
        assert_eq!(read("registry:5000/a/b-c:T_1.x"), own("registry:5000", "a/b-c:T_1.x"));
        assert_eq!(read("localhost/a:1"), own("localhost", "a:1"));
        let digest = format!("a/b@sha256:{DIGITS}");
        assert_eq!(read(&digest), none(&digest));
        assert_eq!(read(&format!("r.example.com/a/b:1@sha256:{DIGITS}")), own("r.example.com", &digest));
    }

    #[test]
    fn name_without_a_version_or_with_wrong_characters_is_refused() {
        let refused = |text: &str| text.parse::<Image>().unwrap_err();
        for text in ["fn_exchange_online", "registry:5000/fn_exchange_online", ""] {
            assert_eq!(refused(text), NotAnImage::Unversioned, "{text}");
        }
        for text in [
            "Team/app:1",
            ":1",
            "a//b:1",
            "/a:1",
            "a/:1",
            "a..b:1",
            "-a:1",
            "a_:1",
            "a b:1",
            "a___b:1",
            "https://quay.io/a:1",
            "ä:1",
            "a\n:1",
            "registry.example.com:70000/a:1",
        ] {
            assert!(matches!(refused(text), NotAnImage::Name(_)), "{text}: {}", refused(text));
        }
        for text in ["a:", "a:.1", "a:1 ", &format!("a:{}", "1".repeat(129))] {
            assert!(matches!(refused(text), NotAnImage::Tag(_)), "{text}");
        }
        for text in [
            "a@",
            "a@sha256:12",
            &format!("a@sha512:{DIGITS}"),
            &format!("a@sha256:{}", DIGITS.to_uppercase()),
        ] {
            assert!(matches!(refused(text), NotAnImage::Digest(_)), "{text}");
        }
    }
}
