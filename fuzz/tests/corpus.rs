//! Promise: what fuzzers have found stays found. Every file of the corpus goes through its target, without a fuzzer.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fuzz::TARGETS;

#[test]
fn corpus_files_pass_their_target() {
    for (name, target) in TARGETS {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let files: Vec<_> = fs::read_dir(&directory).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(files.len() >= 3, "{} holds next to nothing", directory.display());
        for file in files {
            // Seen where the target panics.
            println!("{}", file.display());
            target(&fs::read(file).unwrap());
        }
    }
}

#[test]
fn targets_and_fuzzer_programs_match() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
    let programs: BTreeSet<_> = fs::read_dir(programs)
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(programs, TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect());
    let manifest = include_str!("../Cargo.toml");
    assert!(programs.iter().all(|name| manifest.contains(&format!("name = \"{name}\""))));
}
