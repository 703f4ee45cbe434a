//! HashiCorp Vault, and servers with the same API such as OpenBao: signs in by AppRole or with a token, and reads
//! secrets of a key/value engine, version 2.
//!
//! Nothing here quotes the server's words: a server that answers in Vault's place might repeat what it was sent.

mod answers;
mod client;
mod error;
pub mod fuzzing;
mod options;
mod reference;

pub use client::{Client, Values};
pub use error::Error;
pub use options::{Login, VaultSettings};
pub use reference::Reference;
