//! Finds out from the directory who owns a mailbox, whatever name the mailbox was given by.

use std::fmt;

use serde::Deserialize;
use serde::de::IgnoredAny;

use graph::{self, Client, Dispatch, Path, Request};

const INCOMPLETE: &str = "Microsoft Graph left out some of the names that were asked for (id, userPrincipalName, \
                          mail, proxyAddresses)";
const AMBIGUOUS: &str = "Microsoft Graph names more than one mailbox for this address, or another one";

/// The names of a mailbox in the directory. All are required: a pattern that denies the mailbox could match the one
/// that an answer leaves out. A mailbox without a `mail` has a null.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Names {
    pub(super) id: String,
    user_principal_name: String,
    #[serde(deserialize_with = "Option::deserialize")]
    mail: Option<String>,
    proxy_addresses: Vec<String>,
}

impl Names {
    const SELECT: &str = "id,userPrincipalName,mail,proxyAddresses";

    /// The names by which a mailbox can be allowed: no alias.
    pub(super) fn allowable(&self) -> impl Iterator<Item = &str> {
        self.primary().chain([self.id.as_str()])
    }

    /// The principal name and the primary address.
    fn primary(&self) -> impl Iterator<Item = &str> {
        [self.user_principal_name.as_str()].into_iter().chain(self.mail.as_deref())
    }

    /// Whether one of them is `name`, apart from case.
    pub(super) fn hold(&self, name: &str) -> bool {
        let wanted = name.to_lowercase();
        self.all().any(|name| name.to_lowercase() == wanted)
    }

    /// All names, with the id and every alias.
    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        // "SMTP:" marks the primary address, "smtp:" the others. Other protocols have their own prefixes.
        let proxies =
            self.proxy_addresses.iter().map(|proxy| proxy.split_once(':').map_or(&**proxy, |(_, rest)| rest));
        self.primary().chain([self.id.as_str()]).chain(proxies)
    }
}

/// The users who have an address.
#[derive(Deserialize)]
struct Holders {
    value: Vec<Names>,
    #[serde(rename = "@odata.nextLink")]
    more: Option<IgnoredAny>,
}

/// Why the owner of a mailbox could not be found out.
pub(super) enum Unidentified {
    /// The request failed.
    Graph(graph::Error),
    /// The answer is not sufficient, for this reason.
    Answer(&'static str),
}

impl From<graph::Error> for Unidentified {
    fn from(error: graph::Error) -> Self {
        Self::Graph(error)
    }
}

impl fmt::Display for Unidentified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Graph(error) => f.write_str(&error.for_log()),
            Self::Answer(reason) => f.write_str(reason),
        }
    }
}

/// Returns the names of the user called `name`: first by principal name or id, then by address, since Graph's
/// `/users/{id}` does not accept every address (Graph page "Get a user").
pub(super) async fn identify(graph: &Client, route: &Dispatch, name: &str) -> Result<Names, Unidentified> {
    let path = Path::user(name).map_err(graph::Error::from)?.option("$select", Names::SELECT);
    let not_found = match get(graph, route, path).await {
        Ok(answer) => {
            let names: Names = answer.parse().map_err(|_| Unidentified::Answer(INCOMPLETE))?;
            return if names.hold(name) { Ok(names) } else { Err(Unidentified::Answer(AMBIGUOUS)) };
        }
        Err(error) if is_not_found(&error) && name.contains('@') => error,
        Err(error) => return Err(error.into()),
    };
    let path = Path::users_with_address(name).option("$select", Names::SELECT).option("$top", "2");
    let answer = get(graph, route, path).await?;
    let Holders { mut value, more } = answer.parse().map_err(|_| Unidentified::Answer(INCOMPLETE))?;
    match (value.pop(), value.is_empty() && more.is_none()) {
        (None, true) => Err(not_found.into()),
        // The name is compared again: if Graph ignored the filter, it would return another user.
        (Some(names), true) if names.hold(name) => Ok(names),
        _ => Err(Unidentified::Answer(AMBIGUOUS)),
    }
}

/// Whether the directory knows a mailbox by `name`: an address or an id.
///
/// # Errors
/// The directory does not say. Holds a sentence.
pub async fn has_name(graph: &Client, name: &str) -> Result<bool, String> {
    match identify(graph, &Dispatch::Single, name).await {
        Ok(_) => Ok(true),
        Err(Unidentified::Graph(error)) if is_not_found(&error) => Ok(false),
        Err(unidentified) => Err(unidentified.to_string()),
    }
}

pub(super) fn is_not_found(error: &graph::Error) -> bool {
    error.refusal().is_some_and(|refusal| refusal.status == 404)
}

async fn get(graph: &Client, route: &Dispatch, path: Path) -> Result<graph::Response, graph::Error> {
    Ok(graph.send_by(route, &Request::get(path)).await?.response)
}
