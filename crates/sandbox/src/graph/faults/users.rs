//! What is wrong with the list of users.

use super::Faults;

impl Faults {
    /// Ignores `$filter` in lists of users, as Graph does with unknown options.
    pub fn filter_no_users(&self) {
        self.plan().users_unfiltered = true;
    }

    pub(in crate::graph) fn filters_no_users(&self) -> bool {
        self.plan().users_unfiltered
    }

    pub(in crate::graph) fn list_twice(&self, user: u32) {
        self.plan().listed_twice = Some(user);
    }

    /// The user that a list of users returns a second time, at its end.
    pub(in crate::graph) fn listed_twice(&self) -> Option<u32> {
        self.plan().listed_twice
    }

    /// Makes `@odata.count` of lists of users say this; `None` is the number of users that match. The count is
    /// "eventually consistent" ("Advanced query capabilities on Microsoft Entra ID objects"), so it can be another one.
    pub fn set_user_count(&self, count: Option<usize>) {
        self.plan().user_count = count;
    }

    pub(in crate::graph) fn user_count(&self) -> Option<usize> {
        self.plan().user_count
    }
}
