//! The image is built of what is named by its content, from a context that holds the whole workspace.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::root;

fn dockerfile() -> String {
    fs::read_to_string(root().join("Dockerfile")).unwrap().replace("\\\n", " ")
}

/// The stages, each with the lines of its instructions; what comes before the first is one of its own.
fn stages(dockerfile: &str) -> Vec<Vec<&str>> {
    let mut stages = vec![Vec::new()];
    for line in dockerfile.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        if line.starts_with("FROM ") {
            stages.push(Vec::new());
        }
        stages.last_mut().unwrap().push(line);
    }
    stages
}

#[test]
fn base_images_are_named_by_digest() {
    let dockerfile = dockerfile();
    let stages = stages(&dockerfile);
    let names: Vec<_> =
        stages[0].iter().filter_map(|line| line.strip_prefix("ARG ")?.split_once('=')).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    for (name, image) in &names {
        let digest = image.split_once("@sha256:").map(|(_, digest)| digest).unwrap_or_default();
        assert!(
            digest.len() == 64 && digest.bytes().all(|b| b"0123456789abcdef".contains(&b)),
            "{name}={image}"
        );
    }
    for stage in &stages[1..] {
        let image = stage[0].split_whitespace().nth(1).unwrap();
        assert!(names.iter().any(|(name, _)| image == format!("${{{name}}}")), "{image}");
    }
}

#[test]
fn no_foreign_tool_runs_where_the_program_is_built() {
    let dockerfile = dockerfile();
    let stages = stages(&dockerfile);
    let last = stages.last().unwrap();
    let program = last.iter().find(|line| line.ends_with("/usr/local/bin/fn-exchange-online")).unwrap();
    let from = program.split_once("--from=").unwrap().1.split(' ').next().unwrap();
    let built = stages.iter().find(|stage| stage[0].ends_with(&format!(" AS {from}"))).unwrap();
    assert!(built.contains(&"RUN deploy/build"), "{built:?}");
    assert!(
        !built.iter().any(|line| line.contains("cargo install") || line.contains("--from=")),
        "{built:?}"
    );
}

/// Copies what `.dockerignore` lets through.
fn copy_context(to: &Path) {
    let rules = fs::read_to_string(root().join(".dockerignore")).unwrap();
    let mut rules = rules.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(rules.next(), Some("*"), "everything else is left out");
    for path in rules {
        let path = path.strip_prefix('!').unwrap();
        let target = to.join(path);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        let copied = Command::new("cp").arg("-r").arg(root().join(path)).arg(&target).status().unwrap();
        assert!(copied.success(), "{path}");
    }
}

#[test]
fn context_of_the_image_is_a_whole_workspace() {
    let context = tempfile::tempdir().unwrap();
    copy_context(context.path());
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(context.path())
        .output()
        .unwrap();
    let missing = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{missing}");
    for path in ["deploy/build", "deploy/entrypoint.sh", "Cargo.lock"] {
        assert!(context.path().join(path).exists(), "{path}");
    }
}
