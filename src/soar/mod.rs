//! SOAR: the function calls it sends, the replies it expects, and its REST interface for notes and files.

mod call;
pub mod reply;

pub use call::{CallError, Caller, FunctionCall};
pub use reply::Results;
