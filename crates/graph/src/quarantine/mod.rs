//! The quarantine of a mailbox: a hidden folder, recognised by an extended property, and a mark on each message in it
//! that says where the message was (Graph pages "Create mailFolder", "Create single-value extended property").
//!
//! The mark makes a restoration independent of everything but the mailbox. A message that cannot be marked is moved all
//! the same.

mod flag;
mod folder;
mod known;
mod mark;
mod requests;
mod state;

pub use flag::Flag;
pub use folder::{MadeFolder, QUARANTINE, find_quarantine_folders, make_quarantine_folder};
pub use known::KnownFolder;
pub(crate) use known::KnownFolders;
pub use mark::{Mark, mark_message};
pub use requests::{change_state, folder_id, marked_messages, move_message, read_state};
pub use state::{MessageState, Sender, StateChange};
