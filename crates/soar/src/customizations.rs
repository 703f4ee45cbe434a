//! SOAR's customizations: reading, importing, and access to a message destination.

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::Error;
use super::client::{Answered, Client};
use super::rest::{Request, RequestBody};
use super::sign_in::Principal;

/// The longest time for an import: SOAR checks each object, and rebuilds forms and workflows.
const IMPORT_BOUND: Duration = Duration::from_secs(600);

/// How many playbooks SOAR is asked for at a time, and how often.
const PAGE: usize = 50;
const MOST_PAGES: usize = 200;

/// The most attempts to change a message destination that others change at the same time.
const DESTINATION_TRIES: u32 = 10;
/// The wait before the second attempt; each further wait is longer by the same time.
const DESTINATION_WAIT: Duration = Duration::from_millis(100);

/// The kinds of customization objects, as SOAR keeps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collection<'n> {
    /// Message destinations.
    MessageDestinations,
    /// Functions.
    Functions,
    /// The fields of a type: `__function`, `actioninvocation`.
    Fields(&'n str),
    /// The data table with this name: a collection of one or none.
    DataTable(&'n str),
    /// Rules.
    Rules,
    /// Workflows.
    Workflows,
    /// Playbooks.
    Playbooks,
    /// Scripts.
    Scripts,
}

impl Collection<'_> {
    fn segments(&self) -> Vec<&str> {
        match self {
            Self::MessageDestinations => vec!["message_destinations"],
            Self::Functions => vec!["functions"],
            Self::Fields(of) => vec!["types", of, "fields"],
            Self::DataTable(name) => vec!["types", name],
            Self::Rules => vec!["actions"],
            Self::Workflows => vec!["workflows"],
            Self::Playbooks => vec!["playbooks"],
            Self::Scripts => vec!["scripts"],
        }
    }

    fn words(&self) -> &'static str {
        match self {
            Self::MessageDestinations => "message destinations",
            Self::Functions => "functions",
            Self::Fields(_) => "fields",
            Self::DataTable(_) => "data table",
            Self::Rules => "rules",
            Self::Workflows => "workflows",
            Self::Playbooks => "playbooks",
            Self::Scripts => "scripts",
        }
    }
}

/// An import that SOAR has checked.
#[derive(Debug)]
pub struct Import {
    /// SOAR's messages about the import.
    pub messages: Vec<Message>,
    /// SOAR's complete answer, which a decision sends back.
    answer: Value,
}

/// A message of SOAR about an import.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Message {
    /// `INFO`, or another level of SOAR.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// SOAR's text.
    #[serde(default)]
    pub text: String,
}

impl Import {
    /// Whether it waits for a decision.
    pub fn is_pending(&self) -> bool {
        self.status() == "PENDING"
    }

    /// `PENDING`, or another status of SOAR.
    pub fn status(&self) -> &str {
        self.answer["status"].as_str().unwrap_or("unknown")
    }
}

/// The decision on an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// SOAR carries the import out.
    Accept,
    /// SOAR discards the import.
    Reject,
}

/// Whether the login may read a message destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The destination lists the login.
    Granted,
    /// The destination does not list the login.
    Missing,
    /// The message destination does not exist.
    NoDestination,
}

/// Why the login could not be added to a message destination.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// SOAR refused it.
    #[error(transparent)]
    Soar(#[from] Error),
    /// The message destination does not exist.
    #[error("SOAR has no message destination {0}")]
    NoDestination(String),
    /// Others changed it during every attempt.
    #[error(
        "the message destination {0} was changed by another user during each of {DESTINATION_TRIES} attempts"
    )]
    Contended(String),
    /// SOAR did not name the principal at login.
    #[error(
        "SOAR did not tell the number of this API key or account, by which a message destination lists it"
    )]
    Nameless,
}

