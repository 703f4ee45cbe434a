//! docs/attacks.md and SECURITY.md name a test for what they claim, and each of these tests exists.

use std::collections::HashSet;
use std::fs;

use crate::root;
use crate::sources::files;

/// Outcomes of attacks: the first two need a test.
const OUTCOMES: [&str; 4] = ["held", "closed", "open", "accepted"];

/// The names of all tests.
fn tests() -> HashSet<String> {
    let sources = ["tests", "crates", "src", "fuzz"].iter().flat_map(|name| files(&root().join(name), "rs"));
    let mut names = HashSet::new();
    for source in sources {
        let text = fs::read_to_string(source).unwrap();
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
            if let Some(name) = name.filter(|_| is_test).and_then(|rest| rest.split('(').next()) {
                names.insert(name.to_owned());
            }
            is_test = line.starts_with("#[test]")
                || line.starts_with("#[tokio::test")
                || is_test && line.starts_with("#[");
        }
    }
    assert!(names.len() > 500, "{}", names.len());
    names
}

/// What stands in backticks.
fn in_code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Whether a text looks like the name of a test: small letters, and several words.
fn is_name_of_test(code: &str) -> bool {
    code.matches('_').count() >= 2
        && code.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The rows of the tables in docs/attacks.md: number, attack, outcome and tests.
fn rows(document: &str) -> Vec<[&str; 4]> {
    let rows = document.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let cells = rows.map(|row| row.split(" | ").collect::<Vec<_>>());
    cells
        .filter_map(|cells| cells.try_into().ok())
        .filter(|[number, ..]: &[&str; 4]| !["---", "no."].contains(number))
        .collect()
}

#[test]
fn each_attack_names_an_existing_test() {
    let document = fs::read_to_string(root().join("docs/attacks.md")).unwrap();
    let tests = tests();
    let rows = rows(&document);
    let mut wrong = Vec::new();
    for [number, attack, outcome, named] in &rows {
        if !OUTCOMES.contains(outcome) {
            wrong.push(format!("{number}: {outcome:?} is not one of {OUTCOMES:?}"));
        }
        if in_code(named).next().is_none() && OUTCOMES[..2].contains(outcome) {
            wrong.push(format!("{number}: no test is named: {attack}"));
        }
        let missing = in_code(named).filter(|name| !tests.contains(*name));
        wrong.extend(missing.map(|name| format!("{number}: there is no test {name}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let numbers: HashSet<_> = rows.iter().map(|[number, ..]| *number).collect();
    let expected = (1..=30).map(|nth| format!("B{nth}")).chain((1..=21).map(|nth| format!("A{nth}")));
    let expected = expected.chain(["C1".to_owned()]);
    let left_out: Vec<_> = expected.filter(|number| !numbers.contains(number.as_str())).collect();
    assert_eq!((left_out, rows.len()), (Vec::new(), 52));
}

#[test]
fn claims_of_security_name_existing_tests() {
    let document = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let settings = fs::read_to_string(root().join("docs/settings.md")).unwrap();
    let (tests, settings): (_, HashSet<_>) = (tests(), in_code(&settings).collect());
    let is_unknown =
        |code: &&str| is_name_of_test(code) && !settings.contains(code) && !tests.contains(*code);
    let unknown: Vec<_> = in_code(&document).filter(is_unknown).collect();
    assert!(unknown.is_empty(), "these are neither tests nor settings: {unknown:?}");
    let claims = document
        .split_once("What an attacker may try")
        .unwrap()
        .1
        .split_once("\n\n**Not defended")
        .unwrap()
        .0;
    let claims: Vec<_> = claims.split("\n- **").skip(1).collect();
    let without: Vec<_> =
        claims.iter().filter(|claim| !in_code(claim).any(|code| tests.contains(code))).collect();
    assert!(claims.len() > 10 && without.is_empty(), "no test is named for {without:#?}");
}
