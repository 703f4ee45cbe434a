//! Secrets that do not stand in `app.config` itself: App Host's protected secrets and files of their own.

mod file;
mod jwe;
pub(super) mod protected;
pub(super) mod stored;
