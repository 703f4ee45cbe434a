//! Tells the program the commit that it is built from.
//!
//! The commit is that of the environment variable `FN_EXCHANGE_ONLINE_COMMIT`, for builds from a copy without git's
//! files, such as that of the image. Otherwise it is that of the repository that this directory is the top of. A copy of
//! the sources without either, such as an archive, has none. The script runs again only when the repository's HEAD
//! moves.

// Cargo reads what a build script prints.
#![allow(clippy::print_stdout)]

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const VARIABLE: &str = "FN_EXCHANGE_ONLINE_COMMIT";
/// As many digits of a commit as are unique in a repository of any size.
const DIGITS: usize = 12;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed={VARIABLE}");
    let given = env::var(VARIABLE).ok().filter(|commit| !commit.is_empty());
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let version = match given.or_else(of_repository) {
        Some(commit) => format!("{version} ({})", commit.get(..DIGITS).unwrap_or(&commit)),
        None => version,
    };
    println!("cargo:rustc-env=FN_EXCHANGE_ONLINE_VERSION={version}");
}

/// The commit of the repository whose top is this directory.
fn of_repository() -> Option<String> {
    let top = PathBuf::from(git(&["rev-parse", "--show-toplevel"])?);
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?);
    // The sources may have been unpacked within another repository.
    if top.canonicalize().ok()? != here.canonicalize().ok()? {
        return None;
    }
    // HEAD names a branch, and its log grows with each commit. Cargo runs this script each time if a file is missing.
    for name in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", name]).filter(|path| Path::new(path).exists()) {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}
