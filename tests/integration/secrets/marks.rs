//! What is searched for, and how it is found.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};

use crate::support::deployment::Deployment;

/// What is searched for.
#[derive(Clone)]
pub(crate) struct Marks(pub(crate) Vec<String>);

/// Parts of mails, and what analysts write and search for. None is part of an address or an id.
pub(crate) const MAIL: [&str; 11] = [
    "zqSUBJECTzq",
    "zqBODYzq",
    "zqFILEzq",
    "zqSENTSUBJECTzq",
    "zqSENTBODYzq",
    "zqMEETINGzq",
    "zqAGENDAzq",
    "zqPLACEzq",
    "zqSOUGHTzq",
    "zqSTRAYzq",
    "zqNAMEzq",
];

impl Marks {
    pub(crate) fn of(deployment: &Deployment) -> Self {
        let options = deployment.sandbox.soar.options();
        let secrets = [
            options.api_key.secret.as_str(),
            deployment.sandbox.graph.client_secret(),
            "Bearer ",
            "eyJ0eXAiOiJKV1Qi",
        ];
        Self(MAIL.into_iter().chain(secrets).map(str::to_owned).collect())
    }

    /// Those that are in `text`: as they are, in another case, percent-encoded, as JSON's or HTML's escapes, in hex, or
    /// in base64 at whatever offset.
    pub(crate) fn found_in(&self, text: &str) -> Vec<String> {
        let plain = text.to_lowercase();
        let unescaped = unescaped(text).to_lowercase();
        let is_there = |mark: &&String| {
            let lower = mark.to_lowercase();
            let hex = mark.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
            let encoded = (0..3).any(|offset| {
                let shifted = [vec![0; offset], mark.as_bytes().to_vec()].concat();
                // The characters at the ends hold bits of the neighbours.
                let core = |text: String| text[offset.div_ceil(1) + 1..text.len() - 2].to_owned();
                text.contains(&core(BASE64_STANDARD_NO_PAD.encode(&shifted)))
                    || text.contains(&core(BASE64_URL_SAFE_NO_PAD.encode(&shifted)))
            });
            // The beginning of every token, and of much that is none, is too short for that.
            let encoded = encoded && mark.len() > 8;
            plain.contains(&lower) || unescaped.contains(&lower) || plain.contains(&hex) || encoded
        };
        self.0.iter().filter(is_there).cloned().collect()
    }
}

/// `text` with `%41`, `\u0041`, `\u{41}` and `&#65;` read.
fn unescaped(text: &str) -> String {
    let mut read = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let escape = [("%", 2, ""), ("\\u{", 0, "}"), ("\\u", 4, ""), ("&#", 0, ";")].into_iter().find_map(
            |(begin, digits, end)| {
                let inner = rest.strip_prefix(begin)?;
                let length =
                    if digits > 0 { digits } else { inner.find(end).filter(|length| *length < 7)? };
                let number = inner.get(..length)?;
                let radix = if begin == "&#" { 10 } else { 16 };
                let code = char::from_u32(u32::from_str_radix(number, radix).ok()?)?;
                Some((code, begin.len() + length + end.len()))
            },
        );
        let (c, length) = escape.unwrap_or((c, c.len_utf8()));
        read.push(c);
        rest = &rest[length..];
    }
    read
}

#[test]
fn search_finds_a_mark_in_each_encoding() {
    let mark = "zqBODYzq";
    let marks = Marks(vec![mark.to_owned(), "S3CR3T-of-the-app".to_owned()]);
    let escaped = |form: fn(u32) -> String| mark.chars().map(|c| form(c.into())).collect::<String>();
    for line in [
        format!("2026-11-23 08:47:52,260 DEBUG [graph.service] graph request body=\"<p>{mark}</p>\""),
        format!("INFO [worker] call completed reason=\"about {}\"", mark.to_lowercase()),
        format!("GET /users/a/messages?$search={}", escaped(|c| format!("%{c:02X}"))),
        format!("{{\"message\":\"{}\"}}", escaped(|c| format!("\\u{c:04x}"))),
        format!("error=\"{}\"", escaped(|c| format!("\\u{{{c:x}}}"))),
        format!("note {}", escaped(|c| format!("&#{c};"))),
        format!("bytes {}", escaped(|c| format!("{c:02x}"))),
    ] {
        assert_eq!(marks.found_in(&line), [mark], "{line}");
    }
    for before in ["", "a", "ab", "abc", "client_secret:"] {
        let line = format!(
            "authorization={}",
            BASE64_URL_SAFE_NO_PAD.encode(format!("{before}S3CR3T-of-the-app&x"))
        );
        assert_eq!(marks.found_in(&line), ["S3CR3T-of-the-app"], "{line}");
    }
    assert!(marks.found_in("INFO [worker] call completed success=true elapsed_ms=12").is_empty());
}
