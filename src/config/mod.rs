//! `app.config`: found, read in the dialect existing installations are written in, checked, and turned into
//! typed [`Settings`].

mod address_pattern;
pub mod definitions;
mod diagnostics;
mod environment;
pub mod ini;
mod interpolation;
mod load;
mod options;
mod password_store;
mod pattern_error;
mod secrets;
mod sections;
mod settings;
mod template;
mod url_option;
pub mod watch;

pub use address_pattern::{AddressPattern, Patterns};
pub use diagnostics::{LoadError, Location, Problem, Warning};
pub use environment::{Environment, GivenArgument, NoHome};
pub use load::{Loaded, load_soar};
pub use password_store::PasswordStore;
pub use pattern_error::PatternError;
pub use settings::*;
pub use template::{sections, template};
