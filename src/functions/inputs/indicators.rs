//! What a message is known by: lists of identifiers, recipients, attachments, links and headers. Values are separated
//! by line ends, and by commas and semicolons where no value holds one.

use uuid::Uuid;

use super::text::{is_blank, trim};
use super::{Kind, LONGEST_WORD, Reader, Reason};
use graph::attachments::Sha256;
use graph::{AddressMatch, HeaderMatch, Indicators, UrlMatch, Wildcard};

/// The most values of one list. All of them are compared with each message.
const MOST_VALUES: usize = 100;

/// How the values of a list are separated.
#[derive(Clone, Copy)]
enum Separated {
    Lines,
    Commas,
    Blanks,
}

impl Separated {
    fn is_end(self, c: char) -> bool {
        match self {
            Self::Lines => matches!(c, '\n' | '\r'),
            Self::Commas => c.is_whitespace() || matches!(c, ',' | ';'),
            Self::Blanks => c.is_whitespace(),
        }
    }
}

impl Reader<'_> {
    /// The inputs that say what a message is known by.
    pub(in crate::functions) fn indicators(&mut self) -> Indicators {
        let guid = |text: &str| Uuid::try_parse(text).ok().map(|id| id.hyphenated().to_string());
        Indicators {
            message_ids: self.message_ids("exo_internet_message_id"),
            network_message_ids: self.values(
                "exo_network_message_id",
                Separated::Commas,
                "an identifier such as 0d6bf0ac-5e7e-4a33-8d2b-08dc0f1a2b3c",
                guid,
            ),
            recipients: self.address_matches("exo_recipient"),
            attachment_names: self.values(
                "exo_attachment_name",
                Separated::Lines,
                "the name of a file",
                |name| Some(Wildcard::new(name)),
            ),
            attachment_digests: self.values(
                "exo_attachment_sha256",
                Separated::Commas,
                "a SHA-256 of 64 hexadecimal digits",
                |text| text.parse::<Sha256>().ok(),
            ),
            urls: self.values("exo_url", Separated::Blanks, "a URL or the name of a host", |text| {
                UrlMatch::new(text.trim_end_matches([',', ';']))
            }),
            headers: self.values(
                "exo_header",
                Separated::Lines,
                "a header such as X-Mailer: PHPMailer *",
                HeaderMatch::new,
            ),
        }
    }

    /// Message-IDs, with their angle brackets. The sender may have put anything into them, separators included: where
    /// there are brackets, they are the ends.
    pub(in crate::functions) fn message_ids(&mut self, name: &'static str) -> Vec<String> {
        let Some(text) = self.criterion(name) else { return Vec::new() };
        let lines = text.lines().map(trim).filter(|line| !line.is_empty());
        let mut ids: Vec<String> = Vec::new();
        for line in lines {
            let between = |part: &str| trim(part).trim_start_matches('<').trim_end_matches('>').to_owned();
            let mut rest = line;
            while let Some((id, after)) = first_bracketed(rest) {
                ids.push(between(id));
                rest = after;
            }
            ids.push(between(rest));
        }
        let ids = ids.into_iter().filter(|id| !id.is_empty()).map(|id| format!("<{id}>"));
        self.bounded(name, ids.collect())
    }

    /// Identifiers of meetings, one a line. An organizer's program may choose any text.
    pub(in crate::functions) fn required_ical_uids(&mut self, name: &'static str) -> Vec<String> {
        let mut uids =
            self.values(name, Separated::Lines, "an identifier of a meeting", |uid| Some(uid.to_owned()));
        let mut seen = std::collections::HashSet::new();
        uids.retain(|uid| seen.insert(uid.clone()));
        self.require(name, Some(uids).filter(|uids| !uids.is_empty()))
    }

    /// Addresses, or domains after `@`.
    pub(in crate::functions) fn address_matches(&mut self, name: &'static str) -> Vec<AddressMatch> {
        let Some(text) = self.criterion(name) else { return Vec::new() };
        let entries = text.split([',', ';', '\n']).map(trim);
        let (domains, addresses): (Vec<&str>, Vec<&str>) = entries.partition(|entry| entry.starts_with('@'));
        let addresses = self.address_list(name, &addresses.join("\n"), Kind::Mail).unwrap_or_default();
        let mut all: Vec<_> = addresses.iter().map(|address| AddressMatch::new(address)).collect();
        for domain in domains {
            match domain_match(domain) {
                Some(domain) => all.push(domain),
                None => self.refuse(name, Reason::NotAddress(domain.to_owned())),
            }
        }
        if all.is_empty() {
            self.refuse(name, Reason::NoAddress);
        }
        self.bounded(name, all)
    }

    /// Texts, one a line.
    pub(in crate::functions) fn text_lines(&mut self, name: &'static str) -> Vec<String> {
        self.values(name, Separated::Lines, "a text", |text| Some(text.to_owned()))
    }

    /// The values of a list. `read` returns `None` for an entry that is not `what`.
    fn values<T>(
        &mut self,
        name: &'static str,
        separated: Separated,
        what: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let Some(text) = self.criterion(name) else { return Vec::new() };
        let entries = text.split(|c| separated.is_end(c)).map(trim).filter(|entry| !entry.is_empty());
        let mut values = Vec::new();
        for entry in entries {
            match read(entry).filter(|_| entry.len() <= LONGEST_WORD) {
                Some(value) => values.push(value),
                None => self.refuse(name, Reason::NotA { what, entry: entry.to_owned() }),
            }
        }
        if values.is_empty() && !text.chars().all(is_blank) && !self.is_refused(name) {
            self.refuse(name, Reason::Blank);
        }
        self.bounded(name, values)
    }

    fn bounded<T>(&mut self, name: &'static str, values: Vec<T>) -> Vec<T> {
        if values.len() > MOST_VALUES {
            self.refuse(name, Reason::TooMany(MOST_VALUES));
        }
        values
    }

    fn is_refused(&self, name: &str) -> bool {
        self.problems.iter().any(|problem| problem.input == name)
    }
}

