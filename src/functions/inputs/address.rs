//! Reads mail addresses as people type them and as mail programs copy them.
//!
//! Lists are separated by commas, semicolons or line ends. An entry is an address, `Name <address>`,
//! `"Name, first" <address>`, `Name, first <address>`, `<address>`, `mailto:address` or `Name [mailto:address]`.
//! Invisible characters
//! from web pages are removed. An entry that cannot be an address is refused, never dropped.

use super::text::{is_blank, is_joiner};

/// What an entry may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A mail address (RFC 5321 with RFC 6531: letters of all scripts).
    Mail,
    /// A mailbox: a mail address, a principal name, or the directory's id of a user.
    Mailbox,
}

/// An entry that cannot be an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotAnAddress(pub(super) String);

/// Reads a list of addresses, in order. Empty entries are left out.
pub(super) fn list(text: &str, kind: Kind) -> Result<Vec<String>, NotAnAddress> {
    let text = clean(text);
    let mut addresses = Vec::new();
    for entry in entries(&text) {
        addresses
            .extend(address_of(&entry, kind).map_or_else(|| several(&entry, kind), |one| Ok(vec![one]))?);
    }
    Ok(addresses)
}

/// Removes invisible characters, and replaces other spaces, line ends, quotes and separators by those of ASCII.
fn clean(text: &str) -> String {
    // In a text of ASCII a joiner has nothing to join.
    let joins = text.chars().any(|c| !c.is_ascii() && !is_blank(c));
    text.chars()
        .filter_map(|c| match c {
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some('\n'),
            '\u{201c}'..='\u{201f}' => Some('"'),
            '\u{ff1b}' => Some(';'),
            '\u{ff0c}' | '\u{3001}' => Some(','),
            '\u{ff20}' => Some('@'),
            '\u{ff1c}' => Some('<'),
            '\u{ff1e}' => Some('>'),
            c if c.is_whitespace() => Some(' '),
            c if is_joiner(c) => joins.then_some(c),
            c if is_blank(c) => None,
            c => Some(c),
        })
        .collect()
}

/// Splits at separators outside of quotes, brackets and comments, and puts names that hold a comma together again.
fn entries(text: &str) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    // The separator before the piece that is next, and the name that may belong to it.
    let mut name: Option<(String, char)> = None;
    for (piece, end) in pieces(text) {
        let whole = match name.take() {
            Some((name, ',')) if is_bracketed(piece) => format!("{name}, {piece}"),
            Some((name, '\n')) if piece.starts_with(['<', '[']) && is_bracketed(piece) => {
                format!("{name} {piece}")
            }
            Some((name, _)) => {
                entries.push(name);
                piece.to_owned()
            }
            None => piece.to_owned(),
        };
        if whole.contains('@') || end == ';' {
            entries.push(whole);
        } else if !whole.is_empty() {
            name = Some((whole, end));
        }
    }
    entries.extend(name.map(|(name, _)| name));
    entries.retain(|entry| !entry.is_empty());
    entries
}

/// Whether an entry is a name with an address in brackets.
fn is_bracketed(piece: &str) -> bool {
    let closed = piece.trim_end_matches(['.', ' ']);
    closed.contains('@') && (closed.ends_with('>') || closed.ends_with(']') && piece.contains("mailto:"))
}

/// The trimmed text between separators, with the separator that ends it.
fn pieces(text: &str) -> Vec<(&str, char)> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut skip_to = 0;
    for (at, c) in text.char_indices() {
        if at < skip_to {
            continue;
        }
        if let Some(closing) = closing_of(c)
            && let Some(length) = enclosed(&text[at + 1..], closing)
        {
            skip_to = at + 1 + length;
        } else if matches!(c, ',' | ';' | '\n') {
            pieces.push((text[start..at].trim(), c));
            start = at + 1;
        }
    }
    pieces.push((text[start..].trim(), '\n'));
    pieces
}

