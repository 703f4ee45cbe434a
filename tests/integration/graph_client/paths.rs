//! Addresses: what comes from outside stays one segment, whatever it holds.

use graph::Path;
use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use url::Url;

/// The decoded segments of `path` as a server sees them, after a client has built a URL of it.
fn segments(path: &Path) -> Vec<String> {
    let root = Url::parse("https://graph.example.com/v1.0").unwrap();
    let url = path.url(&root);
    assert_eq!((url.query(), url.fragment(), url.host_str()), (None, None, Some("graph.example.com")));
    let decode = |segment: &str| percent_decode_str(segment).decode_utf8().unwrap().into_owned();
    url.path_segments().unwrap().map(decode).collect()
}

/// Any string, and more often those that hold what addresses are made of.
fn anything() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z0-9@.'#%?&/+=$\\\\:; \"<>äé€\u{202e}\n\t\0-]{1,24}",
        "(%2[eEfF]|\\.|/){1,6}"
    ]
}

/// What no encoding keeps from meaning something else, somewhere on the way.
fn means_more(value: &str) -> bool {
    let value = value.strip_prefix('$').unwrap_or(value);
    value.is_empty()
        || value.starts_with('$')
        || value.contains(|c: char| c == '(' || c.is_control())
        || value.split(['/', '\\']).any(|part| part == "." || part == "..")
}

proptest! {
    #[test]
    fn string_stays_one_segment(mailbox in anything(), folder in anything(), id in anything()) {
        let path = Path::message(&mailbox, Some(&folder), &id);
        if [&mailbox, &folder, &id].into_iter().any(|value| means_more(value)) || [&folder, &id].into_iter().any(|value| value.starts_with('$')) {
            prop_assert!(path.is_err());
            return Ok(());
        }
        let segments = segments(&path.unwrap());
        if mailbox.starts_with('$') {
            let quoted = format!("users('{}')", mailbox.replace('\'', "''"));
            prop_assert_eq!(segments, ["v1.0", &quoted, "mailFolders", &folder, "messages", &id]);
        } else {
            prop_assert_eq!(segments, ["v1.0", "users", &mailbox, "mailFolders", &folder, "messages", &id]);
        }
    }

    #[test]
    fn option_value_is_unchanged(value in any::<String>()) {
        let path = Path::users().option("$filter", &value).option("$top", "1");
        let url = path.url(&Url::parse("https://graph.example.com/v1.0").unwrap());
        // Not read as a form: Graph takes a plus for a plus.
        let query = url.query().unwrap().strip_prefix("$filter=").unwrap();
        let encoded = query.strip_suffix("&$top=1").unwrap();
        prop_assert!(!encoded.contains(['&', '=', '+', '#', ' ']), "{}", encoded);
        prop_assert_eq!(percent_decode_str(encoded).decode_utf8().unwrap(), value);
    }
}

#[test]
fn value_with_another_meaning_is_refused_in_every_segment() {
    let long = "x".repeat(2049);
    for value in ["", ".", "..", "../..", "a/../b", "a\\..", "a\0", "a\r\nb", "messages('x')", "$", &long] {
        assert!(Path::user(value).is_err());
        assert!(Path::message(value, None, "id").is_err());
        assert!(Path::message("a@x.example", Some(value), "id").is_err());
        assert!(Path::message("a@x.example", None, value).is_err());
        assert!(Path::messages("a@x.example", Some(value)).is_err());
    }
    for value in ["$count", "$ref", "$value"] {
        assert!(Path::message("a@x.example", None, value).is_err());
        assert!(Path::messages("a@x.example", Some(value)).is_err());
    }
    let words = Path::user(&long).unwrap_err().to_string();
    assert!(words.len() < 200, "{words}");
    let words = Path::user("..").unwrap_err().to_string();
    assert_eq!(words, "\"..\" cannot be a mailbox address in Microsoft Graph");
}

#[test]
fn next_link_is_followed_below_the_root_only() {
    let root = Url::parse("https://graph.example.com:8443/v1.0").unwrap();
    let follow = |link: &str| Path::from_next_link(link, &root).map(|path| path.as_str().to_owned());
    let good = "https://graph.example.com:8443/v1.0/users?$skiptoken=a%2Fb%27c";
    assert_eq!(follow(good).unwrap(), "/users?$skiptoken=a%2Fb%27c");
    for bad in [
        "https://graph.example.com/v1.0/users",
        "http://graph.example.com:8443/v1.0/users",
        "https://graph.example.com.evil.example:8443/v1.0/users",
        "https://graph.example.com:8443@evil.example/v1.0/users",
        "https://evil.example:8443/v1.0/users",
        "https://graph.example.com:8443/beta/users",
        "https://graph.example.com:8443/v1.0evil/users",
        "https://graph.example.com:8443/v1.0/../beta/users",
        "https://graph.example.com:8443/v1.0/%2e%2e/beta/users",
        "https://graph.example.com:8443/v1.0",
        "https://user:pw@evil.example:8443/v1.0/users",
        "https://graph.example.com:8443\\@evil.example/v1.0/users",
        "https://graph.example.com:8443\\..\\beta/users",
        "https://evil.example:8443/v1.0/users#https://graph.example.com:8443/v1.0/users",
        "https://169.254.169.254/v1.0/users",
        "https://2852039166/v1.0/users",
        "https://graph.example.com:8443/V1.0/users",
        "https://graph.example.com:8443/v1.0/%2E./beta/users",
        "https:\t//evil.example:8443/v1.0/users",
        "/v1.0/users",
        "//evil.example/v1.0/users",
        "",
    ] {
        assert_eq!(follow(bad), None, "{bad}");
    }
}
