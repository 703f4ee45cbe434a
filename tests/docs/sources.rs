//! Reads which module uses which, from the sources of one crate.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A path of modules below the crate's root; the root itself is empty.
pub(crate) type ModulePath = Vec<String>;

/// The modules of a crate, and for each the modules it uses.
pub(crate) type Uses = BTreeMap<ModulePath, BTreeSet<ModulePath>>;

#[derive(Default)]
struct Module {
    children: BTreeSet<String>,
    /// Names that this module exports from elsewhere.
    exports: BTreeMap<String, Vec<String>>,
    /// Modules whose items this module exports all.
    globs: Vec<Vec<String>>,
    /// Paths that the code names.
    paths: Vec<Vec<String>>,
}

/// Reads the crate below `src`. Re-exports are resolved to the module that defines the name.
pub(crate) fn uses(src: &Path) -> Uses {
    let mut modules = BTreeMap::new();
    for file in files(src, "rs") {
        let path = module_path(file.strip_prefix(src).unwrap());
        if path != ["main"] {
            modules.insert(path.clone(), parse(&tokens(&fs::read_to_string(&file).unwrap())));
        }
    }
    let all: Vec<ModulePath> = modules.keys().cloned().collect();
    for path in all.iter().filter(|path| !path.is_empty()) {
        let parent = modules.get_mut(&path[..path.len() - 1]).unwrap();
        parent.children.insert(path.last().unwrap().clone());
    }
    let used = |path: &ModulePath, module: &Module| {
        let absolute = module.paths.iter().filter_map(|named| absolute(&modules, path, named));
        absolute.map(|named| resolve(&modules, &named, 0)).filter(|target| target != path).collect()
    };
    modules.iter().map(|(path, module)| (path.clone(), used(path, module))).collect()
}

/// Files with this extension, at any depth.
pub(crate) fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(&entry, extension));
        } else if entry.extension().is_some_and(|end| end == extension) {
            found.push(entry);
        }
    }
    found.sort();
    found
}

/// The nodes that lie on a circle, or between two circles.
pub(crate) fn circles<T: Ord + Clone>(graph: &BTreeMap<T, BTreeSet<T>>) -> BTreeMap<T, BTreeSet<T>> {
    let mut left = graph.clone();
    loop {
        let used: BTreeSet<T> = left.values().flatten().cloned().collect();
        let before: usize = left.values().map(|targets| targets.len() + 1).sum();
        left.retain(|node, targets| !targets.is_empty() && used.contains(node));
        let nodes: BTreeSet<T> = left.keys().cloned().collect();
        for targets in left.values_mut() {
            targets.retain(|target| nodes.contains(target));
        }
        if left.values().map(|targets| targets.len() + 1).sum::<usize>() == before {
            return left;
        }
    }
}

fn module_path(file: &Path) -> ModulePath {
    let mut path: Vec<String> =
        file.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if path.last().is_some_and(|name| name == "mod" || name == "lib") {
        path.pop();
    }
    path
}

/// The path from the crate's root, or `None` for a path that leads to another crate.
fn absolute(
    modules: &BTreeMap<ModulePath, Module>,
    from: &ModulePath,
    named: &[String],
) -> Option<Vec<String>> {
    let mut base = from.clone();
    let mut rest = named;
    match rest[0].as_str() {
        "crate" => base.clear(),
        "self" | "super" => {}
        child if modules[from].children.contains(child) => return Some([from, named].concat()),
        _ => return None,
    }
    while let Some(first) = rest.first().filter(|first| ["crate", "self", "super"].contains(&first.as_str()))
    {
        if first == "super" {
            base.pop();
        }
        rest = &rest[1..];
    }
    Some([&base, rest].concat())
}

/// The module in which a name is defined.
fn resolve(modules: &BTreeMap<ModulePath, Module>, named: &[String], depth: usize) -> ModulePath {
    let mut at: ModulePath = Vec::new();
    for (position, name) in named.iter().enumerate() {
        let module = &modules[&at];
        if module.children.contains(name) {
            at.push(name.clone());
            continue;
        }
        let rest = &named[position + 1..];
        let exported = module.exports.get(name).and_then(|path| absolute(modules, &at, path));
        if let Some(path) = exported.filter(|_| depth < 8) {
            return resolve(modules, &[&path, rest].concat(), depth + 1);
        }
        let globs = module.globs.iter().filter_map(|glob| absolute(modules, &at, glob));
        let defined =
            |glob: &Vec<String>| modules.get(glob).is_some_and(|there| there.exports.contains_key(name));
        if let Some(glob) = globs.into_iter().find(defined).filter(|_| depth < 8) {
            return resolve(modules, &[&glob[..], &named[position..]].concat(), depth + 1);
        }
        break;
    }
    at
}

