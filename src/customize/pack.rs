//! The packs of customizations: the nine functions that the older app has as well, and what is newer.

use clap::ValueEnum;
use serde::Deserialize;

/// A part of the customizations that can be imported by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Pack {
    /// The nine functions that the older app has as well, with what belongs to them.
    #[default]
    Core,
    /// Everything newer.
    Response,
}

impl Pack {
    /// All packs.
    pub const ALL: [Self; 2] = [Self::Core, Self::Response];
}
