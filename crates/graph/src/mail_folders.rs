//! Finds a folder of a mailbox by its name or path (Graph pages "mailFolder resource type", "List childFolders").

use serde::Deserialize;

use crate::client::Client;
use crate::error::Error;
use crate::list::ListReader;
use crate::path::Path;

/// Graph's well-known folder names. Graph takes them instead of an id, in any language of the mailbox.
pub const WELL_KNOWN_FOLDERS: &[&str] = &[
    "archive",
    "clutter",
    "conflicts",
    "conversationhistory",
    "deleteditems",
    "drafts",
    "inbox",
    "junkemail",
    "localfailures",
    "msgfolderroot",
    "outbox",
    "recoverableitemsdeletions",
    "scheduled",
    "searchfolders",
    "sentitems",
];

/// The folder that holds all folders that a user sees.
const ROOT: &str = "msgfolderroot";
/// Folders on one page.
const PAGE: usize = 250;
/// A folder with more child folders is not searched.
const MOST_CHILDREN: usize = 10_000;
/// A mailbox with more pages of folders is not searched further.
const MOST_PAGES: usize = 200;

/// What a search for a folder found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderSearch {
    /// The folder's id.
    Found(String),
    /// No folder has the name.
    Missing,
    /// Several folders at the same depth have the name. Holds their paths.
    Ambiguous(Vec<String>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Folder {
    id: String,
    display_name: Option<String>,
    #[serde(default)]
    child_folder_count: u32,
}

/// Finds the folder of `mailbox` that `name` names, without regard to case: a path below the top such as
/// `Inbox/Phishing`, whose first part may be a well-known name, or the name of a folder at any depth. Of several depths
/// the smallest counts.
pub async fn find_mail_folder(client: &Client, mailbox: &str, name: &str) -> Result<FolderSearch, Error> {
    let mut finder = Finder { mailbox, lists: ListReader::new(client, mailbox, MOST_PAGES) };
    let parts: Vec<&str> = name.split(['/', '\\']).map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.len() > 1
        && let Some(id) = finder.follow(&parts).await?
    {
        return Ok(FolderSearch::Found(id));
    }
    // A name may hold a slash.
    finder.search(if parts.len() == 1 { parts[0] } else { name }).await
}

struct Finder<'a> {
    mailbox: &'a str,
    lists: ListReader<'a>,
}

impl Finder<'_> {
    /// Follows a path from the top.
    async fn follow(&mut self, parts: &[&str]) -> Result<Option<String>, Error> {
        let mut folder = ROOT.to_owned();
        for (depth, part) in parts.iter().enumerate() {
            let children = match self.children(&folder).await {
                // A well-known folder that this mailbox lacks.
                Err(error) if depth > 0 && error.is_no_folder() => return Ok(None),
                children => children?,
            };
            let well_known = || (depth == 0).then(|| well_known(part)).flatten().map(str::to_owned);
            match children.into_iter().find(|child| child.is_called(part)) {
                Some(child) => folder = child.id,
                None => match well_known() {
                    Some(name) => folder = name,
                    None => return Ok(None),
                },
            }
        }
        Ok(Some(folder))
    }

    /// Looks for a name, one depth after the other.
    async fn search(&mut self, name: &str) -> Result<FolderSearch, Error> {
        let mut level = vec![(ROOT.to_owned(), String::new())];
        while !level.is_empty() {
            let mut found = Vec::new();
            let mut below = Vec::new();
            for (folder, path) in level {
                for child in self.children(&folder).await? {
                    let path = format!("{path}/{}", child.display_name.as_deref().unwrap_or_default());
                    if child.is_called(name) {
                        found.push((child.id, path));
                    } else if child.child_folder_count > 0 {
                        below.push((child.id, path));
                    }
                }
            }
            match found.as_mut_slice() {
                [] => level = below,
                [(id, _)] => return Ok(FolderSearch::Found(std::mem::take(id))),
                _ => {
                    let paths = found.into_iter().map(|(_, path)| path[1..].to_owned());
                    return Ok(FolderSearch::Ambiguous(paths.collect()));
                }
            }
        }
        Ok(FolderSearch::Missing)
    }

    async fn children(&mut self, folder: &str) -> Result<Vec<Folder>, Error> {
        let path = Path::mail_folder(self.mailbox, folder)?.then("childFolders");
        let path =
            path.option("$select", "id,displayName,childFolderCount").option("$top", &PAGE.to_string());
        self.lists.read::<Folder, MOST_CHILDREN>(path).await
    }
}

impl Folder {
    fn is_called(&self, name: &str) -> bool {
        let folded = |text: &str| text.trim().to_lowercase();
        self.display_name.as_deref().is_some_and(|own| folded(own) == folded(name))
    }
}

fn well_known(name: &str) -> Option<&'static str> {
    WELL_KNOWN_FOLDERS.iter().copied().find(|known| known.eq_ignore_ascii_case(name))
}
