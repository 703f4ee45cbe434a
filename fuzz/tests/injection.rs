//! Promise: a value is a value wherever it is put: in an address, an OData literal, a KQL phrase, HTML, a file's name,
//! a line of the log. What the other side reads is exactly what was given, or it is refused; it is never more.
//!
//! The other side of addresses and queries is the sandbox's Graph.
#![allow(clippy::unwrap_used)]

use fuzz::{SEPARATOR, addresses, kql, odata, texts};
use proptest::prelude::*;

/// What has broken other programs.
const HOSTILE: &[&str] = &[
    "",
    ".",
    "..",
    "../..",
    "../users/admin@contoso.example",
    "..%2f..%2fusers",
    "%2e%2e",
    "%252e%252e%252f",
    "%00",
    "\0",
    "a\0b",
    "/",
    "\\",
    "//evil.example/",
    "a/b",
    "a\\b",
    "?$filter=true",
    "#",
    "#EXT#",
    "&$top=1",
    ";a=b",
    "'",
    "''",
    "' or 1 eq 1 or '",
    "') or contains(subject,'",
    "x' and startswith(subject,'y",
    "\"",
    "\\\"",
    "\\",
    "\" OR \"",
    "\" OR from:\"ceo@contoso.example",
    ") OR (subject:*",
    "* OR *",
    "NOT x",
    "body:x AND received>=2000-01-01",
    "NEAR(5)",
    "*",
    "messages('AAMk')",
    "users('admin')",
    "$batch",
    "$value",
    "$o'brien@contoso.example",
    "a\r\nX-Evil: 1",
    "a\nb",
    "a\rb",
    "\u{85}\u{2028}\u{2029}",
    "\u{202e}fdp.exe",
    "\u{2066}a\u{2069}",
    "\u{feff}",
    "\u{200f}",
    "\u{1b}[2J\u{1b}]0;owned\u{7}",
    "\u{9b}31m",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='x",
    "&lt;&amp;",
    "${jndi:ldap://x}",
    "$(id)",
    "`id`",
    "=cmd|' /C calc'!A0",
    "con.txt",
    ".bashrc",
    "...",
    "İ",
    "ﬀ",
    "😀",
    "\u{fffd}",
    "a\u{301}",
    " a ",
    "\t",
    "+",
    "%",
    "%zz",
];

/// Hostile values, alone, joined, repeated, among anything else.
fn hostile() -> impl Strategy<Value = String> {
    let known = prop::sample::select(HOSTILE);
    prop_oneof![
        3 => known.clone().prop_map(str::to_owned),
        2 => prop::collection::vec(known.clone(), 1..5).prop_map(|parts| parts.concat()),
        2 => (any::<String>(), known.clone(), any::<String>()).prop_map(|(a, b, c)| format!("{a}{b}{c}")),
        1 => (known, 1..600usize).prop_map(|(part, times)| part.repeat(times)),
        2 => any::<String>(),
        2 => "[a-zA-Z0-9@.'\"#%?&/+=$\\\\:;()*<>~ äé€\u{202e}\n\r\t\0-]{0,40}",
        1 => "(%2[eEfF]|\\.|/|'|\"|\\)| OR | AND ){1,8}",
    ]
}

/// Texts as a target takes them.
fn several(values: [&str; 3]) -> Vec<u8> {
    values.map(str::as_bytes).join(&SEPARATOR)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn ids_folders_and_mailboxes_are_read_unchanged(a in hostile(), b in hostile(), c in hostile()) {
        addresses(&several([&a, &b, &c]));
    }

    #[test]
    fn filter_values_are_read_unchanged(a in hostile(), b in hostile(), c in hostile()) {
        odata(&several([&a, &b, &c]));
    }

    #[test]
    fn search_values_stay_in_their_term(a in hostile(), b in hostile(), c in hostile()) {
        kql(&several([&a, &b, &c]));
    }

    #[test]
    fn text_is_unchanged_in_log_html_and_file_names(a in hostile(), b in hostile()) {
        texts(&several([&a, &b, ""]));
    }
}

#[test]
fn hostile_values_are_safe_in_every_position() {
    for value in HOSTILE {
        for other in ["a", value] {
            for values in [[*value, other, other], [other, *value, "a"], [other, other, *value]] {
                addresses(&several(values));
                odata(&several(values));
                kql(&several(values));
                texts(&several(values));
            }
        }
    }
}
