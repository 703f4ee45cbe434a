//! `deletion = quarantine`: a message goes into a hidden folder of its mailbox, and nothing of it is lost.

use fn_exchange_online::functions::{Call, PriorRun};
use sandbox::graph::MessageState;
use serde_json::{Value, json};

use crate::functions::common::*;
use crate::functions::guard_rails::{message, results};

const FOLDER: &str = "fn-exchange-online quarantine";

/// A tenant whose deletions end in quarantine, and a message in one of its mailboxes that its owner has read, flagged
/// and put into a folder.
pub(crate) struct Quarantine {
    pub(crate) fixture: Fixture,
    pub(crate) mailbox: String,
    pub(crate) id: String,
}

impl Quarantine {
    pub(crate) async fn new() -> Self {
        Self::configured("quarantine", &[]).await
    }

    pub(crate) async fn configured(deletion: &str, options: &[(&str, &str)]) -> Self {
        let options = [&[("deletion", deletion)], options].concat();
        let fixture = Fixture::configured(empty(6), &options).await;
        let mailbox = fixture.mailbox(0);
        let id = fixture.put(&mailbox, mail("Invoice"));
        let graph = fixture.graph();
        let folder = graph.make_folder(&mailbox, "inbox", "Suppliers", false).unwrap();
        assert!(graph.move_message(&mailbox, &id, &folder));
        assert!(graph.mark_read(&mailbox, &id, true) && graph.flag_message(&mailbox, &id, "flagged"));
        assert!(graph.categorise_message(&mailbox, &id, &["Red", "Büro"]));
        let id = graph.snapshot(&mailbox).into_keys().next().unwrap();
        fixture.asked();
        Self { fixture, mailbox, id }
    }

    pub(crate) fn state(&self) -> MessageState {
        self.fixture.graph().snapshot(&self.mailbox).remove(&self.id).unwrap()
    }

    pub(crate) async fn delete(&self) -> Value {
        self.fixture.run(DeleteEmail, message(&self.mailbox, &self.id)).await.unwrap()
    }

    /// The methods of the requests since the last look, with the last segment of their paths.
    pub(crate) fn asked(&self) -> Vec<String> {
        let ends = |request: String| {
            let (method, path) = request.split_once(' ').unwrap();
            let end = path.split('?').next().unwrap().rsplit('/').next().unwrap();
            let known = ["mailFolders", "messages", "move"].contains(&end);
            if known { format!("{method} {end}") } else { method.to_owned() }
        };
        self.fixture.asked().into_iter().map(ends).collect()
    }
}

/// The state apart from folder and mark.
pub(crate) fn kept(state: &MessageState) -> (bool, String, Vec<String>) {
    (state.is_read, state.flag.clone(), state.categories.clone())
}

#[tokio::test]
async fn message_goes_into_hidden_folder_and_keeps_its_state() {
    let q = Quarantine::new().await;
    let before = q.state();
    let answer = q.delete().await;
    assert_eq!((&answer["success"], &answer["content"]["value"]), (&json!(true), &json!(true)));
    assert_eq!(q.asked(), ["GET", "POST mailFolders", "PATCH", "POST move"]);
    let after = q.state();
    assert_eq!((after.folder, kept(&after)), (FOLDER, kept(&before)));
    let folders = q.fixture.graph().folders(&q.mailbox);
    assert!(folders.iter().find(|folder| folder.name == FOLDER).unwrap().hidden);

    let job = q.fixture.context.call.reference().to_string();
    let mark: Value = serde_json::from_str(&after.properties[0].1).unwrap();
    assert_eq!((&mark["job"], &mark["folder"]), (&json!(job), &json!(before.folder_id)));
    let flag: Value = serde_json::from_str(&before.flag).unwrap();
    let quarantined = &answer["content"]["quarantined"];
    let mut expected = json!({
        "id": q.id, "job": job, "folder": before.folder_id, "is_read": true, "categories": ["Red", "Büro"],
        "is_marked": true,
    });
    expected["flag"] = flag;
    assert_eq!(*quarantined, expected);
    let trail = q.fixture.trail();
    let acts: Vec<_> = trail.iter().map(|line| (&line["act"], &line["outcome"])).collect();
    let acts_expected = [("create folder", "created"), ("quarantine message", "quarantined")];
    assert_eq!(format!("{acts:?}"), format!("{:?}", acts_expected.map(|(a, o)| (json!(a), json!(o)))));
    assert_eq!(
        (&trail[1]["origin"], &trail[1]["destination"]),
        (&json!(before.folder_id), &json!("quarantine"))
    );
}

