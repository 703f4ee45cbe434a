//! A request to Graph.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::Method;

use crate::change::{ChangeGate, ChangePermit};
use crate::error::Error;
use crate::expected::Expected;
use crate::path::Path;
use crate::retry::RetrySafety;

/// The preference for a body as it was sent. Without it Graph takes out what it holds for unsafe, forms and their URLs
/// included (Graph page "Get message").
pub const WHOLE_HTML: &str = "outlook.allow-unsafe-html";

/// A request to Graph.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) path: Path,
    /// The mailbox that it reads or changes.
    pub(crate) mailbox: Option<String>,
    /// JSON, or empty.
    pub(crate) body: Option<Bytes>,
    pub(crate) safety: RetrySafety,
    pub(crate) expected: Expected,
    /// Whether ids in the response are to survive a move (Graph page "Get immutable identifiers for Outlook
    /// resources").
    pub(crate) immutable_ids: bool,
    /// Further values of `Prefer`.
    pub(crate) prefer: Vec<&'static str>,
    /// Whether the directory may answer from its index, which can lag ("Advanced query capabilities on Microsoft Entra
    /// ID objects").
    pub(crate) is_advanced_query: bool,
    /// How many rounds Graph needs for the request: several for a batch.
    pub(crate) rounds: u32,
    /// Whether the caller asks for less where the mailbox cannot answer so much.
    pub(crate) size_once: bool,
    /// What can withdraw the request, if it changes something.
    pub(crate) gate: Option<Arc<dyn ChangeGate>>,
    /// Whether the request only reads, although it is not a GET.
    pub(crate) only_reads: bool,
}

impl Request {
    /// Reads `path`.
    pub fn get(path: Path) -> Self {
        Self {
            method: Method::GET,
            immutable_ids: path.is_outlook(),
            path,
            mailbox: None,
            body: None,
            safety: RetrySafety::Harmless,
            expected: Expected::Object,
            prefer: Vec::new(),
            is_advanced_query: false,
            rounds: 1,
            size_once: false,
            gate: None,
            only_reads: false,
        }
    }

    /// Sends the JSON `body` to `path`, which changes nothing: a query that is too long for an address.
    pub(crate) fn query(path: Path, body: Bytes) -> Self {
        Self { method: Method::POST, body: Some(body), only_reads: true, ..Self::get(path) }
    }

    /// Names how many rounds Graph needs for the request. Each may take the usual time.
    #[must_use]
    pub(crate) fn lasting(self, rounds: u32) -> Self {
        Self { rounds, ..self }
    }

    /// Deletes the resource at `path`. Deleting it twice has the same result as deleting it once.
    pub fn delete(path: Path, permit: &(impl ChangePermit + ?Sized)) -> Self {
        Self { method: Method::DELETE, ..Self::change(path, permit) }
    }

    /// Sends the JSON `body` to `path`. It is sent again only where it was certainly not carried out.
    pub fn post(path: Path, body: Bytes, permit: &(impl ChangePermit + ?Sized)) -> Self {
        let safety = RetrySafety::OnlyIfUndone;
        Self { method: Method::POST, body: Some(body), safety, ..Self::change(path, permit) }
    }

    /// Updates the resource at `path` with the JSON `body`. Updating it twice has the same result as updating it once.
    pub fn patch(path: Path, body: Bytes, permit: &(impl ChangePermit + ?Sized)) -> Self {
        Self { method: Method::PATCH, body: Some(body), ..Self::change(path, permit) }
    }

    fn change(path: Path, permit: &(impl ChangePermit + ?Sized)) -> Self {
        Self { expected: Expected::Success, gate: Some(permit.gate()), ..Self::get(path) }
    }

    /// Declares that sending the request twice has the same result as sending it once, so that it may be sent again
    /// whatever its outcome was.
    #[must_use]
    pub fn idempotent(self) -> Self {
        Self { safety: RetrySafety::Harmless, ..self }
    }

    /// Declares that the caller checks whether the request was carried out before it sends it again. The client itself
    /// sends it again only where it never reached Graph.
    #[must_use]
    pub fn retry_if_unsent(self) -> Self {
        Self { safety: RetrySafety::OnlyIfNotSent, ..self }
    }

    /// Ends the retries after the second failure that a request for less may not meet: the caller asks for less then.
    #[must_use]
    pub(crate) fn retry_size_once(self) -> Self {
        Self { size_once: true, ..self }
    }

    /// Lets the directory answer from its index, as counts need. It travels by itself.
    #[must_use]
    pub(crate) fn advanced(self) -> Self {
        Self { is_advanced_query: true, ..self }
    }

    /// Names the mailbox that the request reads or changes. A mailbox takes only a few requests at once.
    #[must_use]
    pub fn in_mailbox(mut self, mailbox: &str) -> Self {
        self.mailbox = Some(mailbox.to_owned());
        self
    }

    /// Names the form that the response must have. By default a read expects [`Expected::Object`], and a change
    /// [`Expected::Success`].
    #[must_use]
    pub fn expecting(self, expected: Expected) -> Self {
        Self { expected, ..self }
    }

    /// Adds a value to the header `Prefer`.
    #[must_use]
    pub fn preferring(mut self, value: &'static str) -> Self {
        self.prefer.push(value);
        self
    }

    /// Returns the value of the header `Prefer`, if there is one.
    pub(crate) fn prefer(&self) -> Option<String> {
        let ids = self.immutable_ids.then_some(r#"IdType="ImmutableId""#);
        let values: Vec<_> = ids.into_iter().chain(self.prefer.iter().copied()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// Returns the request for ids as they were before immutable ones. Ids of older results are accepted then.
    pub(crate) fn with_mutable_ids(&self) -> Self {
        Self { immutable_ids: false, ..self.clone() }
    }

    /// Returns the address.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Called right before the request is sent.
    ///
    /// # Errors
    /// It changes something, and was withdrawn.
    pub(crate) fn begin(&self) -> Result<(), Error> {
        self.gate.as_ref().map_or(Ok(()), |gate| Ok(gate.begin()?))
    }

    /// Whether the request may change something.
    pub(crate) fn is_change(&self) -> bool {
        self.method != Method::GET && !self.only_reads
    }

    /// Whether the request only reads, and may be sent as often as is useful.
    pub(crate) fn is_harmless_read(&self) -> bool {
        !self.is_change() && self.safety == RetrySafety::Harmless
    }
}
