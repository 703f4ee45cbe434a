//! The parts of objects that were ever brought to a SOAR: by releases of this program, and by the older app. A part of
//! SOAR's that is not among them was changed in SOAR, and an import that overwrites it asks.
//!
//! `shipped.txt` holds fingerprints, not texts. A test names the lines that a release has to add.

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::LazyLock;

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::kind::Kind;
use super::part::{Form, Row};
use super::parts::parts;

static SHIPPED: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let text = include_str!("shipped.txt");
    text.lines().filter(|line| !line.starts_with('#')).collect()
});

/// So many bytes of a digest make a fingerprint.
const LENGTH: usize = 8;

/// Whether a part with this value was ever shipped.
pub(super) fn is_shipped(kind: Kind, name: &str, path: &str, value: &Value) -> bool {
    SHIPPED.contains(&*fingerprint(kind, name, path, value))
}

/// Whether a line of text was ever in the form of this object.
pub(super) fn is_shipped_heading(kind: Kind, name: &str, text: &Value) -> bool {
    is_shipped(kind, name, HEADING, text)
}

/// The path of a line of text in a form.
const HEADING: &str = "heading";

/// The parts of an import file that are not in the list: their fingerprints, and what they are of.
pub fn unlisted(file: &Value) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut add = |kind: Kind, name: &str, path: &str, value: &Value| {
        let fingerprint = fingerprint(kind, name, path, value);
        if !SHIPPED.contains(&*fingerprint) {
            all.push((fingerprint, format!("{name}, {path}")));
        }
    };
    for kind in Kind::ALL {
        for object in kind.of(file) {
            let name = kind.name(object);
            for part in parts(kind, object) {
                add(kind, name, &part.path, &part.value);
                let rows = part.value.as_array().filter(|_| part.form == Form::Rows(Row::FormItem));
                for row in rows.into_iter().flatten().filter(|row| row[0] != "field_uuid") {
                    add(kind, name, HEADING, &row[1]);
                }
            }
        }
    }
    all
}

fn fingerprint(kind: Kind, name: &str, path: &str, value: &Value) -> String {
    let text = json!([format!("{kind:?}"), name, path, value]).to_string();
    let mut hex = String::with_capacity(2 * LENGTH);
    for byte in digest(&SHA256, text.as_bytes()).as_ref().iter().take(LENGTH) {
        // Writing to a String does not fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
