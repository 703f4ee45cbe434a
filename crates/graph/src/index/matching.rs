//! Compares rows of an index with the criteria: the indexes are not trusted to have applied them.

/// Whether two addresses are the same.
pub(crate) fn is_address(wanted: &str, own: &str) -> bool {
    wanted.to_lowercase() == own.to_lowercase()
}

/// Whether `own` is the address `wanted`, or is in the domain `wanted`, which begins with `@`.
pub(crate) fn is_of(wanted: &str, own: &str) -> bool {
    match wanted.strip_prefix('@') {
        Some(domain) => own.rsplit_once('@').is_some_and(|(_, own)| is_address(domain, own)),
        None => is_address(wanted, own),
    }
}

/// Whether two Message-IDs are the same. Case counts; the angle brackets do not.
pub(crate) fn is_message_id(wanted: &str, own: &str) -> bool {
    bare(wanted) == bare(own)
}

/// Returns a Message-ID with its angle brackets, as indexes keep it.
pub(crate) fn bracketed(message_id: &str) -> String {
    format!("<{}>", bare(message_id))
}

fn bare(message_id: &str) -> &str {
    let trimmed = message_id.trim();
    trimmed.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(trimmed)
}

/// Whether `wanted` occurs in the subject.
pub(crate) fn is_in_subject(wanted: &str, own: &str) -> bool {
    own.to_lowercase().contains(&wanted.to_lowercase())
}

/// Whether one of the values matches, or there are none.
pub(crate) fn any(wanted: &[String], own: &str, matches: fn(&str, &str) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(|wanted| matches(wanted, own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domain_matches_only_itself() {
        assert!(is_of("@Evil.example", "a@evil.EXAMPLE"));
        for other in ["a@sub.evil.example", "a@notevil.example", "evil.example", "@evil.example.com"] {
            assert!(!is_of("@evil.example", other), "{other}");
        }
    }

    #[test]
    fn message_id_needs_no_brackets() {
        assert!(is_message_id(" <a@b> ", "a@b") && is_message_id("a@b", "<a@b>"));
        assert!(!is_message_id("A@b", "<a@b>") && !is_message_id("<a@b", "<a@b>"));
        assert_eq!((bracketed("a@b"), bracketed("<a@b>")), ("<a@b>".to_owned(), "<a@b>".to_owned()));
    }
}
