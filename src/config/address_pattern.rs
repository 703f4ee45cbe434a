//! Patterns of mailbox addresses.

/// A pattern of addresses: `*` matches any number of characters, also none, and `?` matches one. Case does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressPattern(Vec<char>);

impl AddressPattern {
    /// Parses a pattern.
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

    /// The texts of the patterns, in lower case.
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(|AddressPattern(pattern)| pattern.iter().collect()).collect()
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
