//! Promise: attacks of hostile servers, calls and names that no other module tries do no harm. docs/attacks.md lists
//! all attacks that were tried, each with its test.

mod calls;
mod names;
mod processes;
mod redirects;
mod soar;
mod streams;