impl Client {
    /// All objects of a kind, as SOAR describes them; none if SOAR does not have the kind.
    pub async fn objects(&self, collection: Collection<'_>) -> Result<Vec<Value>, Error> {
        let attempt = format!("read the {}", collection.words());
        if collection == Collection::Playbooks {
            return self.playbooks(attempt).await;
        }
        match self.fetch_by_name::<Answered<Value>>(attempt, &collection.segments()).await {
            Ok(answered) => Ok(answered.into_vec()),
            Err(Error::Refused { status: 404, .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// All playbooks. SOAR lists them only in pages, and only on a POST.
    async fn playbooks(&self, attempt: String) -> Result<Vec<Value>, Error> {
        #[derive(Deserialize)]
        struct Page {
            data: Vec<Value>,
            #[serde(rename = "recordsTotal")]
            total: usize,
        }
        let mut all = Vec::new();
        for _ in 0..MOST_PAGES {
            let body = serde_json::json!({"filters": [], "start": all.len(), "length": PAGE}).to_string();
            let body = RequestBody::Json(body.into());
            let mut request =
                self.request(Method::POST, attempt.clone(), &["playbooks", "query_paged"], body);
            request.url.set_query(Some("return_level=full&handle_format=names"));
            let Page { data, total } = self.connection().fetch(&request).await?;
            let is_last = data.is_empty() || all.len() + data.len() >= total;
            all.extend(data);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// One object with all its parts, by its id; lists leave out long parts.
    pub async fn object(&self, collection: Collection<'_>, number: i64) -> Result<Value, Error> {
        let number = number.to_string();
        let mut segments = collection.segments();
        segments.push(&number);
        self.fetch_by_name(format!("read number {number} of the {}", collection.words()), &segments).await
    }

    async fn fetch_by_name<T: serde::de::DeserializeOwned>(
        &self,
        attempt: String,
        segments: &[&str],
    ) -> Result<T, Error> {
        let mut request = self.get(attempt, segments);
        request.url.set_query(Some("handle_format=names"));
        self.connection().fetch(&request).await
    }

    /// Sends an import file, which SOAR checks. Nothing changes before [`Client::decide`].
    pub async fn start_import(&self, file: &Value) -> Result<Import, Error> {
        let attempt = "import customizations".to_owned();
        let mut request = self.request(
            Method::POST,
            attempt,
            &["configurations", "imports"],
            RequestBody::Json(file.to_string().into()),
        );
        request.bound = Some(IMPORT_BOUND);
        let answer: Value = self.connection().fetch(&request).await?;
        if answer["id"].as_i64().is_none() {
            return Err(not_an_answer(&request, "it has no number"));
        }
        let messages = answer["messages"].as_array().into_iter().flatten();
        let messages = messages.filter_map(|message| Message::deserialize(message).ok()).collect();
        Ok(Import { messages, answer })
    }

    /// Carries an import out, or discards it; returns its status. After an [indeterminate](Error::is_indeterminate)
    /// error it may have been carried out; importing again is harmless.
    pub async fn decide(&self, import: Import, decision: Decision) -> Result<String, Error> {
        let (status, attempt) = match decision {
            Decision::Accept => ("ACCEPTED", "accept the import"),
            Decision::Reject => ("REJECTED", "reject the import"),
        };
        let Import { mut answer, .. } = import;
        answer["status"] = status.into();
        let number = answer["id"].to_string();
        let mut request = self.request(
            Method::PUT,
            attempt.to_owned(),
            &["configurations", "imports", &number],
            RequestBody::Json(answer.to_string().into()),
        );
        request.bound = Some(IMPORT_BOUND);
        let answer: Value = self.connection().fetch(&request).await?;
        let status = answer["status"].as_str();
        Ok(status.ok_or_else(|| not_an_answer(&request, "it has no status"))?.to_owned())
    }

    /// Whether the message destination lists the API key or account of the login.
    pub async fn access_to(&self, destination: &str) -> Result<Access, Error> {
        let Some(found) = self.destination(destination).await? else { return Ok(Access::NoDestination) };
        let lists_us = self.principal().is_some_and(|principal| is_listed(&found, principal));
        Ok(if lists_us { Access::Granted } else { Access::Missing })
    }

    /// Adds the API key or account of the login to the message destination; `false` if it was listed already. Changes
    /// that others make at the same time stay.
    pub async fn grant_access_to(&self, destination: &str) -> Result<bool, GrantError> {
        let principal = self.principal().ok_or(GrantError::Nameless)?;
        let missing = || GrantError::NoDestination(destination.to_owned());
        let number = self.destination(destination).await?.ok_or_else(missing)?["id"].to_string();
        for tried in 0..DESTINATION_TRIES {
            tokio::time::sleep(DESTINATION_WAIT * tried).await;
            let attempt = format!("read the message destination {destination}");
            let request = self.get(attempt, &["message_destinations", &number]);
            let mut found: Value = self.connection().fetch(&request).await?;
            if is_listed(&found, principal) {
                // An earlier attempt whose answer was lost succeeded, or it was listed before.
                return Ok(tried > 0);
            }
            if !found.is_object() {
                return Err(not_an_answer(&request, "it is no message destination").into());
            }
            match found[principal.list()].as_array_mut() {
                Some(listed) => listed.push(principal.handle().clone()),
                None => found[principal.list()] = vec![principal.handle().clone()].into(),
            }
            let request = self.request(
                Method::PUT,
                format!("change the message destination {destination}"),
                &["message_destinations", &number],
                RequestBody::Json(found.to_string().into()),
            );
            match self.connection().fetch::<serde::de::IgnoredAny>(&request).await {
                Ok(_) => return Ok(true),
                // Another user was faster, or the outcome is unknown: the next read shows it.
                Err(Error::Refused { status: 409, .. }) => {}
                Err(error) if error.is_indeterminate() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(GrantError::Contended(destination.to_owned()))
    }

    /// A message destination, by its programmatic name.
    async fn destination(&self, name: &str) -> Result<Option<Value>, Error> {
        // Principals are listed by id and not by name, so that they can be compared.
        let request = self.get("read the message destinations".to_owned(), &["message_destinations"]);
        let all = self.connection().fetch::<Answered<Value>>(&request).await?.into_vec();
        Ok(all.into_iter().find(|one| one["programmatic_name"] == name))
    }
}

fn is_listed(destination: &Value, principal: &Principal) -> bool {
    let listed = destination[principal.list()].as_array();
    listed.is_some_and(|listed| listed.contains(principal.handle()))
}

fn not_an_answer(request: &Request<'_>, reason: &str) -> Error {
    Error::NotAnAnswer { attempt: request.attempt.clone(), reason: reason.to_owned() }
}
