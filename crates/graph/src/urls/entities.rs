//! Character references of HTML (HTML Standard, "Named character references"), as far as a URL is made of them.

use std::borrow::Cow;

/// Names of the characters that a URL may have.
const NAMED: [(&str, char); 32] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", '\u{a0}'),
    ("shy", '\u{ad}'),
    ("sol", '/'),
    ("bsol", '\\'),
    ("colon", ':'),
    ("semi", ';'),
    ("period", '.'),
    ("comma", ','),
    ("quest", '?'),
    ("equals", '='),
    ("num", '#'),
    ("percnt", '%'),
    ("commat", '@'),
    ("lowbar", '_'),
    ("plus", '+'),
    ("dollar", '$'),
    ("excl", '!'),
    ("ast", '*'),
    ("lpar", '('),
    ("rpar", ')'),
    ("lsqb", '['),
    ("rsqb", ']'),
    ("hyphen", '\u{2010}'),
    ("grave", '`'),
    ("vert", '|'),
    ("Tab", '\t'),
    ("NewLine", '\n'),
];
/// A reference is not longer.
const MOST: usize = 16;

/// Returns `text` with its character references decoded.
pub(super) fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let (character, length) = reference(after).unwrap_or(('&', 0));
        out.push(character);
        rest = &after[length..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character that the reference behind an ampersand means, and the reference's length.
fn reference(text: &str) -> Option<(char, usize)> {
    let (character, length) = match text.strip_prefix('#') {
        Some(number) => numbered(number).map(|(character, length)| (character, length + 1)),
        None => named(text),
    }?;
    let is_closed = text.as_bytes().get(length) == Some(&b';');
    Some((character, length + usize::from(is_closed)))
}

/// The semicolon may be missing after the oldest names, where nothing follows that could belong to a query.
fn named(text: &str) -> Option<(char, usize)> {
    let end = text.bytes().take(MOST).position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(text.len());
    let name = text.get(..end)?;
    let next = text.as_bytes().get(end);
    let is_old = ["amp", "lt", "gt", "quot", "nbsp", "shy"].contains(&name);
    let is_complete = next == Some(&b';') || is_old && next != Some(&b'=');
    let (_, character) = NAMED.iter().find(|(known, _)| *known == name)?;
    is_complete.then_some((*character, end))
}

/// The semicolon may be missing after a number.
fn numbered(number: &str) -> Option<(char, usize)> {
    let hexadecimal = number.strip_prefix(['x', 'X']);
    let (digits, radix) = hexadecimal.map_or((number, 10), |digits| (digits, 16));
    let length = digits.bytes().take(MOST).take_while(|byte| char::from(*byte).is_digit(radix)).count();
    let character = char::from_u32(u32::from_str_radix(&digits[..length], radix).ok()?)?;
    Some((character, number.len() - digits.len() + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_decoded_as_browsers_do() {
        for (text, expected) in [
            ("a&amp;b&lt;&#65;&#x42;&#X43", "a&b<ABC"),
            ("&amp;amp;", "&amp;"),
            ("?a=1&amp=2&copy=3&b&", "?a=1&amp=2&copy=3&b&"),
            ("&ampx&amp.", "&ampx&."),
            ("&#xffffffffffffffffffff;&#;&#x;", "&#xffffffffffffffffffff;&#;&#x;"),
            ("http&colon;&sol;&sol;ä&period;example", "http://ä.example"),
        ] {
            assert_eq!(decoded(text), expected, "{text}");
        }
    }
}
