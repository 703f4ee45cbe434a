//! Promise: what `customize --export` writes is what SOAR imports: complete, every reference resolved, the names and
//! uuids of the older app, and always the same bytes.

mod command;
mod inventory;
mod older_app;
mod packs;
mod playbooks;
mod references;
pub(crate) mod samples;
mod workflows;

use fn_exchange_online::customize::{Examples, Pack, ScriptLanguage, export, export_packs};
use serde_json::Value;

const LANGUAGES: [ScriptLanguage; 2] = [ScriptLanguage::Python3, ScriptLanguage::Python];

const EXAMPLES: [Examples; 3] = [
    Examples::Workflows(ScriptLanguage::Python3),
    Examples::Workflows(ScriptLanguage::Python),
    Examples::Playbooks,
];

/// The pack `core`, which is what the older app has.
fn file_with_playbooks() -> Value {
    export_packs(Examples::Playbooks, &[Pack::Core]).unwrap()
}

fn file() -> Value {
    export_packs(ScriptLanguage::Python3, &[Pack::Core]).unwrap()
}

fn list<'v>(file: &'v Value, name: &str) -> &'v [Value] {
    file[name].as_array().unwrap_or_else(|| panic!("{name} is no list"))
}

fn text<'v>(object: &'v Value, key: &str) -> &'v str {
    object[key].as_str().unwrap_or_else(|| panic!("{key} is no text: {object}"))
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect()
}

/// The fields of that type.
fn fields(file: &Value, type_id: u64) -> Vec<&Value> {
    list(file, "fields").iter().filter(|field| field["type_id"] == type_id).collect()
}

/// SOAR's numbers of types.
const ACTIVITY: u64 = 6;
const FUNCTION: u64 = 11;

/// The fields that a form shows, and its lines of text.
fn form<'v>(object: &'v Value, of: u64, file: &'v Value) -> Vec<&'v str> {
    let item = |item: &'v Value| match text(item, "element") {
        "header" => {
            assert_eq!(item["field_type"], Value::Null);
            assert!(!text(item, "content").is_empty());
            "[header]"
        }
        "field_uuid" => {
            let field = fields(file, of).into_iter().find(|field| field["uuid"] == item["content"]);
            text(field.unwrap_or_else(|| panic!("no field has the uuid of {item}")), "name")
        }
        other => panic!("an element that is {other}"),
    };
    list(object, "view_items").iter().map(item).collect()
}
