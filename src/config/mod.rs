//! `app.config`: found, read in the dialect existing installations are written in, checked, and turned into
//! typed [`Settings`].

mod secret;
mod settings;

pub use secret::Secret;
pub use settings::*;
