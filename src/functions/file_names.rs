//! Names of files: lists of them as people write them, and the form that every file system can store.

use std::collections::HashSet;

use net::untrusted::text::is_unsafe_to_display;

/// No file's name has more separators than this, so splitting a list of names stays cheap.
const MAX_SEPARATORS_IN_NAME: usize = 16;
/// The longest name, in bytes. Common file systems accept 255, and a number may follow.
const LONGEST_NAME: usize = 200;
/// Names of devices, which Windows does not store, whatever their extension (Microsoft page "Naming Files, Paths, and
/// Namespaces").
const DEVICES: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
    "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

fn is_separator(c: char) -> bool {
    matches!(c, ',' | ';' | '\n' | '\r')
}

/// Whether a list names anything.
pub(super) fn is_list_of_names(list: &str) -> bool {
    !list.chars().all(|c| is_separator(c) || c == ' ')
}

/// Splits a list of names at its separators, but not within one of the names that there are. Drops repeated names.
pub(super) fn split_names<'a, 'b>(
    list: &'a str,
    existing: impl IntoIterator<Item = &'b str>,
) -> Vec<&'a str> {
    let existing: HashSet<&str> = existing.into_iter().collect();
    let mut names = Vec::new();
    let mut rest = Some(list);
    while let Some(text) = rest {
        let ends = || text.match_indices(is_separator).map(|(at, _)| at).chain([text.len()]);
        let ends: Vec<usize> = ends().take(MAX_SEPARATORS_IN_NAME + 1).collect();
        let known = ends.iter().rev().find(|end| existing.contains(text[..**end].trim()));
        let end = known.or(ends.first()).copied().unwrap_or(text.len());
        names.push(text[..end].trim());
        // Every separator is one byte long.
        rest = text.get(end + 1..);
    }
    let mut seen = HashSet::new();
    names.retain(|name| !name.is_empty() && seen.insert(*name));
    names
}

/// Returns `name` in a form that is no path and that every file system can store.
pub(super) fn storable(name: &str) -> String {
    let is_reserved = |c: char| "<>:\"/\\|?*".contains(c) || is_unsafe_to_display(c);
    let name: String = name.chars().map(|c| if is_reserved(c) { '_' } else { c }).collect();
    // Windows drops dots and blanks at the end.
    let name = name.trim().trim_end_matches(['.', ' ']);
    let (stem, extension) = parts(name);
    let stem = net::untrusted::text::beginning(stem, LONGEST_NAME.saturating_sub(extension.len()));
    let name = format!("{}{extension}", stem.trim_end());
    let first = name.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    match name.as_str() {
        "" => "attachment".to_owned(),
        _ if DEVICES.contains(&first.as_str()) || name.starts_with('.') => format!("_{name}"),
        _ => name,
    }
}

/// Returns `name`, with a number if `taken` has it already without regard to case, and adds it to `taken`.
pub(super) fn unique(name: &str, taken: &mut HashSet<String>) -> String {
    let mut unique = name.to_owned();
    let mut number = 1;
    while !taken.insert(unique.to_lowercase()) {
        number += 1;
        unique = numbered(name, number);
    }
    unique
}

pub(super) fn numbered(name: &str, number: u32) -> String {
    let (stem, extension) = parts(name);
    format!("{stem}-{number}{extension}")
}

/// Splits a name from its extension, if it has one of a usual length.
pub(super) fn parts(name: &str) -> (&str, &str) {
    let dot = name.rfind('.').filter(|dot| *dot > 0 && name.len() - dot <= 16);
    name.split_at(dot.unwrap_or(name.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storable_name_is_no_path_and_no_device() {
        for (given, expected) in [
            ("invoice.pdf", "invoice.pdf"),
            ("../../etc/passwd", "_.._.._etc_passwd"),
            ("C:\\temp\\a.exe", "C__temp_a.exe"),
            ("a<b>:\"|?*.txt", "a_b______.txt"),
            ("exe.\u{202e}fdp", "exe._fdp"),
            ("a\0b\nc", "a_b_c"),
            ("report.pdf. . ", "report.pdf"),
            ("con", "_con"),
            ("NUL.txt", "_NUL.txt"),
            ("com1.tar.gz", "_com1.tar.gz"),
            ("console.txt", "console.txt"),
            (".profile", "_.profile"),
            ("...", "attachment"),
            ("", "attachment"),
            ("Überweisung 見積書.pdf", "Überweisung 見積書.pdf"),
        ] {
            assert_eq!(storable(given), expected, "{given:?}");
        }
        let long = storable(&format!("{}.docx", "ä".repeat(500)));
        assert!(long.len() <= LONGEST_NAME && long.ends_with("ä.docx"));
    }

    #[test]
    fn second_file_of_a_name_gets_a_number() {
        let mut taken = HashSet::new();
        let names = ["a.pdf", "A.pdf", "a.pdf", "a-2.pdf"].map(|name| unique(name, &mut taken));
        assert_eq!(names, ["a.pdf", "A-2.pdf", "a-3.pdf", "a-2-2.pdf"]);
    }
}
