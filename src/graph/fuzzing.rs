//! The targets of fuzzers in this room: what Graph answers, and what it is asked.

use chrono::{DateTime, Utc};
use url::Url;

use super::criteria::{Checked, Criteria};
use super::error::Error;
use super::path::Path;
use super::retry::retry_after;
use super::wire::{self, Body};
use super::{envelope, grant, messages, token, upload, users};
use crate::fuzzing::texts_of;
use crate::sandbox::graph::Meaning;

const MAILBOX: &str = "alice@contoso.example";

/// An answer of Graph: two bytes for its status, then its body, which is read as everything it might be.
pub fn graph_answers(data: &[u8]) {
    let Some((status, body)) = data.split_at_checked(2) else { return };
    let status = u16::from_be_bytes([status[0], status[1]]);
    let text = String::from_utf8_lossy(body);
    let _ = retry_after(&text, Utc::now());
    follow(&text);
    let _ = serde_json::from_slice::<grant::Granted>(body);
    let _ = serde_json::from_slice::<token::Denied>(body);
    for status in [200, status] {
        match wire::judge(status, None, None, Body::read(body)) {
            Ok(answer) => {
                assert!((200..300).contains(&answer.status));
                for part in envelope::read(&answer).into_iter().flatten() {
                    told(part.1.as_ref().err());
                }
                if let Ok(page) = answer.parse::<messages::Page>() {
                    page.next.as_deref().map(follow);
                    for message in &page.value.0 {
                        let _ = serde_json::from_str::<messages::Identified<'_>>(message.get());
                        let checked = serde_json::from_str::<Checked<'_>>(message.get());
                        let _ = checked.map(|checked| everything().are_met_by(&checked));
                    }
                }
                let _ = answer.parse::<users::Page>();
                let _ = answer.parse::<upload::UploadSession>();
                let _ = answer.parse::<upload::Missing>();
            }
            Err(error) => told(Some(&error)),
        }
    }
}

/// An error's words, for both of its readers, are bounded whatever Graph said.
fn told(error: Option<&Error>) {
    let Some(error) = error else { return };
    assert!(error.to_string().len() < 16 * 1024 && error.for_log().len() < 16 * 1024);
    let _ = error.failure();
}

/// A next page is below the service root, or not followed.
fn follow(link: &str) {
    let Ok(root) = Url::parse("https://graph.example.com/v1.0") else { return };
    if let Some(path) = Path::from_next_link(link, &root) {
        let url = Url::parse(&path.url(&root));
        let below = |url: Url| url.origin() == root.origin() && url.path().starts_with("/v1.0/");
        assert!(url.is_ok_and(below), "{path}");
    }
}

fn everything() -> Criteria {
    Criteria {
        sender: Some("a@b.example".to_owned()),
        received_from: DateTime::from_timestamp_millis(0),
        received_to: DateTime::from_timestamp_millis(1 << 42),
        has_attachments: Some(true),
        subject: Some("ä".to_owned()),
        ..Criteria::default()
    }
}

/// A mailbox, a folder and an id, which the other side reads as just these, or which are refused.
pub fn addresses(data: &[u8]) {
    let [mailbox, folder, id] = texts_of(data);
    let is_named = !folder.is_empty();
    let folder = Some(folder).filter(|_| is_named);
    let Ok(path) = Path::message(&mailbox, folder.as_deref(), &id) else { return };
    for (what, path) in
        [("", path.clone()), ("move", path.clone().then("move")), ("$value", path.then("$value"))]
    {
        let meaning = Meaning {
            user: Some(mailbox.clone()),
            folder: folder.clone(),
            message: Some(id.clone()),
            what,
            filter: Vec::new(),
            search: Vec::new(),
        };
        assert_eq!(Meaning::of(path.as_str()), Ok(meaning), "{path}");
        is_unchanged_by_a_url(&path);
    }
}

/// What a URL parser makes of the path is the path itself: no dot segment, no authority, no fragment.
fn is_unchanged_by_a_url(path: &Path) {
    let Ok(root) = Url::parse("https://graph.example.com/v1.0") else { return };
    let url = Url::parse(&path.url(&root));
    assert!(url.is_ok_and(|url| {
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        url.origin() == root.origin()
            && url.fragment().is_none()
            && format!("{}{query}", url.path()) == format!("/v1.0{}", path.as_str())
    }));
}

/// Sender and subject as values of a filter, and a prefix of user names: the other side reads these conditions, with
/// these values, and no others.
pub fn odata(data: &[u8]) {
    let [sender, subject, prefix] = texts_of(data);
    let criteria = Criteria {
        sender: Some(sender.clone()),
        subject: Some(subject.clone()),
        received_from: DateTime::from_timestamp_millis(i64::try_from(data.len()).unwrap_or(0)),
        has_attachments: Some(data.len().is_multiple_of(2)),
        ..Criteria::default()
    };
    let Ok(path) = criteria.path(MAILBOX, criteria.days(), 100) else { return };
    let expected = [
        ("receivedDateTime ge", data.len().to_string()),
        ("from/emailAddress/address eq", sender),
        ("hasAttachments eq", (data.len().is_multiple_of(2)).to_string()),
        ("subject contains", subject.to_lowercase()),
    ];
    let meaning = Meaning::of(path.as_str());
    let filter = meaning.as_ref().map(|meaning| meaning.filter.clone());
    assert_eq!(filter, Ok(expected.map(|(name, value)| (name.to_owned(), value)).to_vec()));
    assert!(
        meaning.is_ok_and(|meaning| meaning.user.as_deref() == Some(MAILBOX) && meaning.what == "messages")
    );
    is_unchanged_by_a_url(&path);
    is_unchanged_by_a_url(&users::first_page(&prefix));
}

/// Body and sender as phrases of a search: the other side reads one term each, with these words, and no others.
pub fn kql(data: &[u8]) {
    let [body, sender, folder] = texts_of(data);
    let criteria = Criteria {
        folder: Some(folder.clone()).filter(|folder| !folder.is_empty()),
        sender: Some(sender.clone()).filter(|sender| !sender.is_empty()),
        body: Some(body.clone()),
        received_from: DateTime::from_timestamp(86_400 * 10, 0),
        has_attachments: Some(true),
        ..Criteria::default()
    };
    let Ok(path) = criteria.path(MAILBOX, criteria.days(), 100) else { return };
    let words = |text: &str| {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
    };
    let mut expected = vec![
        ("body", words(&body)),
        ("hasattachments", "true".to_owned()),
        ("received", format!("9..{}", i64::MAX)),
    ];
    expected.extend(criteria.sender.as_deref().map(|sender| ("from", words(sender))));
    expected.sort_unstable();
    let search = Meaning::of(path.as_str()).map(|meaning| {
        let mut search = meaning.search;
        search.sort_unstable();
        search
    });
    assert_eq!(search, Ok(expected), "{path}");
    is_unchanged_by_a_url(&path);
}
