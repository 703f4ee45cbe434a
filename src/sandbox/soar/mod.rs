//! An embedded SOAR: its broker, its REST interface, and the side of it that calls functions.

pub mod broker;
pub mod caller;
