//! The platform's data: organisations, API keys and accounts, and customizations.

use std::collections::HashMap;

use serde_json::Value;

use super::error::ApiError;
use super::exports::Export;
use crate::soar::customizations::{Customizations, DESTINATIONS};
use crate::soar::incidents::{Author, AuthorKind};

/// The names of the app's functions in SOAR.
pub const FUNCTIONS: [&str; 15] = [
    "exchange_online_apply_plan",
    "exchange_online_create_meeting",
    "exchange_online_delete_email",
    "exchange_online_delete_messages_from_query_results",
    "exchange_online_get_attachments",
    "exchange_online_get_email_user_profile",
    "exchange_online_get_message",
    "exchange_online_move_message_to_folder",
    "exchange_online_plan_removal",
    "exchange_online_query_emails",
    "exchange_online_remove_meetings",
    "exchange_online_restore_messages",
    "exchange_online_send_message",
    "exchange_online_trace_message",
    "exchange_online_write_message_as_attachment",
];

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organisation {
    /// Its number in paths and queue names.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its UUID.
    pub uuid: String,
    /// Its cloud account.
    pub cloud_account: String,
    /// Whether an API key or account may use it.
    pub enabled: bool,
    /// Whether functions can be called in it.
    pub actions_framework_enabled: bool,
}

impl Organisation {
    /// An enabled organisation with a UUID and a cloud account derived from its number.
    pub fn new(id: i64, name: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            uuid: format!("00000000-0000-4000-8000-{id:012}"),
            cloud_account: format!("cloud-{id}"),
            enabled: true,
            actions_framework_enabled: true,
        }
    }
}

/// An API key.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id, the user name of HTTP Basic and of the broker.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// The number of its principal.
    pub handle: i64,
}

/// A person's account.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The e-mail address it signs in with.
    pub email: String,
    /// Its password.
    pub password: String,
    /// Its number.
    pub user_id: i64,
}

impl ApiKey {
    /// The key as the author of what the app writes.
    pub(super) fn author(&self) -> Author {
        Author {
            id: self.handle,
            kind: AuthorKind::ApiKey,
            name: self.id.clone(),
            display_name: "Exchange Online".to_owned(),
        }
    }
}

impl Account {
    /// The account as the author of what the app writes.
    pub(super) fn author(&self) -> Author {
        Author {
            id: self.user_id,
            kind: AuthorKind::User,
            name: self.email.clone(),
            display_name: "Integration Account".to_owned(),
        }
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("email", &self.email).finish_non_exhaustive()
    }
}

/// Sessions of accounts: the CSRF token and the account by JSESSIONID.
pub(super) type Sessions = HashMap<String, (String, i64)>;

/// An import and its status.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) id: i64,
    pub(super) status: String,
    pub(super) file: Value,
    pub(super) messages: Value,
}

/// The platform's data.
#[derive(Debug, Default)]
pub(super) struct Data {
    /// SOAR's version.
    pub(super) version: String,
    pub(super) organisations: Vec<Organisation>,
    pub(super) api_keys: Vec<ApiKey>,
    pub(super) accounts: Vec<Account>,
    pub(super) sessions: Sessions,
    /// The ids and CSRF tokens of all sessions so far.
    pub(super) session_secrets: Vec<String>,
    pub(super) customizations: Customizations,
    /// Exports so far.
    pub(super) exports: Vec<Export>,
    /// Imports so far.
    pub(super) imports: Vec<Import>,
    /// The status of new imports, if it is not the usual one.
    pub(super) import_status: Option<String>,
    /// Whether all API keys and accounts lack the permission to change customizations.
    pub(super) customizing_forbidden: bool,
    /// How many of the next changes of a destination conflict with another change.
    pub(super) conflicts: usize,
    /// Whether an upload is answered with a list of one.
    pub(super) lists_uploads: bool,
    pub(super) last_id: i64,
}

impl Data {
    /// Returns a unique number.
    pub(super) fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    /// The users and API keys.
    pub(super) fn people(&self) -> Vec<Author> {
        let accounts = self.accounts.iter().map(Account::author);
        accounts.chain([Author::analyst()]).collect()
    }

    /// Refuses a change of customizations if the permission is missing.
    pub(super) fn allow_customizing(&self) -> Result<(), ApiError> {
        if self.customizing_forbidden { Err(ApiError::forbidden()) } else { Ok(()) }
    }

    /// Whether the API key or account with the login name `login` may read `queue`. Other queues and users are not
    /// restricted.
    pub(super) fn may_read(&self, login: &str, queue: &str) -> bool {
        let Some(destination) = queue.strip_prefix("actions.").and_then(|rest| rest.split_once('.')) else {
            return true;
        };
        let destination = self.customizations.get(&DESTINATIONS, destination.1);
        let lists = |who: &str, number: i64| {
            let listed = destination.and_then(|destination| destination[who].as_array());
            listed.is_some_and(|listed| listed.iter().any(|one| *one == number))
        };
        let key = self.api_keys.iter().find(|key| key.id == login);
        let account = self.accounts.iter().find(|account| account.email == login);
        match (key, account) {
            (Some(key), _) => lists("api_keys", key.handle),
            (None, Some(account)) => lists("users", account.user_id),
            (None, None) => true,
        }
    }
}