fn closing_of(c: char) -> Option<char> {
    match c {
        '"' => Some('"'),
        '<' => Some('>'),
        '(' => Some(')'),
        _ => None,
    }
}

/// The number of bytes up to and including `closing`, if it stands on the same line. Without it, the opening character
/// is an ordinary one.
fn enclosed(rest: &str, closing: char) -> Option<usize> {
    let mut is_escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            '\n' => return None,
            '<' if closing == '>' => return None,
            '\\' if closing == '"' && !is_escaped => is_escaped = true,
            c if c == closing && !is_escaped => return Some(at + c.len_utf8()),
            _ => is_escaped = false,
        }
    }
    None
}

/// The one address of an entry.
fn address_of(entry: &str, kind: Kind) -> Option<String> {
    let entry = entry.trim();
    let found = linked(entry).or_else(|| bracketed(entry)).unwrap_or_else(|| bare(entry));
    let found = unwrapped(without_scheme(found));
    if kind == Kind::Mailbox && !found.contains('@') {
        return is_id(found).then(|| found.to_owned());
    }
    // A full stop at the end belongs to a sentence, or names the root of the domain system.
    let found = found.strip_suffix('.').unwrap_or(found);
    is_address(found).then(|| found.to_owned())
}

/// The address of `Name [mailto:address]` or `[address](mailto:address)`.
fn linked(entry: &str) -> Option<&str> {
    let lower = entry.to_ascii_lowercase();
    let (at, closing) = [("[mailto:", ']'), ("(mailto:", ')')]
        .into_iter()
        .find_map(|(opening, closing)| Some((lower.find(opening)? + opening.len(), closing)))?;
    let (address, rest) = entry[at..].split_once(closing)?;
    rest.trim().is_empty().then_some(address)
}

/// The address of `Name <address>`.
fn bracketed(entry: &str) -> Option<&str> {
    let entry = entry.strip_suffix('.').unwrap_or(entry);
    let entry = without_comment(entry);
    let (name, address) = entry.strip_suffix('>')?.rsplit_once('<')?;
    // Another pair of brackets before it may hold another address.
    (!unquoted(name).contains(['<', '>'])).then(|| address.trim())
}

/// A name without its quoted parts.
fn unquoted(name: &str) -> String {
    name.split('"').step_by(2).collect()
}

/// The address of `address (comment)`.
fn bare(entry: &str) -> &str {
    Some(without_comment(entry)).filter(|address| address.contains('@')).unwrap_or(entry)
}

fn without_comment(entry: &str) -> &str {
    let comment = entry.strip_suffix(')').and_then(|open| open.rsplit_once('('));
    comment.map_or(entry, |(before, _)| before.trim_end())
}

fn without_scheme(address: &str) -> &str {
    let Some((scheme, rest)) = address.split_once(':') else { return address };
    match scheme.trim().to_ascii_lowercase().as_str() {
        // Fields after the address, such as a subject, are left out (RFC 6068). They must not name further recipients.
        "mailto" => {
            rest.split_once('?').filter(|(_, fields)| !fields.contains('@')).map_or(rest, |(to, _)| to)
        }
        "smtp" => rest,
        _ => address,
    }
    .trim()
}

/// Removes quotes around the whole of an address.
fn unwrapped(address: &str) -> &str {
    let inner = ['\'', '"', '`', '\u{2018}', '\u{ab}'].into_iter().find_map(|quote| {
        let closing = match quote {
            '\u{2018}' => '\u{2019}',
            '\u{ab}' => '\u{bb}',
            same => same,
        };
        address.strip_prefix(quote)?.strip_suffix(closing)
    });
    inner.unwrap_or(address).trim()
}

/// Addresses that only spaces separate.
fn several(entry: &str, kind: Kind) -> Result<Vec<String>, NotAnAddress> {
    let words: Vec<&str> = entry.split_whitespace().collect();
    let read = |word: &&str| if word.contains('@') { address_of(word, kind) } else { None };
    let addresses: Option<Vec<String>> = words.iter().map(read).collect();
    addresses.filter(|addresses| addresses.len() > 1).ok_or_else(|| NotAnAddress(entry.to_owned()))
}

