//! Patterns of mailbox addresses.

use uuid::Uuid;

use super::PatternError;

/// A pattern of addresses: `*` matches any number of characters, also none, and `?` matches one. Case does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressPattern(Vec<char>);

impl AddressPattern {
    /// Parses an address, a pattern of addresses, or an id of the directory.
    ///
    /// # Errors
    /// No address matches the text.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if Uuid::try_parse(text).is_ok_and(|id| id.hyphenated().to_string().eq_ignore_ascii_case(text)) {
            return Ok(Self::new(text));
        }
        if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(PatternError::Blank);
        }
        if text.contains(|c: char| QUOTES.contains(c)) || text.starts_with('\'') || text.ends_with('\'') {
            return Err(PatternError::Quotes);
        }
        match text.split_once('@') {
            Some((_, domain)) if domain.contains('@') => Err(PatternError::SeveralAddresses),
            Some((local, domain)) if local.is_empty() || domain.is_empty() => Err(PatternError::NoPart),
            Some((local, domain)) => {
                check_part(local, |c| is_in_name(c) || "._-!#%&'*+/=?~".contains(c), PatternError::Local)?;
                check_part(domain, |c| is_in_name(c) || ".-*?".contains(c), PatternError::Domain)?;
                if domain.contains(['.', '*', '?']) {
                    Ok(Self::new(text))
                } else {
                    Err(PatternError::NoDomain)
                }
            }
            None if text.contains('*') => {
                check_part(text, |c| is_in_name(c) || "._-*?'+".contains(c), PatternError::Local)?;
                Ok(Self::new(text))
            }
            None => Err(PatternError::NoAddress),
        }
    }

    /// Returns the pattern that `text` means, whether an address can match it or not.
    pub fn new(text: &str) -> Self {
        let mut pattern: Vec<char> = folded(text).collect();
        // Two stars match the same as one, and each star costs time.
        pattern.dedup_by(|a, b| *a == '*' && *b == '*');
        Self(pattern)
    }

    /// Whether the pattern matches the whole `address`. Takes time in proportion to the product of both lengths.
    pub fn matches(&self, address: &str) -> bool {
        let address: Vec<char> = folded(address).collect();
        let (mut at, mut next) = (0, 0);
        // The position of the last star, and the end of its match.
        let mut star: Option<(usize, usize)> = None;
        while at < address.len() {
            match self.0.get(next) {
                Some('*') => {
                    star = Some((next, at));
                    next += 1;
                }
                Some(c) if *c == '?' || *c == address[at] => {
                    at += 1;
                    next += 1;
                }
                _ => {
                    let Some((position, end)) = star else { return false };
                    star = Some((position, end + 1));
                    at = end + 1;
                    next = position + 1;
                }
            }
        }
        self.0[next..].iter().all(|c| *c == '*')
    }
}

const QUOTES: &str = "\"`\u{b4}\u{2018}\u{2019}\u{201a}\u{201b}\u{201c}\u{201d}\u{201e}\u{ab}\u{bb}";

/// Whether a character is a letter or digit as addresses have them, not one of another width.
fn is_in_name(c: char) -> bool {
    c.is_alphanumeric() && !('\u{ff00}'..='\u{ffef}').contains(&c)
}

/// Checks the characters of the part before or after the `@`, and where its dots are.
fn check_part(
    part: &str,
    is_usual: impl Fn(char) -> bool,
    wrong: impl Fn(char) -> PatternError,
) -> Result<(), PatternError> {
    if let Some(c) = part.chars().find(|c| !is_usual(*c)) {
        return Err(wrong(c));
    }
    let ends_in_dot = part.starts_with('.') || part.ends_with('.') || part.contains("..");
    let ends_in_hyphen = part.starts_with('-') && wrong('-') == PatternError::Domain('-');
    if ends_in_dot || ends_in_hyphen || part.ends_with('/') { Err(PatternError::Dot) } else { Ok(()) }
}

/// Folds the case of letters. Some letters become several, and some change only by way of their upper case.
fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

/// A list of patterns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patterns(pub Vec<AddressPattern>);

impl Patterns {
    /// Whether one of them matches `address`.
    pub fn match_address(&self, address: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(address))
    }

    /// Whether one of them matches one of the `names`.
    pub fn match_any<'n>(&self, mut names: impl Iterator<Item = &'n str>) -> bool {
        names.any(|name| self.match_address(name))
    }

    /// The texts of the patterns that `other` does not have.
    pub(super) fn not_in(&self, other: &Self) -> Vec<String> {
        let mut texts = self.texts();
        texts.retain(|text| !other.texts().contains(text));
        texts
    }

    /// The texts of the patterns without wildcards: addresses and ids.
    pub fn literals(&self) -> Vec<String> {
        self.texts().into_iter().filter(|text| !text.contains(['*', '?'])).collect()
    }

    /// The texts of the patterns, in lower case.
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(|AddressPattern(pattern)| pattern.iter().collect()).collect()
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
