//! The guard rails of `[fn_exchange_online]`: what they let through, and that they cannot be got around.

use fn_exchange_online::functions::{Before, Function};
use fn_exchange_online::sandbox::graph::{TenantOptions, User};
use serde_json::{Value, json};

use crate::common::*;

const RESULTS: &str = "exo_query_messages_results";

/// A tenant with messages in three mailboxes, and with `options`; the mailboxes, and the messages by mailbox.
async fn house(options: &[(&str, &str)]) -> (House, Vec<(String, Vec<String>)>) {
    let house = House::configured(empty(6), options).await;
    let lists = (0..3).map(|nth| {
        let mailbox = house.mailbox(nth);
        let ids = house.put_many(&mailbox, 4);
        (mailbox, ids)
    });
    let lists = lists.collect();
    (house, lists)
}

/// What a query would have found.
fn results(lists: &[(String, Vec<String>)]) -> Value {
    let results = lists.iter().map(|(mailbox, ids)| {
        let list: Vec<_> = ids.iter().map(|id| json!({"id": id})).collect();
        json!({"email_address": mailbox, "status_code": 200, "email_list": list})
    });
    let content = json!({
        "incident_id": INCIDENT, "exo_query_output_format": ["Incident note"], "email_results": results.collect::<Vec<_>>(),
    });
    json!({ RESULTS: content.to_string() })
}

fn message(mailbox: &str, id: &str) -> Value {
    json!({"exo_email_address": mailbox, "exo_messages_id": id})
}

/// Every function that changes a mailbox, with the inputs for a change of `mailbox`.
fn changes(mailbox: &str, id: &str) -> [(Function, Value); 5] {
    let list = results(&[(mailbox.to_owned(), vec![id.to_owned()])]);
    let soon = (chrono::Utc::now() + chrono::TimeDelta::days(1)).timestamp_millis();
    let mut moved = message(mailbox, id);
    moved["exo_destination_mailfolder_id"] = json!({"id": 1, "name": "junkemail"});
    [
        (DeleteEmail, message(mailbox, id)),
        (DeleteMessagesFromQueryResults, list),
        (MoveMessageToFolder, moved),
        (SendMessage, json!({"exo_email_address": mailbox, "exo_recipients": "a@example.com"})),
        (
            CreateMeeting,
            json!({
                "exo_meeting_email_address": mailbox, "exo_meeting_start_time": soon,
                "exo_meeting_end_time": soon + 3_600_000, "exo_meeting_subject": "S", "exo_meeting_body": "B",
            }),
        ),
    ]
}

impl House {
    /// Asserts that no mailbox was changed, nor was Graph asked to change one.
    fn assert_mailboxes_untouched(&self) {
        let asked = self.asked();
        assert!(asked.iter().all(|request| request.starts_with("GET ")), "{asked:?}");
        let graph = self.graph();
        assert!(graph.deleted().is_empty() && graph.moved().is_empty() && graph.sent_mail().is_empty());
        assert!(graph.mailboxes().iter().all(|mailbox| graph.events(mailbox).is_empty()));
    }
}

#[tokio::test]
async fn a_call_that_lists_more_than_it_may_delete_deletes_nothing() {
    let (house, lists) = house(&[("max_deletions", "11")]).await;
    let answer = house.run(DeleteMessagesFromQueryResults, results(&lists)).await.unwrap();
    assert_eq!(answer["success"], false);
    let reason = answer["reason"].as_str().unwrap();
    for part in ["Nothing was deleted", "12 messages", "11 at most", "max_deletions", "Narrow"] {
        assert!(reason.contains(part), "{reason}");
    }
    let lists_of = |key: &str| -> usize {
        let mailboxes = answer["content"]["delete_results"].as_array().unwrap();
        mailboxes.iter().map(|mailbox| mailbox[key].as_array().unwrap().len()).sum()
    };
    assert_eq!((lists_of("deleted_list"), lists_of("not_deleted_list")), (0, 12));
    assert!(house.note().contains("TooManyDeletions"), "{}", house.note());
    house.assert_mailboxes_untouched();
    let refused = &house.trail()[0];
    assert_eq!((&refused["outcome"], &refused["messages"]), (&json!("refused"), &json!(12)));

    // One less, and each counted once, however often it is listed.
    let mut twice = lists.clone();
    twice[0].1.pop();
    twice.push(twice[1].clone());
    house.done(DeleteMessagesFromQueryResults, results(&twice)).await;
    assert_eq!(house.graph().deleted().len(), 11);
}

