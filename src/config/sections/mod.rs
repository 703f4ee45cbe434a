//! The sections of `app.config`, each turned into its typed settings.

mod credential;
pub(super) mod graph;
pub(super) mod guard;
mod proxy;
pub(super) mod resilient;
