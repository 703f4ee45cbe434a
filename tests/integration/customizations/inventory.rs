//! The export has everything that the older app has, under the same names, in the same order.

use std::collections::{BTreeMap, BTreeSet};

use fn_exchange_online::customize::{ScriptLanguage, export};
use fn_exchange_online::functions::{Function, InputKind};
use serde_json::{Value, json};

use crate::customizations::older_app::{
    ACTIVITY_FIELDS, COLUMNS, DATA_TABLE, FOLDERS, FUNCTION_FIELDS, FUNCTIONS, OUTPUTS, RULES,
};
use crate::customizations::{ACTIVITY, FUNCTION, fields, file, form, list, text, texts};

/// Whether a field must be filled. One that need not be has no such key.
fn required(field: &Value) -> bool {
    match field.get("required") {
        Some(always) => {
            assert_eq!(always, "always");
            true
        }
        None => false,
    }
}

fn labels(field: &Value) -> Vec<&str> {
    list(field, "values").iter().map(|option| text(option, "label")).collect()
}

fn defaults(field: &Value) -> Vec<&str> {
    let chosen = list(field, "values").iter().filter(|option| option["default"] == true);
    chosen.map(|option| text(option, "label")).collect()
}

/// The field of that name.
fn named<'v>(fields: &[&'v Value], name: &str) -> &'v Value {
    fields.iter().find(|field| field["name"] == name).unwrap_or_else(|| panic!("there is no {name}"))
}

#[test]
fn export_has_exactly_the_expected_objects() {
    let file = file();
    let counts = [
        ("fields", 71),
        ("functions", 9),
        ("actions", 11),
        ("workflows", 10),
        ("scripts", 1),
        ("types", 1),
        ("message_destinations", 1),
        ("incident_types", 1),
    ];
    for (kind, count) in counts {
        assert_eq!(list(&file, kind).len(), count, "{kind}");
    }
    assert_eq!(fields(&file, FUNCTION).len(), 36);
    assert_eq!(fields(&file, ACTIVITY).len(), 34);
    assert_eq!(file["types"][0]["fields"].as_object().unwrap().len(), 10);
}

#[test]
fn functions_ask_for_their_inputs_in_order() {
    let file = file();
    let functions = list(&file, "functions");
    for (function, (name, label, inputs)) in functions.iter().zip(FUNCTIONS) {
        assert_eq!(text(function, "name"), name);
        assert_eq!(text(function, "export_key"), name);
        assert_eq!(text(function, "display_name"), label);
        assert_eq!(text(function, "destination_handle"), "fn_exchange_online");
        assert_eq!(form(function, FUNCTION, &file), inputs, "{name}");
        assert_eq!(function["description"]["format"], "text");
        assert!(!text(&function["description"], "content").is_empty());
        assert!(!list(function, "workflows").is_empty(), "no example shows {name}");
    }
}

/// SOAR would never send what the program reads otherwise, or let someone leave empty what it requires.
#[test]
fn exported_functions_are_those_of_the_program() {
    let file = export(ScriptLanguage::Python3).unwrap();
    let all = fields(&file, FUNCTION);
    let functions = list(&file, "functions");
    assert_eq!(functions.len(), Function::ALL.len());
    for function in Function::ALL {
        let ours = functions.iter().find(|one| one["name"] == function.name()).unwrap();
        let asked: BTreeSet<_> = form(ours, FUNCTION, &file).into_iter().collect();
        let taken: BTreeSet<_> = function.spec().inputs.iter().map(|input| input.name).collect();
        assert_eq!(asked, taken, "{}", function.name());
        for input in function.spec().inputs {
            let field = named(&all, input.name);
            let kind = match input.kind {
                InputKind::Text => "text",
                InputKind::Number => "number",
                InputKind::Boolean => "boolean",
                InputKind::DateTime => "datetimepicker",
                InputKind::Select(_) => "select",
                InputKind::MultiSelect(_) => "multiselect",
            };
            assert_eq!(text(field, "input_type"), kind, "{}", input.name);
            assert_eq!(labels(field), input.kind.options(), "{}", input.name);
            // SOAR knows one answer for all functions that share a field.
            let is_optional_elsewhere = Function::ALL
                .iter()
                .any(|other| other.spec().inputs.iter().any(|one| one.name == input.name && !one.required));
            assert!(required(field) || !input.required || is_optional_elsewhere, "{}", input.name);
        }
    }
}

#[test]
fn function_fields_are_unchanged_and_documented() {
    let file = file();
    let all = fields(&file, FUNCTION);
    for (field, (name, kind, must)) in all.iter().zip(FUNCTION_FIELDS) {
        assert_eq!(text(field, "name"), name);
        assert_eq!(text(field, "text"), name);
        assert_eq!(text(field, "export_key"), format!("__function/{name}"));
        assert_eq!(text(field, "input_type"), kind, "{name}");
        assert_eq!(required(field), must, "{name}");
        assert!(!text(field, "tooltip").is_empty(), "{name}");
        assert_eq!(field["prefix"], Value::Null);
    }
    let folder = named(&all, "exo_destination_mailfolder_id");
    assert_eq!((labels(folder), defaults(folder)), (FOLDERS.to_vec(), vec!["junkemail"]));
    let output = named(&all, "exo_query_output_format");
    assert_eq!((labels(output), defaults(output)), (OUTPUTS.to_vec(), vec![OUTPUTS[0]]));
}

