//! The app package that SOAR installs and runs on an App Host: a ZIP file with a descriptor (`app.json`), the
//! customizations (`export.res`), and an archive of the files that an integration server needs in addition to the
//! program. The package does not contain the container image; the descriptor names it.
//!
//! The package is reproducible: its bytes depend only on the program and the name of the image.

mod archive;
mod image;

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::config::sections;
use crate::customize::{self, Examples, Pack};
use archive::{Entry, tar_gz, zip};
pub use image::{Image, NotAnImage};

/// The name of the app, and of its section in `app.config`.
const NAME: &str = env!("CARGO_CRATE_NAME");
const VERSION: &str = env!("CARGO_PKG_VERSION");
const DISPLAY_NAME: &str = "Exchange Online";
/// SOAR identifies the app by this MD5 of its name. The older app has the same one, so SOAR treats this app as an
/// upgrade.
const UUID: &str = "d9f9a77e-2244-ed90-6116-30f1898f3457";
const AUTHOR: &str = "The fn-exchange-online developers";

/// The kinds of objects that SOAR tags with the app.
const TAGGED: [&str; 13] = [
    "actions",
    "automatic_tasks",
    "fields",
    "functions",
    "incident_artifact_types",
    "incident_types",
    "message_destinations",
    "phases",
    "roles",
    "scripts",
    "types",
    "workflows",
    "workspaces",
];

macro_rules! file {
    ($path:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path))
    };
}

/// 200 by 72, and 100 by 100 pixels.
const APP_LOGO: &[u8] = file!("deploy/apphost/app_logo.png");
const COMPANY_LOGO: &[u8] = file!("deploy/apphost/company_logo.png");
const LONG_DESCRIPTION: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/apphost/description.html"));
const PERMISSIONS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/apphost/permissions.txt"));
const LICENSE: &[u8] = file!("LICENSE");
const UNIT: &[u8] = file!("deploy/fn-exchange-online.service");
const SYSTEMD_GUIDE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/systemd.md"));

/// The package cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The customizations cannot be exported.
    #[error(transparent)]
    Customizations(#[from] customize::Error),
    /// The descriptor cannot be serialized.
    #[error("the package's descriptor cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// An archive cannot be written.
    #[error("the package cannot be written: {0}")]
    Archive(#[from] io::Error),
}

/// The file name of the package, as App Host expects it.
pub fn file_name() -> String {
    format!("app-{NAME}-{VERSION}.zip")
}

/// Builds the package: the bytes of a ZIP file that SOAR installs as an app, which App Host runs from this image. The
/// customizations are those of `packs`, and the archive for integration servers has `more` files, by their names.
///
/// # Errors
/// The embedded sources are not valid; a test makes sure that they are.
pub fn package(
    image: &Image,
    examples: Examples,
    packs: &[Pack],
    more: &[(String, Vec<u8>)],
) -> Result<Vec<u8>, Error> {
    let mut export = customize::export_packs(examples, packs)?;
    let mut descriptor = descriptor(image, &export["server_version"]);
    tag(&mut export);
    // SOAR's own tool sorts them as well.
    export.sort_all_objects();
    descriptor.sort_all_objects();
    let directory = format!("{NAME}-{VERSION}");
    Ok(zip(&[
        Entry { name: "app.json", content: &serde_json::to_vec(&descriptor)? },
        Entry { name: "export.res", content: &serde_json::to_vec(&export)? },
        Entry { name: &format!("{directory}.tar.gz"), content: &for_integration_servers(&directory, more)? },
    ])?)
}

fn descriptor(image: &Image, server_version: &Value) -> Value {
    let png = |bytes: &[u8]| json!({"data": BASE64.encode(bytes), "media_type": "image/png"});
    let config = sections().iter().find(|(section, _)| *section == NAME).map(|(_, text)| text);
    json!({
        "name": NAME,
        "display_name": DISPLAY_NAME,
        "version": VERSION,
        "uuid": UUID,
        "author": {"name": AUTHOR, "website": "", "icon": png(COMPANY_LOGO)},
        "icon": png(APP_LOGO),
        "description": {"format": "text", "content": env!("CARGO_PKG_DESCRIPTION")},
        "long_description": {"format": "html", "content": format!("<div>{}</div>", LONG_DESCRIPTION.trim_end())},
        "minimum_resilient_version": server_version,
        "tag": {"name": NAME, "prefix": NAME, "display_name": NAME, "uuid": UUID},
        "current_installation": {"executables": [{
            "name": NAME,
            "image": image.to_string(),
            "config_string": config,
            "uuid": UUID,
            "permission_handles": permissions().collect::<Vec<_>>(),
        }]},
    })
}

/// The permissions of the API key that SOAR creates for the app.
fn permissions() -> impl Iterator<Item = &'static str> {
    PERMISSIONS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Tags every object of the customizations with the app, and the workflows that a function names. As SOAR's own tool,
/// it leaves playbooks as they are, and the app's tag takes the place of theirs.
fn tag(export: &mut Value) {
    let tags = json!([{"tag_handle": NAME, "value": null}]);
    for kind in TAGGED {
        for object in export[kind].as_array_mut().into_iter().flatten() {
            object["tags"] = tags.clone();
            for workflow in object.get_mut("workflows").and_then(Value::as_array_mut).into_iter().flatten() {
                // A rule has names here, and a function has objects.
                if workflow.is_object() {
                    workflow["tags"] = tags.clone();
                }
            }
        }
    }
}

/// Returns a document with links to other sites only: the archive does not have the other documents.
fn without_local_links(document: &str) -> String {
    let mut parts = document.split("](");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let link = part.split_once(')').filter(|(target, _)| !target.starts_with("https://"));
        match (link, text.rfind('[')) {
            (Some((_, rest)), Some(opening)) => {
                text.remove(opening);
                text += rest;
            }
            _ => text = text + "](" + part,
        }
    }
    text
}

/// The archive for integration servers, in the place where SOAR's own apps have their Python package.
fn for_integration_servers(directory: &str, more: &[(String, Vec<u8>)]) -> io::Result<Vec<u8>> {
    let about = format!(
        "Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\nSummary: {}\nLicense: MIT\n\n\
         The program is not a Python package and not in this archive. To run it on an integration server rather than\n\
         on an App Host, follow systemd.md.\n",
        env!("CARGO_PKG_DESCRIPTION")
    );
    let guide = without_local_links(SYSTEMD_GUIDE);
    let files: [(&str, &[u8]); 5] = [
        ("LICENSE", LICENSE),
        ("PKG-INFO", about.as_bytes()),
        ("app.config.example", crate::config::template().as_bytes()),
        ("fn-exchange-online.service", UNIT),
        ("systemd.md", guide.as_bytes()),
    ];
    let more = more.iter().map(|(name, content)| (name.as_str(), content.as_slice()));
    let files = files.into_iter().chain(more);
    let named: Vec<_> = files.map(|(name, content)| (format!("{directory}/{name}"), content)).collect();
    let entries: Vec<_> = named.iter().map(|(name, content)| Entry { name, content }).collect();
    tar_gz(&entries)
}