/// Finds what a module names, exports and declares.
fn parse(tokens: &[String]) -> Module {
    let mut module = Module::default();
    // The braces that inline modules opened: what they call `super` is this module.
    let (mut depth, mut inline) = (0_usize, Vec::new());
    for at in 0..tokens.len() {
        let next = |offset: usize| tokens.get(at + offset).map_or("", String::as_str);
        let before = at.checked_sub(1).map_or("", |before| tokens[before].as_str());
        match tokens[at].as_str() {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                if inline.last() == Some(&depth) {
                    inline.pop();
                }
            }
            "mod" if next(2) == "{" => inline.push(depth),
            _ => {}
        }
        if next(1) != "::" || before == "::" || before == "." || !is_name(&tokens[at]) {
            continue;
        }
        let mut found = Vec::new();
        tree(tokens, at, &mut Vec::new(), &mut found);
        let exports = before == "use" && at >= 2 && (tokens[at - 2] == ")" || tokens[at - 2] == "pub");
        for (mut named, alias) in found {
            // In an inline module, the first `super` is the file's own module.
            if !inline.is_empty() && named[0] == "super" {
                "self".clone_into(&mut named[0]);
            }
            match (exports, alias.as_str()) {
                (true, "*") => module.globs.push(named),
                (true, _) => drop(module.exports.insert(alias, named)),
                (false, _) => module.paths.push(named),
            }
        }
    }
    module
}

/// The paths of a use tree that starts at a token, each with the name it brings in.
fn tree(
    tokens: &[String],
    mut at: usize,
    prefix: &mut Vec<String>,
    found: &mut Vec<(Vec<String>, String)>,
) -> usize {
    let length = prefix.len();
    loop {
        match tokens.get(at).map_or("", String::as_str) {
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = tree(tokens, at, prefix, found);
                    if tokens.get(at).is_some_and(|token| token == ",") {
                        at += 1;
                    }
                }
                at += 1;
                break;
            }
            "*" => {
                found.push((prefix.clone(), "*".to_owned()));
                at += 1;
                break;
            }
            name if is_name(name) => {
                if name != "self" || prefix.is_empty() {
                    prefix.push(name.to_owned());
                }
                at += 1;
                if tokens.get(at).is_some_and(|token| token == "::") {
                    at += 1;
                    continue;
                }
                let mut alias = prefix.last().unwrap().clone();
                if tokens.get(at).is_some_and(|token| token == "as") {
                    alias.clone_from(&tokens[at + 1]);
                    at += 2;
                }
                found.push((prefix.clone(), alias));
                break;
            }
            _ => {
                if !prefix.is_empty() {
                    found.push((prefix.clone(), prefix.last().unwrap().clone()));
                }
                at += 1;
                break;
            }
        }
    }
    prefix.truncate(length);
    at
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::` and single characters, without comments and literals.
fn tokens(source: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = literal(rest) {
            length
        } else if is_name(rest) {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(rest[..length].to_owned());
            length
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !c.is_whitespace() {
                tokens.push(c.to_string());
            }
            c.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// The length of the string or character literal at the beginning.
fn literal(text: &str) -> Option<usize> {
    let start = text.find(|c: char| !"brc".contains(c))?;
    let (prefix, body) = text.split_at(start);
    if prefix.len() > 2 {
        return None;
    }
    if prefix.contains('r') {
        let hashes = body.find(|c| c != '#')?;
        let inner = body[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", &body[..hashes]);
        return Some(start + hashes + 1 + inner.find(&end)? + end.len());
    }
    let quote = body.chars().next().filter(|c| "\"'".contains(*c))?;
    let mut escaped = false;
    for (at, c) in body.char_indices().skip(1) {
        if !escaped && c == quote {
            return Some(start + at + 1);
        }
        // A lifetime is not a literal: it has no second quote after one character.
        if quote == '\'' && at > 1 && !body.starts_with("'\\") {
            return None;
        }
        escaped = !escaped && c == '\\';
    }
    None
}
