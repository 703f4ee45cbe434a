//! What Graph means by an error response. The status and the code decide together, and they decide only here.

/// What an error response means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The request was throttled before Graph did anything.
    Throttled,
    /// The service or the mailbox is unavailable for the moment.
    Unavailable,
    /// The server failed, and the outcome is unknown.
    ServerFailed,
    /// Another change of the item came at the same time. The request was not carried out; the next try may succeed.
    Conflict,
    /// Exchange cannot convert the message: S/MIME and damaged mail. The response is the same every time.
    Inconvertible,
    /// One mailbox rejects the request as unauthorised for a moment, although the token is valid.
    MailboxUnauthorized,
    /// The access token is not accepted.
    TokenRejected,
    /// A policy of the tenant keeps the application out of the mailbox: an application access policy, or the scope of
    /// RBAC for Applications.
    Policy,
    /// A permission is missing.
    Forbidden,
    /// The user has no mailbox that Graph can reach.
    NoMailbox,
    /// The folder does not exist.
    NoFolder,
    /// The message or other item does not exist.
    NoItem,
    /// The id has a form that Exchange does not understand.
    InvalidId,
    /// Any other refusal. Graph will refuse the request again.
    Other,
}

/// The codes that say that a user has no mailbox here. One user gives different ones at different times (GitHub
/// microsoft-graph-docs-contrib#4340, #4029).
const NO_MAILBOX: &[&str] = &[
    "MailboxNotEnabledForRESTAPI",
    "MailboxNotSupportedForRESTAPI",
    "MailboxNotHostedInExchangeOnline",
    "ResourceNotFound",
    "ErrorInvalidUser",
    "ErrorNonExistentMailbox",
    "Request_ResourceNotFound",
];

impl Meaning {
    /// Returns what `status`, `code` and `message` mean.
    ///
    /// Statuses follow the Graph pages "Microsoft Graph error responses" and "Throttling guidance". A message decides
    /// only between a missing permission and a policy, which have one code.
    pub(crate) fn of(status: u16, code: &str, message: &str) -> Self {
        match (status, code) {
            // A rule, or the user, changed the item (GitHub davmail#491). Exchange repeats this code with several
            // statuses.
            (409 | 412, "ErrorIrresolvableConflict") => Self::Conflict,
            (500, "ErrorMimeContentConversionFailed" | "ErrorContentConversionFailed") => Self::Inconvertible,
            // The mailbox changes its database.
            (_, "MailboxInfoStale") | (503, _) => Self::Unavailable,
            // Graph sends this for one mailbox under load (GitHub microsoft-graph-docs-contrib#9141).
            (401, "UnknownError") => Self::MailboxUnauthorized,
            (401, _) => Self::TokenRejected,
            (403, _) if message.contains("[RAOP]") || message.contains("AppOnly AccessPolicy") => {
                Self::Policy
            }
            (403, _) => Self::Forbidden,
            // A throttled batch is documented to be answered 424 as a whole ("Throttling guidance"). The parts that this
            // client sends do not depend on each other, so 424 has no other meaning here.
            (424 | 429 | 509, _) => Self::Throttled,
            (408 | 500 | 502 | 504, _) => Self::ServerFailed,
            (400 | 404, code) if NO_MAILBOX.contains(&code) => Self::NoMailbox,
            (404, "ErrorFolderNotFound") => Self::NoFolder,
            (400..=499, "ErrorItemNotFound") => Self::NoItem,
            (400 | 404, code) if code.starts_with("ErrorInvalidId") => Self::InvalidId,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_code_decide_together() {
        for (status, code, meaning) in [
            (500, "ErrorMimeContentConversionFailed", Meaning::Inconvertible),
            (500, "ErrorInternalServerError", Meaning::ServerFailed),
            (409, "ErrorIrresolvableConflict", Meaning::Conflict),
            (412, "ErrorIrresolvableConflict", Meaning::Conflict),
            (412, "ErrorOther", Meaning::Other),
            (503, "MailboxInfoStale", Meaning::Unavailable),
            (404, "MailboxInfoStale", Meaning::Unavailable),
            (401, "UnknownError", Meaning::MailboxUnauthorized),
            (401, "InvalidAuthenticationToken", Meaning::TokenRejected),
            (404, "ErrorInvalidUser", Meaning::NoMailbox),
            (404, "ErrorFolderNotFound", Meaning::NoFolder),
            (404, "ErrorItemNotFound", Meaning::NoItem),
            (400, "ErrorInvalidIdMalformed", Meaning::InvalidId),
            (404, "", Meaning::Other),
        ] {
            assert_eq!(Meaning::of(status, code, ""), meaning, "{status} {code}");
        }
    }

    #[test]
    fn policy_differs_from_a_missing_permission() {
        let raop = "Access to OData is disabled: [RAOP] : Blocked by tenant configured AppOnly AccessPolicy settings.";
        assert_eq!(Meaning::of(403, "ErrorAccessDenied", raop), Meaning::Policy);
        assert_eq!(Meaning::of(403, "ErrorAccessDenied", "Access is denied."), Meaning::Forbidden);
    }
}
