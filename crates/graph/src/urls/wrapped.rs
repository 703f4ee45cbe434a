//! Addresses of services that check links when they are followed. Each holds the address that it checks.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;
use url::Url;

/// Returns the address that a wrapped one leads to; `None` for one that is not wrapped.
pub(super) fn target(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    let query =
        |name: &str| url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
    // Microsoft Defender for Office 365 (page "Safe Links"): NAME.safelinks.protection.outlook.com/?url=…
    let is_safe_links = ["outlook.com", "outlook.de", "office365.us", "partner.outlook.cn"]
        .iter()
        .any(|domain| host.strip_suffix(domain).is_some_and(|name| name.ends_with("safelinks.protection.")));
    if is_safe_links {
        return query("url");
    }
    // Proofpoint URL Defense ("How do I decode a rewritten URL?").
    if !matches!(host, "urldefense.proofpoint.com" | "urldefense.com" | "urldefense.us") {
        return None;
    }
    match url.path().trim_start_matches('/').get(..3)? {
        "v1/" => query("u"),
        "v2/" => {
            let escaped = query("u")?.replace('-', "%").replace('_', "/");
            Some(percent_decode_str(&escaped).decode_utf8_lossy().into_owned())
        }
        "v3/" => version_3(url.as_str()),
        _ => None,
    }
}

/// `…/v3/__URL__;REPLACED!…`: in the URL, `*` stands for a character of REPLACED, and `**` with a letter for several.
fn version_3(wrapped: &str) -> Option<String> {
    const RUNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (_, rest) = wrapped.split_once("/v3/__")?;
    let (url, rest) = rest.split_once("__;")?;
    let replaced = rest.split('!').next().unwrap_or_default().trim_end_matches('=');
    let replaced = URL_SAFE_NO_PAD.decode(replaced).ok()?;
    let replaced = String::from_utf8_lossy(&replaced).into_owned();
    let mut replaced = replaced.chars();
    let mut out = String::with_capacity(url.len());
    let mut characters = percent_decoded_stars(url).chars().collect::<Vec<_>>().into_iter().peekable();
    while let Some(character) = characters.next() {
        if character != '*' {
            out.push(character);
        } else if characters.next_if_eq(&'*').is_some() {
            let run = u8::try_from(characters.next()?).ok()?;
            let length = RUNS.iter().position(|known| *known == run)? + 2;
            out.extend(replaced.by_ref().take(length));
        } else {
            out.push(replaced.next()?);
        }
    }
    // Some mail programs leave one slash of two.
    let has_slashes = out.contains("://");
    Some(if has_slashes { out } else { out.replacen(":/", "://", 1) })
}

/// A mail program may have encoded the stars.
fn percent_decoded_stars(url: &str) -> String {
    url.replace("%2A", "*").replace("%2a", "*")
}

#[cfg(test)]
mod tests {
    use super::super::canonical;

    #[test]
    fn wrapped_urls_are_unwrapped() {
        let target = "https://evil.example/a?b=1&c=%20d";
        for wrapped in [
            "https://nam12.safelinks.protection.outlook.com/?url=https%3A%2F%2Fevil.example%2Fa%3Fb%3D1%26c%3D%2520d&data=05%7C01&sdata=x&reserved=0",
            "https://gcc02.safelinks.protection.office365.us/?data=1&url=https%3A%2F%2Fevil.example%2Fa%3Fb%3D1%26c%3D%2520d",
            "https://urldefense.proofpoint.com/v1/url?u=https://evil.example/a%3Fb%3D1%26c%3D%2520d&k=x",
            "https://urldefense.proofpoint.com/v2/url?u=https-3A__evil.example_a-3Fb-3D1-26c-3D-2520d&d=DwMFAg&c=x",
            "https://urldefense.com/v3/__https://evil.example/a?b=1&c=*20d__;JQ!!abc!def$",
            "https://urldefense.com/v3/__https:/evil.example/a?b**Bc=*20d__;PTEmJQ!!abc$",
        ] {
            let found = canonical(wrapped).unwrap();
            assert_eq!(found, target, "{wrapped}");
        }
        let twice = "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Furldefense.com%2Fv3%2F__http%3A%2F%2Fevil.example%2F__%3B!!x";
        assert_eq!(canonical(twice).unwrap(), "http://evil.example/");
    }

    #[test]
    fn address_that_only_looks_wrapped_stays() {
        for own in [
            "https://evilsafelinks.protection.outlook.com.evil.example/?url=https%3A%2F%2Fgood.example",
            "https://nam12.safelinks.protection.outlook.com/?data=x",
            "https://urldefense.com/v3/__https://evil.example/*__;!!x",
            "https://urldefense.com/v9/x",
        ] {
            assert_eq!(canonical(own).as_deref(), Some(own));
        }
    }
}
