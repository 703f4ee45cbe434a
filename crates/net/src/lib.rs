//! How any outside system is reached: TLS, HTTP, proxy and trust options, secrets, the memory for answers, and bounds
//! on untrusted JSON and text.

mod backoff;
pub mod failpoint;
pub mod http;
pub mod memory;
mod options;
mod scrubber;
mod secret;
mod small_file;
pub mod tls;
pub mod untrusted;

pub use backoff::{Backoff, Jitter};
pub use options::{ClientCertificate, Proxy, ProxyUrl, Trust};
pub use scrubber::Scrubber;
pub use secret::Secret;
pub use small_file::read_small;

/// The product's name, as outside systems see it.
pub const PRODUCT: &str = "fn-exchange-online";
