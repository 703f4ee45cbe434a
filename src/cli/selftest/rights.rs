//! The advice for a file that the user who runs the program may not read.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What to do about the file at `path`, which cannot be read.
pub(super) fn advice(path: &Path) -> String {
    let shown = path.display();
    let own =
        fs::metadata("/proc/self").map(|own| format!("user ID {} and group ID {}", own.uid(), own.gid()));
    let runs = own.map(|own| format!(" runs with {own}")).unwrap_or_default();
    match fs::metadata(path) {
        Ok(file) => format!(
            "The program{runs}; the file belongs to user ID {} and group ID {}, with mode {:o}. Let the group of the program \
             read it: chgrp GROUP {shown}, and chmod 640 {shown}.",
            file.uid(),
            file.gid(),
            file.mode() & 0o7777,
        ),
        Err(_) => format!(
            "The program{runs}, which may not enter the directory of the file. Let its group: chgrp GROUP and chmod 750 for \
             the directory, and 640 for {shown}."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_names_owner_mode_and_commands() {
        let found = advice(Path::new("/proc/self/environ"));
        assert!(
            found.contains("with mode 400.") && found.contains("chmod 640 /proc/self/environ"),
            "{found}"
        );
        assert!(advice(Path::new("/nowhere/app.config")).contains("may not enter the directory"));
    }
}
