//! A part of an object, as it is compared.

use serde_json::Value;

/// A part of an object.
#[derive(Debug)]
pub(super) struct Part {
    /// What it is: `tooltip`, or `step Exchange Online: Get Message: script before it`.
    pub(super) path: String,
    /// The column, or the field of a playbook's form, that it belongs to.
    pub(super) owner: Option<String>,
    /// Its value. All kinds of empty values are null.
    pub(super) value: Value,
    pub(super) form: Form,
    /// Whether the object has the key at all. A list of SOAR may leave it out.
    pub(super) is_given: bool,
}

/// How the value of a part is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Value,
    /// A text of several lines.
    Text,
    /// Rows of values.
    Rows(Row),
    /// Nothing that a person would read.
    Opaque,
}

/// What the rows of a list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Row {
    FormItem,
    Option,
    Condition,
    Automation,
}

impl Part {
    pub(super) fn new(path: String, value: Value, form: Form) -> Self {
        Self { path, owner: None, value, form, is_given: true }
    }
}

/// Normalises a value: a text with a format becomes the text, and all kinds of empty values become null.
pub(super) fn plain(value: &Value) -> Value {
    match value {
        Value::Object(object) if object.contains_key("content") => plain(&object["content"]),
        Value::String(text) if text.is_empty() => Value::Null,
        Value::Array(list) if list.is_empty() => Value::Null,
        Value::Bool(false) => Value::Null,
        other => other.clone(),
    }
}
