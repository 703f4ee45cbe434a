//! Bounds on JSON and text that come from outside.

pub mod json;
pub mod text;
