//! What the tenant takes an address for: which resource, which conditions. So that it can be proved, of any value,
//! that it arrives as the value it was, and as nothing else.

use super::filter::Filter;
use super::path::{Part, Place, Route};
use super::query::Query;
use super::search::Search;

/// An address as the tenant reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedUrl {
    /// The user, where one is named.
    pub user: Option<String>,
    /// The folder, where one is named.
    pub folder: Option<String>,
    /// The message's id, where one is named.
    pub message: Option<String>,
    /// What of it is meant, in Graph's words: `messages`, `$value`; nothing for the thing itself.
    pub what: &'static str,
    /// The conditions of its `$filter`, each with its value. Texts that are compared without regard to case are in
    /// lower case.
    pub filter: Vec<(String, String)>,
    /// The terms of its `$search`, each with its value: words in lower case, or days since 1970.
    pub search: Vec<(&'static str, String)>,
}

impl ParsedUrl {
    /// Reads an address below the version root, as it stands in a request line.
    ///
    /// # Errors
    /// What the tenant would answer to it.
    pub fn of(address: &str) -> Result<Self, String> {
        let words = |refusal: super::refusal::Refusal| refusal.message.into_owned();
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let query = Query::parse(query).map_err(words)?;
        let (user, folder, message, what) = match Route::parse(path).map_err(words)? {
            Route::Batch => (None, None, None, "$batch"),
            Route::Users => (None, None, None, "users"),
            Route::User(user) => (Some(user), None, None, ""),
            Route::SendMail(user) => (Some(user), None, None, "sendMail"),
            Route::MailboxSettings(user) => (Some(user), None, None, "mailboxSettings"),
            Route::TimeZone(user) => (Some(user), None, None, "timeZone"),
            Route::Events(user) => (Some(user), None, None, "events"),
            Route::Folders(user) => (Some(user), None, None, "mailFolders"),
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
                };
                (Some(user), folder, Some(id), what)
            }
        };
        let filter = query.filter.as_deref().map(Filter::parse).transpose().map_err(words)?;
        let search = query.search.as_deref().map(Search::parse).transpose().map_err(words)?;
        Ok(Self {
            user,
            folder,
            message,
            what,
            filter: filter.map(|filter| filter.conditions()).unwrap_or_default(),
            search: search.map(|search| search.terms()).unwrap_or_default(),
        })
    }
}
