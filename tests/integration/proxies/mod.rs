//! Promise: connections to the broker, SOAR and Graph use a proxy only if the settings say so; its failures are
//! reported as the proxy's; its password is never shown.

mod broker;
mod daemon;
mod http;
