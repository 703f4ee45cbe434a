//! Rooms use each other in one direction, and docs/architecture.md says in which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::documents::chapter;
use crate::root;
use crate::sources::{ModulePath, Uses, circles, files, uses};

type Graph = BTreeMap<String, BTreeSet<String>>;

const CRATES: [&str; 6] = ["graph", "net", "sandbox", "soar", "stomp", "vault"];

/// The crates of the workspace that each crate depends on, as its Cargo.toml says.
fn crates() -> Graph {
    CRATES
        .iter()
        .map(|name| {
            let manifest = fs::read_to_string(root().join(format!("crates/{name}/Cargo.toml"))).unwrap();
            let dependencies = manifest.split("\n[dependencies]").nth(1).unwrap_or("");
            let dependencies = dependencies.split("\n[").next().unwrap();
            let names = dependencies.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
            (
                format!("crates/{name}"),
                names.filter(|name| CRATES.contains(name)).map(str::to_owned).collect(),
            )
        })
        .collect()
}

/// The rooms of the program, each with the rooms and crates that it uses.
fn rooms(modules: &Uses) -> Graph {
    let mut rooms = Graph::new();
    for (module, used) in modules.iter().filter(|(module, _)| !module.is_empty()) {
        let room = rooms.entry(module[0].clone()).or_default();
        let others = used.iter().filter_map(|used| used.first()).filter(|used| **used != module[0]);
        room.extend(others.cloned());
    }
    for file in files(&root().join("src"), "rs") {
        let text = fs::read_to_string(&file).unwrap();
        let room = file.strip_prefix(root().join("src")).unwrap().iter().next().unwrap().to_str().unwrap();
        let Some(room) = rooms.get_mut(room.trim_end_matches(".rs")) else { continue };
        let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let code = code.join("\n");
        room.extend(CRATES.iter().filter(|name| names_crate(&code, name)).map(|name| (*name).to_owned()));
    }
    rooms
}

/// Whether a path in the code starts with the crate's name.
fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(&format!("{name}::")).any(|(at, _)| {
        let before = code[..at].trim_end_matches(|c: char| c.is_alphanumeric() || c == '_');
        before.len() == at && !code[..at].ends_with("::") && !code[..at].ends_with('.')
    })
}

fn shown<T: Ord + std::fmt::Debug>(graph: &BTreeMap<T, BTreeSet<T>>) -> String {
    let lines: Vec<_> = graph.iter().map(|(node, used)| format!("{node:?} uses {used:?}")).collect();
    lines.join("\n")
}

/// The uses among the modules of one room. A module and the module that contains it are one unit, so what a module
/// uses of its parents does not count.
fn within(modules: &Uses, room: Option<&str>) -> Uses {
    let is_inside =
        |module: &ModulePath| room.is_none_or(|room| module.first().is_some_and(|first| first == room));
    let inside = modules.iter().filter(|(module, _)| is_inside(module));
    inside
        .map(|(module, used)| {
            let used = used.iter().filter(|used| is_inside(used) && !module.starts_with(used));
            (module.clone(), used.cloned().collect())
        })
        .collect()
}

#[test]
fn rooms_have_no_circle() {
    let circle = circles(&rooms(&uses(&root().join("src"))));
    assert!(circle.is_empty(), "these rooms use each other:\n{}", shown(&circle));
}

#[test]
fn modules_of_a_room_have_no_circle() {
    let modules = uses(&root().join("src"));
    for room in rooms(&modules).keys() {
        let circle = circles(&within(&modules, Some(room)));
        assert!(circle.is_empty(), "these modules of {room} use each other:\n{}", shown(&circle));
    }
}

/// The sandbox is exempt: its endpoints share the state of one tenant.
#[test]
fn modules_of_a_crate_have_no_circle() {
    for name in CRATES.iter().filter(|name| **name != "sandbox") {
        let modules = uses(&root().join(format!("crates/{name}/src")));
        assert!(modules.len() > 5, "{name}: {modules:?}");
        let circle = circles(&within(&modules, None));
        assert!(circle.is_empty(), "these modules of {name} use each other:\n{}", shown(&circle));
    }
}

#[test]
fn architecture_lists_every_room_and_what_it_uses() {
    let document = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let rows = chapter(&document, "## Rooms").lines().filter(|line| line.starts_with("| `"));
    let names =
        |cell: &str| -> BTreeSet<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let written: Graph = rows
        .map(|row| {
            let cells: Vec<_> = row.split('|').collect();
            (names(cells[1]).into_iter().next().unwrap(), names(cells[3]))
        })
        .collect();
    let mut real = rooms(&uses(&root().join("src")));
    real.extend(crates());
    assert!(real.len() > 12, "{real:?}");
    let difference: BTreeMap<_, _> = real
        .iter()
        .filter(|(room, used)| written.get(*room) != Some(*used))
        .map(|(room, used)| (room.clone(), used.clone()))
        .collect();
    assert!(difference.is_empty(), "docs/architecture.md is wrong; in fact:\n{}", shown(&difference));
    assert_eq!(written.keys().collect::<Vec<_>>(), real.keys().collect::<Vec<_>>());
}

#[test]
fn architecture_names_only_files_that_exist() {
    let document = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let names = document.split('`').skip(1).step_by(2);
    let files: Vec<_> = names
        .filter(|name| name.contains('/') && Path::new(name).extension().is_some_and(|end| end == "rs"))
        .collect();
    assert!(files.len() > 20, "{files:?}");
    let missing: Vec<_> = files.into_iter().filter(|file| !root().join(file).exists()).collect();
    assert!(missing.is_empty(), "docs/architecture.md names files that do not exist: {missing:?}");
}

/// The checks above depend on how the sources are read.
#[test]
fn uses_are_resolved_to_the_module_that_defines_a_name() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let file = directory.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    write("lib.rs", "mod a;\nmod b;\npub use a::One;");
    write(
        "a/mod.rs",
        "mod one;\nmod two;\npub(crate) use one::{One, Other as Renamed};\n// use crate::b::Comment;",
    );
    write("a/one.rs", "use super::two;\nconst TEXT: &str = \"crate::b::Text\";");
    write(
        "a/two.rs",
        "fn f<'a>(one: super::Renamed) { let c = '\"'; }\nmod tests { use super::super::one::One; }",
    );
    write("b.rs", "use crate::{One, a::{self, two::Two}};");
    let found = uses(directory.path());
    let of = |module: &str| -> Vec<String> {
        let path: Vec<String> = module.split("::").map(str::to_owned).collect();
        found[&path].iter().map(|used| used.join("::")).collect()
    };
    assert_eq!(of("b"), ["a", "a::one", "a::two"]);
    assert_eq!((of("a::one"), of("a::two")), (vec!["a::two".to_owned()], vec!["a::one".to_owned()]));
    assert_eq!(circles(&within(&found, Some("a"))).len(), 2);
}
