//! Addresses of Graph resources, with every variable part encoded exactly once.
//!
//! An error here is dangerous: an address that is cut at its `#`, or an id that leaves its segment with `..`, turns
//! "delete this message" into "delete this user". So paths can only be composed by this type.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;
use uuid::Uuid;

/// The characters that a path segment may hold unencoded: RFC 3986's unreserved characters, and `@`, which every
/// address has.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// The characters that the value of a query option may hold unencoded.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'@')
    .remove(b',')
    .remove(b':')
    .remove(b'/')
    .remove(b'(')
    .remove(b')');

/// No id, folder or address is longer, in bytes; Graph's ids have about 150.
const LONGEST_SEGMENT: usize = 2048;
/// A longer address is refused by every server on the way; Graph's own limit is far below.
const LONGEST: usize = 32 * 1024;
/// An error shows no more of a value, in characters.
const SHOWN: usize = 100;

/// A value that cannot be part of a Graph address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSegment {
    /// The value would mean something else in an address, or it is too long.
    #[error("{0:?} cannot be a {1} in Microsoft Graph")]
    Value(String, &'static str),
    /// The address is too long as a whole.
    #[error("what is asked for makes an address of {0} bytes, and Microsoft Graph takes {LONGEST} at most")]
    TooLong(usize),
}

impl InvalidSegment {
    fn new(value: &str, what: &'static str) -> Self {
        let mut shown: String = value.chars().take(SHOWN).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        Self::Value(shown, what)
    }
}

/// Whether a segment of `value` could be read as more than its value, however it is encoded. URLs resolve dot
/// segments, and some servers do so behind an encoded slash, too. OData decodes a segment before it looks for its own
/// words (`$count`) and for a key in parentheses (OData 4.01 URL Conventions, "URL Parsing"). No id, folder or
/// address of Graph has any of these, nor control characters.
fn means_more(value: &str) -> bool {
    value.is_empty()
        || value.len() > LONGEST_SEGMENT
        || value.starts_with('$')
        || value.contains(|c: char| c == '(' || c.is_control())
        || value.split(['/', '\\']).any(|part| matches!(part, "." | ".."))
}

/// An address below the service root (`https://graph.microsoft.com/v1.0`), with its query. It begins with `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(String);

impl Path {
    /// `/users`
    pub fn users() -> Self {
        // Paths are composed piece by piece, and most fit in here.
        let mut path = String::with_capacity(512);
        path.push_str("/users");
        Self(path)
    }

    /// Returns the users whose mailbox has `address`, as its primary address or another one. Exchange gives an
    /// address to one recipient only. Equality needs no advanced query (Graph page "user resource type",
    /// `proxyAddresses`).
    pub fn users_with_address(address: &str) -> Self {
        let wanted = literal(&format!("smtp:{address}"));
        Self::users().option("$filter", &format!("proxyAddresses/any(address:address eq {wanted})"))
    }

    /// `/admin/exchange/tracing/messageTraces`
    pub(super) fn message_traces() -> Self {
        Self("/admin/exchange/tracing/messageTraces".to_owned())
    }

    /// `/security/runHuntingQuery`
    pub(super) fn hunting_query() -> Self {
        Self("/security/runHuntingQuery".to_owned())
    }

    /// `/admin/exchange/mailboxes/{id}`, where the id is the mailbox's own.
    pub(super) fn exchange_mailbox(id: &str) -> Result<Self, InvalidSegment> {
        Self("/admin/exchange/mailboxes".to_owned()).segment(id, "mailbox id")
    }

    /// `/$batch`
    pub(super) fn batch() -> Self {
        Self("/$batch".to_owned())
    }

    /// Whether the address is `/$batch`.
    pub(super) fn is_batch(&self) -> bool {
        self.0 == "/$batch"
    }

    /// `/users/{mailbox}`. An address that begins with `$` takes the quoted form (Graph page "Get a user").
    pub fn user(mailbox: &str) -> Result<Self, InvalidSegment> {
        if let Some(rest) = mailbox.strip_prefix('$') {
            if means_more(rest) {
                return Err(InvalidSegment::new(mailbox, "mailbox address"));
            }
            let quoted = mailbox.replace('\'', "''");
            return Ok(Self(format!("/users('{}')", utf8_percent_encode(&quoted, SEGMENT))));
        }
        Self::users().segment(mailbox, "mailbox address")
    }

    /// `/users/{mailbox}/messages/{id}`, or, where the folder is given,
    /// `/users/{mailbox}/mailFolders/{folder}/messages/{id}`.
    pub fn message(mailbox: &str, folder: Option<&str>, id: &str) -> Result<Self, InvalidSegment> {
        Self::messages(mailbox, folder)?.segment(id, "message id")
    }

    /// `/users/{mailbox}/messages/{message}/attachments/{id}`
    pub fn attachment(mailbox: &str, message: &str, id: &str) -> Result<Self, InvalidSegment> {
        Self::message(mailbox, None, message)?.then("attachments").segment(id, "attachment id")
    }

    /// `/users/{mailbox}/events/{id}`
    pub(super) fn event(mailbox: &str, id: &str) -> Result<Self, InvalidSegment> {
        Self::user(mailbox)?.then("events").segment(id, "event id")
    }

