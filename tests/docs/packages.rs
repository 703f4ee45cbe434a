//! What the Debian package holds can be made, and its unit starts the program where the package puts it.

use std::fs;
use std::process::Command;

use crate::{PROGRAM, root};

/// Where `deploy/debian/stage` puts what is made for the package.
const STAGED: &str = "target/debian/files/";

/// The sources of the assets in Cargo.toml.
fn assets() -> Vec<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let deb = manifest.split("\n[package.metadata.deb]\n").nth(1).unwrap();
    let list = deb.split("\nassets = [\n").nth(1).unwrap().split("\n]").next().unwrap();
    list.lines().map(|line| line.split('"').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn every_asset_of_the_debian_package_exists() {
    let staged = tempfile::tempdir().unwrap();
    let staged = staged.path().join("files");
    let stage = Command::new(root().join("deploy/debian/stage")).arg(PROGRAM).arg(&staged).output().unwrap();
    assert!(stage.status.success(), "{}", String::from_utf8_lossy(&stage.stderr));
    let assets = assets();
    assert!(assets.len() > 5, "{assets:?}");
    for asset in assets {
        let path = match asset.strip_prefix(STAGED) {
            Some(made) => staged.join(made),
            None => root().join(&asset),
        };
        let (directory, pattern) = (path.parent().unwrap(), path.file_name().unwrap().to_str().unwrap());
        let ending = pattern.strip_prefix('*').unwrap_or(pattern);
        let found = fs::read_dir(directory).unwrap_or_else(|error| panic!("{asset}: {error}"));
        let names = found.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let fits = |name: &String| if pattern == ending { name == pattern } else { name.ends_with(ending) };
        assert!(names.filter(fits).count() > 0, "there is no {asset}");
    }
    let unit = fs::read_to_string(staged.join("unit/fn-exchange-online.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/fn-exchange-online run\n"), "{unit}");
    let changelog = fs::read_to_string(staged.join("changelog")).unwrap();
    let version = concat!("fn-exchange-online (", env!("CARGO_PKG_VERSION"), "-1) ");
    assert!(changelog.starts_with(version), "{changelog}");
}
