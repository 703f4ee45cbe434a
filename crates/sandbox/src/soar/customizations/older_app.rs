//! The customizations of the older app: the same objects with the same names and uuids, but with other texts, and
//! scripts in SOAR's older language.

use serde_json::{Value, json};

/// Labels that end with a blank in the older app.
const WITH_BLANK: [&str; 2] = ["Sender email address", "Mail Folder"];

/// Derives them from our import file, whose scripts must be in the older language.
pub fn older_app(mut file: Value) -> Value {
    file["export_date"] = json!(1_613_696_748_638_u64);
    let each = |file: &mut Value, section: &str, change: fn(&mut Value)| {
        file[section].as_array_mut().into_iter().flatten().for_each(change);
    };
    each(&mut file, "fields", |field| {
        if field.get("tooltip").is_some() {
            field["tooltip"] = json!("");
        }
        if WITH_BLANK.iter().any(|label| field["text"] == *label) {
            field["text"] = json!(format!("{} ", field["text"].as_str().unwrap_or_default()));
        }
    });
    each(&mut file, "functions", |function| {
        function["description"] = json!({"format": "text", "content": function["display_name"]});
    });
    each(&mut file, "workflows", |workflow| workflow["description"] = json!(""));
    each(&mut file, "scripts", |script| script["description"] = json!(""));
    file
}
