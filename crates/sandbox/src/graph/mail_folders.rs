//! Folders: "List mailFolders", "List childFolders", "Get mailFolder", "Create mailFolder", "Update mailFolder",
//! "Delete mailFolder".

use serde::Deserialize;

use super::changes::Changes;
use super::cursor::Cursor;
use super::expand::Expand;
use super::extended_property::{Properties, Property, PropertyId, PropertyTest};
use super::faults::Faults;
use super::folder::Folder;
use super::folders::FolderRecord;
use super::json::{Object, string};
use super::listing::next_link;
use super::message::Item;
use super::query::{Query, encode};
use super::refusal::{GraphResult, Refusal};
use super::request::GraphRequest;
use super::response::{GraphResponse, written};
use super::state::State;

/// Page sizes. The largest is not documented for folders.
const DEFAULT_PAGE: usize = 10;
const LARGEST_PAGE: usize = 1_000;

const KIND: &str = "microsoft.graph.mailFolder";

/// The properties of a folder, in Graph's order. `id` always comes before them.
const PROPERTY: [&str; 6] =
    ["displayName", "parentFolderId", "childFolderCount", "unreadItemCount", "totalItemCount", "isHidden"];

/// How a request wants folders to be shown.
struct FolderView {
    select: Vec<&'static str>,
    properties: Vec<PropertyId>,
}

impl FolderView {
    fn of(query: &Query) -> Result<Self, Refusal> {
        let named = |name: &str| {
            let property = PROPERTY.into_iter().find(|property| property.eq_ignore_ascii_case(name));
            property.ok_or_else(|| Refusal::no_property(name, KIND))
        };
        let select = match query.select.as_deref() {
            None => PROPERTY.to_vec(),
            Some(list) => {
                let names = list.split(',').map(str::trim).filter(|name| !name.eq_ignore_ascii_case("id"));
                names.map(named).collect::<Result<_, _>>()?
            }
        };
        let properties = Expand::properties_of(query.expand.as_deref(), KIND)?;
        Ok(Self { select, properties })
    }
}

/// A condition on folders.
enum Condition {
    Named(String),
    NameStarts(String),
    Hidden(bool),
    Property(PropertyTest),
}

impl Condition {
    /// Reads a `$filter`: conditions that all must hold.
    fn all(text: &str) -> Result<Vec<Self>, Refusal> {
        let mut cursor = Cursor::new(text);
        let mut conditions = vec![Self::parse(&mut cursor)?];
        while cursor.keyword(" and ") {
            conditions.push(Self::parse(&mut cursor)?);
        }
        if cursor.rest().trim().is_empty() { Ok(conditions) } else { Err(cursor.error("'and' expected")) }
    }

    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, Refusal> {
        match cursor.word() {
            "displayName" => {
                cursor.expect(" eq ")?;
                Ok(Self::Named(cursor.string()?.to_lowercase()))
            }
            "isHidden" => {
                cursor.expect(" eq ")?;
                Ok(Self::Hidden(cursor.boolean()?))
            }
            "startswith" => {
                cursor.expect("(")?;
                cursor.expect("displayName")?;
                cursor.expect(",")?;
                let start = cursor.string()?.to_lowercase();
                cursor.expect(")")?;
                Ok(Self::NameStarts(start))
            }
            "singleValueExtendedProperties/Any" | "singleValueExtendedProperties/any" => {
                Ok(Self::Property(PropertyTest::parse(cursor)?))
            }
            other => Err(Refusal::no_property(other, KIND)),
        }
    }

    fn holds(&self, record: &FolderRecord) -> bool {
        match self {
            Self::Named(name) => record.name.to_lowercase() == *name,
            Self::NameStarts(start) => record.name.to_lowercase().starts_with(start),
            Self::Hidden(hidden) => record.hidden == *hidden,
            Self::Property(test) => test.holds(&record.properties),
        }
    }
}

/// Lists the folders in `parent`; without one, those at the top. Hidden ones are listed on request only, also where a
/// filter would find them.
pub(super) fn list(
    state: &State,
    faults: &Faults,
    user: &str,
    parent: Option<&str>,
    request: &GraphRequest,
    query: &Query,
) -> GraphResult {
    let mailbox = state.mailbox(user)?;
    let parent = state.folder(mailbox, parent)?.unwrap_or(Folder::ROOT);
    let view = FolderView::of(query)?;
    let conditions = query.filter.as_deref().map(Condition::all).transpose()?.unwrap_or_default();
    let top = faults.page(query.page_size(DEFAULT_PAGE, LARGEST_PAGE)?);
    let skipped = query.skip.unwrap_or(0);
    let changes = state.changes();
    let items = state.all_items(mailbox, changes.mailboxes.get(&mailbox));
    let children: Vec<(Folder, FolderRecord)> = changes
        .folders(mailbox)
        .children(parent, query.include_hidden_folders)
        .filter(|(_, record)| conditions.iter().all(|condition| condition.holds(record)))
        .collect();
    let next = (children.len() > skipped.saturating_add(top))
        .then(|| next_link(state, &request.path, query, skipped + top));
    Ok(written(200, |out| {
        let mut object = Object::begin(out);
        let context = format!("{}/$metadata#users('{}')/mailFolders", state.base.root, encode(user));
        object.text("@odata.context", &context);
        let value = object.key("value");
        value.push(b'[');
        for (nth, (folder, record)) in children.iter().skip(skipped).take(top).enumerate() {
            if nth > 0 {
                value.push(b',');
            }
            write(value, &Shown { state, changes: &changes, mailbox, items: &items }, *folder, record, &view);
        }
        value.push(b']');
        if let Some(next) = &next {
            object.text("@odata.nextLink", next);
        }
        object.end();
    }))
}

