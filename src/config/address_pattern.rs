//! Patterns of mailbox addresses.

/// A pattern of addresses, in which `*` stands for any characters, none included, and `?` for one. Case does not
/// matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressPattern(Vec<char>);

impl AddressPattern {
    /// The pattern that is written so.
    pub fn new(text: &str) -> Self {
        let mut pattern: Vec<char> = folded(text).collect();
        // Two stars are one; a match takes the time of their number.
        pattern.dedup_by(|a, b| *a == '*' && *b == '*');
        Self(pattern)
    }

    /// Whether it matches the whole of `address`. Takes time in proportion to both lengths.
    pub fn matches(&self, address: &str) -> bool {
        let address: Vec<char> = folded(address).collect();
        let (mut at, mut next) = (0, 0);
        // Where the last star is, and how far it reaches.
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
                    let Some((place, reach)) = star else { return false };
                    star = Some((place, reach + 1));
                    at = reach + 1;
                    next = place + 1;
                }
            }
        }
        self.0[next..].iter().all(|c| *c == '*')
    }
}

/// Letters without their case. Some change to several letters, and some only on the way over the upper case.
fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

/// Several patterns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patterns(pub Vec<AddressPattern>);

impl Patterns {
    /// Whether one of them matches `address`.
    pub fn match_address(&self, address: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(address))
    }

    /// As they are written, in lower case.
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(|AddressPattern(pattern)| pattern.iter().collect()).collect()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
