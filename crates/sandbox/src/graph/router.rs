//! From a request's method and path to the endpoint that answers it.

use axum::http::Method;

use super::faults::Faults;
use super::path::{EventPart, ItemsPart, Part, Route};
use super::query::Query;
use super::refusal::{GraphResult, Refusal};
use super::request::GraphRequest;
use super::state::State;
use super::{
    attachments, calendar, drafts, exchange_ids, hunting, listing, mail, mail_change, mail_folders,
    mailbox_items, trace, upload, users,
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
    if query.expand.is_some() && !is_expandable(route) {
        return Err(Refusal::bad_request(
            "The query parameter '$expand' is not supported or not recognized.",
        ));
    }
    match (&request.method, route) {
        (&Method::GET, Route::Users) => users::list(state, faults, request, &query),
        (&Method::GET, Route::MessageTraces) => trace::list(state, faults, request, &query),
        (&Method::POST, Route::HuntingQuery) => hunting::run(state, faults, request),
        (&Method::GET, Route::User(user)) => users::get(state, faults, user, &query),
        (_, Route::MailboxItems { .. } | Route::ExchangeSettings(_)) if faults.is_national() => {
            Err(Refusal::no_segment("exchange"))
        }
        (_, Route::MailboxItems { mailbox, part }) => {
            mailbox_items::answer(state, mailbox, *part, request, &query)
        }
        (&Method::GET, Route::ExchangeSettings(user)) => mailbox_items::settings(state, user),
        (&Method::GET, Route::MailboxSettings(user)) => users::mailbox_settings(state, user),
        (&Method::GET, Route::TimeZone(user)) => users::time_zone(state, user),
        (&Method::GET, Route::Folders { user, parent }) => {
            mail_folders::list(state, faults, user, parent.as_deref(), request, &query)
        }
        (&Method::POST, Route::Folders { user, parent }) => {
            mail_folders::create(state, user, parent.as_deref(), request)
        }
        (&Method::GET, Route::Folder { user, folder }) => mail_folders::get(state, user, folder, &query),
        (&Method::PATCH, Route::Folder { user, folder }) => {
            mail_folders::change(state, user, folder, request)
        }
        (&Method::DELETE, Route::Folder { user, folder }) => mail_folders::delete(state, user, folder),
        (&Method::GET, Route::Messages { user, folder }) => {
            listing::list(state, faults, user, folder.as_deref(), request, &query)
        }
        (&Method::GET, Route::Message(place, Part::Itself)) => mail::get(state, place, request, &query),
        (&Method::GET, Route::Message(place, Part::Mime)) => mail::mime(state, place),
        (&Method::PATCH, Route::Message(place, Part::Itself)) => {
            mail_change::change(state, faults, place, request)
        }
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
        (&Method::GET, Route::Events(user)) => calendar::list(state, faults, user, request, &query),
        (method, Route::Event { user, id, part }) if fits(method, *part) => {
            calendar::event(state, faults, user, id, *part, request, &query)
        }
        (&Method::GET, Route::Message(place, Part::Event)) => {
            calendar::event_of_message(state, place, request, &query)
        }
        _ => Err(Refusal::method_not_allowed()),
    }
}

/// Whether a request to an event, or an action on it, has the method for it.
fn fits(method: &Method, part: EventPart) -> bool {
    match part {
        EventPart::Itself => *method == Method::GET || *method == Method::DELETE,
        _ => *method == Method::POST,
    }
}

/// Whether the resource takes `$expand`.
fn is_expandable(route: &Route) -> bool {
    matches!(
        route,
        Route::Messages { .. }
            | Route::Message(_, Part::Itself)
            | Route::Folders { .. }
            | Route::Folder { .. }
            | Route::Events(_)
            | Route::Event { part: EventPart::Itself, .. }
    )
}

fn needed(method: &Method, route: &Route) -> Result<Needed, Refusal> {
    const READ: &[&str] = &["Mail.Read", "Mail.ReadWrite"];
    const WRITE: &[&str] = &["Mail.ReadWrite"];
    let read = *method == Method::GET;
    Ok(match route {
        Route::Batch => return Err(Refusal::bad_request("Batch requests cannot be nested.")),
        Route::User(_) if *method == Method::DELETE => Needed(&["User.ReadWrite.All"], Wording::Directory),
        Route::Users | Route::User(_) | Route::TranslateIds(_) | Route::ExchangeSettings(_) => {
            Needed(&["User.Read.All"], Wording::Directory)
        }
        Route::MessageTraces => Needed(&["ExchangeMessageTrace.Read.All"], Wording::Exchange),
        Route::MailboxItems { part: ItemsPart::Export, .. } => {
            Needed(&["MailboxItem.Export.All", "MailboxItem.ImportExport.All"], Wording::Exchange)
        }
        Route::MailboxItems { part: ItemsPart::ImportSession, .. } => {
            Needed(&["MailboxItem.ImportExport.All"], Wording::Exchange)
        }
        Route::MailboxItems { part: ItemsPart::Folders, .. } => {
            Needed(&["MailboxFolder.Read.All", "MailboxFolder.ReadWrite.All"], Wording::Exchange)
        }
        Route::HuntingQuery => Needed(&["ThreatHunting.Read.All"], Wording::Security),
        Route::MailboxSettings(_) | Route::TimeZone(_) => {
            Needed(&["MailboxSettings.Read", "MailboxSettings.ReadWrite"], Wording::Exchange)
        }
        Route::Events(_) | Route::Event { .. } if read => {
            Needed(&["Calendars.Read", "Calendars.ReadWrite"], Wording::Exchange)
        }
        Route::Events(_) | Route::Event { .. } => Needed(&["Calendars.ReadWrite"], Wording::Exchange),
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
        (_, Ok(Route::ExchangeSettings(_))) => "get mailbox id",
        (_, Ok(Route::MailboxItems { part: ItemsPart::Export, .. })) => "export items",
        (_, Ok(Route::MailboxItems { part: ItemsPart::ImportSession, .. })) => "create import session",
        (_, Ok(Route::MailboxItems { part: ItemsPart::Folders, .. })) => "list mailbox folders",
        (&Method::POST, Ok(Route::Events(_))) => "create event",
        (&Method::GET, Ok(Route::Events(_))) => "list events",
        (&Method::GET, Ok(Route::Event { .. })) => "get event",
        (&Method::DELETE, Ok(Route::Event { .. })) => "delete event",
        (_, Ok(Route::Event { part: EventPart::PermanentDelete, .. })) => "delete event for good",
        (_, Ok(Route::Event { part: EventPart::Respond(_), .. })) => "respond to event",
        (_, Ok(Route::Event { part: EventPart::Cancel, .. })) => "cancel event",
        (&Method::GET, Ok(Route::Message(_, Part::Event))) => "get event of message",
        (&Method::GET, Ok(Route::Folders { .. })) => "list folders",
        (&Method::POST, Ok(Route::Folders { .. })) => "create folder",
        (&Method::GET, Ok(Route::Folder { .. })) => "get folder",
        (&Method::PATCH, Ok(Route::Folder { .. })) => "change folder",
        (&Method::DELETE, Ok(Route::Folder { .. })) => "delete folder",
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
