//! A mail address, or all addresses of a domain, as a criterion.

use std::fmt;

/// A mail address, or all addresses of a domain. Case does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressMatch {
    /// One address.
    Address(String),
    /// All addresses of this domain, without `@`. Its subdomains are other domains.
    Domain(String),
}

impl AddressMatch {
    /// Reads an address, or a domain after `@`.
    pub fn new(text: &str) -> Self {
        match text.strip_prefix('@') {
            Some(domain) => Self::Domain(domain.to_owned()),
            None => Self::Address(text.to_owned()),
        }
    }

    /// Whether `address` is the address, or one of the domain.
    pub fn matches(&self, address: &str) -> bool {
        let same = |one: &str, other: &str| one.to_lowercase() == other.to_lowercase();
        match self {
            Self::Address(wanted) => same(address, wanted),
            Self::Domain(domain) => address.rsplit_once('@').is_some_and(|(_, own)| same(own, domain)),
        }
    }

    /// The address or the domain, without `@` before a domain.
    pub(super) fn words(&self) -> &str {
        match self {
            Self::Address(text) | Self::Domain(text) => text,
        }
    }
}

impl fmt::Display for AddressMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => f.write_str(address),
            Self::Domain(domain) => write!(f, "@{domain}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domain_is_compared_as_a_whole() {
        let evil = AddressMatch::new("@Evil.example");
        assert!(evil.matches("a@evil.EXAMPLE") && evil.matches("\"x@y\"@evil.example"));
        for other in ["a@notevil.example", "a@evil.example.com", "a@sub.evil.example", "evil.example", ""] {
            assert!(!evil.matches(other), "{other}");
        }
        assert_eq!(evil.to_string(), "@Evil.example");
    }
}
