//! `exchange_online_delete_messages_from_query_results`

mod inputs;
mod note;
mod pace;
mod results;

use serde_json::{Value, json};

use crate::functions::common::{Fixture, QueryEmails, empty, query};

fn deletion(results: &Value) -> Value {
    json!({"exo_query_messages_results": results.to_string()})
}

/// Two mailboxes with three messages each, and what a query finds in them.
async fn found(options: &[(&str, &str)], formats: &[&str]) -> (Fixture, Vec<String>, Value) {
    let fixture = Fixture::configured(empty(4), options).await;
    let names = fixture.graph().mailboxes()[..2].to_vec();
    for name in &names {
        fixture.put_many(name, 3);
    }
    let mut inputs = query(&names.join(","), json!({"exo_start_date": 0}));
    inputs["exo_query_output_format"] = json!(["Exchange Online data table"]);
    let mut content = fixture.done(QueryEmails, inputs).await["content"].clone();
    content["exo_query_output_format"] = json!(formats);
    fixture.asked();
    (fixture, names, content)
}

fn list(content: &Value, nth: usize) -> &Value {
    &content["email_results"][nth]["email_list"]
}
