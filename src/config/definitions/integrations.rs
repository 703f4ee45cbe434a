//! `[integrations]`: what all apps of an installation share.

use super::{INTEGRATIONS, Number, Opt, Section};

pub(in crate::config) static SECTION: Section = Section {
    name: INTEGRATIONS,
    introduction: "Settings for requests to services other than SOAR. The section of an app may override them.",
    groups: &[&[&HTTP_PROXY, &HTTPS_PROXY, &TIMEOUT]],
    ignored: &["verify", "client_auth_cert", "client_auth_key"],
};

pub(in crate::config) static HTTP_PROXY: Opt = Opt::new(
    INTEGRATIONS,
    "http_proxy",
    "Proxy for http URLs. The environment variables HTTPS_PROXY and HTTP_PROXY take precedence.",
);

pub(in crate::config) static HTTPS_PROXY: Opt = Opt::new(
    INTEGRATIONS,
    "https_proxy",
    "Proxy for https URLs, such as those of Microsoft Graph. The environment variables HTTPS_PROXY and HTTP_PROXY take \
     precedence.",
)
.suggested("http://proxy.example.com:8080");

pub(in crate::config) static TIMEOUT: Number<u64> = Number {
    opt: Opt::new(INTEGRATIONS, "timeout", "Seconds to wait for data from a server.").suggested("30"),
    range: 1..=3600,
    default: 30,
};
