//! Target: secrets in texts of other servers.

use net::{Scrubber, Secret};
use url::form_urlencoded;

use super::texts_of;

/// A secret within a text, in several encodings: what is left has none of it, and all of the text that has none.
pub fn scrubber(data: &[u8]) {
    let [secret, before, after] = texts_of(data);
    // The mark for what was removed has stars as well.
    if secret.len() < 4 || secret.contains('*') || secret.len() > 200 {
        return;
    }
    let scrubber = Scrubber::new([&Secret::new(&*secret)]);
    let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let json = serde_json::Value::from(&*secret).to_string();
    let hex = secret.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    for encoded in [&*secret, &form, json.trim_matches('"'), &hex] {
        let scrubbed = scrubber.scrub(&format!("{before}{encoded}{after}"));
        assert!(!contains(&scrubbed, encoded), "{encoded:?} in {scrubbed:?}");
        assert!(scrubbed.contains("***"), "{scrubbed:?}");
    }
    // Nothing is added but marks, and what is left is in its order.
    let scrubbed = scrubber.scrub(&before);
    let mut rest = before.chars();
    assert!(scrubbed.split("***").flat_map(str::chars).all(|c| rest.any(|other| other == c)), "{scrubbed:?}");
}

/// Whether `text` contains `part`, in any case of ASCII letters.
fn contains(text: &str, part: &str) -> bool {
    text.to_ascii_lowercase().contains(&part.to_ascii_lowercase())
}
