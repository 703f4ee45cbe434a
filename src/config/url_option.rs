//! URLs that secrets are sent to, and options that hold the URL of a Microsoft service.

use net::http::is_loopback;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::definitions::Opt;
use super::options::Options;

/// RFC 3986's unreserved characters stay as they are in a path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The option's URL, with `{tenant}` replaced. The client secret, tokens and mail are sent there, so it has to be https
/// unless it is on this machine.
pub(super) fn url(options: &mut Options<'_>, opt: &Opt, tenant: Option<&str>) -> Option<Url> {
    let noted = options.problems.len();
    let text = options.optional(opt).map_or_else(|| opt.default_text().to_owned(), |value| value.text);
    if options.problems.len() > noted {
        return None;
    }
    // Without a tenant (a problem that was noted already) the rest of the URL can still be checked.
    let tenant = utf8_percent_encode(tenant.unwrap_or("tenant"), SEGMENT).to_string();
    let text = text.replace("{tenant}", &tenant);
    match checked(&text) {
        Ok(url) => Some(url),
        Err(wrong) => {
            options.problem(opt, wrong, format!("write it as in {}", opt.default_text()));
            None
        }
    }
}

/// A URL that secrets may be sent to.
///
/// # Errors
/// What is wrong with it. The message does not quote the text, which may contain a password.
pub(super) fn checked(text: &str) -> Result<Url, String> {
    Err(match Url::parse(text.trim_end_matches('/')) {
        Err(reason) => format!("is not a URL ({reason})"),
        Ok(url) if url.host().is_none() || !matches!(url.scheme(), "https" | "http") => {
            "is not an https URL".to_owned()
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            "has a user name or password in it".to_owned()
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => "has a ? or # in it".to_owned(),
        Ok(url) if url.scheme() == "http" && !is_loopback(&url) => {
            "is http, which would send secrets and mail unencrypted".to_owned()
        }
        Ok(url) => return Ok(url),
    })
}
