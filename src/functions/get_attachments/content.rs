//! What the function answers.

use std::collections::HashSet;

use serde::Serialize;

use super::store::Stored;
use super::{Body, Message};
use crate::functions::error::Error;
use crate::functions::outcome::{Outcome, Trouble};
use crate::functions::report::counted;
use graph::attachments::{AttachedFile, Sha256, Traits};
use graph::urls::{self, FoundUrls};

/// No more URLs are listed, of the message and of those attached to it together.
const MOST_URLS: usize = 2_000;

/// What was found out.
pub(super) struct Facts<'a> {
    pub(super) mailbox: &'a str,
    pub(super) id: &'a str,
    pub(super) message: Message,
    pub(super) files: Vec<AttachedFile>,
    pub(super) stored: Stored,
    /// Names that were asked for and that no attachment has.
    pub(super) missing: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct Content<'a> {
    email_address: &'a str,
    message_id: &'a str,
    internet_message_id: Option<&'a str>,
    subject: Option<&'a str>,
    attachments: &'a [AttachedFile],
    /// Whether all of the attachments were looked at, to the innermost message, and all URLs are listed.
    complete: bool,
    /// Of all files, those in attached messages included, each once.
    sha256: Vec<Sha256>,
    /// In the text of the message, and of those attached to it, each once.
    urls: Vec<&'a str>,
    names_not_found: &'a [String],
    stored: &'a [super::store::StoredFile],
    not_stored: &'a [super::store::NotStored],
}

impl Facts<'_> {
    pub(super) fn outcome(&self) -> Result<Outcome, Error> {
        let Self { mailbox, id, message, files, stored, missing } = self;
        let traits = Traits::of(files);
        let own = message.body.as_ref().map(Body::urls).unwrap_or_default();
        let mut seen = HashSet::new();
        let mut urls: Vec<&str> = own.urls.iter().map(String::as_str).chain(traits.urls).collect();
        urls.retain(|url| seen.insert(*url));
        let are_all_listed = own.complete && urls.len() <= MOST_URLS && files.iter().all(has_all_urls);
        urls.truncate(MOST_URLS);
        let mut digests = traits.digests;
        let mut seen = HashSet::new();
        digests.retain(|digest| seen.insert(*digest));
        let unexamined = traits.unexamined.len();
        let content = Content {
            email_address: mailbox,
            message_id: id,
            internet_message_id: message.internet_message_id.as_deref(),
            subject: message.subject.as_deref(),
            attachments: files,
            complete: unexamined == 0 && are_all_listed,
            sha256: digests,
            urls,
            names_not_found: missing,
            stored: &stored.files,
            not_stored: &stored.not_stored,
        };
        let mut outcome = Outcome::done(&content)?;
        let mut sentences = Vec::new();
        if unexamined > 0 {
            let them = counted(unexamined, "attachment");
            sentences.push(format!("Not looked at, or not completely: {them}; each one says why."));
        }
        if !are_all_listed {
            sentences.push("There are more URLs than are listed.".to_owned());
        }
        if !missing.is_empty() {
            sentences.push(format!("The message has no attachment of {}.", counted(missing.len(), "name")));
        }
        let troubles = (!stored.not_stored.is_empty()).then(|| Trouble {
            for_analyst: format!("Not stored: {}.", stored.reasons()),
            for_log: format!("Not stored: {}.", counted(stored.not_stored.len(), "attachment")),
        });
        outcome.because(sentences, troubles.into_iter().collect());
        Ok(outcome)
    }
}

/// Whether the URLs of all messages in the file are listed.
fn has_all_urls(file: &AttachedFile) -> bool {
    let mut all = true;
    file.visit(&mut |file| all &= file.nested.as_ref().is_none_or(|nested| nested.urls.complete));
    all
}

impl Body {
    fn urls(&self) -> FoundUrls {
        let text = self.content.as_deref().unwrap_or_default();
        let is_html = self.content_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("html"));
        if is_html { urls::in_html(text) } else { urls::in_text(text) }
    }
}
