//! Comments, log lines, error messages, documents and test names keep to docs/STYLE.md.

use std::fs;
use std::path::{Path, PathBuf};

use crate::root;
use crate::sources::files;

/// The longest line of a comment or a document, in characters.
const WIDTH: usize = 120;

/// Test names are checked without the length of their module's path.
const LONGEST_TEST_NAME: usize = 70;

const DIRECTORIES: [&str; 9] =
    [".config", "benches", "crates", "customize", "deploy", "docs", "fuzz", "src", "tests"];

/// The words that docs/STYLE.md lists after `introduction`, in italics.
fn forbidden(introduction: &str) -> Vec<String> {
    let style = fs::read_to_string(root().join("docs/STYLE.md")).unwrap();
    let list = style.split_once(introduction).unwrap().1.trim_start().strip_prefix('*').unwrap();
    let words: Vec<_> = list.split_once('*').unwrap().0.split(", ").map(str::to_owned).collect();
    assert!(words.len() > 5, "{words:?}");
    words
}

/// A piece of prose: where it is, and what it says.
struct Prose {
    file: PathBuf,
    line: usize,
    text: String,
}

/// All files that hold prose. The changelog describes past versions in their own words, STYLE.md quotes bad examples
/// and lists the words.
fn all_files() -> Vec<PathBuf> {
    let top = [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "Cargo.toml",
        "deny.toml",
        "Dockerfile",
        "app.config.example",
    ];
    let mut found: Vec<PathBuf> = top.iter().map(|name| root().join(name)).collect();
    for directory in DIRECTORIES {
        for extension in ["rs", "md", "py", "toml", "sh", "yml", "service"] {
            found.extend(files(&root().join(directory), extension));
        }
    }
    found.extend(
        ["tests/run", "deploy/assets", "deploy/build", "deploy/try-image", "docs/pictures/make"]
            .map(|name| root().join(name)),
    );
    found.retain(|file| !file.ends_with("docs/STYLE.md"));
    found
}

/// The prose of a file, line by line.
fn prose(file: &Path) -> Vec<Prose> {
    let text = fs::read_to_string(file).unwrap();
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let mut in_code = false;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let piece = match extension {
            "md" => {
                in_code ^= line.trim_start().starts_with("```");
                (!in_code).then(|| line.to_owned())
            }
            "rs" => rust_prose(line),
            _ => line.find('#').filter(|at| line[..*at].trim().is_empty()).map(|at| line[at..].to_owned()),
        };
        found.extend(piece.map(|text| Prose { file: file.to_owned(), line: number + 1, text }));
    }
    found
}

/// The comment of a line, the sentences in its strings, and the name of its function.
fn rust_prose(line: &str) -> Option<String> {
    let line = line.trim();
    if line.starts_with("//") {
        return Some(line.to_owned());
    }
    if let Some(name) = line.strip_prefix("fn ").or_else(|| line.strip_prefix("async fn ")) {
        return Some(name.split('(').next()?.replace('_', " "));
    }
    let comment = line.split_once(" // ").map_or("", |(_, comment)| comment);
    let is_message = ["info!(", "warn!(", "error!(", "debug!(", "trace!(", "#[error(", "format!(", "write!("]
        .iter()
        .any(|call| line.contains(call));
    // A placeholder names a variable.
    let line =
        line.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest)).collect::<String>();
    let strings: Vec<_> =
        line.split('"').skip(1).step_by(2).filter(|text| is_message && text.contains(' ')).collect();
    let all = [&strings[..], &[comment]].concat().join(" ");
    (!all.trim().is_empty()).then_some(all)
}

fn report(what: &str, mut wrong: Vec<(PathBuf, String)>) {
    wrong.sort();
    let list: Vec<_> = wrong.iter().map(|(_, text)| text.as_str()).collect();
    assert!(wrong.is_empty(), "{what} (see docs/STYLE.md):\n{}", list.join("\n"));
}

#[test]
fn prose_has_no_forbidden_words() {
    let mut wrong = Vec::new();
    let words = forbidden("rejects in prose:");
    for file in all_files() {
        for Prose { file, line, text } in prose(&file) {
            let lower = text.to_lowercase();
            let is_word = |at: usize, word: &str| {
                let before = lower[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
                let after = lower[at + word.len()..].chars().next();
                !before
                    && !after.is_some_and(|c| {
                        word.ends_with(char::is_alphanumeric) && (c.is_alphanumeric() || c == '_')
                    })
            };
            for word in &words {
                if lower.match_indices(word.as_str()).any(|(at, _)| is_word(at, word)) {
                    let shown = file.strip_prefix(root()).unwrap().display();
                    wrong.push((file.clone(), format!("{shown}:{line}: {word}: {}", text.trim())));
                }
            }
        }
    }
    report("forbidden words", wrong);
}

#[test]
fn code_has_no_forbidden_words() {
    let mut wrong = Vec::new();
    let forbidden = forbidden("names included:");
    for file in all_files() {
        let text = fs::read_to_string(&file).unwrap().to_lowercase();
        for (number, line) in text.lines().enumerate() {
            let mut words = line.split(|c: char| !c.is_alphanumeric());
            if let Some(word) = words.find(|word| forbidden.iter().any(|listed| listed == word)) {
                let shown = file.strip_prefix(root()).unwrap().display();
                wrong.push((file.clone(), format!("{shown}:{}: {word}: {}", number + 1, line.trim())));
            }
        }
    }
    report("forbidden words", wrong);
}

#[test]
fn comments_and_documents_fit_the_line() {
    let mut wrong = Vec::new();
    for file in all_files() {
        for Prose { file, line, text } in prose(&file) {
            let whole_line =
                text.starts_with("//") || file.extension().is_some_and(|extension| extension == "md");
            // A table's row and a link cannot be broken.
            let breakable =
                !text.trim_start().starts_with('|') && !text.contains("https://") && !text.contains("](");
            if whole_line && breakable && text.chars().count() > WIDTH {
                let shown = file.strip_prefix(root()).unwrap().display();
                wrong.push((file.clone(), format!("{shown}:{line}: {} characters", text.chars().count())));
            }
        }
    }
    report("lines are too long", wrong);
}

#[test]
fn test_names_are_short() {
    let mut wrong = Vec::new();
    for file in ["tests", "crates", "src", "fuzz"].iter().flat_map(|name| files(&root().join(name), "rs")) {
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<_> = text.lines().collect();
        for (number, pair) in lines.windows(2).enumerate() {
            let name = pair[1]
                .trim()
                .trim_start_matches("async ")
                .strip_prefix("fn ")
                .and_then(|rest| rest.split('(').next());
            let is_test =
                pair[0].trim().starts_with("#[test]") || pair[0].trim().starts_with("#[tokio::test");
            if let Some(name) = name.filter(|name| is_test && name.len() > LONGEST_TEST_NAME) {
                let shown = file.strip_prefix(root()).unwrap().display();
                wrong.push((file.clone(), format!("{shown}:{}: {name}", number + 2)));
            }
        }
    }
    report("test names are too long", wrong);
}
