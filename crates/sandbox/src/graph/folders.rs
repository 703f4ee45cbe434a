//! The folders of one mailbox now: those of the seed, and what changed since. Only differences from the seed are
//! stored.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use parking_lot::Mutex;

use super::extended_property::Properties;
use super::folder::Folder;
use super::identifier::{self, Ids};
use super::refusal::Refusal;

/// A folder as it is now.
#[derive(Debug, Clone)]
pub(super) struct FolderRecord {
    pub(super) name: Cow<'static, str>,
    pub(super) parent: Folder,
    pub(super) hidden: bool,
    pub(super) properties: Properties,
}

/// What happened to the folders of a mailbox.
#[derive(Debug)]
pub(super) struct FolderChanges {
    /// Folders that differ from the seed. `None` is one that was deleted for good.
    changed: BTreeMap<Folder, Option<FolderRecord>>,
    next: Folder,
}

impl Default for FolderChanges {
    fn default() -> Self {
        Self { changed: BTreeMap::new(), next: Folder::FIRST_MADE }
    }
}

impl FolderChanges {
    pub(super) fn make(&mut self, record: FolderRecord) -> Folder {
        let made = self.next;
        self.next = made.next();
        self.changed.insert(made, Some(record));
        made
    }

    pub(super) fn set(&mut self, folder: Folder, record: FolderRecord) {
        self.changed.insert(folder, Some(record));
    }

    pub(super) fn remove(&mut self, folder: Folder) {
        self.changed.insert(folder, None);
    }
}

/// All folders of one mailbox.
#[derive(Clone, Copy)]
pub(super) struct Folders<'a> {
    pub(super) mailbox: u32,
    pub(super) changes: Option<&'a FolderChanges>,
}

impl<'a> Folders<'a> {
    /// The folder, if the mailbox has it.
    pub(super) fn get(self, folder: Folder) -> Option<FolderRecord> {
        match self.changes.and_then(|changes| changes.changed.get(&folder)) {
            Some(changed) => changed.clone(),
            None if folder.is_optional() && self.mailbox.is_multiple_of(2) => None,
            None => Some(FolderRecord {
                name: Cow::Borrowed(folder.original_name()?),
                parent: folder.original_parent(),
                hidden: folder == Folder::HIDDEN,
                properties: Properties::default(),
            }),
        }
    }

    /// All folders, those that no list shows included.
    pub(super) fn all(self) -> impl Iterator<Item = (Folder, FolderRecord)> + use<'a> {
        let made = self.changes.into_iter().flat_map(|changes| changes.changed.keys().copied());
        let made = made.filter(|folder| *folder >= Folder::FIRST_MADE);
        Folder::original().chain(made).filter_map(move |folder| Some((folder, self.get(folder)?)))
    }

    /// The folders in `parent` that a list shows.
    pub(super) fn children(
        self,
        parent: Folder,
        with_hidden: bool,
    ) -> impl Iterator<Item = (Folder, FolderRecord)> + use<'a> {
        self.all().filter(move |(folder, record)| {
            record.parent == parent && folder.is_listed() && (with_hidden || !record.hidden)
        })
    }

    /// The folder in `parent` with this display name. Case does not count, and hidden folders do.
    pub(super) fn child_named(self, parent: Folder, name: &str) -> Option<Folder> {
        let name = name.to_lowercase();
        self.children(parent, true)
            .find(|(_, record)| record.name.to_lowercase() == name)
            .map(|(folder, _)| folder)
    }

    /// The folder that a request names: a well-known name in any case, or an id exactly as it was returned. `Ok(None)`
    /// is a folder that does not exist.
    pub(super) fn named(self, name: &str, ids: Ids) -> Result<Option<Folder>, Refusal> {
        if let Some(folder) = Folder::well_known(name) {
            return Ok(self.get(folder).map(|_| folder));
        }
        if !identifier::is_folder_id(name) {
            return Err(Refusal::malformed_id());
        }
        let found = self.all().find(|(folder, _)| folder.id(ids, self.mailbox) == name);
        Ok(found.map(|(folder, _)| folder))
    }

    /// Whether `folder` is `ancestor`, or lies in it at any depth.
    pub(super) fn is_within(self, folder: Folder, ancestor: Folder) -> bool {
        let mut at = folder;
        // A folder at the top is its own end: `ROOT` holds itself.
        loop {
            if at == ancestor {
                return true;
            }
            match self.get(at) {
                Some(record) if record.parent != at => at = record.parent,
                _ => return false,
            }
        }
    }

    /// Whether the folder, or one that holds it, is hidden.
    pub(super) fn is_hidden(self, folder: Folder) -> bool {
        let hidden = self.all().filter(|(_, record)| record.hidden);
        hidden.into_iter().any(|(hidden, _)| self.is_within(folder, hidden))
    }

    /// The well-known name, or the display name.
    pub(super) fn name(self, folder: Folder) -> &'static str {
        match folder.well_known_name() {
            Some(name) => name,
            None => self.get(folder).map_or("", |record| match record.name {
                Cow::Borrowed(name) => name,
                Cow::Owned(name) => interned(name),
            }),
        }
    }
}

/// Keeps a name until the process ends, so that records of moves need not own it. There are few different ones.
fn interned(name: String) -> &'static str {
    static NAMES: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    let mut names = NAMES.lock();
    let names = names.get_or_insert_default();
    if let Some(known) = names.get(name.as_str()) {
        return known;
    }
    let name: &'static str = Box::leak(name.into_boxed_str());
    names.insert(name);
    name
}
