//! From a request's method and path to the endpoint that answers it.

use axum::http::Method;

use super::faults::Faults;
use super::path::{Part, Route};
use super::query::Query;
use super::refusal::{GraphResult, Refusal};
use super::request::GraphRequest;
use super::state::State;
use super::{
    attachments, calendar, drafts, exchange_ids, hunting, listing, mail, mail_folders, trace, upload, users,
};

/// An application permission, and the wording of its refusal.
struct Needed(&'static [&'static str], Wording);

#[derive(Clone, Copy)]
enum Wording {
    Exchange,
    Directory,
    Security,
}

/// Carries out a request, if the application has the permission.
pub(super) fn perform(state: &State, faults: &Faults, request: &GraphRequest) -> GraphResult {
    let route = request.route.as_ref().map_err(Clone::clone)?;
    if let (&Method::DELETE, Route::User(user)) = (&request.method, route) {
        // No client means this. It results from a guest's address that is cut at its '#'.
        state.changes().users_deleted.push(user.clone());
    }
    let needed = needed(&request.method, route)?;
    if !faults.has_any_role(needed.0) {
        return Err(match needed.1 {
            Wording::Exchange => {
                Refusal::new(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
            }
            Wording::Directory => Refusal::new(
                403,
                "Authorization_RequestDenied",
                "Insufficient privileges to complete the operation.",
            ),
            Wording::Security => Refusal::missing_roles(needed.0, &faults.roles()),
        });
    }
    let mut response = endpoint(state, faults, request, route)?;
    if route.mailbox().is_some() {
        let applied = request.applied_preferences();
        response.headers.extend(applied.map(|applied| ("Preference-Applied", applied)));
    }
    Ok(response)
}

fn endpoint(state: &State, faults: &Faults, request: &GraphRequest, route: &Route) -> GraphResult {
    let mailbox = route.mailbox().and_then(|user| Some((state.base.directory.find(user)?, user)));
    if let Some(refusal) = mailbox.and_then(|(mailbox, user)| faults.mailbox_refusal(mailbox, user)) {
        return Err(refusal);
    }
    let query = Query::parse(&request.query)?;
    if query.expand.is_some() && !matches!(route, Route::Messages { .. } | Route::Message(_, Part::Itself)) {
        return Err(Refusal::bad_request(
            "The query parameter '$expand' is not supported or not recognized.",
        ));
    }
    match (&request.method, route) {
        (&Method::GET, Route::Users) => users::list(state, faults, &query),
        (&Method::GET, Route::MessageTraces) => trace::list(state, faults, request, &query),
        (&Method::POST, Route::HuntingQuery) => hunting::run(state, faults, request),
        (&Method::GET, Route::User(user)) => users::get(state, faults, user, &query),
        (&Method::GET, Route::MailboxSettings(user)) => users::mailbox_settings(state, user),
        (&Method::GET, Route::TimeZone(user)) => users::time_zone(state, user),
        (&Method::GET, Route::Folders { user, parent }) => {
            mail_folders::list(state, user, parent.as_deref(), request, &query)
        }
        (&Method::GET, Route::Folder { user, folder }) => mail_folders::get(state, user, folder),
        (&Method::GET, Route::Messages { user, folder }) => {
            listing::list(state, faults, user, folder.as_deref(), request, &query)
        }
        (&Method::GET, Route::Message(place, Part::Itself)) => mail::get(state, place, request, &query),
        (&Method::GET, Route::Message(place, Part::Mime)) => mail::mime(state, place),
        (&Method::PATCH, Route::Message(place, Part::Itself)) => mail::change(state, place, request),
        (&Method::DELETE, Route::Message(place, Part::Itself)) => mail::delete(state, place, false),
        (&Method::POST, Route::Message(place, Part::PermanentDelete)) => {
            if faults.is_national() {
                return Err(Refusal::no_segment("permanentDelete"));
            }
            mail::delete(state, place, true)
        }
        (&Method::POST, Route::Message(place, Part::Move)) => mail::move_to(state, place, request),
        (&Method::POST, Route::Messages { user, .. }) => drafts::draft(state, user, request),
        (&Method::POST, Route::SendMail(user)) => drafts::send_mail(state, user, request),
        (&Method::POST, Route::Message(place, Part::Send)) => drafts::send_draft(state, faults, place),
        (&Method::POST, Route::Message(place, Part::Attachments)) => {
            drafts::attach(state, faults, place, request)
        }
        (&Method::GET, Route::Message(place, Part::Attachments)) => {
            attachments::list(state, faults, place, request, &query)
        }
        (&Method::GET, Route::Attachment { place, attachment, content: false }) => {
            attachments::get(state, place, attachment, request, &query)
        }
        (&Method::GET, Route::Attachment { place, attachment, content: true }) => {
            attachments::content(state, place, attachment)
        }
        (&Method::POST, Route::Message(place, Part::UploadSession)) => {
            upload::create(state, faults, place, request)
        }
        (&Method::POST, Route::TranslateIds(user)) => exchange_ids::translate(state, user, request),
        (&Method::POST, Route::Events(user)) => calendar::create(state, user, request),
        (&Method::GET, Route::Events(user)) => calendar::list(state, user, request),
        _ => Err(Refusal::method_not_allowed()),
    }
}

fn needed(method: &Method, route: &Route) -> Result<Needed, Refusal> {
    const READ: &[&str] = &["Mail.Read", "Mail.ReadWrite"];
    const WRITE: &[&str] = &["Mail.ReadWrite"];
    let read = *method == Method::GET;
    Ok(match route {
        Route::Batch => return Err(Refusal::bad_request("Batch requests cannot be nested.")),
        Route::User(_) if *method == Method::DELETE => Needed(&["User.ReadWrite.All"], Wording::Directory),
        Route::Users | Route::User(_) | Route::TranslateIds(_) => {
            Needed(&["User.Read.All"], Wording::Directory)
        }
        Route::MessageTraces => Needed(&["ExchangeMessageTrace.Read.All"], Wording::Exchange),
        Route::HuntingQuery => Needed(&["ThreatHunting.Read.All"], Wording::Security),
        Route::MailboxSettings(_) | Route::TimeZone(_) => {
            Needed(&["MailboxSettings.Read", "MailboxSettings.ReadWrite"], Wording::Exchange)
        }
        Route::Events(_) if read => Needed(&["Calendars.Read", "Calendars.ReadWrite"], Wording::Exchange),
        Route::Events(_) => Needed(&["Calendars.ReadWrite"], Wording::Exchange),
        Route::SendMail(_) | Route::Message(_, Part::Send) => Needed(&["Mail.Send"], Wording::Exchange),
        Route::Folders { .. }
        | Route::Folder { .. }
        | Route::Messages { .. }
        | Route::Message(..)
        | Route::Attachment { .. } => Needed(if read { READ } else { WRITE }, Wording::Exchange),
    })
}

/// The kind of a request, for the counters.
pub(super) fn kind(request: &GraphRequest) -> &'static str {
    match (&request.method, &request.route) {
        (_, Ok(Route::Batch)) => "batch",
        (&Method::GET, Ok(Route::Users)) => "list users",
        (&Method::GET, Ok(Route::MessageTraces)) => "message trace",
        (&Method::POST, Ok(Route::HuntingQuery)) => "hunting query",
        (&Method::GET, Ok(Route::User(_))) => "get user",
        (&Method::DELETE, Ok(Route::User(_))) => "delete user",
        (&Method::POST, Ok(Route::SendMail(_))) => "send mail",
        (&Method::POST, Ok(Route::TranslateIds(_))) => "translate ids",
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
        (&Method::GET, Ok(Route::Message(_, Part::Attachments))) => "list attachments",
        (&Method::GET, Ok(Route::Attachment { content: false, .. })) => "get attachment",
        (&Method::GET, Ok(Route::Attachment { content: true, .. })) => "get attachment content",
        (&Method::POST, Ok(Route::Message(_, Part::UploadSession))) => "create upload session",
        _ => "other",
    }
}
