//! Target: patterns of mailboxes in guard rails.

use fn_exchange_online::config::AddressPattern;

use super::texts_of;

/// A text as a pattern, which is refused or protects what it says; and the pattern and an address, compared as by
/// definition.
pub fn address_patterns(data: &[u8]) {
    let [text, address] = texts_of(data);
    match AddressPattern::parse(&text) {
        Ok(pattern) => {
            assert!(
                !text.contains(|c: char| c.is_whitespace() || c.is_control() || "\"`<>(),;:|\\".contains(c)),
                "{text:?}"
            );
            assert!(text.contains(['@', '*']) || text.len() == 36, "{text:?}");
            if !text.contains(['*', '?']) {
                for same in [text.clone(), text.to_uppercase(), text.to_lowercase()] {
                    assert!(pattern.matches(&same), "{text:?} protects not {same:?}");
                }
            }
        }
        Err(error) => assert!(!error.to_string().is_empty() && !error.right().is_empty()),
    }
    if text.len() <= 12 && address.len() <= 12 && text.is_ascii() && address.is_ascii() {
        let matches = AddressPattern::new(&text).matches(&address);
        let (text, address) = (text.to_lowercase(), address.to_lowercase());
        assert_eq!(matches, by_definition(text.as_bytes(), address.as_bytes()), "{text:?} and {address:?}");
    } else {
        let _ = AddressPattern::new(&text).matches(&address);
    }
}

/// Whether the pattern matches, found by trying each length of each star.
fn by_definition(pattern: &[u8], address: &[u8]) -> bool {
    match (pattern.split_first(), address.split_first()) {
        (None, _) => address.is_empty(),
        (Some((b'*', rest)), _) => (0..=address.len()).any(|taken| by_definition(rest, &address[taken..])),
        (Some((wanted, pattern)), Some((is, address))) => {
            (*wanted == b'?' || wanted == is) && by_definition(pattern, address)
        }
        (Some(_), None) => false,
    }
}
