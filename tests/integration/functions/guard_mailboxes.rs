//! Which mailboxes may be changed (`mailboxes_allowed`, `mailboxes_denied`), whatever they are called.

use sandbox::graph::{TenantOptions, User};
use serde_json::{Value, json};

use crate::functions::common::*;
use crate::functions::front::Front;
use crate::functions::guard_rails::{changes, fixture, message, results};

#[tokio::test]
async fn denied_mailbox_is_protected_under_all_its_names() {
    let guest_of =
        |fixture: &Fixture| fixture.graph().users().into_iter().find(|user| user.guest && user.has_mailbox);
    let tenant = || TenantOptions { mailboxes: 40, ..empty(40) };
    let plain = Fixture::with(tenant()).await;
    let user = guest_of(&plain).unwrap();
    let own = user.mail.clone().unwrap();
    let alias = user.proxy_addresses()[1].trim_start_matches("smtp:").to_owned();
    let domain = format!("x@nowhere.example,\n *{}", &own[own.find('@').unwrap()..]);
    // Each of the mailbox's names is enough to protect it under all of them.
    let patterns =
        [user.user_principal_name.to_uppercase(), own.clone(), domain, alias.clone(), "*".to_owned()];
    for denied in patterns {
        let setting = denied.replace('\n', "\n  ");
        let fixture = Fixture::configured(tenant(), &[("mailboxes_denied", &setting)]).await;
        let id = fixture.put(&user.user_principal_name, mail("x"));
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
                let refused = match fixture.run(function, inputs).await {
                    Ok(answer) => {
                        assert_eq!(answer["success"], false);
                        answer["content"]["failures"][0]["message"].to_string()
                    }
                    Err(error) => error,
                };
                assert!(refused.contains("mailboxes_denied"), "{denied:?} {name:?} {function:?}: {refused}");
            }
        }
        fixture.assert_mailboxes_untouched();
        assert!(
            fixture.trail().iter().all(|line| line["outcome"] == "refused" || line["act"] == "write note")
        );
    }
}

