//! Entry points for the fuzz targets. They are not part of the public interface.

use chrono::{DateTime, Utc};
use url::Url;

use super::error::Error;
use super::failure::retry_after;
use super::path::{InvalidSegment, Path};
use super::upload;
use crate::auth::token;
use crate::auth::token_response as grant;
use crate::batch::payload;
use crate::expected::Expected;
use crate::hunting;
use crate::message_trace;
use crate::response::{self, Body, Head};
use crate::search::criteria::{AddressMatch, Criteria};
use crate::search::message::Checked;
use crate::search::page as messages;
use crate::search::users;
use crate::transport::upload_address;

/// Reads a response of Graph: two bytes for its status, then its body, which is read as every type it might be.
pub fn graph_answers(data: &[u8]) {
    let Some((status, body)) = data.split_at_checked(2) else { return };
    let status = u16::from_be_bytes([status[0], status[1]]);
    let text = String::from_utf8_lossy(body);
    let _ = retry_after(&text, Utc::now());
    follow(&text);
    let _ = serde_json::from_slice::<grant::TokenResponse>(body);
    let _ = serde_json::from_slice::<token::Denied>(body);
    for status in [200, status] {
        let head = Head { status, retry_after: None, request_id: None, date: None, is_part: false };
        match response::judge(head, Body::read(body.to_vec()), Expected::Success) {
            Ok(answer) => {
                assert!((200..300).contains(&answer.status));
                for part in payload::read(&answer, |_| Expected::Success).into_iter().flatten() {
                    check_texts(part.1.as_ref().err());
                }
                if let Ok(page) = answer.parse::<messages::Page>() {
                    page.next.as_deref().map(follow);
                    for message in &page.value.0 {
                        let _ = Checked::read(message)
                            .map(|checked| (checked.id(), everything().check(&checked)));
                    }
                }
                let _ = answer.parse::<users::Page>();
                let _ = answer.parse::<message_trace::Page>().map(message_trace::read_page);
                let _ = answer.body.as_deref().map(|body| hunting::read_answer(body.get()));
                let _ = answer.parse::<upload::UploadSession>();
                let _ = answer.parse::<upload::Missing>();
            }
            Err(error) => check_texts(Some(&error)),
        }
    }
}

/// Reads addresses that Graph names: the next page, which gets a token, and an upload session, which gets a file.
pub fn graph_links(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    follow(&text);
    let Ok(root) = Url::parse("https://graph.example.com/v1.0") else { return };
    if let Some(url) = upload_address(&text, &root, &["uploads.example.com".to_owned()]) {
        let hosts =
            ["graph.example.com", "outlook", "uploads.example.com", "webmail.apps.mil", "partner.outlook.cn"];
        let host = url.as_str().strip_prefix("https://").and_then(|rest| rest.split('/').next());
        // As it stands in the request: no login, no port, one of the hosts.
        assert!(host.is_some_and(|host| hosts.iter().any(|one| host.starts_with(one))), "{url}");
        let is_whole =
            |host: &str| host.bytes().all(|b| b.is_ascii_lowercase() || b".-0123456789".contains(&b));
        assert!(host.is_some_and(is_whole), "{url}");
        let ends = [".example.com", ".office.com", ".office365.com", ".microsoft", ".us", ".mil", ".cn"];
        assert!(host.is_some_and(|host| ends.iter().any(|end| host.ends_with(end))), "{url}");
    }
}

/// Checks that an error's texts, for the analyst and for the log, are bounded whatever Graph sent.
fn check_texts(error: Option<&Error>) {
    let Some(error) = error else { return };
    assert!(error.to_string().len() < 16 * 1024 && error.for_log().len() < 16 * 1024);
    let _ = error.failure();
}

/// Checks that a next page is followed only below the service root.
fn follow(link: &str) {
    let Ok(root) = Url::parse("https://graph.example.com/v1.0") else { return };
    if let Some(path) = Path::from_next_link(link, &root) {
        let url = path.url(&root);
        assert!(url.origin() == root.origin() && url.path().starts_with("/v1.0/"), "{path}");
    }
}

fn everything() -> Criteria {
    Criteria {
        sender: Some(AddressMatch::new("a@b.example")),
        received_from: DateTime::from_timestamp_millis(0),
        received_to: DateTime::from_timestamp_millis(1 << 42),
        has_attachments: Some(true),
        subject: Some("ä".to_owned()),
        ..Criteria::default()
    }
}

/// Returns the address of a search by `criteria` in `mailbox`.
///
/// # Errors
/// The mailbox or folder cannot stand in a path.
pub fn search_path(criteria: &Criteria, mailbox: &str) -> Result<Path, InvalidSegment> {
    let first = &criteria.parts()[0];
    criteria.path(mailbox, first, criteria.days(), 100)
}

/// Returns the address of the first page of the users whose names begin with `prefix`.
pub fn users_path(prefix: &str) -> Path {
    users::first_page(prefix)
}

/// Writes a text as a literal of KQL.
pub fn kql_literal(text: &str) -> String {
    hunting::kql::literal(text)
}
