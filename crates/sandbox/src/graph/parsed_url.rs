//! How the tenant reads a URL: the resource and the conditions. Tests use it to prove that every value arrives
//! unchanged.

use super::calendar::{EventFilter, MeetingResponse};
use super::filter::Filter;
use super::path::{EventPart, ItemsPart, Part, Place, Route};
use super::query::Query;
use super::search::Search;

/// A URL as the tenant reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedUrl {
    /// The user, if the URL names one.
    pub user: Option<String>,
    /// The folder, if the URL names one.
    pub folder: Option<String>,
    /// The id of the message or event, if the URL names one.
    pub message: Option<String>,
    /// The attachment's id, if the URL names one.
    pub attachment: Option<String>,
    /// The last segment, as Graph names it: `messages`, `$value`. Empty for the resource itself.
    pub what: &'static str,
    /// The conditions of `$filter`, each with its value. Texts that are compared case-insensitively are in lower case.
    pub filter: Vec<(String, String)>,
    /// The terms of `$search`, each with its value: words in lower case, or days since 1970.
    pub search: Vec<(&'static str, String)>,
}

impl ParsedUrl {
    /// Reads a URL below the version root, as in a request line.
    ///
    /// # Errors
    /// The message of the tenant's refusal.
    pub fn of(address: &str) -> Result<Self, String> {
        let words = |refusal: super::refusal::Refusal| refusal.message.into_owned();
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let query = Query::parse(query).map_err(words)?;
        let (mut attachment_id, mut of_events) = (None, false);
        let (user, folder, message, what) = match Route::parse(path).map_err(words)? {
            Route::Batch => (None, None, None, "$batch"),
            Route::Users => (None, None, None, "users"),
            Route::MessageTraces => (None, None, None, "messageTraces"),
            Route::HuntingQuery => (None, None, None, "runHuntingQuery"),
            Route::MailboxItems { mailbox, part } => (Some(mailbox), None, None, of_items(part)),
            Route::ExchangeSettings(user) => (Some(user), None, None, "exchange"),
            Route::User(user) => (Some(user), None, None, ""),
            Route::TranslateIds(user) => (Some(user), None, None, "translateExchangeIds"),
            Route::SendMail(user) => (Some(user), None, None, "sendMail"),
            Route::MailboxSettings(user) => (Some(user), None, None, "mailboxSettings"),
            Route::TimeZone(user) => (Some(user), None, None, "timeZone"),
            Route::Events(user) => {
                of_events = true;
                (Some(user), None, None, "events")
            }
            Route::Event { user, id, part } => (Some(user), None, Some(id), of_event(part)),
            Route::Folders { user, parent: None } => (Some(user), None, None, "mailFolders"),
            Route::Folders { user, parent } => (Some(user), parent, None, "childFolders"),
            Route::Folder { user, folder } => (Some(user), Some(folder), None, ""),
            Route::Messages { user, folder } => (Some(user), folder, None, "messages"),
            Route::Message(Place { user, folder, id }, part) => {
                let what = match part {
                    Part::Itself => "",
                    Part::Mime => "$value",
                    Part::Move => "move",
                    Part::Send => "send",
                    Part::Attachments => "attachments",
                    Part::PermanentDelete => "permanentDelete",
                    Part::UploadSession => "createUploadSession",
                    Part::Event => "event",
                };
                (Some(user), folder, Some(id), what)
            }
            Route::Attachment { place: Place { user, folder, id }, attachment, content } => {
                attachment_id = Some(attachment);
                (Some(user), folder, Some(id), if content { "$value" } else { "" })
            }
        };
        let conditions = |filter: &str| {
            if of_events {
                EventFilter::parse(filter).map(|filter| filter.conditions())
            } else {
                Filter::parse(filter).map(|filter| filter.conditions())
            }
        };
        let filter = query.filter.as_deref().map(conditions).transpose().map_err(words)?;
        let search = query.search.as_deref().map(Search::parse).transpose().map_err(words)?;
        Ok(Self {
            user,
            folder,
            message,
            attachment: attachment_id,
            what,
            filter: filter.unwrap_or_default(),
            search: search.map(|search| search.terms()).unwrap_or_default(),
        })
    }
}

/// The last segment of a URL of a mailbox's items.
fn of_items(part: ItemsPart) -> &'static str {
    match part {
        ItemsPart::Folders => "folders",
        ItemsPart::Export => "exportItems",
        ItemsPart::ImportSession => "createImportSession",
    }
}

/// The last segment of a URL of an event.
fn of_event(part: EventPart) -> &'static str {
    match part {
        EventPart::Itself => "",
        EventPart::PermanentDelete => "permanentDelete",
        EventPart::Respond(MeetingResponse::Accepted) => "accept",
        EventPart::Respond(MeetingResponse::TentativelyAccepted) => "tentativelyAccept",
        EventPart::Respond(MeetingResponse::Declined) => "decline",
        EventPart::Cancel => "cancel",
    }
}