#[tokio::test]
async fn a_mailbox_that_is_denied_is_changed_by_no_function_under_none_of_its_names() {
    let guest_of =
        |house: &House| house.graph().users().into_iter().find(|user| user.guest && user.has_mailbox);
    let tenant = || TenantOptions { mailboxes: 40, ..empty(40) };
    let plain = House::with(tenant()).await;
    let user = guest_of(&plain).unwrap();
    let own = user.mail.clone().unwrap();
    let alias = user.proxy_addresses()[1].trim_start_matches("smtp:").to_owned();
    let domain = format!("x@nowhere.example,\n *{}", &own[own.find('@').unwrap()..]);
    // Each of the mailbox's names is enough to protect it under all of them.
    let patterns =
        [user.user_principal_name.to_uppercase(), own.clone(), domain, alias.clone(), "*".to_owned()];
    for denied in patterns {
        let setting = denied.replace('\n', "\n  ");
        let house = House::configured(tenant(), &[("mailboxes_denied", &setting)]).await;
        let id = house.put(&user.user_principal_name, mail("x"));
        for name in [
            user.user_principal_name.clone(),
            user.user_principal_name.to_uppercase(),
            format!("\u{a0} {}\t", user.user_principal_name.to_lowercase()),
            user.id.clone(),
            user.id.to_uppercase(),
            own.clone(),
            alias.clone(),
            format!(" {}", alias.to_uppercase()),
        ] {
            for (function, inputs) in changes(&name, &id) {
                let refused = match house.run(function, inputs).await {
                    Ok(answer) => {
                        assert_eq!(answer["success"], false);
                        answer["content"]["failures"][0]["message"].to_string()
                    }
                    Err(error) => error,
                };
                assert!(refused.contains("mailboxes_denied"), "{denied:?} {name:?} {function:?}: {refused}");
            }
        }
        house.assert_mailboxes_untouched();
        assert!(house.trail().iter().all(|line| line["outcome"] == "refused" || line["act"] == "write note"));
    }
}

