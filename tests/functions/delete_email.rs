//! `exchange_online_delete_email`

use serde_json::json;

use crate::common::{DeleteEmail, Fault, House, RetryAfter, SOON, Target, encoded};

#[tokio::test]
async fn a_message_is_deleted_by_one_request_and_nothing_else_is() {
    let mut house = House::new().await;
    let phish = house.graph().planted().remove(0);
    let inputs = json!({"exo_email_address": phish.mailbox, "exo_messages_id": phish.id});
    let results = house.done(DeleteEmail, inputs).await;
    assert_eq!(results["content"], json!({"value": true}));
    let path = format!("/users/{}/messages/{}", encoded(&phish.mailbox), encoded(&phish.id));
    assert_eq!(house.asked(), [format!("DELETE {path}")]);
    let deleted = house.graph().deleted();
    assert_eq!(deleted.len(), 1);
    assert_eq!((&deleted[0].mailbox, &deleted[0].id), (&phish.mailbox, &phish.id));
    assert_eq!(house.said(), [format!("Deleting a message of {}", phish.mailbox)]);
}

#[tokio::test]
async fn the_folder_is_part_of_the_address_where_it_is_given() {
    let house = House::new().await;
    let phish = house.graph().planted().remove(0);
    let folder = house.graph().message(&phish.mailbox, &phish.id).unwrap().folder;
    let inputs = json!({
        "exo_email_address": phish.mailbox, "exo_messages_id": phish.id, "exo_mailfolders_id": folder,
    });
    house.done(DeleteEmail, inputs).await;
    let mailbox = encoded(&phish.mailbox);
    let asked = format!("DELETE /users/{mailbox}/mailFolders/{folder}/messages/{}", encoded(&phish.id));
    assert_eq!(house.asked(), [asked]);
}

#[tokio::test]
async fn a_message_that_is_not_there_is_an_answer() {
    let house = House::new().await;
    let phish = house.graph().planted().remove(0);
    let inputs = json!({"exo_email_address": phish.mailbox, "exo_messages_id": phish.id});
    house.done(DeleteEmail, inputs.clone()).await;
    let results = house.run(DeleteEmail, inputs).await.unwrap();
    assert_eq!(results["success"], false);
    assert_eq!(results["content"]["error"]["code"], "ErrorItemNotFound");
    assert!(results["reason"].as_str().unwrap().ends_with("was not found (ErrorItemNotFound)."));
    assert_eq!(house.graph().deleted().len(), 1);
}

#[tokio::test]
async fn a_deletion_that_was_done_behind_a_failure_counts_as_done() {
    let house = House::new().await;
    let faults =
        [Fault::DoneButStatus(429, SOON), Fault::DoneButStatus(504, RetryAfter::Absent), Fault::CutBody];
    for (phish, fault) in house.graph().planted().into_iter().zip(faults) {
        house.graph().faults().next(1, Target::containing("DELETE"), fault);
        let inputs = json!({"exo_email_address": phish.mailbox, "exo_messages_id": phish.id});
        let results = house.done(DeleteEmail, inputs).await;
        assert_eq!(results["content"], json!({"value": true}), "{fault:?}");
    }
    assert_eq!(house.graph().deleted().len(), 3);
}
