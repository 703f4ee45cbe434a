//! Bounds on JSON from outside that its size does not give: a value of one byte takes dozens in memory.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// A list that is refused when it has more than `MOST` entries, before it grows beyond them.
#[derive(Debug)]
pub struct Bounded<T, const MOST: usize>(pub Vec<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Bounded<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T, const MOST: usize>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for List<T, MOST> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MOST} entries")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Vec<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(entry) = entries.next_element()? {
                    if list.len() == MOST {
                        return Err(A::Error::invalid_length(MOST + 1, &self));
                    }
                    list.push(entry);
                }
                Ok(list)
            }
        }

        deserializer.deserialize_seq(List::<T, MOST>(PhantomData)).map(Self)
    }
}

/// A text that is not kept when it has more than `MOST` bytes.
#[derive(Debug)]
pub struct BoundedText<const MOST: usize>(Option<String>);

impl<const MOST: usize> BoundedText<MOST> {
    /// Returns the text; `None` if it is too long.
    pub fn text(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// Returns the text; `None` if it is too long.
    pub fn into_text(self) -> Option<String> {
        self.0
    }
}

impl<'de, const MOST: usize> Deserialize<'de> for BoundedText<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text<const MOST: usize>;

        impl<const MOST: usize> Visitor<'_> for Text<MOST> {
            type Value = BoundedText<MOST>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            // Parsers lend the text, so one that is too long is not copied.
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(BoundedText((text.len() <= MOST).then(|| text.to_owned())))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// How many values the JSON `text` holds, at most.
pub fn values(text: &str) -> usize {
    Measure::of(text).values
}

/// Whether the JSON `text` is nested deeper than any reader follows: our own parser, and others', end at 128.
pub fn is_too_deep(text: &str) -> bool {
    Measure::of(text).depth > 100
}

/// Returns the JSON `text` with U+FFFD in place of each escape that is half of a surrogate pair only. Exchange cuts
/// texts in the middle of an emoji; the rest of the document is valid, but strict parsers refuse all of it.
pub fn without_lone_surrogates(text: &str) -> Cow<'_, str> {
    let mut mended = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = text[at..].find('\\') {
        let escape = at + found;
        at = match surrogate(text, escape) {
            // Another escape: a backslash and one character, which may be a second backslash.
            None => text[escape + 1..].chars().next().map_or(text.len(), |c| escape + 1 + c.len_utf8()),
            Some(Surrogate::High) if matches!(surrogate(text, escape + 6), Some(Surrogate::Low)) => {
                escape + 12
            }
            Some(_) => {
                mended.push_str(&text[copied..escape]);
                mended.push_str("\\ufffd");
                copied = escape + 6;
                copied
            }
        };
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    mended.push_str(&text[copied..]);
    Cow::Owned(mended)
}

enum Surrogate {
    High,
    Low,
}

/// Reads the escape at `at`, where it is half of a surrogate pair.
fn surrogate(text: &str, at: usize) -> Option<Surrogate> {
    let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xd800..=0xdbff => Some(Surrogate::High),
        0xdc00..=0xdfff => Some(Surrogate::Low),
        _ => None,
    }
}

/// What a text of JSON would be in memory.
struct Measure {
    /// Each is preceded by a bracket, a colon or a comma outside of strings, but for the first; so it is no less.
    values: usize,
    depth: usize,
}

impl Measure {
    fn of(text: &str) -> Self {
        let mut values = 1;
        let (mut depth, mut deepest) = (0_usize, 0);
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'[' | b'{' => {
                    values += 1;
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                b']' | b'}' => depth = depth.saturating_sub(1),
                b':' | b',' => values += 1,
                b'"' => {
                    // To the end of the string.
                    while let Some(byte) = bytes.next() {
                        match byte {
                            b'"' => break,
                            b'\\' => drop(bytes.next()),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        Self { values, depth: deepest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_with_more_entries_than_it_may_have_is_refused() {
        let read = |text: &str| serde_json::from_str::<Bounded<u8, 3>>(text).map(|list| list.0);
        assert_eq!(read("[1,2,3]").unwrap(), [1, 2, 3]);
        assert!(read("[]").unwrap().is_empty());
        assert!(read("[1,2,3,4]").unwrap_err().to_string().contains("at most 3"));
        assert!(read("{}").is_err());
    }

    #[test]
    fn values_are_counted_outside_of_strings_only() {
        assert_eq!(values("1"), 1);
        assert!((3..=5).contains(&values("[1,2,3]")));
        assert_eq!(values(r#""[,,,:\",{{""#), 1);
        assert!(values(&format!("[{}1]", "1,".repeat(1000))) > 1000);
    }

    #[test]
    fn lone_surrogates_become_replacement_characters() {
        let mended = |text: &str| without_lone_surrogates(text).into_owned();
        assert_eq!(mended(r#""a\ud83d b""#), r#""a\ufffd b""#);
        assert_eq!(mended(r#""\ude00\ud83d\ud83d\ude00""#), r#""\ufffd\ufffd\ud83d\ude00""#);
        for valid in [r#""\ud83d\ude00""#, r#""\\ud83d""#, r#""\u00e4\n\"ä\/""#, r#""\"#, r#""\ä"#, "{}"] {
            assert!(matches!(without_lone_surrogates(valid), Cow::Borrowed(_)), "{valid}");
        }
    }

    #[test]
    fn depth_is_what_is_open_at_once() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!is_too_deep(&nested(100)) && is_too_deep(&nested(101)));
        assert!(!is_too_deep(&"[],".repeat(1000)) && !is_too_deep(&format!("\"{}\"", "[".repeat(1000))));
    }
}
