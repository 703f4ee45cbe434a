//! The requests to SOAR's REST interface. Clones of the client share its connections.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::{StreamExt, TryStreamExt};
use reqwest::Method;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::json;

use super::clock::ClockDifference;
use super::rest::{Connection, Request, RequestBody};
use super::sign_in::{Organisation, Principal};
use super::{ByteStream, Content, Error};
use crate::SoarSettings;

/// No message destination has a longer name, in bytes.
const LONGEST_NAME: usize = 200;

/// SOAR's REST interface, signed in to one organisation.
#[derive(Clone)]
pub struct Client {
    connection: Arc<Connection>,
    organisation: Arc<Organisation>,
    principal: Option<Arc<Principal>>,
    actions_enabled: Option<bool>,
}

/// The object that a file is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// An incident, by its id.
    Incident(i64),
    /// A task, by its id.
    Task(i64),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (_, what, number) = self.named();
        write!(f, "{what} {number}")
    }
}

impl Target {
    /// Its name in a URL, its name in a text, and its id.
    fn named(self) -> (&'static str, &'static str, String) {
        match self {
            Self::Incident(number) => ("incidents", "incident", number.to_string()),
            Self::Task(number) => ("tasks", "task", number.to_string()),
        }
    }
}

/// A file of an incident or a task.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Attachment {
    /// Its id.
    pub id: i64,
    /// The file's name, or the empty text where SOAR has none. Several files of an incident may have the same.
    #[serde(default, deserialize_with = "text_or_null")]
    pub name: String,
    /// Its media type, if SOAR gives it.
    pub content_type: Option<String>,
    /// Its size in bytes, if SOAR gives it.
    pub size: Option<u64>,
    /// When it was attached, in milliseconds since 1970, by SOAR's clock, if SOAR gives it.
    #[serde(default)]
    pub created: Option<i64>,
}

fn text_or_null<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or_default())
}

/// The parts of a note that are read.
#[derive(Deserialize)]
struct Note {
    text: Option<NoteText>,
}

/// A text, with or without its format.
#[derive(Deserialize)]
#[serde(untagged)]
enum NoteText {
    Plain(String),
    Formatted { content: Option<String> },
}

impl Note {
    fn into_text(self) -> Option<String> {
        match self.text? {
            NoteText::Plain(text) => Some(text),
            NoteText::Formatted { content } => content,
        }
    }
}

/// SOAR answers with one object, a list of objects, or an object that holds the list.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Answered<T> {
    List(Vec<T>),
    Envelope { entities: Vec<T> },
    One(T),
}

impl<T> Answered<T> {
    pub(super) fn into_vec(self) -> Vec<T> {
        match self {
            Self::List(all) | Self::Envelope { entities: all } => all,
            Self::One(one) => vec![one],
        }
    }
}

impl Client {
    /// Signs in, finds the organisation, and reads whether it allows actions, and with them functions, to run.
    ///
    /// # Errors
    /// After `max_connection_retries` attempts. At once if a repeat cannot help: wrong credentials, a certificate
    /// that is not trusted, an organisation that the account is not a member of.
    pub async fn connect(settings: &SoarSettings) -> Result<Self, Error> {
        let connection = Connection::new(settings)?;
        let session = connection.sign_in(settings.login_tries).await?;
        let organisation = session.organisation(&settings.org, &connection.scrubber())?;
        let mut client = Self {
            connection: Arc::new(connection),
            organisation: Arc::new(organisation),
            principal: session.principal().map(Arc::new),
            actions_enabled: None,
        };
        client.actions_enabled = client.ask_whether_actions_are_enabled().await?;
        Ok(client)
    }

    /// How far SOAR's clock differs from this machine's, as far as SOAR's answers have shown.
    pub fn clock_difference(&self) -> Option<ClockDifference> {
        self.connection.clock.difference()
    }

