//! The calendar entries of invitations, which survive the deletion of the mail: they are removed without a word to the
//! organizer, and brought back as far as Graph can.
//!
//! Only entries of attendees are touched: the deletion of an organizer's own entry would send cancellations. Nothing is
//! accepted, declined or cancelled.

mod fate;
mod of_messages;
mod record;
mod remove;
mod restore;
mod times;
mod transfer;

pub(super) use fate::{MeetingDealt, MeetingFate};
pub(super) use of_messages::{Invitation, MeetingsOfMessages};
pub(super) use record::{Collected, Kept, KeptEntry, RemovedMeeting, RemovedMeetings};
pub(super) use remove::{Keeping, Removed, remove_entry};
pub(super) use restore::{MeetingRestored, WantedMeeting, restore_meeting};
pub(super) use transfer::exported;