#[tokio::test]
async fn folder_of_another_process_is_found() {
    let q = Quarantine::new().await;
    q.delete().await;
    let other = q.fixture.put(&q.mailbox, mail("Second"));
    q.asked();
    q.fixture.done(DeleteEmail, message(&q.mailbox, &other)).await;
    assert_eq!(q.asked(), ["GET", "PATCH", "POST move"], "the folder is known");
    let mut q = q;
    q.fixture.context.graph = graph::Client::new(&q.fixture.settings.graph).unwrap();
    let third = q.fixture.put(&q.mailbox, mail("Third"));
    q.fixture.done(DeleteEmail, message(&q.mailbox, &third)).await;
    assert_eq!(q.asked(), ["GET", "POST mailFolders", "GET mailFolders", "PATCH", "POST move"]);
    let folders = q.fixture.graph().folders(&q.mailbox);
    assert_eq!(folders.iter().filter(|folder| folder.name == FOLDER).count(), 1);
}

#[tokio::test]
async fn folder_of_the_owner_is_left_alone() {
    let q = Quarantine::new().await;
    q.fixture.graph().make_folder(&q.mailbox, "msgfolderroot", FOLDER, false).unwrap();
    let before = q.state();
    let error = q.fixture.failed(DeleteEmail, message(&q.mailbox, &q.id)).await;
    assert!(
        error.contains("has a folder \"fn-exchange-online quarantine\" that is not a quarantine"),
        "{error}"
    );
    assert_eq!(q.state(), before);
    let listed = [(q.mailbox.clone(), vec![q.id.clone()])];
    let answer = q.fixture.run(DeleteMessagesFromQueryResults, results(&listed)).await.unwrap();
    assert_eq!(answer["content"]["failures"][0]["code"], "QuarantineFolderTaken");
}

#[tokio::test]
async fn folder_that_the_owner_deleted_is_made_again() {
    let q = Quarantine::new().await;
    q.delete().await;
    let graph = q.fixture.graph();
    let folder = graph.folders(&q.mailbox).into_iter().find(|folder| folder.name == FOLDER).unwrap();
    assert!(graph.remove_folder(&q.mailbox, &folder.id));
    let second = q.fixture.put(&q.mailbox, mail("Second"));
    q.fixture.done(DeleteEmail, message(&q.mailbox, &second)).await;
    assert_eq!(graph.moved().last().unwrap().folder, FOLDER);
}

#[tokio::test]
async fn refused_mark_does_not_keep_the_message_from_quarantine() {
    let q = Quarantine::new().await;
    q.fixture.graph().faults().next(1, Target::containing("PATCH"), Fault::Status(403, RetryAfter::Absent));
    let before = q.state();
    let answer = q.delete().await;
    let quarantined = &answer["content"]["quarantined"];
    assert_eq!(
        (&quarantined["is_marked"], &quarantined["folder"]),
        (&json!(false), &json!(before.folder_id))
    );
    assert_eq!((q.state().folder, q.state().properties.len()), (FOLDER, 0));
    assert_eq!(kept(&q.state()), kept(&before));
}

#[tokio::test]
async fn move_with_a_lost_answer_is_made_once() {
    let q = Quarantine::new().await;
    for fault in [Fault::DoneButStatus(504, RetryAfter::Absent), Fault::CutBody, Fault::Status(429, SOON)] {
        let id = q.fixture.put(&q.mailbox, mail("Next"));
        q.fixture.graph().faults().next(1, Target::containing("/move"), fault);
        let moved = q.fixture.graph().moved().len();
        q.fixture.done(DeleteEmail, message(&q.mailbox, &id)).await;
        assert_eq!(q.fixture.graph().moved().len(), moved + 1, "{fault:?}");
    }
}

