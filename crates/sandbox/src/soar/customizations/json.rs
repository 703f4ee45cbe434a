//! Reads untrusted JSON: a value of the wrong type counts as empty.

use serde_json::Value;

pub(super) fn list<'v>(object: &'v Value, key: &str) -> &'v [Value] {
    object[key].as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn text<'v>(object: &'v Value, key: &str) -> &'v str {
    object[key].as_str().unwrap_or_default()
}

/// The texts of a list.
pub(super) fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().map(|one| one.as_str().unwrap_or_default())
}

/// The values of an object.
pub(super) fn objects(object: &Value) -> impl Iterator<Item = &Value> {
    object.as_object().into_iter().flat_map(|object| object.values())
}

/// The number before the first point of a server's version. Since version 51 it is called `v`, and `major` is 0.
pub(in crate::soar) fn major(server_version: &Value) -> Option<u64> {
    server_version["v"].as_u64().or_else(|| server_version["major"].as_u64())
}