#[tokio::test]
async fn only_allowed_mailboxes_are_changed_and_others_reported() {
    let probe = Fixture::with(empty(6)).await;
    let (first, second) = (probe.mailbox(0), probe.mailbox(1));
    let allowed = format!("{}, {}", first.to_uppercase(), second);
    let options = [("mailboxes_allowed", allowed.as_str()), ("mailboxes_denied", second.as_str())];
    let (fixture, lists) = fixture(&options).await;
    let answer = fixture.done(DeleteMessagesFromQueryResults, results(&lists)).await;
    assert_eq!(fixture.graph().deleted().len(), 4);
    assert!(fixture.graph().deleted().iter().all(|deleted| deleted.mailbox == first));
    let failures = answer["content"]["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 8);
    for failure in failures {
        assert_eq!((&failure["code"], &failure["status_code"]), (&json!("MailboxRefused"), &Value::Null));
        let setting =
            if failure["email_address"] == *second { "mailboxes_denied" } else { "mailboxes_allowed" };
        assert!(failure["message"].as_str().unwrap().contains(setting), "{failure}");
    }
    // Once for each mailbox, not for each message.
    let users = fixture.asked().iter().filter(|request| request.contains("proxyAddresses")).count();
    assert_eq!(users, 3);
}

#[tokio::test]
async fn allowed_mailbox_is_changed_by_id_and_reads_are_unrestricted() {
    let probe = Fixture::with(empty(6)).await;
    let user =
        probe.graph().users().into_iter().find(|user| user.user_principal_name == probe.mailbox(0)).unwrap();
    let fixture = Fixture::configured(empty(6), &[("mailboxes_allowed", &user.user_principal_name)]).await;
    let name = &user.user_principal_name;
    for (function, with) in [(DeleteEmail, name), (MoveMessageToFolder, &user.id)] {
        let id = fixture.put(name, mail("x"));
        let inputs = changes(with, &id).into_iter().find(|(it, _)| *it == function).unwrap().1;
        fixture.done(function, inputs).await;
    }
    for nth in [3, 4] {
        let (function, inputs) = changes(name, "x").into_iter().nth(nth).unwrap();
        fixture.done(function, inputs).await;
    }
    // What is checked is what is changed.
    let asked = fixture.asked();
    let changing = asked.iter().filter(|request| !request.starts_with("GET "));
    assert!(changing.clone().count() == 4 && changing.clone().all(|it| it.contains(&user.id)), "{asked:?}");
    let other = fixture.mailbox(1);
    let id = fixture.put(&other, mail("x"));
    fixture.done(GetMessage, message(&other, &id)).await;
}

#[tokio::test]
async fn alias_is_resolved_but_grants_no_permission() {
    let tenant = || TenantOptions { mailboxes: 40, ..empty(40) };
    let fixture = Fixture::configured(tenant(), &[("mailboxes_denied", "ceo@example.com")]).await;
    let alias_of = |user: &User| user.proxy_addresses()[1].trim_start_matches("smtp:").to_owned();
    let users = fixture.graph().users();
    assert!(users.iter().any(|user| alias_of(user).contains('\'')));
    for user in &users {
        let id = fixture.put(&user.user_principal_name, mail("x"));
        fixture.done(DeleteEmail, message(&alias_of(user), &id)).await;
        let deleted = fixture.graph().deleted().pop().unwrap();
        assert_eq!((&deleted.mailbox, &deleted.id), (&user.user_principal_name, &id));
        let acts = fixture.trail();
        let act = acts.last().unwrap();
        assert_eq!((&act["mailbox"], &act["mailbox_id"]), (&json!(alias_of(user)), &json!(user.id)));
    }
    let allowed = format!("*{}", &alias_of(&users[0])[alias_of(&users[0]).find('@').unwrap()..]);
    let fixture = Fixture::configured(tenant(), &[("mailboxes_allowed", &allowed)]).await;
    let refused = fixture.failed(DeleteEmail, message(&alias_of(&users[0]), "AAMk=")).await;
    assert!(refused.contains("mailboxes_allowed"), "{refused}");
}

#[tokio::test]
async fn incomplete_or_ambiguous_mailbox_identity_prevents_changes() {
    let (fixture, lists) = fixture(&[("mailboxes_denied", "ceo@example.com")]).await;
    let (mailbox, id) = (&lists[0].0, &lists[0].1[0]);
    let alias = format!("{}@mail.contoso.example", mailbox.split('@').next().unwrap());
    for name in [mailbox, &alias] {
        for left_out in ["id", "userPrincipalName", "mail", "proxyAddresses"] {
            fixture.graph().faults().leave_out(left_out);
            let refused = fixture.failed(DeleteEmail, message(name, id)).await;
            assert!(
                refused.contains("left out some of the names") && refused.contains(left_out),
                "{refused}"
            );
        }
    }
    let answer = fixture.run(DeleteMessagesFromQueryResults, results(&lists[..1])).await.unwrap();
    assert_eq!(answer["content"]["failures"][0]["code"], "MailboxNotIdentified");
    fixture.graph().faults().clear();
    // A filter that filters nothing finds others, or the only one there is.
    fixture.graph().faults().filter_no_users();
    let refused = fixture.failed(DeleteEmail, message(&alias, id)).await;
    assert!(refused.contains("more than one mailbox"), "{refused}");
    fixture.assert_mailboxes_untouched();
    let alone = Fixture::configured(empty(1), &[("mailboxes_denied", "ceo@example.com")]).await;
    alone.graph().faults().filter_no_users();
    let refused = alone.failed(DeleteEmail, message("unknown@example.com", id)).await;
    assert!(refused.contains("or another one"), "{refused}");
}

#[tokio::test]
async fn answer_about_another_mailbox_prevents_changes() {
    let (mut fixture, lists) = fixture(&[("mailboxes_denied", "ceo@example.com")]).await;
    let (mailbox, id) = (&lists[0].0, &lists[0].1[0]);
    let other = json!({
        "id": "00000000-0000-0000-0000-000000000009", "userPrincipalName": "other@example.com", "mail": null,
        "proxyAddresses": [],
    });
    let front = Front::before(&mut fixture).await;
    front.answer(usize::MAX, "/users/", 200, other.to_string());
    let refused = fixture.failed(DeleteEmail, message(mailbox, id)).await;
    assert!(refused.contains("or another one"), "{refused}");
    fixture.assert_mailboxes_untouched();
}

#[tokio::test]
async fn unidentified_mailbox_is_audited_as_refused_with_reason() {
    let (fixture, lists) =
        fixture(&[("mailboxes_denied", "ceo@example.com"), ("max_retries_total", "1")]).await;
    let (mailbox, id) = (&lists[0].0, &lists[0].1[0]);
    let look = || Target::containing("userPrincipalName");
    let graph = fixture.graph();
    let unknown = fixture.run(DeleteEmail, message("unknown@example.com", id)).await.unwrap();
    assert_eq!(unknown["content"]["error"]["code"], "Request_ResourceNotFound");
    graph.faults().next(usize::MAX, look(), Fault::Status(500, SOON));
    let refused = fixture.failed(DeleteEmail, message(mailbox, id)).await;
    assert!(refused.contains("could not be found out, so nothing was changed"), "{refused}");
    let answer = fixture.run(DeleteMessagesFromQueryResults, results(&lists)).await.unwrap();
    for failure in answer["content"]["failures"].as_array().unwrap() {
        assert_eq!(failure["code"], "MailboxNotIdentified");
        assert!(!failure["message"].as_str().unwrap().contains("may have been"), "{failure}");
    }
    graph.faults().clear();
    graph.faults().take_role("User.Read.All");
    fixture.failed(SendMessage, changes(mailbox, id)[3].1.clone()).await;
    let mut refused = fixture.trail();
    refused.retain(|line| line["act"] != "write note");
    let message_of = |line: &Value| line["error"].as_str().unwrap().to_owned();
    // One of the deletion of many for each mailbox, not for each message.
    assert_eq!(refused.len(), 6, "{refused:?}");
    for (line, reason) in refused.iter().zip(["404", "500", "500", "500", "500", "403"]) {
        assert_eq!((&line["act"], &line["outcome"]), (&json!("change mailbox"), &json!("refused")));
        assert!(
            message_of(line).starts_with("MailboxNotIdentified: ") && message_of(line).contains(reason),
            "{line}"
        );
        assert_eq!(line["principal"], "Mary");
    }
    assert_eq!(refused[0]["mailbox"], "unknown@example.com");
    fixture.assert_mailboxes_untouched();
}

#[tokio::test]
async fn mailbox_is_not_changed_without_permission_to_identify_it() {
    let (fixture, lists) = fixture(&[("mailboxes_denied", "ceo@example.com")]).await;
    fixture.graph().faults().take_role("User.Read.All");
    for (function, inputs) in changes(&lists[0].0, &lists[0].1[0]) {
        let message_of = match fixture.run(function, inputs).await {
            Ok(answer) => answer["content"]["failures"][0]["message"].to_string(),
            Err(error) => error,
        };
        assert!(
            message_of.contains("User.Read.All") && message_of.contains("mailboxes_denied"),
            "{function:?}: {message_of}"
        );
    }
    fixture.assert_mailboxes_untouched();
}
