//! What may change in a message after its arrival: the read state, the flag, the categories and extended properties.

use serde_json::{Map, Value, json};

use super::extended_property::Properties;
use super::refusal::Refusal;

/// What was changed in a message.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Marks {
    /// `None` is the state in which it arrived.
    pub(super) read: Option<bool>,
    pub(super) flag: Flag,
    pub(super) categories: Vec<String>,
    pub(super) properties: Properties,
    /// Whether it is an invitation that a later one replaces.
    pub(super) out_of_date: bool,
}

/// A `followupFlag`, as a request stated it. `None` is a message without a flag.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Flag(Option<Box<Value>>);

impl Flag {
    /// Reads a flag. "To set the due date, you must also specify the startDateTime; otherwise, you will get a 400 Bad
    /// Request response" ("followupFlag resource type").
    pub(super) fn parse(value: &Value) -> Result<Self, Refusal> {
        const TIMES: [&str; 3] = ["completedDateTime", "dueDateTime", "startDateTime"];
        let object = value.as_object().ok_or_else(|| invalid("flag"))?;
        let known =
            |key: &String| key == "flagStatus" || key == "@odata.type" || TIMES.contains(&key.as_str());
        if let Some(unknown) = object.keys().find(|key| !known(key)) {
            return Err(Refusal::no_property(unknown, "microsoft.graph.followupFlag"));
        }
        let status = object.get("flagStatus").and_then(Value::as_str).unwrap_or("notFlagged");
        if !["notFlagged", "complete", "flagged"].contains(&status) {
            return Err(Refusal::bad_request(format!(
                "Requested value '{status}' was not found in microsoft.graph.followupFlagStatus."
            )));
        }
        let has = |key: &str| object.get(key).is_some_and(|value| !value.is_null());
        if has("dueDateTime") && !has("startDateTime") || has("completedDateTime") && status != "complete" {
            return Err(invalid("flag"));
        }
        if status == "notFlagged" {
            return Ok(Self(None));
        }
        let mut flag = Map::from_iter([("flagStatus".to_owned(), json!(status))]);
        for key in TIMES.into_iter().filter(|key| has(key)) {
            let time = &object[key];
            if !(time["dateTime"].is_string() && time["timeZone"].is_string()) {
                return Err(invalid(key));
            }
            flag.insert(key.to_owned(), time.clone());
        }
        Ok(Self(Some(Box::new(Value::Object(flag)))))
    }

    pub(super) fn json(&self) -> String {
        self.0.as_ref().map_or_else(|| NOT_FLAGGED.to_owned(), ToString::to_string)
    }

    pub(super) fn status(&self) -> &str {
        self.0.as_ref().and_then(|flag| flag["flagStatus"].as_str()).unwrap_or("notFlagged")
    }
}

const NOT_FLAGGED: &str = r#"{"flagStatus":"notFlagged"}"#;

fn invalid(key: &str) -> Refusal {
    Refusal::new(
        400,
        "ErrorPropertyValidationFailure",
        format!("At least one property failed validation: {key}."),
    )
}
