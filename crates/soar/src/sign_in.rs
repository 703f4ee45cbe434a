//! The login: SOAR's answer, the choice of the organisation, and the headers of later requests.

use net::Scrubber;
use net::untrusted::text::excerpt;
use reqwest::header::{COOKIE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use serde::Deserialize;
use serde_json::Value;

use super::Error;
use crate::Login;

/// An error shows no more of a name, in characters.
const LONGEST_NAME: usize = 100;

/// The parts of SOAR's answer to `/rest/session` that are used.
#[derive(Debug, Deserialize)]
pub(super) struct Session {
    #[serde(default)]
    orgs: Vec<Organisation>,
    csrf_token: Option<String>,
    api_key_handle: Option<Value>,
    user_id: Option<Value>,
    #[serde(rename = "session_ip")]
    seen_from: Option<String>,
}

/// The principal of the login, as message destinations list it.
#[derive(Debug, Clone)]
pub(super) enum Principal {
    /// An API key. The type of its handle is not documented.
    ApiKey(Value),
    /// An account.
    User(Value),
}

impl Principal {
    /// The name of the list of such principals in a message destination.
    pub(super) fn list(&self) -> &'static str {
        match self {
            Self::ApiKey(_) => "api_keys",
            Self::User(_) => "users",
        }
    }

    pub(super) fn handle(&self) -> &Value {
        match self {
            Self::ApiKey(handle) | Self::User(handle) => handle,
        }
    }
}

/// An organisation of the account.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Organisation {
    pub(super) id: i64,
    pub(super) name: String,
    #[serde(default)]
    enabled: bool,
    uuid: Option<String>,
    cloud_account: Option<String>,
}

impl Session {
    /// The principal, if SOAR names it.
    pub(super) fn principal(&self) -> Option<Principal> {
        let api_key = self.api_key_handle.clone().map(Principal::ApiKey);
        api_key.or_else(|| self.user_id.clone().map(Principal::User))
    }

    /// The first organisation whose cloud account, uuid or name is exactly `configured`. An error quotes SOAR without the
    /// secrets of `scrubber`.
    pub(super) fn organisation(&self, configured: &str, scrubber: &Scrubber) -> Result<Organisation, Error> {
        let quoted = |text: &str| excerpt(&scrubber.scrub(text), LONGEST_NAME);
        if self.orgs.is_empty() {
            return Err(Error::NoOrganisation);
        }
        let is_meant = |org: &&Organisation| {
            let names = [org.cloud_account.as_deref(), org.uuid.as_deref(), Some(org.name.as_str())];
            names.contains(&Some(configured))
        };
        match self.orgs.iter().find(is_meant) {
            None => Err(Error::WrongOrganisation {
                configured: configured.to_owned(),
                available: self.orgs.iter().map(|org| quoted(&org.name)).collect(),
            }),
            Some(org) if !org.enabled => Err(Error::OrganisationDisabled {
                name: quoted(&org.name),
                address: self.seen_from.as_deref().map_or_else(|| "unknown".to_owned(), quoted),
            }),
            Some(org) => Ok(org.clone()),
        }
    }

    /// The headers of later requests in a password's session: the CSRF token and the cookies. With an API key each
    /// request carries the key instead, and no cookie.
    pub(super) fn headers(&self, login: &Login, answered: &HeaderMap) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if matches!(login, Login::ApiKey { .. }) {
            return headers;
        }
        if let Some(mut token) = self.csrf_token.as_deref().and_then(|t| HeaderValue::from_str(t).ok()) {
            token.set_sensitive(true);
            headers.insert(HeaderName::from_static("x-sess-id"), token);
        }
        let cookies: Vec<&str> = answered
            .get_all(SET_COOKIE)
            .iter()
            .filter_map(|cookie| cookie.to_str().ok()?.split(';').next())
            .collect();
        if let Ok(mut cookies) = HeaderValue::from_str(&cookies.join("; ")) {
            cookies.set_sensitive(true);
            headers.insert(COOKIE, cookies);
        }
        headers
    }
}
