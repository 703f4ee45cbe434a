//! Promise: `package` makes the app that SOAR installs and App Host runs, as SOAR's own tool would make it of the same
//! parts, and the same bytes each time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::deployment::Deployment;
use crate::support::resilient_sdk::{output_text, python, sdk};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use fn_exchange_online::config::sections;
use fn_exchange_online::customize::{Examples, ScriptLanguage, export};
use serde_json::{Value, json};
use tempfile::TempDir;

const NAME: &str = "fn_exchange_online";
const VERSION: &str = env!("CARGO_PKG_VERSION");
const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn package(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fn-exchange-online"))
        .arg("package")
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap()
}

/// An app that was made and unpacked.
struct App {
    directory: TempDir,
    zip: PathBuf,
    packed: Value,
}

impl App {
    fn of(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let output = package(directory.path(), &[arguments, &["--output", "made/for us"]].concat());
        assert!(output.status.success(), "{}", output_text(&output));
        let zip = format!("made/for us/app-{NAME}-{VERSION}.zip");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), zip.clone() + "\n");
        let zip = directory.path().join(zip);
        let packed = unpack(&zip, &directory.path().join("unpacked"));
        Self { directory, zip, packed }
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.directory.path().join("unpacked").join(name)).unwrap()
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.read(name)).unwrap()
    }
}

