//! Calendar entries that invitations made, as far as their removal and their return are concerned.
//!
//! The entry of an invitation survives the deletion of the mail. Its deletion from an attendee's calendar sends
//! nothing; from the organizer's it sends cancellations (Graph page "Delete event").

mod entry;
mod mark;
mod requests;
mod restored;
mod transfer;

pub use entry::{CalendarEntry, EntryDetails, EntryText, ZonedTime};
pub(crate) use mark::PROPERTY as MEETING_PROPERTY;
pub use mark::{MeetingMark, mark_meeting};
pub use requests::{
    DeletedEntry, MeetingMessage, delete_entry, entries_of_meeting, message_text, read_entry,
    read_meeting_message,
};
pub use restored::{NewEntry, create_entry, restored_entries};
pub use transfer::{MAILBOX_FOLDERS_PERMISSION, TRANSFER_PERMISSION, export_entry, import_entry};
