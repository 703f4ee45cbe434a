//! The state of a mailbox at one moment, for a test to compare with that at another.

use std::collections::BTreeMap;

use super::tenant::Tenant;

/// All that can change in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageState {
    /// The id of its folder.
    pub folder_id: String,
    /// The well-known name of its folder, or the folder's display name.
    pub folder: &'static str,
    /// Whether it is read.
    pub is_read: bool,
    /// Its flag as JSON.
    pub flag: String,
    /// `notFlagged`, `flagged` or `complete`.
    pub flag_status: String,
    /// Its categories.
    pub categories: Vec<String>,
    /// Its extended properties, as (id, value), in the order of their ids.
    pub properties: Vec<(String, String)>,
}

impl Tenant {
    /// The state of each message of a mailbox, Recoverable Items included, by its immutable id. Empty if there is no
    /// such mailbox.
    pub fn snapshot(&self, user: &str) -> BTreeMap<String, MessageState> {
        let Some(mailbox) = self.mailbox(user) else { return BTreeMap::new() };
        let state = self.state();
        let changes = state.changes();
        let folders = changes.folders(mailbox);
        let items = state.all_items(mailbox, changes.mailboxes.get(&mailbox));
        items
            .iter()
            .map(|item| {
                let message = state.look(mailbox, item);
                let mut properties: Vec<(String, String)> = item
                    .marks
                    .properties
                    .iter()
                    .map(|(id, value)| (id.to_owned(), value.to_owned()))
                    .collect();
                properties.sort();
                let message_state = MessageState {
                    folder_id: message.folder_id(),
                    folder: folders.name(item.folder),
                    is_read: message.is_read(),
                    flag: item.marks.flag.json(),
                    flag_status: item.marks.flag.status().to_owned(),
                    categories: item.marks.categories.clone(),
                    properties,
                };
                (message.immutable_id(), message_state)
            })
            .collect()
    }
}