/// A domain after `@`; `None` where it cannot be one.
pub(super) fn domain_match(text: &str) -> Option<AddressMatch> {
    let domain = text.strip_prefix('@')?;
    let is_domain = domain.len() <= 253
        && domain.split('.').all(|label| !label.is_empty())
        && domain.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '.' | '_'));
    is_domain.then(|| AddressMatch::Domain(domain.to_owned()))
}

/// Splits after the first bracketed Message-ID of several in one line: `<a@x>, <b@y>`.
fn first_bracketed(line: &str) -> Option<(&str, &str)> {
    if !line.starts_with('<') {
        return None;
    }
    line.match_indices('>').find_map(|(at, _)| {
        let (id, after) = line.split_at(at + 1);
        let next = after.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, ',' | ';'));
        (next.starts_with('<')).then_some((id, next))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::functions::inputs::Inputs;

    fn read(name: &str, text: &str) -> Result<Indicators, String> {
        let inputs = Inputs::new(serde_json::from_value(json!({ name: text })).unwrap());
        let mut reader = inputs.read();
        let indicators = reader.indicators();
        reader.finish().map(|()| indicators).map_err(|error| error.to_string())
    }

    #[test]
    fn message_ids_end_at_their_brackets() {
        for (text, expected) in [
            ("a@x.example", &["<a@x.example>"][..]),
            ("<a@x>\n b@y \n", &["<a@x>", "<b@y>"]),
            ("<a@x>, <b@y>;<c@z>", &["<a@x>", "<b@y>", "<c@z>"]),
            ("<\"a,b>c\"@x>", &["<\"a,b>c\"@x>"]),
            ("x' or 1 eq 1 or 'x", &["<x' or 1 eq 1 or 'x>"]),
        ] {
            assert_eq!(read("exo_internet_message_id", text).unwrap().message_ids, expected, "{text}");
        }
    }

    #[test]
    fn recipients_are_addresses_or_domains() {
        let found = read("exo_recipient", "Ada <ada@x.example>, @evil.example\nbo@y.example").unwrap();
        let texts: Vec<_> = found.recipients.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["ada@x.example", "bo@y.example", "@evil.example"]);
        assert!(read("exo_recipient", "@evil example").is_err() && read("exo_recipient", "@").is_err());
    }

    #[test]
    fn value_of_another_kind_is_refused() {
        for (name, text, expected) in [
            ("exo_network_message_id", "17", "an identifier such as"),
            ("exo_attachment_sha256", "d41d8cd98f00b204e9800998ecf8427e", "SHA-256 of 64 hexadecimal digits"),
            ("exo_url", "https://", "a URL or the name of a host"),
            ("exo_header", "X-Mailer", "a header such as"),
            ("exo_url", "\u{200b}", "only blanks"),
            ("exo_attachment_sha256", ",", "only blanks"),
        ] {
            let error = read(name, text).unwrap_err();
            assert!(error.contains(expected) && error.contains(name), "{error}");
        }
        let many = "a.pdf\n".repeat(101);
        assert!(read("exo_attachment_name", &many).unwrap_err().contains("at most 100"));
    }
}
