//! Rows of data tables.

use reqwest::Method;
use sandbox::soar::rest::RowRefused;
use sandbox::soar::{INCIDENT, SoarOptions};
use serde_json::{Map, Value, json};

use super::{TestSoar, answer};

/// A SOAR with one data table.
async fn with_table() -> TestSoar {
    let column = |name: &str, order: i64, input_type: &str| json!({"name": name, "order": order, "input_type": input_type, "uuid": format!("uuid of {name}")});
    let table = json!({
        "type_name": "mails",
        "display_name": "Mails",
        "type_id": 8,
        "fields": {
            "subject": column("subject", 1, "text"),
            "count": column("count", 0, "number"),
            "seen": column("seen", 2, "boolean"),
            "status": column("status", 3, "textarea"),
        }
    });
    TestSoar::with(SoarOptions { customizations: json!({"types": [table]}), ..SoarOptions::default() }).await
}

fn cells(cells: &Value) -> Map<String, Value> {
    cells.as_object().unwrap().clone()
}

#[tokio::test]
async fn rows_are_added_changed_and_removed_by_names_or_numbers() {
    let setting = with_table().await;
    let path = format!("/rest/orgs/201/incidents/{INCIDENT}/table_data/mails");
    let row = json!({"cells": {"subject": {"value": "Hello"}, "count": {"value": 3}}});
    let by_name = setting.request(Method::POST, &format!("{path}/row_data?handle_format=names")).json(&row);
    let (status, added) = answer(by_name).await;
    assert_eq!(status, 200, "{added}");
    assert_eq!(
        (&added["cells"]["subject"]["value"], &added["type_name"]),
        (&json!("Hello"), &json!("mails"))
    );
    assert_eq!(added["cells"]["seen"].get("value"), None);

    let (_, listed) = answer(setting.get(&path)).await;
    let by_number = listed["rows"][0]["cells"].as_object().unwrap();
    let (count, _) = by_number.iter().find(|(_, cell)| cell["value"] == 3).unwrap();
    assert!(count.parse::<i64>().is_ok(), "{count}");
    let mut change = json!({"cells": {}});
    change["cells"][count] = json!({"value": 4});
    let own = format!("{path}/row_data/{}", added["id"]);
    let (status, changed) = answer(setting.request(Method::PUT, &own).json(&change)).await;
    assert_eq!((status.as_u16(), &changed["version"]), (200, &json!(2)), "{changed}");
    let row = &setting.soar.rest.incidents().get(INCIDENT).unwrap().rows[0];
    assert_eq!(Value::Object(row.cells.clone()), json!({"subject": "Hello", "count": 4}));

    assert_eq!(answer(setting.request(Method::DELETE, &own)).await.0, 200);
    assert_eq!(answer(setting.request(Method::DELETE, &own)).await.0, 404);
    setting.soar.rest.add_row(INCIDENT, "mails", cells(&json!({"count": 1}))).unwrap();
    assert_eq!(answer(setting.request(Method::DELETE, &format!("{path}/row_data"))).await.0, 200);
    assert_eq!(answer(setting.get(&path)).await.1["rows"], json!([]));
}

#[tokio::test]
async fn cell_that_its_column_does_not_take_is_refused() {
    let setting = with_table().await;
    let rest = &setting.soar.rest;
    for (wrong, words) in [
        (json!({"shoe": 1}), "has no column shoe"),
        (json!({"count": "three"}), "count: The value is not of the type number"),
        (json!({"seen": "yes"}), "seen: "),
        (json!({"subject": 7}), "subject: "),
        (json!({"status": {"format": "text"}}), "status: "),
    ] {
        let refused = rest.add_row(INCIDENT, "mails", cells(&wrong)).unwrap_err();
        assert!(refused.to_string().contains(words), "{refused}");
    }
    let rich = cells(&json!({"status": {"format": "html", "content": "<b>x</b>"}, "seen": null}));
    let row = rest.add_row(INCIDENT, "mails", rich).unwrap();
    assert_eq!(row.cells["status"], "<b>x</b>");
    assert!(matches!(rest.add_row(INCIDENT, "shoes", Map::new()), Err(RowRefused::NoTable(_))));
    assert!(matches!(rest.add_row(9, "mails", Map::new()), Err(RowRefused::Missing(_))));
    assert!(matches!(rest.change_row(INCIDENT, "mails", 9, Map::new()), Err(RowRefused::Missing(_))));
    let path = format!("/rest/orgs/201/incidents/{INCIDENT}/table_data/mails/row_data");
    let no_object = json!({"cells": {"count": 3}});
    assert_eq!(answer(setting.request(Method::POST, &path).json(&no_object)).await.0, 400);
}
