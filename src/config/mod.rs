//! `app.config`: found, read in the dialect existing installations are written in, checked, and turned into
//! typed [`Settings`].

mod address_pattern;
mod credential_options;
pub mod dialect;
mod environment;
mod graph_options;
mod guard_options;
mod jwe;
mod load;
mod options;
mod problem;
mod protected;
mod proxy_options;
mod secret_file;
mod settings;
mod soar_options;
mod substitution;
mod template;
pub mod watch;

pub use address_pattern::{AddressPattern, Patterns};
pub use environment::{Environment, NoHome};
pub use load::{Loaded, load_soar};
pub use problem::{LoadError, Place, Problem, Warning};
pub use settings::*;
pub use template::*;
