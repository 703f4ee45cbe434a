//! `app.config`: found, read in the dialect existing installations are written in, checked, and turned into
//! typed [`Settings`].

mod address_pattern;
pub mod dialect;
mod environment;
mod graph_options;
mod guard_options;
mod load;
mod options;
mod problem;
mod proxy_options;
mod secret;
mod settings;
mod soar_options;
mod substitution;
mod template;
pub mod watch;

pub use address_pattern::{AddressPattern, Patterns};
pub use environment::Environment;
pub use load::Loaded;
pub use problem::{LoadError, Place, Problem, Warning};
pub use secret::Secret;
pub use settings::*;
pub use template::*;
