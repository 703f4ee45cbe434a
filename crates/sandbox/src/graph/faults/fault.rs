//! What can go wrong with a request, and which requests it concerns.

use std::fmt;
use std::time::Duration;

use crate::graph::retry_after::RetryAfter;

/// Which requests throttling concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// HTTP requests. A `$batch` call is one request, and each call is decided separately.
    HttpRequests,
    /// The sub-requests of batches.
    SubRequests,
    /// Requests below mailboxes, by themselves and in batches.
    Mailboxes,
    /// HTTP requests, and the sub-requests of batches.
    Everything,
}

impl Scope {
    pub(super) fn covers(self, subject: &Subject<'_>) -> bool {
        match self {
            Self::HttpRequests => !subject.in_batch,
            Self::SubRequests => subject.in_batch,
            Self::Mailboxes => subject.kind == Kind::Graph && subject.request.contains(" /users/"),
            Self::Everything => true,
        }
    }
}

/// Throttling of a share of the requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Throttling {
    /// From 0 to 1. The seed decides which URLs are throttled.
    pub share: f64,
    /// Which requests.
    pub scope: Scope,
    /// The `Retry-After` of the refusals.
    pub retry_after: RetryAfter,
    /// How many times in a row each chosen URL is refused. After that it is answered.
    pub times: u32,
}

/// What happens to a request instead of a correct response.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// Refused with this status (400 and up) and Graph's usual code for it.
    Status(u16, RetryAfter),
    /// Refused with this status, code and message.
    Refused(u16, &'static str, &'static str),
    /// Carried out, and then answered with this status: a 429 or 504 does not mean that nothing happened.
    DoneButStatus(u16, RetryAfter),
    /// The connection is closed without a response. A sub-request is answered with 502 instead.
    Close,
    /// The response ends in the middle of its body. A sub-request is answered with 502 instead.
    CutBody,
    /// A proxy's HTML page with status 200.
    Html,
    /// Half of the JSON with status 200.
    BrokenJson,
    /// Answered correctly, but this much later. A batch takes as long as its rounds of sub-requests.
    Delay(Duration),
    /// The JSON starts with a byte order mark. Without effect on a sub-request.
    ByteOrderMark,
    /// Texts in the JSON begin with a lone surrogate, `\ud83d`, as in a subject that was cut within an emoji.
    LoneSurrogate,
    /// Status 200, and an error object instead of the result.
    ErrorInside,
    /// The first entry of a list is an error object.
    ErrorEntry,
    /// An upload loses this range: the response is 202 and expects the range again.
    RangeLost,
}

type PathTest = Box<dyn Fn(&str) -> bool + Send>;

/// Which requests a [`Fault`] concerns.
pub enum Target {
    /// Every HTTP request to Graph, `$batch` calls included.
    HttpRequest,
    /// `$batch` calls as a whole.
    Batch,
    /// Requests to the token endpoint.
    Token,
    /// Requests, alone or in a batch, whose method and path with query (`GET /users/…?…`, below the version root)
    /// pass the test.
    Path(PathTest),
    /// PUTs to upload sessions.
    Upload,
}

impl Target {
    /// Requests whose method, path and query, as in `DELETE /users/a%40x/messages/…`, contain `part`.
    pub fn containing(part: impl Into<String>) -> Self {
        let part = part.into();
        Self::Path(Box::new(move |request| request.contains(&part)))
    }

    pub(super) fn covers(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::HttpRequest => !subject.in_batch && matches!(subject.kind, Kind::Graph | Kind::Batch),
            Self::Batch => subject.kind == Kind::Batch,
            Self::Token => subject.kind == Kind::Token,
            Self::Upload => subject.kind == Kind::Upload,
            Self::Path(test) => subject.kind != Kind::Batch && test(subject.request),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HttpRequest => "HttpRequest",
            Self::Batch => "Batch",
            Self::Token => "Token",
            Self::Path(_) => "Path(..)",
            Self::Upload => "Upload",
        })
    }
}

/// Why Entra refuses a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenRefusal {
    /// AADSTS7000215: the secret is wrong.
    InvalidSecret,
    /// AADSTS7000222: the secret has expired.
    ExpiredSecret,
    /// AADSTS700016: the application is not in the tenant.
    UnknownApplication,
    /// AADSTS90002: the tenant does not exist.
    UnknownTenant,
    /// AADSTS53003: conditional access forbids it.
    Blocked,
    /// AADSTS90033: `temporarily_unavailable`, which RFC 6749 defines as transient, with this status.
    Unavailable(u16),
}

/// A request as the faults see it.
pub(in crate::graph) struct Subject<'a> {
    pub(in crate::graph) kind: Kind,
    pub(in crate::graph) in_batch: bool,
    /// Method, path and query. A `$batch` call also has its number here, because all batches have the same URL.
    pub(in crate::graph) request: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::graph) enum Kind {
    Graph,
    Batch,
    Token,
    Upload,
}
