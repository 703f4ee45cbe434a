//! Targets: what Graph is asked. The sandbox reads each address as Graph would.

use chrono::DateTime;
use graph::fuzzing::{kql_literal as literal, search_path, users_path};
use graph::{AddressMatch, Criteria, Path};
use sandbox::graph::{ParsedUrl, kql_literal};
use url::Url;

use super::texts_of;

const MAILBOX: &str = "alice@contoso.example";

/// A mailbox, a folder and an id, which the other side reads as just these, or which are refused.
pub fn addresses(data: &[u8]) {
    let [mailbox, folder, id] = texts_of(data);
    let is_named = !folder.is_empty();
    let folder = Some(folder).filter(|_| is_named);
    let Ok(path) = Path::message(&mailbox, folder.as_deref(), &id) else { return };
    for (what, path) in
        [("", path.clone()), ("move", path.clone().then("move")), ("$value", path.then("$value"))]
    {
        let parsed = ParsedUrl {
            attachment: None,
            user: Some(mailbox.clone()),
            folder: folder.clone(),
            message: Some(id.clone()),
            what,
            filter: Vec::new(),
            search: Vec::new(),
        };
        assert_eq!(ParsedUrl::of(path.as_str()), Ok(parsed), "{path}");
        is_unchanged_by_a_url(&path);
    }
}

/// What a URL parser makes of the path is the path itself: no dot segment, no authority, no fragment.
fn is_unchanged_by_a_url(path: &Path) {
    let Ok(root) = Url::parse("https://graph.example.com/v1.0") else { return };
    let url = path.url(&root);
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    assert!(url.origin() == root.origin() && url.fragment().is_none());
    assert_eq!(format!("{}{query}", url.path()), format!("/v1.0{}", path.as_str()));
}

/// Sender and subject as values of a filter, and a prefix of user names: the other side reads these conditions, with
/// these values, and no others.
pub fn odata(data: &[u8]) {
    let [sender, subject, prefix] = texts_of(data);
    let criteria = Criteria {
        sender: Some(AddressMatch::Address(sender.clone())),
        subject: Some(subject.clone()),
        received_from: DateTime::from_timestamp_millis(i64::try_from(data.len()).unwrap_or(0)),
        has_attachments: Some(data.len().is_multiple_of(2)),
        ..Criteria::default()
    };
    let Ok(path) = search_path(&criteria, MAILBOX) else { return };
    let expected = [
        ("receivedDateTime ge", data.len().to_string()),
        ("from/emailAddress/address eq", sender),
        ("hasAttachments eq", (data.len().is_multiple_of(2)).to_string()),
        ("subject contains", subject.to_lowercase()),
    ];
    let parsed = ParsedUrl::of(path.as_str());
    let filter = parsed.as_ref().map(|parsed| parsed.filter.clone());
    assert_eq!(filter, Ok(expected.map(|(name, value)| (name.to_owned(), value)).to_vec()));
    assert!(parsed.is_ok_and(|parsed| parsed.user.as_deref() == Some(MAILBOX) && parsed.what == "messages"));
    is_unchanged_by_a_url(&path);
    is_unchanged_by_a_url(&users_path(&prefix));
}

/// Body and sender as phrases of a search: the other side reads one term each, with these words, and no others. In a
/// hunting query each text is one literal.
pub fn kql(data: &[u8]) {
    let [body, sender, folder] = texts_of(data);
    for text in [&body, &sender, &folder] {
        assert_eq!(kql_literal(&literal(text)).as_ref(), Ok(text));
    }
    let criteria = Criteria {
        folder: Some(folder.clone()).filter(|folder| !folder.is_empty()),
        sender: Some(sender.clone()).filter(|sender| !sender.is_empty()).map(AddressMatch::Address),
        body: Some(body.clone()),
        received_from: DateTime::from_timestamp(86_400 * 10, 0),
        has_attachments: Some(true),
        ..Criteria::default()
    };
    let Ok(path) = search_path(&criteria, MAILBOX) else { return };
    let words = |text: &str| {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
    };
    let mut expected = vec![
        ("body", words(&body)),
        ("hasattachments", "true".to_owned()),
        ("received", format!("9..{}", i64::MAX)),
    ];
    expected.extend(criteria.sender.as_ref().map(|sender| ("from", words(&sender.to_string()))));
    expected.sort_unstable();
    let search = ParsedUrl::of(path.as_str()).map(|parsed| {
        let mut search = parsed.search;
        search.sort_unstable();
        search
    });
    assert_eq!(search, Ok(expected), "{path}");
    is_unchanged_by_a_url(&path);
}
