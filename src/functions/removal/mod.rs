//! Removes one message: deletes it, or moves it into the quarantine of its mailbox.

mod delete;
mod folder;
mod gone;
mod order;
mod quarantine;
mod remove;

pub(super) use order::{
    ACTIONS, ALREADY_IN_QUARANTINE, Before, CHANGED_IDENTITY, Identity, Order, QUARANTINE_ACTION,
    Quarantined, Removal, Removed, RemovedBy,
};
pub(super) use remove::{look, remove};
