//! Promise: a proxy leads to the broker, to SOAR and to Graph where the settings say so and nowhere else; what goes
//! wrong with it is told as the proxy's fault; and its password is never shown.

mod broker;
mod daemon;
mod http;