#[test]
fn form_fields_are_unchanged_and_documented() {
    let file = file();
    let all = fields(&file, ACTIVITY);
    for (field, (name, label, kind, must)) in all.iter().zip(ACTIVITY_FIELDS) {
        assert_eq!(text(field, "name"), name);
        assert_eq!(text(field, "text"), label);
        assert_eq!(text(field, "export_key"), format!("actioninvocation/{name}"));
        assert_eq!(text(field, "input_type"), kind, "{name}");
        assert_eq!(required(field), must, "{name}");
        assert_eq!(field["rich_text"], kind == "textarea", "{name}");
        // Of the two destinations of a move, one is empty.
        let may_be_blank = ["exo_mailfolder_id", "exo_destination_mailfolder_id"].contains(&name);
        assert_eq!(field["blank_option"], may_be_blank, "{name}");
        assert!(!text(field, "tooltip").is_empty(), "{name}");
        assert_eq!(field["prefix"], "properties");
    }
    let destination = named(&all, "exo_destination_mailfolder_id");
    assert_eq!((labels(destination), defaults(destination)), (FOLDERS.to_vec(), vec![]));
    let searched = named(&all, "exo_mailfolder_id");
    assert_eq!((labels(searched), defaults(searched)), (FOLDERS.to_vec(), vec![]));
    let output = named(&all, "exo_query_output_format");
    assert_eq!((labels(output), defaults(output)), (OUTPUTS.to_vec(), vec![]));
}

#[test]
fn data_table_has_its_columns_in_order() {
    let file = file();
    let table = &file["types"][0];
    assert_eq!(text(table, "type_name"), DATA_TABLE);
    assert_eq!(text(table, "display_name"), "Exchange Online Message Query Results");
    assert_eq!(table["type_id"], 8);
    assert_eq!(table["parent_types"], json!(["incident"]));
    let columns = table["fields"].as_object().unwrap();
    for (order, ((key, column), (name, label, kind, must, width))) in columns.iter().zip(COLUMNS).enumerate()
    {
        assert_eq!(key, name);
        assert_eq!(text(column, "name"), name);
        assert_eq!(text(column, "export_key"), format!("{DATA_TABLE}/{name}"));
        assert_eq!(text(column, "text"), label);
        assert_eq!(text(column, "input_type"), kind, "{name}");
        assert_eq!(required(column), must, "{name}");
        assert_eq!((&column["order"], &column["width"]), (&json!(order), &json!(width)), "{name}");
        let plain = !["exo_dt_has_attachments", "exo_dt_status"].contains(&name);
        assert_eq!((&column["chosen"], &column["blank_option"]), (&json!(plain), &json!(plain)), "{name}");
        assert_eq!(column["rich_text"], kind == "textarea", "{name}");
    }
}

#[test]
fn rules_keep_place_form_and_workflow() {
    let file = file();
    for (rule, (name, object, logic, conditions, runs, asks)) in list(&file, "actions").iter().zip(RULES) {
        assert_eq!(text(rule, "name"), format!("Example: Exchange Online {name}"));
        assert_eq!(rule["export_key"], rule["name"]);
        assert_eq!(
            (&rule["type"], &rule["enabled"], &rule["timeout_seconds"]),
            (&json!(1), &json!(true), &json!(86_400))
        );
        assert_eq!(text(rule, "object_type"), object, "{name}");
        assert_eq!(text(rule, "logic_type"), logic, "{name}");
        assert_eq!(list(rule, "conditions").len(), conditions, "{name}");
        let mut started = texts(&rule["workflows"]);
        started.extend(list(rule, "automations").iter().map(|one| text(one, "scripts_to_run")));
        assert_eq!(started, [runs], "{name}");
        assert_eq!(form(rule, ACTIVITY, &file), asks, "{name}");
    }
}

/// SOAR may know an object by its uuid: were one to change, an import would add a second object next to the first.
#[test]
fn objects_keep_the_uuids_of_the_older_app() {
    let file = file();
    let mut ours = BTreeMap::new();
    let mut add = |kind: &str, name: &str, object: &Value| {
        assert!(ours.insert((kind.to_owned(), name.to_owned()), text(object, "uuid").to_owned()).is_none());
    };
    for (kind, section, key) in [
        ("message destination", "message_destinations", "programmatic_name"),
        ("function", "functions", "name"),
        ("data table", "types", "type_name"),
        ("rule", "actions", "name"),
        ("workflow", "workflows", "programmatic_name"),
        ("script", "scripts", "name"),
    ] {
        for one in list(&file, section) {
            add(kind, text(one, key), one);
        }
    }
    for (kind, type_id) in [("function field", FUNCTION), ("rule field", ACTIVITY)] {
        for field in fields(&file, type_id) {
            let name = text(field, "name");
            add(kind, name, field);
            for option in list(field, "values") {
                add(&format!("option of {kind} {name}"), text(option, "label"), option);
            }
        }
    }
    for (name, one) in file["types"][0]["fields"].as_object().unwrap() {
        add("column", name, one);
    }

    let theirs: BTreeMap<_, _> = include_str!("uuids.txt")
        .lines()
        .map(|line| {
            let parts: Vec<_> = line.split(" | ").map(str::to_owned).collect();
            let [uuid, kind, name] = <[String; 3]>::try_from(parts).unwrap();
            ((kind, name), uuid)
        })
        .collect();
    assert_eq!(ours, theirs);
}
