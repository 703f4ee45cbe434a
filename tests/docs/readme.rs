//! The README is short, and its facts are those of the sources.

use std::fs;

use crate::root;

/// The longest that a reader takes in at a first visit.
const LINES: usize = 120;

#[test]
fn readme_is_short() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.lines().count() <= LINES, "{} lines", readme.lines().count());
}

#[test]
fn readme_names_the_oldest_rust() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let version = manifest.split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(readme.contains(&format!("[Rust](https://rustup.rs) {version} or newer")), "{version}");
}

#[test]
fn readme_names_all_that_the_tests_install() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap().to_lowercase();
    let script = fs::read_to_string(root().join("tests/run")).unwrap();
    let packages = script.split("missing+=(").skip(1).map(|rest| rest.split(')').next().unwrap());
    let packages: Vec<_> = packages.flat_map(str::split_whitespace).collect();
    assert!(packages.len() > 5, "{packages:?}");
    for package in packages {
        let name = match package {
            "default-jre-headless" => "java",
            "python3" | "python3-venv" => "python",
            "gcc" | "libc6-dev" => "c compiler",
            other => other,
        };
        assert!(readme.contains(name), "the README does not name {package}");
    }
}