fn is_address(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    is_local_part(local) && is_domain(domain)
}

fn is_local_part(local: &str) -> bool {
    if let Some(quoted) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return !quoted.is_empty() && !quoted.replace("\\\\", "").replace("\\\"", "").contains(['"', '\n']);
    }
    !local.is_empty() && !local.contains(is_special)
}

fn is_domain(domain: &str) -> bool {
    if let Some(literal) = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return !literal.is_empty()
            && literal.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | ':'));
    }
    let is_letter =
        |c: char| !c.is_whitespace() && (c.is_alphanumeric() || !c.is_ascii() || matches!(c, '-' | '_'));
    domain.split('.').all(|label| !label.is_empty() && label.chars().all(is_letter))
}

/// A directory id, or a principal name without a domain.
fn is_id(id: &str) -> bool {
    !id.is_empty() && !id.contains(is_special)
}

/// Characters that an unquoted local part must not hold (RFC 5321, 4.1.2), apart from the dot.
fn is_special(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "\"(),:;<>@[\\]".contains(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mail(text: &str) -> Result<Vec<String>, String> {
        list(text, Kind::Mail).map_err(|NotAnAddress(entry)| entry)
    }

    fn read(text: &str) -> Vec<String> {
        mail(text).unwrap_or_else(|entry| panic!("{text:?}: {entry:?}"))
    }

    #[test]
    fn lists_are_separated_by_commas_semicolons_line_ends_and_spaces() {
        for text in [
            "bo@example.org,cy@example.org",
            "bo@example.org; cy@example.org;",
            " bo@example.org\r\n\r\ncy@example.org\n",
            ",, bo@example.org ;; cy@example.org ,",
            "bo@example.org cy@example.org",
            "bo@example.org\tcy@example.org",
            "bo@example.org\u{2028}cy@example.org",
            "bo@example.org；cy@example.org",
            "bo@example.org，cy@example.org、",
        ] {
            assert_eq!(read(text), ["bo@example.org", "cy@example.org"], "{text:?}");
        }
        assert_eq!(read(" ;,\n"), Vec::<String>::new());
    }

    #[test]
    fn forms_of_mail_programs_are_read() {
        for text in [
            "jane@example.org",
            "<jane@example.org>",
            "Jane Doe <jane@example.org>",
            "Jane Doe<jane@example.org>",
            "\"Doe, Jane\" <jane@example.org>",
            "“Doe, Jane” <jane@example.org>",
            "\"Doe; Jane \\\"JD\\\"\" <jane@example.org>",
            "Doe, Jane <jane@example.org>",
            "Doe, Jane (Sales, Rome) <jane@example.org>",
            "Jane Doe\n <jane@example.org>",
            "'Jane Doe' <jane@example.org>",
            "jane@example.org <jane@example.org>",
            "\"jane@example.org\" <jane@example.org>",
            "mailto:jane@example.org",
            "MAILTO: jane@example.org",
            "mailto:jane@example.org?subject=Hello",
            "<mailto:jane@example.org>",
            "Jane Doe [mailto:jane@example.org]",
            "Doe, Jane [mailto:jane@example.org]",
            "[jane@example.org](mailto:jane@example.org)",
            "jane@example.org (Jane)",
            "'jane@example.org'",
            "\"jane@example.org\"",
            "smtp:jane@example.org",
            "jane@example.org.",
            "Jane Doe <jane@example.org>.",
            "Jane < jane@example.org >;",
            "\u{200b}jane@example.org\u{a0}",
            "\u{feff}<jane@exam\u{ad}ple.org>",
            "jane＠example.org",
            "jane\u{200d}@example.org",
        ] {
            assert_eq!(read(text), ["jane@example.org"], "{text:?}");
        }
        assert_eq!(
            read("Doe, Jane <jane@example.org>; Roe, Rick <rick@example.org>, bo@example.org"),
            ["jane@example.org", "rick@example.org", "bo@example.org"]
        );
    }

    #[test]
    fn odd_addresses_stay_as_they_are() {
        for address in [
            "o'brien+x@example.org",
            "用户@例え.jp",
            "\"a b\"@example.org",
            "\"a,b\"@example.org",
            "\"a@b\"@example.org",
            "dave_partner.example#EXT#@contoso.example",
            "r&d/50%@example.org",
            "a..b@example.org",
            "a@localhost",
            "a@[192.0.2.1]",
            "हिन्दी@उदाहरण.भारत",
        ] {
            assert_eq!(read(address), [address]);
        }
    }

    #[test]
    fn entries_that_cannot_be_addresses_are_refused() {
        for (text, entry) in [
            ("bo@example.org, cy", "cy"),
            ("bo; cy@example.org", "bo"),
            ("Doe, Jane", "Doe"),
            ("jane@", "jane@"),
            ("@example.org", "@example.org"),
            ("jane@@example.org", "jane@@example.org"),
            ("a@b@example.org", "a@b@example.org"),
            ("Jane jane@example.org", "Jane jane@example.org"),
            ("Jane <b@example.org> <c@example.org>", "Jane <b@example.org> <c@example.org>"),
            ("jane@example..org", "jane@example..org"),
            ("Jane <jane>", "Jane <jane>"),
            ("Jane <jane@example.org", "Jane <jane@example.org"),
            ("mailto:a@example.org?cc=b@example.org", "mailto:a@example.org?cc=b@example.org"),
            ("http://a@example.org", "http://a@example.org"),
        ] {
            assert_eq!(mail(text), Err(entry.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn mailbox_may_be_an_id_without_a_domain() {
        let id = "5e2b1f0c-0000-4000-8000-000000000000";
        assert_eq!(list(&format!("{id}; ada"), Kind::Mailbox), Ok(vec![id.to_owned(), "ada".to_owned()]));
        let two_words = list("Ada Lovelace", Kind::Mailbox);
        assert_eq!(two_words, Err(NotAnAddress("Ada Lovelace".to_owned())));
        assert!(list("ada@", Kind::Mailbox).is_err());
    }

    proptest! {
        #[test]
        fn joined_addresses_are_read_back(
            addresses in prop::collection::vec("[a-z0-9.+'#%&/=]{1,12}@[a-z]{1,8}(\\.[a-z]{2,4}){0,2}", 0..8),
            separator in "[,;\n]{1,3}[ \u{a0}\u{200b}\t]{0,2}",
        ) {
            // Quotes around a whole address are taken off.
            prop_assume!(!addresses.iter().any(|address| address.starts_with('\'')));
            prop_assert_eq!(read(&addresses.join(&separator)), addresses);
        }

        #[test]
        fn named_addresses_are_read_back(
            people in prop::collection::vec(("[A-Z][a-z]{0,8}(, [A-Z][a-z]{0,8})?", "[a-z]{1,8}@[a-z]{1,8}\\.org"), 1..6),
        ) {
            let text: Vec<String> = people.iter().map(|(name, address)| format!("{name} <{address}>")).collect();
            let addresses: Vec<String> = people.into_iter().map(|(_, address)| address).collect();
            prop_assert_eq!(read(&text.join("; ")), addresses.clone());
            prop_assert_eq!(read(&text.join(", ")), addresses);
        }

        #[test]
        fn what_is_read_is_valid_and_reads_as_itself(text in "\\PC{0,40}|[a-c@<>\",;() \\[\\]:.'\n]{0,24}") {
            if let Ok(addresses) = mail(&text) {
                for address in addresses {
                    prop_assert!(is_address(&address), "{address:?}");
                    prop_assert_eq!(read(&address), vec![address.clone()]);
                }
            }
        }
    }
}
