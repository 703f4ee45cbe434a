//! One request to Graph, alone or as a part of a batch, and the endpoint that answers it.

use axum::http::{HeaderMap, Method};
use bytes::Bytes;

use super::answer::{Answer, Outcome, Refusal};
use super::faults::Faults;
use super::path::{Part, Route};
use super::query::Query;
use super::state::State;
use super::{calendar, compose, mail, people, upload};

/// A request, whatever it came in.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// Below the version root, percent-encoded, without the query.
    pub(super) path: String,
    /// Behind the `?`.
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// What the path names, or why it names nothing.
    pub(super) route: Result<Route, Refusal>,
}

impl Call {
    /// A request to `path_and_query` below the version root.
    pub(super) fn new(method: Method, path_and_query: &str, headers: HeaderMap, body: Bytes) -> Self {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let route = Route::parse(path);
        Self { method, path: path.to_owned(), query: query.to_owned(), headers, body, route }
    }

    /// The mailbox it is about, as the URL names it.
    pub(super) fn mailbox(&self) -> Option<&str> {
        self.route.as_ref().ok()?.mailbox()
    }

    /// The body as JSON, and nothing else.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, Refusal> {
        let json = self
            .headers
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.to_ascii_lowercase().starts_with("application/json"));
        if !json {
            return Err(Refusal::new(
                415,
                "UnsupportedMediaType",
                "A supported MIME type could not be found that matches the content type of the request.",
            ));
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| Refusal::bad_request(format!("Unable to read JSON request payload: {error}")))
    }

    /// Method, path and query, as faults choose by.
    pub(super) fn request_line(&self) -> String {
        let slash = if self.path.starts_with('/') { "" } else { "/" };
        format!("{} {slash}{}", self.method, self.path_and_query())
    }

    /// Path and query as the client wrote them.
    pub(super) fn path_and_query(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }
}

/// An application permission, and what is said where it is missing.
struct Needed(&'static [&'static str], Denial);

#[derive(Clone, Copy)]
enum Denial {
    Exchange,
    Directory,
}

