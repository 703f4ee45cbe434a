//! Promise: what fuzzers have found stays found. Every file of the corpus goes through its target, without a fuzzer.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fuzz::TARGETS;

#[test]
fn every_file_of_the_corpus_passes_its_target() {
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
fn every_target_has_a_program_for_the_fuzzer_and_every_program_a_target() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
    let programs: BTreeSet<_> = fs::read_dir(programs)
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(programs, TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect());
    let manifest = include_str!("../Cargo.toml");
    assert!(programs.iter().all(|name| manifest.contains(&format!("name = \"{name}\""))));
}
