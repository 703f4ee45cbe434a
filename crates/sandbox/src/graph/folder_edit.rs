//! How folders are made, renamed and deleted, by requests and by their owners.

use std::borrow::Cow;

use super::changes::Changes;
use super::extended_property::Properties;
use super::folder::Folder;
use super::folders::FolderRecord;
use super::refusal::Refusal;
use super::state::State;

impl State {
    /// Makes a folder in `parent`.
    pub(super) fn make_folder(
        changes: &mut Changes,
        mailbox: u32,
        parent: Folder,
        name: String,
        hidden: bool,
        properties: Properties,
    ) -> Result<Folder, Refusal> {
        let name = checked(name)?;
        if changes.folders(mailbox).child_named(parent, &name).is_some() {
            return Err(Refusal::folder_exists(&name));
        }
        let record = FolderRecord { name: Cow::Owned(name), parent, hidden, properties };
        Ok(changes.mailboxes.entry(mailbox).or_default().folders.make(record))
    }

    /// Gives a folder another display name and further extended properties.
    pub(super) fn change_folder(
        changes: &mut Changes,
        mailbox: u32,
        folder: Folder,
        name: Option<String>,
        properties: &Properties,
    ) -> Result<(), Refusal> {
        let mut record = changes.folders(mailbox).get(folder).ok_or_else(Refusal::item_not_found)?;
        if let Some(name) = name {
            let name = checked(name)?;
            if folder.well_known_name().is_some() {
                return Err(Refusal::default_folder());
            }
            let same = changes.folders(mailbox).child_named(record.parent, &name);
            if same.is_some_and(|same| same != folder) {
                return Err(Refusal::folder_exists(&name));
            }
            record.name = Cow::Owned(name);
        }
        record.properties.extend(properties);
        changes.mailboxes.entry(mailbox).or_default().folders.set(folder, record);
        Ok(())
    }

    /// Deletes a folder as programs do: it goes to Deleted Items with what it holds, and from there for good.
    pub(super) fn delete_folder(
        &self,
        changes: &mut Changes,
        mailbox: u32,
        folder: Folder,
    ) -> Result<(), Refusal> {
        if folder.well_known_name().is_some() {
            return Err(Refusal::default_folder());
        }
        let folders = changes.folders(mailbox);
        let mut record = folders.get(folder).ok_or_else(Refusal::item_not_found)?;
        if folders.is_within(folder, Folder::DELETED) {
            self.remove_folder(changes, mailbox, folder);
            return Ok(());
        }
        let mut name = record.name.clone();
        for nth in 1.. {
            if folders.child_named(Folder::DELETED, &name).is_none() {
                break;
            }
            name = Cow::Owned(format!("{}{nth}", record.name));
        }
        (record.name, record.parent) = (name, Folder::DELETED);
        changes.mailboxes.entry(mailbox).or_default().folders.set(folder, record);
        Ok(())
    }

    /// Removes a folder and those in it for good. Their messages go to Recoverable Items.
    pub(super) fn remove_folder(&self, changes: &mut Changes, mailbox: u32, folder: Folder) {
        let folders = changes.folders(mailbox);
        let gone: Vec<Folder> =
            folders.all().map(|(other, _)| other).filter(|other| folders.is_within(*other, folder)).collect();
        for folder in gone {
            let items = self.items_in(changes, mailbox, Some(folder));
            let own = changes.mailboxes.entry(mailbox).or_default();
            for item in items {
                own.relocate(item, Folder::RECOVERABLE);
            }
            own.folders.remove(folder);
        }
    }
}

fn checked(name: String) -> Result<String, Refusal> {
    if name.trim().is_empty() || name.chars().count() > 255 {
        return Err(Refusal::new(400, "ErrorInvalidRequest", "The display name of the folder is not valid."));
    }
    Ok(name)
}