    /// The organisation's id; it is part of the name of each destination at the broker.
    pub fn org_id(&self) -> i64 {
        self.organisation.id
    }

    /// By how much this machine's clock is ahead of SOAR's; `None` if SOAR's answers have no `Date`.
    pub fn clock_ahead(&self) -> Option<TimeDelta> {
        self.clock_difference().map(|ClockDifference { least, most }| -(least + most) / 2)
    }

    /// The organisation's name.
    pub fn org_name(&self) -> &str {
        &self.organisation.name
    }

    /// Whether the organisation allows actions to run, if SOAR says so; if it does not, no function call will arrive.
    pub fn actions_framework_enabled(&self) -> Option<bool> {
        self.actions_enabled
    }

    /// Checks that SOAR still accepts the login.
    ///
    /// # Errors
    /// SOAR refuses the login, or does not answer.
    pub async fn check(&self) -> Result<(), Error> {
        self.ask_whether_actions_are_enabled().await.map(drop)
    }

    /// SOAR's version, as SOAR writes it.
    pub async fn server_version(&self) -> Result<String, Error> {
        #[derive(Deserialize)]
        struct Constants {
            server_version: Version,
        }
        #[derive(Deserialize)]
        struct Version {
            version: String,
        }
        let request = Request {
            attempt: "read its version".to_owned(),
            method: Method::GET,
            url: self.connection.url(&["const"]),
            body: RequestBody::None,
            bound: None,
        };
        let constants: Constants = self.connection.fetch(&request).await?;
        Ok(constants.server_version.version)
    }