    /// `/users/{mailbox}/messages`, or the messages of one folder.
    pub fn messages(mailbox: &str, folder: Option<&str>) -> Result<Self, InvalidSegment> {
        Ok(match folder {
            None => Self::user(mailbox)?,
            Some(folder) => Self::mail_folder(mailbox, folder)?,
        }
        .then("messages"))
    }

    /// `/users/{mailbox}/mailFolders/{folder}`, where the folder is an id or a well-known name.
    pub fn mail_folder(mailbox: &str, folder: &str) -> Result<Self, InvalidSegment> {
        Self::user(mailbox)?.then("mailFolders").segment(folder, "mail folder")
    }

    /// Adds a fixed segment.
    #[must_use]
    pub fn then(mut self, fixed: &'static str) -> Self {
        self.0.push('/');
        self.0.push_str(fixed);
        self
    }

    /// Adds a segment with a value from outside. A value that means something else in spite of its encoding is refused.
    fn segment(mut self, value: &str, what: &'static str) -> Result<Self, InvalidSegment> {
        if means_more(value) {
            return Err(InvalidSegment::new(value, what));
        }
        self.0.push('/');
        self.0.extend(utf8_percent_encode(value, SEGMENT));
        Ok(self)
    }

    /// Adds a query option such as `$select`.
    #[must_use]
    pub fn option(mut self, name: &'static str, value: &str) -> Self {
        self.0.push(if self.0.contains('?') { '&' } else { '?' });
        self.0.push_str(name);
        self.0.push('=');
        self.0.extend(utf8_percent_encode(value, QUERY));
        self
    }

    /// Returns the part of an `@odata.nextLink` below `root`, opaque and as Graph wrote it. Returns `None` where the
    /// link leads to another host or out of the service root, which must not get a token.
    pub fn from_next_link(link: &str, root: &Url) -> Option<Self> {
        let link = Url::parse(link).ok()?;
        if link.origin() != root.origin() {
            return None;
        }
        let rest = link.path().strip_prefix(root.path().trim_end_matches('/'))?;
        if !rest.starts_with('/') {
            return None;
        }
        Some(Self(match link.query() {
            Some(query) => format!("{rest}?{query}"),
            None => rest.to_owned(),
        }))
    }

    /// Whether the address, which Graph wrote, is one of the same list as `first`, which it was asked for. Graph may
    /// write a key in parentheses (OData 4.01 URL Conventions, "Canonical URL"), names in other letters, and the id of
    /// a user in place of the address.
    pub(super) fn is_same_list(&self, first: &Self) -> bool {
        let (own, asked) = (self.segments(), first.segments());
        own.len() == asked.len()
            && own.iter().zip(&asked).enumerate().all(|(nth, (own, asked))| {
                own.eq_ignore_ascii_case(asked)
                    || (nth == 1 && asked.contains('@') && Uuid::parse_str(own).is_ok())
            })
    }

    /// The segments, decoded; a key in parentheses is one of its own.
    fn segments(&self) -> Vec<String> {
        let mut segments = Vec::new();
        for segment in self.resource().trim_matches('/').split('/') {
            let segment = percent_decode_str(segment).decode_utf8_lossy();
            match segment.strip_suffix("')").and_then(|keyed| keyed.split_once("('")) {
                Some((name, key)) => segments.extend([name.to_owned(), key.replace("''", "'")]),
                None => segments.push(segment.into_owned()),
            }
        }
        segments
    }

    /// Whether the address belongs to Outlook: mail, calendar and what sends mail.
    pub(super) fn is_outlook(&self) -> bool {
        const OUTLOOK: [&str; 7] =
            ["messages", "mailFolders", "sendMail", "events", "calendar", "calendars", "calendarView"];
        let mut segments = self.resource().trim_start_matches('/').split('/');
        let resource = match segments.next() {
            Some("users") => segments.nth(1),
            Some(users) if users.starts_with("users(") => segments.next(),
            _ => None,
        };
        resource.is_some_and(|resource| OUTLOOK.contains(&resource))
    }

    /// Checks that the address is not longer than servers accept.
    pub(super) fn checked(&self) -> Result<&Self, InvalidSegment> {
        if self.0.len() > LONGEST { Err(InvalidSegment::TooLong(self.0.len())) } else { Ok(self) }
    }

    /// Returns the address without its query, for the log: a query holds what is searched for.
    pub(super) fn resource(&self) -> &str {
        self.0.split('?').next().unwrap_or_default()
    }

    /// Returns the address as it stands in a request line or a `$batch` part.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the whole URL below `root`. Its host is that of `root`, which is not read again.
    pub fn url(&self, root: &Url) -> Url {
        let (path, query) = match self.0.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (self.0.as_str(), None),
        };
        let mut url = root.clone();
        url.set_path(&format!("{}{path}", root.path().trim_end_matches('/')));
        url.set_query(query);
        url
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns a string literal of an OData expression: in single quotes, with those inside doubled (OData 4.01 URL
/// Conventions, "Literal Data Values").
pub(super) fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}