#[tokio::test]
async fn only_mailboxes_that_are_allowed_are_changed_and_the_others_are_named() {
    let probe = House::with(empty(6)).await;
    let (first, second) = (probe.mailbox(0), probe.mailbox(1));
    let allowed = format!("{}, {}", first.to_uppercase(), second);
    let options = [("mailboxes_allowed", allowed.as_str()), ("mailboxes_denied", second.as_str())];
    let (house, lists) = house(&options).await;
    let answer = house.done(DeleteMessagesFromQueryResults, results(&lists)).await;
    assert_eq!(house.graph().deleted().len(), 4);
    assert!(house.graph().deleted().iter().all(|deleted| deleted.mailbox == first));
    let failures = answer["content"]["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 8);
    for failure in failures {
        assert_eq!((&failure["code"], &failure["status_code"]), (&json!("MailboxRefused"), &Value::Null));
        let setting =
            if failure["email_address"] == *second { "mailboxes_denied" } else { "mailboxes_allowed" };
        assert!(failure["message"].as_str().unwrap().contains(setting), "{failure}");
    }
    // Once for each mailbox, not for each message.
    let users = house.asked().iter().filter(|request| request.contains("proxyAddresses")).count();
    assert_eq!(users, 3);
}

#[tokio::test]
async fn a_mailbox_that_is_allowed_is_changed_by_its_id_and_reads_are_free() {
    let probe = House::with(empty(6)).await;
    let user =
        probe.graph().users().into_iter().find(|user| user.user_principal_name == probe.mailbox(0)).unwrap();
    let house = House::configured(empty(6), &[("mailboxes_allowed", &user.user_principal_name)]).await;
    let name = &user.user_principal_name;
    for (function, with) in [(DeleteEmail, name), (MoveMessageToFolder, &user.id)] {
        let id = house.put(name, mail("x"));
        let inputs = changes(with, &id).into_iter().find(|(it, _)| *it == function).unwrap().1;
        house.done(function, inputs).await;
    }
    for nth in [3, 4] {
        let (function, inputs) = changes(name, "x").into_iter().nth(nth).unwrap();
        house.done(function, inputs).await;
    }
    // What is checked is what is changed.
    let asked = house.asked();
    let changing = asked.iter().filter(|request| !request.starts_with("GET "));
    assert!(changing.clone().count() == 5 && changing.clone().all(|it| it.contains(&user.id)), "{asked:?}");
    let other = house.mailbox(1);
    let id = house.put(&other, mail("x"));
    house.done(GetMessage, message(&other, &id)).await;
}

#[tokio::test]
async fn an_alias_is_the_mailbox_that_has_it_and_opens_nothing_itself() {
    let tenant = || TenantOptions { mailboxes: 40, ..empty(40) };
    let house = House::configured(tenant(), &[("mailboxes_denied", "ceo@example.com")]).await;
    let alias_of = |user: &User| user.proxy_addresses()[1].trim_start_matches("smtp:").to_owned();
    let users = house.graph().users();
    assert!(users.iter().any(|user| alias_of(user).contains('\'')));
    for user in &users {
        let id = house.put(&user.user_principal_name, mail("x"));
        house.done(DeleteEmail, message(&alias_of(user), &id)).await;
        let deleted = house.graph().deleted().pop().unwrap();
        assert_eq!((&deleted.mailbox, &deleted.id), (&user.user_principal_name, &id));
        let acts = house.trail();
        let act = acts.last().unwrap();
        assert_eq!((&act["mailbox"], &act["mailbox_id"]), (&json!(alias_of(user)), &json!(user.id)));
    }
    let allowed = format!("*{}", &alias_of(&users[0])[alias_of(&users[0]).find('@').unwrap()..]);
    let house = House::configured(tenant(), &[("mailboxes_allowed", &allowed)]).await;
    let refused = house.failed(DeleteEmail, message(&alias_of(&users[0]), "AAMk=")).await;
    assert!(refused.contains("mailboxes_allowed"), "{refused}");
}

#[tokio::test]
async fn a_mailbox_that_the_directory_only_half_names_is_not_changed() {
    let (house, lists) = house(&[("mailboxes_denied", "ceo@example.com")]).await;
    let (mailbox, id) = (&lists[0].0, &lists[0].1[0]);
    let alias = format!("{}@mail.contoso.example", mailbox.split('@').next().unwrap());
    for name in [mailbox, &alias] {
        for left_out in ["id", "userPrincipalName", "mail", "proxyAddresses"] {
            house.graph().faults().leave_out(left_out);
            let refused = house.failed(DeleteEmail, message(name, id)).await;
            assert!(
                refused.contains("left out some of its names") && refused.contains(left_out),
                "{refused}"
            );
        }
    }
    let answer = house.run(DeleteMessagesFromQueryResults, results(&lists[..1])).await.unwrap();
    assert_eq!(answer["content"]["failures"][0]["code"], "MailboxNotIdentified");
    house.graph().faults().clear();
    // A filter that filters nothing finds others, or the only one there is.
    house.graph().faults().filter_no_users();
    let refused = house.failed(DeleteEmail, message(&alias, id)).await;
    assert!(refused.contains("more than one mailbox"), "{refused}");
    house.assert_mailboxes_untouched();
    let alone = House::configured(empty(1), &[("mailboxes_denied", "ceo@example.com")]).await;
    alone.graph().faults().filter_no_users();
    let refused = alone.failed(DeleteEmail, message("nobody@example.com", id)).await;
    assert!(refused.contains("or another one"), "{refused}");
}

#[tokio::test]
async fn a_mailbox_that_was_not_identified_is_on_record_as_refused_with_the_reason() {
    let (house, lists) = house(&[("mailboxes_denied", "ceo@example.com"), ("max_retries_total", "1")]).await;
    let (mailbox, id) = (&lists[0].0, &lists[0].1[0]);
    let look = || Target::containing("userPrincipalName");
    let graph = house.graph();
    let nobody = house.run(DeleteEmail, message("nobody@example.com", id)).await.unwrap();
    assert_eq!(nobody["content"]["error"]["code"], "Request_ResourceNotFound");
    graph.faults().next(usize::MAX, look(), Fault::Status(500, SOON));
    let refused = house.failed(DeleteEmail, message(mailbox, id)).await;
    assert!(refused.contains("could not be found out, so nothing was changed"), "{refused}");
    let answer = house.run(DeleteMessagesFromQueryResults, results(&lists)).await.unwrap();
    for failure in answer["content"]["failures"].as_array().unwrap() {
        assert_eq!(failure["code"], "MailboxNotIdentified");
        assert!(!failure["message"].as_str().unwrap().contains("may have been"), "{failure}");
    }
    graph.faults().clear();
    graph.faults().take_role("User.Read.All");
    house.failed(SendMessage, changes(mailbox, id)[3].1.clone()).await;
    let mut refused = house.trail();
    refused.retain(|line| line["act"] != "write note");
    let said = |line: &Value| line["error"].as_str().unwrap().to_owned();
    // One of the deletion of many for each mailbox, not for each message.
    assert_eq!(refused.len(), 6, "{refused:?}");
    for (line, reason) in refused.iter().zip(["404", "500", "500", "500", "500", "403"]) {
        assert_eq!((&line["act"], &line["outcome"]), (&json!("change mailbox"), &json!("refused")));
        assert!(said(line).starts_with("MailboxNotIdentified: ") && said(line).contains(reason), "{line}");
        assert_eq!(line["principal"], "Mary");
    }
    assert_eq!(refused[0]["mailbox"], "nobody@example.com");
    house.assert_mailboxes_untouched();
}

#[tokio::test]
async fn a_mailbox_whose_names_may_not_be_found_out_is_not_changed() {
    let (house, lists) = house(&[("mailboxes_denied", "ceo@example.com")]).await;
    house.graph().faults().take_role("User.Read.All");
    for (function, inputs) in changes(&lists[0].0, &lists[0].1[0]) {
        let said = match house.run(function, inputs).await {
            Ok(answer) => answer["content"]["failures"][0]["message"].to_string(),
            Err(error) => error,
        };
        assert!(said.contains("User.Read.All") && said.contains("mailboxes_denied"), "{function:?}: {said}");
    }
    house.assert_mailboxes_untouched();
}

#[tokio::test]
async fn a_deletion_ends_where_it_is_set_to() {
    for (deletion, permanently) in
        [("recoverable", Some(false)), ("deleted_items", None), ("permanent", Some(true))]
    {
        let (house, lists) = house(&[("deletion", deletion)]).await;
        let single = house.put(&lists[0].0, mail("single"));
        let answer = house.done(DeleteEmail, message(&lists[0].0, &single)).await;
        assert_eq!(answer["content"], json!({"value": true}));
        let answer = house.done(DeleteMessagesFromQueryResults, results(&lists)).await;
        assert_eq!(answer["content"]["failures"], json!([]));
        assert_eq!(answer["content"]["delete_results"][0]["deleted_list"].as_array().unwrap().len(), 4);
        let (deleted, moved) = (house.graph().deleted(), house.graph().moved());
        if let Some(permanently) = permanently {
            assert_eq!((deleted.len(), moved.len()), (13, 0));
            assert!(deleted.iter().all(|deleted| deleted.permanently == permanently), "{deletion}");
        } else {
            assert_eq!((deleted.len(), moved.len()), (0, 13));
            assert!(moved.iter().all(|moved| moved.folder == "deleteditems"));
        }
    }
}

#[tokio::test]
async fn a_deletion_of_any_kind_that_was_done_behind_a_failure_counts_as_done() {
    for (deletion, part) in [("deleted_items", "/move"), ("permanent", "/permanentDelete")] {
        let (house, lists) = house(&[("deletion", deletion)]).await;
        for fault in
            [Fault::DoneButStatus(429, SOON), Fault::DoneButStatus(504, RetryAfter::Absent), Fault::CutBody]
        {
            let id = house.put(&lists[0].0, mail("single"));
            house.graph().faults().next(1, Target::containing(part), fault);
            house.done(DeleteEmail, message(&lists[0].0, &id)).await;
        }
        house.graph().faults().next(5, Target::containing(part), Fault::DoneButStatus(429, SOON));
        let answer = house.done(DeleteMessagesFromQueryResults, results(&lists)).await;
        assert_eq!(answer["content"]["failures"], json!([]), "{deletion}");
        let gone = house.run(DeleteEmail, message(&lists[0].0, &lists[0].1[0])).await.unwrap();
        assert_eq!(gone["content"]["error"]["code"], "ErrorItemNotFound");
    }
}

#[tokio::test]
async fn of_a_call_that_may_have_been_run_a_message_that_is_gone_is_deleted_wherever_it_ends() {
    for deletion in ["deleted_items", "permanent"] {
        let (mut house, lists) = house(&[("deletion", deletion)]).await;
        let inputs = message(&lists[0].0, &lists[0].1[0]);
        house.done(DeleteEmail, inputs.clone()).await;
        house.context.call.before = Before::Likely;
        house.done(DeleteEmail, inputs).await;
        house.done(DeleteMessagesFromQueryResults, results(&lists)).await;
        let graph = house.graph();
        assert_eq!(graph.deleted().len() + graph.moved().len(), 12, "{deletion}");
        // Another part of an address that nobody knows is no message that is gone.
        graph.faults().be_national();
        let again = house.run(DeleteEmail, message(&lists[0].0, &lists[0].1[1])).await;
        assert_eq!(again.is_err(), deletion == "permanent");
    }
}

#[tokio::test]
async fn an_outcome_that_nobody_knows_is_on_record_as_that() {
    let done = Fault::DoneButStatus(504, RetryAfter::Absent);
    // What is refused afterwards says nothing of what was done before.
    for then in [None, Some(Fault::Status(429, SOON)), Some(Fault::Status(403, RetryAfter::Absent))] {
        let retries = if then.is_some() { "2" } else { "0" };
        let (house, lists) = house(&[("max_retries_total", retries)]).await;
        house.graph().faults().next(1, Target::containing("DELETE"), done);
        if let Some(fault) = then {
            house.graph().faults().next(usize::MAX, Target::containing("DELETE"), fault);
        }
        let error = house.failed(DeleteEmail, message(&lists[0].0, &lists[0].1[0])).await;
        assert_eq!(error.contains("may have been carried out all the same"), then.is_some(), "{error}");
        let trail = house.trail();
        assert_eq!(
            (trail.len(), &trail[0]["outcome"], &trail[0]["principal"]),
            (1, &json!("unknown"), &json!("Mary")),
            "{then:?}"
        );
    }
}

#[tokio::test]
async fn a_deletion_of_many_says_of_each_whether_it_may_have_been_done() {
    let (house, lists) = house(&[("max_retries_total", "1")]).await;
    let id = &lists[0].1[0];
    let part =
        || Target::containing(format!("DELETE /users/{}/messages/{}", encoded(&lists[0].0), encoded(id)));
    house.graph().faults().next(1, part(), Fault::DoneButStatus(504, RetryAfter::Absent));
    house.graph().faults().next(1, part(), Fault::Status(403, RetryAfter::Absent));
    let answer = house.run(DeleteMessagesFromQueryResults, results(&lists)).await.unwrap();
    let failures = answer["content"]["failures"].as_array().unwrap();
    assert_eq!((failures.len(), &failures[0]["id"]), (1, &json!(id)));
    assert!(failures[0]["message"].as_str().unwrap().ends_with("It may have been deleted all the same"));
    let unknown: Vec<_> = house.trail().into_iter().filter(|line| line["outcome"] == "unknown").collect();
    assert_eq!((unknown.len(), &unknown[0]["message_id"]), (1, &json!(id)));
}

#[tokio::test]
async fn a_cloud_without_permanent_delete_is_told_as_that_and_nothing_is_deleted() {
    let (house, lists) = house(&[("deletion", "permanent")]).await;
    house.graph().faults().be_national();
    let error = house.failed(DeleteEmail, message(&lists[0].0, &lists[0].1[0])).await;
    assert!(error.contains("permanentDelete") && error.contains("deleted_items"), "{error}");
    let answer = house.run(DeleteMessagesFromQueryResults, results(&lists)).await.unwrap();
    assert_eq!(answer["success"], false);
    let failures = answer["content"]["failures"].as_array().unwrap();
    assert!(failures.len() == 12 && failures.iter().all(|it| it["code"] == "PermanentDeleteNotOffered"));
    assert!(house.graph().deleted().is_empty());
}

#[tokio::test]
async fn a_mailbox_that_is_not_there_is_told_as_that_wherever_a_deletion_ends() {
    for deletion in ["recoverable", "deleted_items", "permanent"] {
        let tenant = TenantOptions { users_without_mailbox: 1, ..empty(3) };
        let house = House::configured(tenant, &[("deletion", deletion)]).await;
        let without = house.graph().users().into_iter().find(|user| !user.has_mailbox).unwrap();
        let without = without.user_principal_name;
        let nobody = "nobody@contoso.example".to_owned();
        for (mailbox, code) in [(&without, "MailboxNotEnabledForRESTAPI"), (&nobody, "ErrorInvalidUser")] {
            let answer = house.run(DeleteEmail, message(mailbox, "AAMk=")).await.unwrap();
            assert_eq!(
                (&answer["success"], &answer["content"]["error"]["code"]),
                (&json!(false), &json!(code))
            );
            let reason = answer["reason"].as_str().unwrap();
            assert!(reason.contains("was not found") && !reason.contains("permanentDelete"), "{reason}");
        }
        let lists = [(without, vec!["AAMk=".to_owned()])];
        let answer = house.run(DeleteMessagesFromQueryResults, results(&lists)).await.unwrap();
        let failure = &answer["content"]["failures"][0];
        assert_eq!(
            (&failure["code"], &failure["status_code"]),
            (&json!("MailboxNotEnabledForRESTAPI"), &json!(404)),
            "{deletion}"
        );
    }
}

#[tokio::test]
async fn a_dry_run_changes_no_mailbox_and_looks_to_no_script_as_if_it_had() {
    let (house, lists) = house(&[("dry_run", "true")]).await;
    for (function, inputs) in changes(&lists[0].0, &lists[0].1[0]) {
        let answer = house.run(function, inputs).await.unwrap();
        assert_eq!(answer["success"], false, "{function:?}");
        let reason = answer["reason"].as_str().unwrap();
        assert!(reason.starts_with("Dry run: ") && reason.contains("Nothing was changed"), "{reason}");
        let content = &answer["content"];
        if function == DeleteMessagesFromQueryResults {
            assert_eq!(content["delete_results"][0]["deleted_list"], json!([]));
            assert_eq!(content["failures"][0]["code"], "DryRun");
            assert!(house.note().contains("DryRun"), "{}", house.note());
        } else {
            // Older scripts ask for this before they write that something was done.
            assert_eq!(content["error"]["code"], "DryRun", "{function:?}");
            assert_eq!(content["error"]["message"], reason);
        }
    }
    house.assert_mailboxes_untouched();
    let trail = house.trail();
    let acts: Vec<_> = trail.iter().filter(|line| line["act"] != "write note").collect();
    assert_eq!(acts.len(), 5);
    for act in acts {
        assert_eq!(act["dry_run"], true);
        assert!(act["outcome"].as_str().unwrap().starts_with("would be "), "{act}");
    }
}

#[tokio::test]
async fn a_dry_run_tells_what_would_be_refused_or_not_found() {
    let (house, lists) = house(&[("dry_run", "true"), ("max_deletions", "11")]).await;
    let mailbox = &lists[0].0;
    house.graph().faults().next(
        1,
        Target::containing(mailbox.as_str()),
        Fault::Status(403, RetryAfter::Absent),
    );
    let refused = house.failed(DeleteEmail, message(mailbox, &lists[0].1[0])).await;
    assert!(refused.contains("Mail.ReadWrite"), "{refused}");
    house.graph().faults().next(1, Target::containing("GET"), Fault::Status(404, RetryAfter::Absent));
    let gone = house.run(MoveMessageToFolder, changes(mailbox, &lists[0].1[0])[2].1.clone()).await.unwrap();
    assert!(gone["reason"].as_str().unwrap().contains("was not found"), "{gone}");
    let answer = house.run(DeleteMessagesFromQueryResults, results(&lists)).await.unwrap();
    assert!(answer["reason"].as_str().unwrap().contains("max_deletions"));
    house.assert_mailboxes_untouched();
}
