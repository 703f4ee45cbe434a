//! Removes secrets from texts that come from outside: a server may quote what it was sent.

use std::collections::HashSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use url::form_urlencoded;

use crate::Secret;

/// So many bytes of a secret in a row, in any of its encodings, are removed; a server may quote a part of it only.
const RUN: usize = 12;
/// A shorter secret, in bytes, is in every text, and cannot be removed without the text.
const SHORTEST: usize = 4;
/// Fewer characters of base64 say too little about what they encode.
const SHORTEST_BASE64: usize = 6;
const MARK: &str = "***";

/// Removes secrets from texts: as they are, percent-encoded, as in JSON and HTML, in hex, and in base64 at any offset,
/// in upper and lower case.
#[derive(Clone)]
pub struct Scrubber {
    /// All runs of the encodings that have at least [`RUN`] bytes, in lower case.
    runs: HashSet<[u8; RUN]>,
    /// For each pair of bytes, whether a run begins with it. This decides for nearly all bytes of a text, so that a long
    /// text costs little.
    pairs: Box<[bool]>,
    /// The shorter encodings, in lower case.
    short: Vec<Vec<u8>>,
}

impl Scrubber {
    /// Creates a scrubber for `secrets`.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let pairs = vec![false; 1 << 16].into_boxed_slice();
        let mut scrubber = Self { runs: HashSet::new(), pairs, short: Vec::new() };
        let secrets = secrets.into_iter().map(Secret::expose).filter(|secret| secret.len() >= SHORTEST);
        for encoded in secrets.flat_map(encodings) {
            scrubber.add(encoded.to_ascii_lowercase().into_bytes());
        }
        scrubber
    }

    fn add(&mut self, encoded: Vec<u8>) {
        if encoded.len() < RUN {
            self.short.push(encoded);
        } else {
            for run in encoded.windows(RUN).filter_map(|run| <[u8; RUN]>::try_from(run).ok()) {
                self.pairs[pair(&run)] = true;
                self.runs.insert(run);
            }
        }
    }

    /// Returns `text` with `***` in the place of each secret.
    pub fn scrub(&self, text: &str) -> String {
        let lower = text.to_ascii_lowercase();
        let lower = lower.as_bytes();
        let mut is_secret = vec![false; lower.len()];
        let mut mark = |start: usize, length: usize| {
            is_secret.iter_mut().skip(start).take(length).for_each(|byte| *byte = true);
        };
        for (start, run) in lower.windows(RUN).enumerate() {
            if self.pairs[pair(run)] && self.runs.contains(run) {
                mark(start, RUN);
            }
        }
        for short in &self.short {
            let starts = lower.windows(short.len()).enumerate().filter(|(_, part)| part == short);
            starts.for_each(|(start, _)| mark(start, short.len()));
        }
        if !is_secret.contains(&true) {
            return text.to_owned();
        }
        let mut scrubbed = String::with_capacity(text.len());
        let mut within = false;
        // A character that is partly secret is removed as a whole.
        for (start, c) in text.char_indices() {
            let removed = is_secret.iter().skip(start).take(c.len_utf8()).any(|byte| *byte);
            match (removed, within) {
                (true, false) => scrubbed.push_str(MARK),
                (true, true) => {}
                (false, _) => scrubbed.push(c),
            }
            within = removed;
        }
        scrubbed
    }
}

/// The number of the first two bytes.
fn pair(run: &[u8]) -> usize {
    match run {
        [first, second, ..] => usize::from(*first) << 8 | usize::from(*second),
        _ => 0,
    }
}

/// Shows nothing of the secrets.
impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrubber(***)")
    }
}

/// Returns the forms in which a server may quote `secret`.
fn encodings(secret: &str) -> Vec<String> {
    let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let json = serde_json::Value::from(secret).to_string();
    let json = json.trim_matches('"').to_owned();
    let html = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let hex = secret.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let mut all = vec![
        form.replace('+', "%20"),
        form,
        json.replace('/', "\\/"),
        json,
        html.replace('"', "&quot;").replace('\'', "&#39;"),
        html.replace('"', "&#34;").replace('\'', "&#x27;"),
        hex,
        secret.to_owned(),
    ];
    for offset in 0..3 {
        let shifted = [&[0; 2][..offset], secret.as_bytes()].concat();
        for encoded in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            // The first and the last characters depend on the neighbours, too.
            let first = [0, 2, 3][offset];
            let last = if shifted.len() % 3 == 0 { encoded.len() } else { encoded.len() - 1 };
            all.extend(
                encoded.get(first..last).filter(|core| core.len() >= SHORTEST_BASE64).map(str::to_owned),
            );
        }
    }
    all.sort();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn scrub(secret: &str, text: &str) -> String {
        Scrubber::new([&Secret::new(secret)]).scrub(text)
    }

    #[test]
    fn secret_is_removed_in_each_encoding() {
        let secret = "a+B/c d&\"e<ü>'~8Q~x.1_";
        let encoded = encodings(secret);
        assert!(encoded.len() >= 12, "{encoded:?}");
        for form in encoded.iter().chain([&secret.to_ascii_lowercase(), &secret.to_ascii_uppercase()]) {
            assert_eq!(scrub(secret, &format!("I got {form}, sorry")), "I got ***, sorry", "{form}");
        }
    }

    #[test]
    fn base64_of_id_and_secret_is_removed() {
        for id in ["", "a", "ab", "abc"] {
            let login = STANDARD.encode(format!("{id}:s3cr3t-0f-the-key&x=1"));
            let left = scrub("s3cr3t-0f-the-key", &format!("Basic {login} is wrong"));
            assert!(left.contains("***") && left.ends_with(" is wrong"), "{left}");
            for start in 0..login.len() - 12 {
                assert!(!left.contains(&login[start..start + 12]) || start + 12 > login.len() - 4, "{left}");
            }
        }
    }

    #[test]
    fn part_of_a_secret_is_removed() {
        let secret = "0123456789abcdefghijklmnopqrstuvwxyz";
        assert_eq!(scrub(secret, "it began 0123456789abc…"), "it began ***…");
        assert_eq!(scrub(secret, "it ended klmnopqrstuvwxyz"), "it ended ***");
        assert_eq!(scrub(secret, "0123456789a is not enough"), "0123456789a is not enough");
    }

    #[test]
    fn short_secret_is_removed_as_a_whole() {
        assert_eq!(scrub("pass", "PASS and password"), "*** and ***word");
        assert_eq!(scrub("", "nothing to remove"), "nothing to remove");
        assert_eq!(scrub("über", "so über-secret"), "so ***-secret");
    }
}
