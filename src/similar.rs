//! What may have been meant by a name that does not exist.

/// From this similarity (Jaro-Winkler, at most 1) on, one name may be a slip of the other.
const LEAST: f64 = 0.85;

/// Returns the known name that is most like `name`, if one is like it at all. Upper and lower case are the same.
pub fn similar<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.trim().to_lowercase();
    let scored = known.into_iter().map(|one| (strsim::jaro_winkler(&name, &one.to_lowercase()), one));
    let best = scored.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 >= LEAST).then_some(best.1)
}

/// Returns a question after the name that may have been meant, or nothing.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    similar(name, known).map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slip_is_recognised_and_another_name_is_not() {
        let options = ["host", "port", "org", "api_key_id", "max_users", "max_messages"];
        for (slip, meant) in
            [("orgg", "org"), ("Hots", "host"), ("max_user", "max_users"), ("maxmessages", "max_messages")]
        {
            assert_eq!(similar(slip, options), Some(meant), "{slip}");
        }
        for other in ["proxy", "x", "", "cafile"] {
            assert_eq!(similar(other, options), None, "{other}");
        }
    }
}