pub(super) fn get(state: &State, user: &str, folder: &str, query: &Query) -> GraphResult {
    let mailbox = state.mailbox(user)?;
    let view = FolderView::of(query)?;
    let changes = state.changes();
    let folder = state.folder_named_in(&changes, mailbox, folder)?;
    shown(200, state, &changes, mailbox, folder, &view)
}

/// What a client states of a new folder. `isHidden` counts at creation only ("Create mailFolder").
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewFolder {
    #[serde(rename = "@odata.type")]
    _type: Option<String>,
    display_name: String,
    #[serde(default)]
    is_hidden: bool,
    #[serde(default)]
    single_value_extended_properties: Vec<Property>,
}

pub(super) fn create(state: &State, user: &str, parent: Option<&str>, request: &GraphRequest) -> GraphResult {
    let mailbox = state.mailbox(user)?;
    let new: NewFolder = request.json()?;
    let properties = Properties::of(new.single_value_extended_properties)?;
    let mut changes = state.changes();
    let parent = parent.map(|parent| state.folder_named_in(&changes, mailbox, parent)).transpose()?;
    let parent = parent.unwrap_or(Folder::ROOT);
    let folder =
        State::make_folder(&mut changes, mailbox, parent, new.display_name, new.is_hidden, properties)?;
    shown(201, state, &changes, mailbox, folder, &FolderView::of(&Query::default())?)
}

/// What a client may change in a folder. Once set, `isHidden` cannot be updated ("Create mailFolder").
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FolderChange {
    display_name: Option<String>,
    #[serde(default)]
    single_value_extended_properties: Vec<Property>,
}

pub(super) fn change(state: &State, user: &str, folder: &str, request: &GraphRequest) -> GraphResult {
    let mailbox = state.mailbox(user)?;
    let change: FolderChange = request.json()?;
    let properties = Properties::of(change.single_value_extended_properties)?;
    let mut changes = state.changes();
    let folder = state.folder_named_in(&changes, mailbox, folder)?;
    State::change_folder(&mut changes, mailbox, folder, change.display_name, &properties)?;
    shown(200, state, &changes, mailbox, folder, &FolderView::of(&Query::default())?)
}

/// Deletes a folder. The page "Delete mailFolder" does not say where it goes; here it goes to Deleted Items with what
/// it holds, as in Outlook, and from there for good.
pub(super) fn delete(state: &State, user: &str, folder: &str) -> GraphResult {
    let mailbox = state.mailbox(user)?;
    let mut changes = state.changes();
    let folder = state.folder_named_in(&changes, mailbox, folder)?;
    state.delete_folder(&mut changes, mailbox, folder)?;
    Ok(GraphResponse::empty(204))
}

fn shown(
    status: u16,
    state: &State,
    changes: &Changes,
    mailbox: u32,
    folder: Folder,
    view: &FolderView,
) -> GraphResult {
    let record = changes.folders(mailbox).get(folder).ok_or_else(Refusal::item_not_found)?;
    let items = state.items_in(changes, mailbox, Some(folder));
    let shown = Shown { state, changes, mailbox, items: &items };
    Ok(written(status, |out| write(out, &shown, folder, &record, view)))
}

/// What the counts of a folder are taken from.
struct Shown<'a> {
    state: &'a State,
    changes: &'a Changes,
    mailbox: u32,
    items: &'a [Item],
}

fn write(out: &mut Vec<u8>, shown: &Shown<'_>, folder: Folder, record: &FolderRecord, view: &FolderView) {
    let &Shown { state, changes, mailbox, items } = shown;
    let ids = state.base.ids;
    let count = |test: &dyn Fn(&Item) -> bool| {
        items.iter().filter(|item| item.folder == folder && test(item)).count().to_string()
    };
    let mut object = Object::begin(out);
    object.text("id", &folder.id(ids, mailbox));
    for property in &view.select {
        match *property {
            "displayName" => string(object.key(property), &record.name),
            "parentFolderId" => {
                object.text(property, &record.parent.id(ids, mailbox));
            }
            "childFolderCount" => {
                let children = changes.folders(mailbox).children(folder, false).count();
                object.raw(property, &children.to_string());
            }
            "unreadItemCount" => {
                object.raw(property, &count(&|item| !state.look(mailbox, item).is_read()));
            }
            "totalItemCount" => {
                object.raw(property, &count(&|_| true));
            }
            _ => {
                object.boolean(property, record.hidden);
            }
        }
    }
    record.properties.write_expanded(&mut object, &view.properties);
    object.end();
}
