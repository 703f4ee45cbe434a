//! Secrets in a file of their own, as Kubernetes, systemd and password stores provide them: `client_secret_file` and
//! others.

use std::io::ErrorKind;
use std::path::PathBuf;

use crate::config::definitions::Opt;
use crate::config::options::Options;
use net::Secret;
use net::read_small;

impl Options<'_> {
    /// A mandatory secret: the option `value`, or the content of the file that the option `file` names.
    pub(in crate::config) fn mandatory_secret(
        &mut self,
        value: &Opt,
        file: &Opt,
        right: &str,
    ) -> Option<Secret> {
        if self.is_set(file) {
            self.secret_or_file(value, file)
        } else {
            self.mandatory(value, right).map(Secret::new)
        }
    }

    /// A secret: the option `value`, or the content of the file that the option `file` names. Both at once are a
    /// problem.
    pub(in crate::config) fn secret_or_file(&mut self, value: &Opt, file: &Opt) -> Option<Secret> {
        if !self.is_set(file) {
            return self.secret(value);
        }
        if self.is_filled_in(value) {
            self.problem(file, format!("conflicts with {}", value.key), "set one of the two");
            return None;
        }
        let path = self.credential_file(file)?;
        self.files.push(path.clone());
        match read_small(&path) {
            Ok(text) => self.secret_of_file(file, &path, text.trim_end_matches(['\r', '\n'])),
            Err(reason) => {
                let right = self.remedy(file, reason.kind());
                self.problem(
                    file,
                    format!("names {}, which cannot be read: {reason}", path.display()),
                    right,
                );
                None
            }
        }
    }

    /// What to do about a file of a secret that cannot be read.
    fn remedy(&self, file: &Opt, kind: ErrorKind) -> &'static str {
        let is_relative = self.raw(file).is_some_and(|name| !name.starts_with(['/', '~']));
        let has_credentials = self.environment.get_filled("CREDENTIALS_DIRECTORY").is_some();
        match kind {
            ErrorKind::NotFound if is_relative && !has_credentials => {
                "if systemd hands this file over (LoadCredential=, the credential store), only the service has it, in \
                 $CREDENTIALS_DIRECTORY, which is not set here; for a test, run the program by systemd-run with \
                 --property=LoadCredential=NAME"
            }
            ErrorKind::NotFound if is_relative => {
                "hand the file over by LoadCredential=NAME in the service's unit, or name it by its full path"
            }
            ErrorKind::PermissionDenied => {
                "let the user that runs this program read it (chgrp to its group, and chmod 640), and enter its \
                 directory"
            }
            _ => "name a file that holds the secret and nothing else",
        }
    }

    fn secret_of_file(&mut self, opt: &Opt, path: &std::path::Path, text: &str) -> Option<Secret> {
        if text.is_empty() || text.chars().any(char::is_control) {
            let what = if text.is_empty() { "is empty" } else { "holds more than one line of text" };
            let wrong = format!("names {}, which {what}", path.display());
            self.problem(opt, wrong, "write the secret into it, and nothing else");
            return None;
        }
        Some(Secret::new(text))
    }

    /// The path of a file that holds a credential. A relative one is within the directory of systemd's
    /// `LoadCredential=` where the service has one.
    pub(in crate::config) fn credential_file(&mut self, opt: &Opt) -> Option<PathBuf> {
        let noted = self.problems.len();
        let Some(path) = self.path(opt) else {
            if self.is_set(opt) && self.problems.len() == noted {
                self.problem(opt, "is empty", "name a file");
            }
            return None;
        };
        Some(self.environment.in_credentials(path))
    }
}