/// Does what a request asks for, if the application may.
pub(super) fn perform(state: &State, faults: &Faults, call: &Call) -> Outcome {
    let route = call.route.as_ref().map_err(Clone::clone)?;
    if let (&Method::DELETE, Route::User(user)) = (&call.method, route) {
        // Nothing in this program ever means this; it is what a guest's address cut at its '#' turns into.
        state.changes().users_deleted.push(user.clone());
    }
    let needed = needed(&call.method, route)?;
    if !faults.has_any_role(needed.0) {
        return Err(match needed.1 {
            Denial::Exchange => {
                Refusal::new(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
            }
            Denial::Directory => Refusal::new(
                403,
                "Authorization_RequestDenied",
                "Insufficient privileges to complete the operation.",
            ),
        });
    }
    let query = Query::parse(&call.query)?;
    match (&call.method, route) {
        (&Method::GET, Route::Users) => people::list(state, faults, &query),
        (&Method::GET, Route::User(user)) => people::get(state, faults, user, &query),
        (&Method::GET, Route::MailboxSettings(user)) => people::mailbox_settings(state, user),
        (&Method::GET, Route::TimeZone(user)) => people::time_zone(state, user),
        (&Method::GET, Route::Folders(user)) => mail::folders(state, user),
        (&Method::GET, Route::Folder { user, folder }) => mail::folder(state, user, folder),
        (&Method::GET, Route::Messages { user, folder }) => {
            mail::list(state, faults, user, folder.as_deref(), &query, &call.path)
        }
        (&Method::GET, Route::Message(place, Part::Itself)) => mail::get(state, place, &query),
        (&Method::GET, Route::Message(place, Part::Mime)) => mail::mime(state, place),
        (&Method::PATCH, Route::Message(place, Part::Itself)) => mail::change(state, place, call),
        (&Method::DELETE, Route::Message(place, Part::Itself)) => mail::delete(state, place, false),
        (&Method::POST, Route::Message(place, Part::PermanentDelete)) => {
            if faults.is_national() {
                return Err(Refusal::no_segment("permanentDelete"));
            }
            mail::delete(state, place, true)
        }
        (&Method::POST, Route::Message(place, Part::Move)) => mail::move_to(state, place, call),
        (&Method::POST, Route::Messages { user, .. }) => compose::draft(state, user, call),
        (&Method::POST, Route::SendMail(user)) => compose::send_mail(state, user, call),
        (&Method::POST, Route::Message(place, Part::Send)) => compose::send_draft(state, place),
        (&Method::POST, Route::Message(place, Part::Attachments)) => compose::attach(state, place, call),
        (&Method::POST, Route::Message(place, Part::UploadSession)) => upload::create(state, place, call),
        (&Method::POST, Route::Events(user)) => calendar::create(state, user, call),
        (&Method::GET, Route::Events(user)) => calendar::list(state, user),
        _ => Err(Refusal::method_not_allowed()),
    }
}

fn needed(method: &Method, route: &Route) -> Result<Needed, Refusal> {
    const READ: &[&str] = &["Mail.Read", "Mail.ReadWrite"];
    const WRITE: &[&str] = &["Mail.ReadWrite"];
    let read = *method == Method::GET;
    Ok(match route {
        Route::Batch => return Err(Refusal::bad_request("Batch requests cannot be nested.")),
        Route::User(_) if *method == Method::DELETE => Needed(&["User.ReadWrite.All"], Denial::Directory),
        Route::Users | Route::User(_) => Needed(&["User.Read.All"], Denial::Directory),
        Route::MailboxSettings(_) | Route::TimeZone(_) => {
            Needed(&["MailboxSettings.Read", "MailboxSettings.ReadWrite"], Denial::Exchange)
        }
        Route::Events(_) if read => Needed(&["Calendars.Read", "Calendars.ReadWrite"], Denial::Exchange),
        Route::Events(_) => Needed(&["Calendars.ReadWrite"], Denial::Exchange),
        Route::SendMail(_) | Route::Message(_, Part::Send) => Needed(&["Mail.Send"], Denial::Exchange),
        Route::Folders(_) | Route::Folder { .. } | Route::Messages { .. } | Route::Message(..) => {
            Needed(if read { READ } else { WRITE }, Denial::Exchange)
        }
    })
}

/// What kind of request it is, for the counters.
pub(super) fn kind(call: &Call) -> &'static str {
    match (&call.method, &call.route) {
        (_, Ok(Route::Batch)) => "batch",
        (&Method::GET, Ok(Route::Users)) => "list users",
        (&Method::GET, Ok(Route::User(_))) => "get user",
        (&Method::DELETE, Ok(Route::User(_))) => "delete user",
        (&Method::POST, Ok(Route::SendMail(_))) => "send mail",
        (&Method::GET, Ok(Route::MailboxSettings(_) | Route::TimeZone(_))) => "mailbox settings",
        (&Method::POST, Ok(Route::Events(_))) => "create event",
        (&Method::GET, Ok(Route::Messages { .. })) => "list messages",
        (&Method::POST, Ok(Route::Messages { .. })) => "create draft",
        (&Method::GET, Ok(Route::Message(_, Part::Itself))) => "get message",
        (&Method::GET, Ok(Route::Message(_, Part::Mime))) => "get mime",
        (&Method::DELETE, Ok(Route::Message(_, Part::Itself))) => "delete message",
        (&Method::PATCH, Ok(Route::Message(_, Part::Itself))) => "change message",
        (&Method::POST, Ok(Route::Message(_, Part::Move))) => "move message",
        (&Method::POST, Ok(Route::Message(_, Part::PermanentDelete))) => "delete message for good",
        (&Method::POST, Ok(Route::Message(_, Part::Send))) => "send draft",
        (&Method::POST, Ok(Route::Message(_, Part::Attachments))) => "add attachment",
        (&Method::POST, Ok(Route::Message(_, Part::UploadSession))) => "create upload session",
        _ => "other",
    }
}

/// A JSON answer made by `write`.
pub(super) fn written(status: u16, write: impl FnOnce(&mut Vec<u8>)) -> Answer {
    let mut body = Vec::with_capacity(1024);
    write(&mut body);
    Answer::json(status, body)
}
