//! Why a text is not a pattern of mailboxes.

use std::fmt;

/// Why a text is not a pattern of mailboxes. Such a pattern would match no address, so it would protect nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatternError {
    /// It has no `@` and no `*`, and is not an id.
    NoAddress,
    /// It has more than one `@`.
    SeveralAddresses,
    /// Nothing stands before the `@`, or after it.
    NoPart,
    /// It is in quotes, or has one.
    Quotes,
    /// It has a blank, or another separator of lists.
    Blank,
    /// The part before the `@` has a character that no address has.
    Local(char),
    /// The part after the `@` has a character that no domain has.
    Domain(char),
    /// A dot stands where no address has one.
    Dot,
    /// The domain has no dot and no wildcard.
    NoDomain,
}

impl PatternError {
    /// How the pattern is to be written.
    pub fn right(self) -> String {
        match self {
            Self::NoAddress => {
                "write an address such as ceo@example.com, *@example.com for a domain, or the mailbox's id \
                                in the directory"
                    .to_owned()
            }
            Self::SeveralAddresses => "separate addresses by commas, or write one a line".to_owned(),
            Self::NoPart => "write *@example.com for a domain, ceo@* for a name in every domain".to_owned(),
            Self::Quotes => "write the address alone, without quotes".to_owned(),
            Self::Blank => {
                "separate addresses by commas, or write one a line, without blanks in them".to_owned()
            }
            Self::Local(_) | Self::Domain(_) => {
                "leave that character out; patterns are no regular expressions".to_owned()
            }
            Self::Dot => "begin and end names and domains with a letter, a digit or a wildcard".to_owned(),
            Self::NoDomain => "write the whole domain, such as example.com".to_owned(),
        }
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("which matches no address: ")?;
        match self {
            Self::NoAddress => f.write_str("it is not an address, a pattern of addresses, or an id"),
            Self::SeveralAddresses => f.write_str("it has several @"),
            Self::NoPart => f.write_str("a part is missing before or after the @"),
            Self::Quotes => f.write_str("it has quotes"),
            Self::Blank => f.write_str("it has a blank or a control character"),
            Self::Local(c) => write!(f, "no address has {c:?} before its @"),
            Self::Domain(c) => write!(f, "no domain has {c:?}"),
            Self::Dot => f.write_str("it has a dot or a hyphen where no address has one"),
            Self::NoDomain => f.write_str("its domain has no dot"),
        }
    }
}