#[tokio::test]
async fn marked_message_is_only_moved() {
    let q = Quarantine::new().await;
    q.fixture.graph().faults().next(1, Target::containing("/move"), Fault::Status(403, RetryAfter::Absent));
    q.fixture.failed(DeleteEmail, message(&q.mailbox, &q.id)).await;
    assert_eq!(q.asked(), ["GET", "POST mailFolders", "PATCH", "POST move"]);
    q.delete().await;
    assert_eq!(q.asked(), ["GET", "POST move"], "the mark of the same job stays");
    q.fixture.graph().move_message(&q.mailbox, &q.id, "archive");
    q.delete().await;
    assert_eq!(q.asked(), ["GET", "PATCH", "POST move"], "its folder is another one");
    assert_eq!(q.state().folder, FOLDER);
}

#[tokio::test]
async fn message_in_quarantine_counts_for_its_job_only() {
    let mut q = Quarantine::new().await;
    let before = q.state();
    q.delete().await;
    q.asked();
    let answer = q.delete().await;
    assert_eq!((&answer["success"], &answer["reason"]), (&json!(true), &Value::Null));
    assert_eq!(answer["content"]["quarantined"]["folder"], json!(before.folder_id));
    assert_eq!(q.asked(), ["GET"]);

    q.fixture.context.call = Call { prior_run: PriorRun::Likely, ..Call::by_hand() };
    let error = q.fixture.failed(DeleteEmail, message(&q.mailbox, &q.id)).await;
    assert!(error.contains("is in quarantine already, by another call"), "{error}");
    let listed = [(q.mailbox.clone(), vec![q.id.clone()])];
    let answer = q.fixture.run(DeleteMessagesFromQueryResults, results(&listed)).await.unwrap();
    assert_eq!(answer["content"]["messages_already_gone"], 1);
    assert_eq!(answer["content"]["failures"][0]["code"], "AlreadyInQuarantine");
}

#[tokio::test]
async fn missing_message_is_not_found() {
    let mut q = Quarantine::new().await;
    assert!(q.fixture.graph().purge_message(&q.mailbox, &q.id));
    let answer = q.delete().await;
    assert_eq!(
        (&answer["success"], &answer["content"]["error"]["code"]),
        (&json!(false), &json!("ErrorItemNotFound"))
    );
    assert_eq!(q.asked(), ["GET"], "no folder is made");
    q.fixture.context.call.prior_run = PriorRun::Likely;
    let answer = q.delete().await;
    assert!(answer["reason"].as_str().unwrap().contains("may have deleted it"), "{answer}");
    assert_eq!(q.fixture.trail().last().unwrap()["outcome"], "gone");
}

#[tokio::test]
async fn dry_run_only_looks() {
    let q = Quarantine::configured("quarantine", &[("dry_run", "true")]).await;
    let before = q.state();
    let answer = q.delete().await;
    assert!(answer["reason"].as_str().unwrap().starts_with("Dry run: this would have deleted"), "{answer}");
    assert_eq!(q.asked(), ["GET"]);
    assert_eq!(q.state(), before);
    assert_eq!(q.fixture.trail()[0]["outcome"], "would be quarantined");
    assert!(q.fixture.graph().folders(&q.mailbox).iter().all(|folder| folder.name != FOLDER));
}

#[tokio::test]
async fn many_messages_take_at_most_four_requests_each() {
    let q = Quarantine::new().await;
    let lists: Vec<_> =
        (1..5).map(|nth| q.fixture.mailbox(nth)).map(|m| (m.clone(), q.fixture.put_many(&m, 5))).collect();
    q.fixture.asked();
    let answer = q.fixture.done(DeleteMessagesFromQueryResults, results(&lists)).await;
    assert_eq!(answer["content"]["messages_deleted"], 20);
    let asked = q.asked();
    assert_eq!(asked.len(), 20 * 3 + 4, "{asked:?}");
    for (mailbox, ids) in &lists {
        let snapshot = q.fixture.graph().snapshot(mailbox);
        assert!(snapshot.len() == ids.len() && snapshot.values().all(|state| state.folder == FOLDER));
    }
    let quarantined = |mailbox: &Value| mailbox["quarantined_list"].as_array().unwrap().len();
    let results = answer["content"]["delete_results"].as_array().unwrap();
    assert_eq!(results.iter().map(quarantined).sum::<usize>(), 20);
    let note = lines(&q.fixture.note());
    let job = q.fixture.context.call.reference();
    let sentence = format!(
        "Deleted messages are in quarantine, a hidden folder of their mailbox. Restore Messages moves them back (job \
         {job})."
    );
    assert!(note.contains(&sentence), "{note:?}");
}