    async fn ask_whether_actions_are_enabled(&self) -> Result<Option<bool>, Error> {
        #[derive(Deserialize)]
        struct Answer {
            actions_framework_enabled: Option<bool>,
        }
        match self.connection.fetch(&self.get("read the organisation".to_owned(), &[])).await {
            Ok(Answer { actions_framework_enabled }) => Ok(actions_framework_enabled),
            // An API key may lack the permission to read it, and still run functions.
            Err(Error::Refused { status: 403 | 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The programmatic name of the message destination that receives calls of `function`; `None` if SOAR does not
    /// know the function.
    pub async fn destination_of(&self, function: &str) -> Result<Option<String>, Error> {
        #[derive(Deserialize)]
        struct Function {
            destination_handle: String,
        }
        let mut request = self.get(format!("read the function {function}"), &["functions", function]);
        request.url.set_query(Some("handle_format=names"));
        match self.connection.fetch::<Function>(&request).await {
            // A wildcard would subscribe to the queues of other apps.
            Ok(Function { destination_handle: name }) if !is_programmatic_name(&name) => {
                let reason =
                    "the name of its message destination holds more than letters, digits, _ and -".to_owned();
                Err(Error::NotAnAnswer { attempt: request.attempt, reason })
            }
            Ok(function) => Ok(Some(function.destination_handle)),
            Err(Error::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Adds an HTML note to an incident. After an error other than a refusal the note may exist nevertheless; it is
    /// not sent twice.
    pub async fn add_note(&self, incident: i64, html: &str) -> Result<(), Error> {
        let note = json!({ "text": { "format": "html", "content": html } });
        let request = self.request(
            Method::POST,
            format!("add a note to incident {incident}"),
            &["incidents", &incident.to_string(), "comments"],
            RequestBody::Json(note.to_string().into()),
        );
        self.connection.fetch::<IgnoredAny>(&request).await.map(drop)
    }

    /// The texts of an incident's notes.
    pub async fn notes(&self, incident: i64) -> Result<Vec<String>, Error> {
        let incident = incident.to_string();
        let request =
            self.get(format!("list the notes of incident {incident}"), &["incidents", &incident, "comments"]);
        let notes = self.connection.fetch::<Answered<Note>>(&request).await?.into_vec();
        Ok(notes.into_iter().filter_map(Note::into_text).collect())
    }

    /// Attaches a file called `name`. A stream is sent piece by piece and is never in memory as a whole; after a
    /// stream that fails, SOAR has no attachment. Returns the attachment with the id that SOAR gave it.
    pub async fn attach(
        &self,
        target: Target,
        name: &str,
        content_type: &str,
        content: Content,
    ) -> Result<Attachment, Error> {
        let (kind, what, number) = target.named();
        if content.is_stream() && self.connection.may_expire() {
            // A stream cannot be sent a second time after a new login, so an expired session must be found before.
            self.connection.fetch::<IgnoredAny>(&self.get("read the organisation".to_owned(), &[])).await?;
        }
        let request = self.request(
            Method::POST,
            format!("attach a file to {what} {number}"),
            &[kind, &number, "attachments"],
            RequestBody::File { name, content_type, content: &content },
        );
        let answered: Answered<Attachment> = self.connection.fetch(&request).await?;
        answered.into_vec().into_iter().next().ok_or_else(|| Error::NotAnAnswer {
            attempt: request.attempt,
            reason: "it names no attachment".to_owned(),
        })
    }

    /// Returns the wait before the caller repeats [`Self::attach`] with a new stream. `attempts` have been made, and the
    /// last one failed with `error`. `None` if SOAR may have the file, does not accept it, or if no attempt is left.
    pub fn attach_again_after(&self, attempts: u32, error: &Error) -> Option<Duration> {
        self.connection.put_off(attempts, error)
    }

    /// The files of an incident or a task.
    pub async fn attachments(&self, target: Target) -> Result<Vec<Attachment>, Error> {
        let (kind, what, number) = target.named();
        let request =
            self.get(format!("list the attachments of {what} {number}"), &[kind, &number, "attachments"]);
        self.connection.fetch::<Answered<Attachment>>(&request).await.map(Answered::into_vec)
    }

    /// The bytes of an incident's file; `None` where it has more than `most`, whatever SOAR says of its size.
    pub async fn read_attachment(
        &self,
        incident: i64,
        attachment: i64,
        most: u64,
    ) -> Result<Option<Vec<u8>>, Error> {
        self.connection.read(&self.contents(incident, attachment), most).await
    }

    /// The bytes of an incident's file as a stream. A download that ends early ends with an error; the caller opens it
    /// again.
    pub async fn open_attachment(&self, incident: i64, attachment: i64) -> Result<ByteStream<Error>, Error> {
        let request = self.contents(incident, attachment);
        let response = self.connection.open(&request).await?;
        let connection = Arc::clone(&self.connection);
        let attempt = request.attempt;
        Ok(response
            .bytes_stream()
            .map_err(move |error| Error::of_network(&error, connection.server(), &attempt))
            .boxed())
    }

    fn contents(&self, incident: i64, attachment: i64) -> Request<'static> {
        let (incident, attachment) = (incident.to_string(), attachment.to_string());
        self.get(
            format!("read attachment {attachment} of incident {incident}"),
            &["incidents", &incident, "attachments", &attachment, "contents"],
        )
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The principal that signed in, if SOAR named it.
    pub(super) fn principal(&self) -> Option<&Principal> {
        self.principal.as_deref()
    }

    pub(super) fn get(&self, attempt: String, segments: &[&str]) -> Request<'static> {
        self.request(Method::GET, attempt, segments, RequestBody::None)
    }

    /// A request below the organisation's address.
    pub(super) fn request<'a>(
        &self,
        method: Method,
        attempt: String,
        segments: &[&str],
        body: RequestBody<'a>,
    ) -> Request<'a> {
        let organisation = self.organisation.id.to_string();
        let mut all = vec!["orgs", &organisation];
        all.extend(segments);
        Request { attempt, method, url: self.connection.url(&all), body, bound: None }
    }
}

fn is_programmatic_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("organisation", &self.organisation.name).finish_non_exhaustive()
    }
}
