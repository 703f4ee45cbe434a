//! The names of the folders that every mailbox may have.

use graph::WELL_KNOWN_FOLDERS;

/// Turns a folder's display name such as "Junk Email" into Graph's well-known name. Ids and other names stay as they
/// are; Graph does not regard case.
pub(super) fn canonical(folder: &str) -> String {
    if !folder.contains(is_separator) {
        return folder.to_owned();
    }
    let key: String = folder.chars().filter(|c| !is_separator(*c)).map(|c| c.to_ascii_lowercase()).collect();
    WELL_KNOWN_FOLDERS
        .iter()
        .find(|name| **name == key)
        .map_or_else(|| folder.to_owned(), |name| (*name).to_owned())
}

fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_of_well_known_folders_are_understood() {
        for (typed, folder) in [
            ("inbox", "inbox"),
            ("JunkEmail", "JunkEmail"),
            ("Junk Email", "junkemail"),
            ("Junk E-Mail", "junkemail"),
            ("Deleted Items", "deleteditems"),
            ("AAMkAGI2_-=", "AAMkAGI2_-="),
            ("Phishing", "Phishing"),
        ] {
            assert_eq!(canonical(typed), folder);
        }
    }
}
