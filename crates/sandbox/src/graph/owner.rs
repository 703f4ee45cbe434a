//! What a mailbox's owner does with a mail program, as a test lets them do it. The tenant's records of deleted and
//! moved messages hold what clients did, and nothing of this.

use super::changes::{Changes, MailboxChanges};
use super::extended_property::Properties;
use super::folder::Folder;
use super::marks::{Flag, Marks};
use super::message::Item;
use super::state::State;
use super::tenant::Tenant;

/// A folder as it is in a mailbox now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFolder {
    /// Its id.
    pub id: String,
    /// Its display name.
    pub name: String,
    /// The id of the folder that holds it.
    pub parent: String,
    /// Its well-known name, if it has one.
    pub well_known: Option<&'static str>,
    /// Whether it is hidden.
    pub hidden: bool,
    /// Its extended properties, as (id, value).
    pub properties: Vec<(String, String)>,
}

/// What owners do with their messages and folders. A method returns `false` or `None` if there is no such mailbox,
/// message or folder. Ids may be of either form, and folders may have a well-known name instead.
impl Tenant {
    /// Marks a message as read or unread.
    pub fn mark_read(&self, user: &str, id: &str, read: bool) -> bool {
        self.mark(user, id, |marks| marks.read = Some(read))
    }

    /// Sets the flag of a message: `flagged`, `complete`, or `notFlagged`, which removes it.
    pub fn flag_message(&self, user: &str, id: &str, status: &str) -> bool {
        let Ok(flag) = Flag::parse(&serde_json::json!({"flagStatus": status})) else { return false };
        self.mark(user, id, |marks| marks.flag = flag)
    }

    /// Sets the categories of a message.
    pub fn categorise_message(&self, user: &str, id: &str, categories: &[&str]) -> bool {
        self.mark(user, id, |marks| {
            marks.categories = categories.iter().map(|&category| category.to_owned()).collect();
        })
    }

    /// Moves a message to another folder.
    pub fn move_message(&self, user: &str, id: &str, folder: &str) -> bool {
        self.with_item(user, id, |state, changes, mailbox, item| {
            let folder = state.folder_named_in(changes, mailbox, folder).ok()?;
            own(changes, mailbox).relocate(item, folder);
            Some(())
        })
    }

    /// Deletes a message: it goes to Deleted Items, and from there to Recoverable Items.
    pub fn delete_message(&self, user: &str, id: &str) -> bool {
        self.with_item(user, id, |_, changes, mailbox, item| {
            let is_deleted = changes.folders(mailbox).is_within(item.folder, Folder::DELETED);
            let to = if is_deleted { Folder::RECOVERABLE } else { Folder::DELETED };
            own(changes, mailbox).relocate(item, to);
            Some(())
        })
    }

    /// Removes a message from the mailbox for good, in whatever folder it is.
    pub fn purge_message(&self, user: &str, id: &str) -> bool {
        self.with_item(user, id, |_, changes, mailbox, item| {
            own(changes, mailbox).remove(item.key);
            Some(())
        })
    }

    /// Makes a folder in `parent` and returns its id. `None` also if the name is taken.
    pub fn make_folder(&self, user: &str, parent: &str, name: &str, hidden: bool) -> Option<String> {
        let mailbox = self.mailbox(user)?;
        let mut changes = self.state().changes();
        let parent = self.state().folder_named_in(&changes, mailbox, parent).ok()?;
        let name = name.to_owned();
        let made = State::make_folder(&mut changes, mailbox, parent, name, hidden, Properties::default());
        Some(made.ok()?.id(self.state().base.ids, mailbox))
    }

    /// Renames a folder that is not a well-known one.
    pub fn rename_folder(&self, user: &str, folder: &str, name: &str) -> bool {
        self.with_folder(user, folder, |changes, mailbox, folder| {
            let name = Some(name.to_owned());
            State::change_folder(changes, mailbox, folder, name, &Properties::default()).is_ok()
        })
    }

    /// Deletes a folder that is not a well-known one: it goes to Deleted Items with what it holds, and from there for
    /// good.
    pub fn delete_folder(&self, user: &str, folder: &str) -> bool {
        self.with_folder(user, folder, |changes, mailbox, folder| {
            self.state().delete_folder(changes, mailbox, folder).is_ok()
        })
    }

    /// Removes a folder that is not a well-known one for good, with the folders in it. Their messages go to Recoverable
    /// Items.
    pub fn remove_folder(&self, user: &str, folder: &str) -> bool {
        self.with_folder(user, folder, |changes, mailbox, folder| {
            let removable = folder.well_known_name().is_none();
            if removable {
                self.state().remove_folder(changes, mailbox, folder);
            }
            removable
        })
    }

    /// All folders of a mailbox, hidden ones included, and those that no list shows.
    pub fn folders(&self, user: &str) -> Vec<StoredFolder> {
        let Some(mailbox) = self.mailbox(user) else { return Vec::new() };
        let ids = self.state().base.ids;
        let changes = self.state().changes();
        let all = changes.folders(mailbox).all();
        all.map(|(folder, record)| StoredFolder {
            id: folder.id(ids, mailbox),
            name: record.name.into_owned(),
            parent: record.parent.id(ids, mailbox),
            well_known: folder.well_known_name(),
            hidden: record.hidden,
            properties: record
                .properties
                .iter()
                .map(|(id, value)| (id.to_owned(), value.to_owned()))
                .collect(),
        })
        .collect()
    }

    /// Sets whether `/messages` leaves out what is in hidden folders. By default it lists them.
    pub fn list_hidden_folders(&self, listed: bool) {
        self.state().changes().hidden_folders_unlisted = !listed;
    }

    /// Sets whether an immutable id finds a message in Recoverable Items, although the request does not name that
    /// folder. By default it does not.
    pub fn find_recoverable_by_id(&self, found: bool) {
        self.state().changes().recoverable_by_id = found;
    }

    fn mark(&self, user: &str, id: &str, change: impl FnOnce(&mut Marks)) -> bool {
        self.with_item(user, id, |_, changes, mailbox, item| {
            own(changes, mailbox).mark(item.key, change);
            Some(())
        })
    }

    fn with_item(
        &self,
        user: &str,
        id: &str,
        act: impl FnOnce(&State, &mut Changes, u32, Item) -> Option<()>,
    ) -> bool {
        let Some(mailbox) = self.mailbox(user) else { return false };
        let state = self.state();
        let mut changes = state.changes();
        let item = state.item_anywhere(&changes, mailbox, id);
        item.is_ok_and(|(item, _)| act(state, &mut changes, mailbox, item).is_some())
    }

    fn with_folder(
        &self,
        user: &str,
        folder: &str,
        act: impl FnOnce(&mut Changes, u32, Folder) -> bool,
    ) -> bool {
        let Some(mailbox) = self.mailbox(user) else { return false };
        let mut changes = self.state().changes();
        let folder = self.state().folder_named_in(&changes, mailbox, folder);
        folder.is_ok_and(|folder| act(&mut changes, mailbox, folder))
    }
}

fn own(changes: &mut Changes, mailbox: u32) -> &mut MailboxChanges {
    changes.mailboxes.entry(mailbox).or_default()
}
