//! Bounds on JSON and text that come from outside.

pub mod csv;
pub mod json;
pub mod text;
