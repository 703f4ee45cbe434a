//! Graph's refusals: status, code, message and headers.

use std::borrow::Cow;

use chrono::Utc;
use serde_json::json;

use super::response::{GraphResponse, Payload};
use super::retry_after::RetryAfter;

/// A response, or a refusal.
pub(super) type GraphResult = Result<GraphResponse, Refusal>;

/// Why Graph does not carry out a request.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: Cow<'static, str>,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), headers: Vec::new() }
    }

    pub(super) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(super) fn invalid_filter(detail: &str) -> Self {
        Self::bad_request(format!("Invalid filter clause: {detail}"))
    }

    pub(super) fn malformed_id() -> Self {
        Self::new(400, "ErrorInvalidIdMalformed", "Id is malformed.")
    }

    pub(super) fn item_not_found() -> Self {
        Self::new(404, "ErrorItemNotFound", "The specified object was not found in the store.")
    }

    pub(super) fn undeletable() -> Self {
        Self::new(403, "ErrorCannotDeleteObject", "Object cannot be deleted.")
    }

    pub(super) fn access_denied() -> Self {
        Self::new(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
    }

    /// The status and code are those of public reports (alcionai/corso pull request 3278).
    pub(super) fn folder_exists(name: &str) -> Self {
        let message =
            format!("A folder with the specified name already exists., Could not create folder '{name}'.");
        Self::new(409, "ErrorFolderExists", message)
    }

    /// A folder that each mailbox has cannot be renamed or deleted.
    pub(super) fn default_folder() -> Self {
        Self::new(403, "ErrorDeleteDistinguishedFolder", "Distinguished folders cannot be deleted.")
    }

    pub(super) fn invalid_recipients() -> Self {
        Self::new(400, "ErrorInvalidRecipients", "At least one recipient is not valid.")
    }

    /// The wording is that of a public report (Microsoft365R issue 119).
    pub(super) fn unresolved_recipient(name: &str) -> Self {
        Self::new(
            400,
            "ErrorInvalidRecipients",
            format!(
                "At least one recipient is not valid., Recipient '{name}' is not resolved. All recipients must be \
                 resolved before a message can be submitted."
            ),
        )
    }

    /// A type does not have the property that the request names.
    pub(super) fn no_property(name: &str, kind: &str) -> Self {
        Self::bad_request(format!("Could not find a property named '{name}' on type '{kind}'."))
    }

    pub(super) fn folder_not_found() -> Self {
        Self::new(404, "ErrorFolderNotFound", "The specified folder could not be found in the store.")
    }

    pub(super) fn invalid_user(user: &str) -> Self {
        Self::new(404, "ErrorInvalidUser", format!("The requested user '{user}' is invalid."))
    }

    /// The user has no mailbox. The service has several codes for this; `nth` selects one of them.
    pub(super) fn no_mailbox(user: &str, nth: usize) -> Self {
        match nth % 7 {
            0 => Self::new(
                404,
                "MailboxNotEnabledForRESTAPI",
                "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
            ),
            1 => Self::new(404, "ResourceNotFound", "Resource could not be discovered."),
            2 => {
                let message = "REST API is not yet supported for this mailbox.";
                Self::new(404, "MailboxNotSupportedForRESTAPI", message)
            }
            3 => Self::invalid_user(user),
            4 => {
                let message = "The SMTP address has no mailbox associated with it.";
                Self::new(404, "ErrorNonExistentMailbox", message)
            }
            5 => Self::no_user(user),
            _ => {
                let message = "The mailbox is not hosted in Exchange Online.";
                Self::new(404, "MailboxNotHostedInExchangeOnline", message)
            }
        }
    }

    /// The directory does not have this user.
    pub(super) fn no_user(user: &str) -> Self {
        Self::new(
            404,
            "Request_ResourceNotFound",
            format!(
                "Resource '{user}' does not exist or one of its queried reference-property objects are not present."
            ),
        )
    }

    pub(super) fn no_segment(segment: &str) -> Self {
        Self::bad_request(format!("Resource not found for the segment '{segment}'."))
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
    }

    /// The wording is that of public reports of Microsoft's security endpoints.
    pub(super) fn missing_roles(needed: &[&str], has: &[String]) -> Self {
        let (needed, has) = (needed.join(", "), has.join(","));
        let message =
            format!("Missing application roles. API required roles: {needed}, application roles: {has}.");
        Self::new(403, "Forbidden", message)
    }

    pub(super) fn too_large() -> Self {
        Self::new(413, "RequestEntityTooLarge", "The maximum request length supported is 4MB.")
    }

    pub(super) fn unauthorized(message: &'static str) -> Self {
        Self::new(401, "InvalidAuthenticationToken", message).with_header(
            "WWW-Authenticate",
            "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", \
             client_id=\"00000003-0000-0000-c000-000000000000\"",
        )
    }

    /// Turns the refusal into a response, with the ids that a support case needs.
    pub(super) fn into_response(self, request_id: &str, client_request_id: &str) -> GraphResponse {
        let body = json!({"error": {
            "code": self.code,
            "message": self.message,
            "innerError": {
                "date": Utc::now().format("%Y-%m-%dT%H:%M:%S").to_string(),
                "request-id": request_id,
                "client-request-id": client_request_id,
            },
        }});
        GraphResponse {
            status: self.status,
            headers: self.headers,
            content: Payload::Json(body.to_string().into_bytes()),
        }
    }
}

/// More requests work in one mailbox than Outlook allows.
pub(super) fn mailbox_busy() -> Refusal {
    Refusal::new(429, "ApplicationThrottled", "Application is over its MailboxConcurrency limit.")
        .with_header("Retry-After", "1")
}

/// More requests of the application work below mailboxes than Outlook allows.
pub(super) fn application_busy() -> Refusal {
    Refusal::new(429, "ApplicationThrottled", "Application is over its concurrency limit.")
        .with_header("Retry-After", "1")
}

/// The refusal that a fault requests, with the code and message that Graph uses for the status.
pub(super) fn refused_by_fault(status: u16, retry_after: RetryAfter) -> Refusal {
    let (code, message) = match status {
        401 => ("InvalidAuthenticationToken", "Access token validation failure."),
        403 => ("ErrorAccessDenied", "Access is denied. Check credentials and try again."),
        404 => ("ErrorItemNotFound", "The specified object was not found in the store."),
        409 | 412 => ("ErrorIrresolvableConflict", "The send or update operation could not be performed."),
        429 => ("TooManyRequests", "Too many requests. Please wait and try again."),
        503 => ("serviceNotAvailable", "The service is temporarily unavailable."),
        502 | 504 => ("UnknownError", ""),
        400..500 => ("BadRequest", "The request is refused."),
        _ => ("generalException", "An internal server error occurred."),
    };
    let refusal = Refusal::new(status, code, message);
    match retry_after.header() {
        Some((name, value)) => refusal.with_header(name, value),
        None => refusal,
    }
}