/// Unpacks an app with Python's own libraries.
fn unpack(zip: &Path, into: &Path) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/package/unpack.py");
    let output = Command::new("python3").arg(script).args([zip, into]).output().unwrap();
    assert!(output.status.success(), "{}", output_text(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn source(path: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn section() -> &'static str {
    &sections().iter().find(|(name, _)| *name == NAME).unwrap().1
}

#[test]
fn app_zip_has_expected_files_and_modes() {
    let app = App::of(&["--image", "team/fn_exchange_online:2.0.0"]);
    let as_it_should_be = json!({"mode": "0o100644", "deflated": true});
    let entries: BTreeMap<_, _> = [
        ("app.json".to_owned(), as_it_should_be.clone()),
        ("export.res".to_owned(), as_it_should_be.clone()),
        (format!("{NAME}-{VERSION}.tar.gz"), as_it_should_be),
    ]
    .into();
    assert_eq!(app.packed["entries"], json!(entries));

    let inside = format!("{NAME}-{VERSION}");
    let files: Vec<_> = app.packed["files"].as_object().unwrap().keys().cloned().collect();
    let (generated, own): (Vec<_>, Vec<_>) = files
        .iter()
        .map(|file| file.strip_prefix(&format!("{inside}/")).unwrap())
        .partition(|file| file.starts_with("completions/") || file.starts_with("man/"));
    let expected = ["LICENSE", "PKG-INFO", "app.config.example", "fn-exchange-online.service", "systemd.md"];
    assert_eq!(own, expected);
    for file in [
        "completions/_fn-exchange-online",
        "completions/fn-exchange-online.bash",
        "completions/fn-exchange-online.fish",
        "man/fn-exchange-online.1",
        "man/fn-exchange-online-selftest.1",
    ] {
        assert!(generated.contains(&file), "{file} is missing: {generated:?}");
    }
    let bash = Command::new(env!("CARGO_BIN_EXE_fn-exchange-online")).args(["completions", "bash"]).output();
    assert!(app.read(&format!("{inside}/completions/fn-exchange-online.bash")) == bash.unwrap().stdout);
    assert!(app.packed["files"].as_object().unwrap().values().all(|mode| mode == "0o644"));
    for (file, of) in [
        ("LICENSE", "LICENSE"),
        ("app.config.example", "app.config.example"),
        ("fn-exchange-online.service", "deploy/fn-exchange-online.service"),
    ] {
        assert!(app.read(&format!("{inside}/{file}")) == source(of), "{file}");
    }
    let guide = String::from_utf8(app.read(&format!("{inside}/systemd.md"))).unwrap();
    let links: Vec<_> = guide.split("](").skip(1).collect();
    assert!(links.len() > 1 && links.iter().all(|link| link.starts_with("https://")), "{links:?}");
    assert!(guide.contains("Fill in\n`app.config`, then go on with Environment and Test."), "{guide}");
}

#[test]
fn descriptor_has_fields_required_by_app_host() {
    let app = App::of(&["--image", "team/fn_exchange_online:2.0.0"]);
    let descriptor = app.json("app.json");
    let md5 = "import hashlib, uuid; print(uuid.UUID(hashlib.md5(b'fn_exchange_online').hexdigest()))";
    let uuid = String::from_utf8(Command::new("python3").args(["-c", md5]).output().unwrap().stdout).unwrap();
    let executable = json!({
        "name": NAME,
        "image": "team/fn_exchange_online:2.0.0",
        "uuid": uuid.trim(),
        "config_string": section(),
        "permission_handles": [
            "read_data", "read_function", "read_all_incidents", "edit_all_incidents_fields", "edit_all_incident_notes",
        ],
    });
    assert_eq!(descriptor["current_installation"], json!({"executables": [executable]}));
    assert_eq!(descriptor["name"], NAME);
    assert_eq!(descriptor["version"], VERSION);
    assert_eq!(descriptor["uuid"], uuid.trim());
    assert_eq!(
        descriptor["minimum_resilient_version"],
        export(ScriptLanguage::Python3).unwrap()["server_version"]
    );
    for (icon, size) in [(&descriptor["icon"], [200, 72]), (&descriptor["author"]["icon"], [100, 100])] {
        assert_eq!(icon["media_type"], "image/png");
        let png = BASE64.decode(icon["data"].as_str().unwrap()).unwrap();
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"));
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        assert_eq!([number(16), number(20)], size);
    }
}

#[test]
fn older_script_language_lowers_minimum_soar_version() {
    let app = App::of(&["--image", "team/app:1", "--script-language", "python"]);
    let minimum = &app.json("app.json")["minimum_resilient_version"];
    assert_eq!(*minimum, json!({"major": 37, "minor": 0, "build_number": 5832, "version": "37.0.5832"}));
    assert_eq!(app.json("export.res")["scripts"][0]["language"], "python");
}

#[test]
fn package_with_playbooks_requires_soar_46() {
    let app = App::of(&["--image", "team/app:1", "--playbooks"]);
    assert_eq!(app.json("app.json")["minimum_resilient_version"]["version"], "46.0.8131");
    let packed = app.json("export.res");
    assert_eq!((&packed["actions"], &packed["workflows"]), (&json!([]), &json!([])));
    let playbooks = packed["playbooks"].as_array().unwrap();
    assert!(playbooks.len() > 11);
    for playbook in playbooks {
        assert_eq!(playbook["tags"], json!([]), "SOAR's own tool gives playbooks no tag of the app");
    }
    for kind in ["functions", "fields", "types", "scripts", "message_destinations"] {
        for object in packed[kind].as_array().unwrap() {
            assert_eq!(
                object["tags"],
                json!([{"tag_handle": NAME, "value": null}]),
                "{}",
                object["export_key"]
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soars_version_chooses_between_playbooks_and_rules() {
    let deployment = Deployment::new().await;
    let app_config = deployment.write("app.config", &deployment.app_config(&[], &[]));
    let config_file = ["--config-file", app_config.to_str().unwrap()];
    for (version, with_playbooks) in [("51.0.9.0.1", true), ("46.0.8131", true), ("45.0.1", false)] {
        deployment.sandbox.soar.rest.set_version(version);
        let app = App::of(&[&["--image", "fn_exchange_online:2.0.0"], &config_file[..]].concat());
        let export = app.json("export.res");
        assert_eq!(!export["playbooks"].as_array().is_none_or(Vec::is_empty), with_playbooks, "{version}");
        assert_eq!(export["workflows"].as_array().unwrap().is_empty(), with_playbooks, "{version}");
    }
    let app = App::of(&[&["--image", "fn_exchange_online:2.0.0", "--workflows"], &config_file[..]].concat());
    assert!(!app.json("export.res")["workflows"].as_array().unwrap().is_empty());
}

#[test]
fn package_is_reproducible() {
    let [one, other, of_another_image] = ["team/app:1", "team/app:1", "team/app:2"]
        .map(|image| fs::read(App::of(&["--image", image]).zip).unwrap());
    assert!(one == other);
    assert!(one != of_another_image);
}

#[test]
fn registry_is_reported_and_left_out_of_the_package() {
    let directory = tempfile::tempdir().unwrap();
    let output =
        package(directory.path(), &["--image", "registry.example.com:5000/team/app:1", "--output", "."]);
    assert!(output.status.success(), "{}", output_text(&output));
    assert!(
        output_text(&output).contains("has to be registry.example.com:5000."),
        "{}",
        output_text(&output)
    );
    let zip = directory.path().join(format!("app-{NAME}-{VERSION}.zip"));
    unpack(&zip, directory.path());
    let descriptor: Value =
        serde_json::from_slice(&fs::read(directory.path().join("app.json")).unwrap()).unwrap();
    assert_eq!(descriptor["current_installation"]["executables"][0]["image"], "team/app:1");
}

#[test]
fn invalid_image_reference_is_refused_before_writing() {
    let directory = tempfile::tempdir().unwrap();
    for (image, words) in [
        ("team/app", "it names no version; end it with :TAG or @sha256:DIGEST"),
        ("Team/App:1", "is not the name of an image"),
        ("team/app@sha256:12", "is not a digest"),
    ] {
        let output = package(directory.path(), &["--image", image, "--output", "made"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(output_text(&output).contains(words), "{}", output_text(&output));
    }
    assert!(fs::read_dir(directory.path()).unwrap().next().is_none());
}

#[test]
fn unwritable_output_directory_is_named() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    let output = package(directory.path(), &["--image", "team/app:1", "--output", "file/made"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        output_text(&output).contains("cannot write file/made/app-fn_exchange_online-"),
        "{}",
        output_text(&output)
    );
    assert_eq!(fs::metadata(directory.path().join("file")).unwrap().permissions().mode() & 0o111, 0);
}

/// SOAR's own tool makes an app of our parts.
fn packaged_by_sdk(app: &App, digest: &str, examples: Examples) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| fs::write(directory.path().join(name), content).unwrap();
    let descriptor = app.json("app.json");
    let long = descriptor["long_description"]["content"].as_str().unwrap();
    let about = json!({
        "display_name": descriptor["display_name"],
        "author": descriptor["author"]["name"],
        "description": descriptor["description"]["content"],
        // The tool puts its own <div> around it.
        "long_description": long.strip_prefix("<div>").unwrap().strip_suffix("</div>").unwrap(),
        "url": descriptor["author"]["website"],
    });
    write("about.json", about.to_string().as_bytes());
    write("customizations.res", export(examples).unwrap().to_string().as_bytes());
    write("section.config", section().as_bytes());
    write("distribution.tar.gz", &app.read(&format!("{NAME}-{VERSION}.tar.gz")));
    for file in ["permissions.txt", "app_logo.png", "company_logo.png"] {
        write(file, &source(&format!("deploy/apphost/{file}")));
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/package/packaged_by_sdk.py");
    let output = python(directory.path(), &[script, NAME, VERSION, "team", digest]);
    assert!(output.status.success(), "{}", output_text(&output));
    directory
}

#[test]
fn soars_own_tool_makes_the_same_of_the_same_parts() {
    let workflows = Examples::Workflows(ScriptLanguage::Python3);
    for (image, digest, choice, examples) in [
        (format!("team/{NAME}:{VERSION}"), "", "--workflows", workflows),
        (format!("registry.example.com/team/{NAME}@sha256:{DIGEST}"), DIGEST, "--workflows", workflows),
        (format!("team/{NAME}:{VERSION}"), "", "--playbooks", Examples::Playbooks),
    ] {
        let app = App::of(&["--image", &image, choice]);
        let theirs = packaged_by_sdk(&app, digest, examples);
        let zip = theirs.path().join(format!("made/app-{NAME}-{VERSION}.zip"));
        let unpacked = theirs.path().join("unpacked");
        let packed = unpack(&zip, &unpacked);
        let names = |packed: &Value| -> BTreeSet<_> {
            packed["entries"].as_object().unwrap().keys().cloned().collect()
        };
        assert_eq!(names(&packed), names(&app.packed));
        for file in ["app.json", "export.res"] {
            let their: Value = serde_json::from_slice(&fs::read(unpacked.join(file)).unwrap()).unwrap();
            let our = app.json(file);
            let differing: Vec<_> = their
                .as_object()
                .unwrap()
                .keys()
                .chain(our.as_object().unwrap().keys())
                .filter(|key| their.get(*key) != our.get(*key))
                .collect();
            assert!(differing.is_empty(), "{file} differs in {differing:?}");
        }
    }
}

#[test]
fn soars_own_tool_documents_the_app_from_its_zip() {
    let app = App::of(&["--image", "team/app:1"]);
    let directory = tempfile::tempdir().unwrap();
    fs::copy(&app.zip, directory.path().join("app.zip")).unwrap();
    let output = sdk(directory.path(), &["docgen", "-e", "app.zip", "-o", "out.md"]);
    assert!(output.status.success(), "{}", output_text(&output));
    let document = fs::read_to_string(directory.path().join("out.md")).unwrap();
    assert_eq!(
        document.lines().filter(|line| line.starts_with("## Function - Exchange Online: ")).count(),
        fn_exchange_online::functions::Function::ALL.len()
    );
}
