//! Reading is on record, and may be denied.

use std::fs;

use sandbox::soar::INCIDENT;
use serde_json::{Value, json};

use crate::audit::{QUERY, Running, acts};

const GET: &str = "exchange_online_get_message";

fn query(mailboxes: &str) -> Value {
    json!({
        "incident_id": INCIDENT, "exo_email_address": mailboxes, "exo_message_subject": "SUBJECTTEXT",
        "exo_query_output_format": ["Exchange Online data table"],
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_is_recorded_without_content() {
    let running = Running::new(&[]).await;
    let mailbox = running.deployment.mailbox(0);
    let id = running.deployment.add_message(&mailbox, "SUBJECTTEXT", "BODYTEXT");
    running.call(GET, json!({"exo_email_address": mailbox, "exo_messages_id": id})).await;
    running.call(GET, json!({"exo_email_address": mailbox, "exo_messages_id": "AAMkNone"})).await;
    running.call(QUERY, query(&mailbox)).await;
    running.call(QUERY, query("all")).await;
    let acts = acts(&running.trail);
    let [read, missing, one, all] = acts.as_slice() else { panic!("{acts:?}") };
    assert_eq!((&read["act"], &read["outcome"]), (&json!("read message"), &json!("read")));
    assert_eq!((&read["mailbox"], &read["message_id"]), (&json!(mailbox), &json!(id)));
    assert_eq!(read["principal"], "analyst@example.com");
    assert!(
        missing["outcome"] == "not read" && missing["error"].as_str().unwrap().contains("400"),
        "{missing}"
    );
    assert_eq!(
        (&one["searched"], &one["mailboxes"], &one["messages"]),
        (&json!(mailbox), &json!(1), &json!(1))
    );
    assert_eq!((&all["searched"], &all["criteria"]), (&json!("all"), &json!(["Message subject"])));
    assert!(all["mailboxes"].as_u64().unwrap() > 1, "{all}");
    let text = fs::read_to_string(&running.trail).unwrap();
    assert!(!text.contains("SUBJECTTEXT") && !text.contains("BODYTEXT"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn denied_mailbox_is_not_read() {
    let deployment = crate::support::deployment::Deployment::new().await;
    let denied = deployment.mailbox(0);
    drop(deployment);
    let running = Running::new(&[("mailboxes_denied_reading", &denied)]).await;
    assert_eq!(running.deployment.mailbox(0), denied);
    let id = running.deployment.add_message(&denied, "SUBJECTTEXT", "y");
    let message = json!({"exo_email_address": denied.to_uppercase(), "exo_messages_id": id});
    let mut attach = message.clone();
    attach["incident_id"] = json!(INCIDENT);
    for (function, inputs) in
        [(GET, message), ("exchange_online_write_message_as_attachment", attach), (QUERY, query(&denied))]
    {
        let (_, reply) = running.call(function, inputs).await;
        assert_eq!(reply.message_type, 1, "{function}");
        assert!(reply.message.contains("mailboxes_denied_reading"), "{}", reply.message);
    }
    let (_, reply) = running.call(QUERY, query("all")).await;
    let content = &reply.results["content"];
    assert_eq!((&content["messages_found"], &content["users_failed"]), (&json!(0), &json!(1)), "{content}");
    let other = running.deployment.mailbox(1);
    running.deployment.add_message(&other, "SUBJECTTEXT", "y");
    let (_, reply) = running.call(QUERY, query(&format!("{other}, {denied}"))).await;
    assert_eq!(reply.results["content"]["messages_found"], 1, "{}", reply.message);
    assert!(reply.results["reason"].as_str().unwrap().contains(&denied));
    let refused: Vec<_> =
        acts(&running.trail).into_iter().filter(|act| act["outcome"] == "refused").collect();
    assert_eq!(refused.len(), 5, "{refused:?}");
    assert!(refused.iter().all(|act| act["act"] == "read mailbox" && act["error"] == "MailboxRefused"));
    let graph = &running.deployment.sandbox.graph;
    let owner = graph.users().into_iter().find(|user| user.user_principal_name == denied).unwrap();
    let read = graph.requests().into_iter().filter(|request| {
        let path = request.path_and_query.to_lowercase();
        path.contains("/messages") && (path.contains(&denied) || path.contains(&owner.id))
    });
    assert_eq!(read.count(), 0);
}
