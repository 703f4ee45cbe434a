//! The users that were listed: one can be on two pages (docs-contrib issue 6786), and on two lists.

use std::collections::HashSet;

use uuid::Uuid;

use super::target::Target;

/// The users that were listed. Half a million take 18 MB.
#[derive(Debug, Default)]
pub(super) struct KnownUsers {
    ids: HashSet<u128>,
    /// Those without an id that is a GUID.
    names: HashSet<Box<str>>,
}

impl KnownUsers {
    /// Adds a user; returns whether the user was unknown.
    pub(super) fn add(&mut self, user: &Target) -> bool {
        match Uuid::try_parse(user.user()) {
            Ok(id) => self.ids.insert(id.as_u128()),
            Err(_) => self.names.insert(user.user().to_lowercase().into()),
        }
    }

    /// How many users are known.
    pub(super) fn len(&self) -> usize {
        self.ids.len() + self.names.len()
    }
}
