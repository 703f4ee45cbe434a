//! A mailbox that is denied stays untouched, whatever it is called, and no list hides how many messages it has.

use serde_json::json;

use crate::functions::common::{DeleteEmail, DeleteMessagesFromQueryResults, Fixture, empty, mail};
use crate::functions::guard_rails::message;

#[tokio::test]
async fn denied_mailbox_is_protected_under_hostile_names() {
    let probe = Fixture::with(empty(4)).await;
    let denied = probe.mailbox(0);
    let fixture = Fixture::configured(empty(4), &[("mailboxes_denied", &denied)]).await;
    let user = fixture.graph().users().into_iter().find(|user| user.user_principal_name == denied).unwrap();
    let id = fixture.put(&denied, mail("Kept"));
    let (local, domain) = denied.split_once('@').unwrap();
    let bare = user.id.replace('-', "");
    let names = [
        denied.to_uppercase(),
        format!("  {denied}\t"),
        format!("{denied}."),
        format!(".{denied}"),
        format!("{local}\u{200b}@{domain}"),
        format!("{denied}\u{feff}"),
        format!("{local}%40{domain}"),
        format!("{local}@{}.onmicrosoft.com", domain.split('.').next().unwrap()),
        format!("{local}+x@{domain}"),
        format!("{local}\u{ff20}{domain}"),
        denied.replace('a', "\u{430}"),
        denied.replace('s', "\u{17f}"),
        user.id.to_uppercase(),
        format!("{{{}}}", user.id),
        format!("urn:uuid:{}", user.id),
        bare,
        format!("{} ", user.id),
        "me".to_owned(),
        "..".to_owned(),
        format!("../users/{denied}"),
        format!("x/../{denied}"),
        "$count".to_owned(),
        format!("users('{denied}')"),
        format!("('{denied}')"),
        format!("{denied}/"),
        format!("{denied}#x"),
        format!("{denied}?x"),
        format!("{denied};x=y"),
        format!("smtp:{denied}"),
        format!("mailto:{denied}"),
        format!("\"{denied}\""),
        format!("'{denied}'"),
        format!("<{denied}>"),
        format!("Name <{denied}>"),
        format!("{denied},{denied}"),
        format!("{denied}\0"),
        format!("{denied}\r\n"),
        format!("{denied}%00"),
    ];
    for name in names {
        let outcome = fixture.run(DeleteEmail, message(&name, &id)).await;
        assert!(
            outcome.as_ref().is_err() || outcome.as_ref().unwrap()["success"] == false,
            "{name:?}: {outcome:?}"
        );
        let list = json!({"email_results": [{"email_address": name, "email_list": [{"id": id}]}]});
        let inputs = json!({"exo_query_messages_results": list.to_string()});
        let outcome = fixture.run(DeleteMessagesFromQueryResults, inputs).await;
        assert!(
            outcome.as_ref().is_err() || outcome.as_ref().unwrap()["success"] == false,
            "{name:?}: {outcome:?}"
        );
    }
    assert_eq!(fixture.graph().messages(&denied).len(), 1);
    fixture.assert_mailboxes_untouched();
}

#[tokio::test]
async fn limit_on_deletions_holds_for_odd_lists() {
    const LIMIT: usize = 3;
    let fixture = Fixture::configured(empty(2), &[("max_deletions", "3")]).await;
    let mailbox = fixture.mailbox(0);
    let ids = fixture.put_many(&mailbox, 8);
    let upper = mailbox.to_uppercase();
    let list = |ids: &[String]| {
        let messages: Vec<_> = ids.iter().map(|id| json!({"id": id})).collect();
        json!(messages).to_string()
    };
    let (few, many) = (list(&ids[..2]), list(&ids));
    let entry = |name: &str, list: &str| format!(r#"{{"email_address":"{name}","email_list":{list}}}"#);
    let doubled = format!(r#"{{"email_address":"{mailbox}","email_list":{few},"email_list":{many}}}"#);
    for results in [
        format!("[{},{}]", entry(&mailbox, &few), entry(&upper, &list(&ids[2..4]))),
        format!("[{},{}]", entry(&mailbox, &few), entry(&format!("\\t{mailbox} "), &many)),
        format!("[{doubled}]"),
        format!("[{}]", entry(&mailbox, &many)),
    ] {
        let order = format!(r#"{{"email_results":{results}}}"#);
        let twice = format!(r#"{{"email_results":[{}],"email_results":{results}}}"#, entry(&mailbox, &few));
        for text in [order, twice, results] {
            let before = fixture.graph().deleted().len();
            let outcome = fixture
                .run(DeleteMessagesFromQueryResults, json!({"exo_query_messages_results": text}))
                .await;
            let deleted = fixture.graph().deleted().len() - before;
            assert!(deleted <= LIMIT, "{deleted} for {text}");
            assert!(deleted > 0 || outcome.is_err() || outcome.unwrap()["success"] == false, "{text}");
        }
    }
    // The same message many times is one.
    let left = fixture.graph().messages(&mailbox).len();
    let same = list(&vec![fixture.graph().messages(&mailbox)[0].id.clone(); 50]);
    let text = format!("[{}]", entry(&mailbox, &same));
    let _ = fixture.run(DeleteMessagesFromQueryResults, json!({"exo_query_messages_results": text})).await;
    assert!(fixture.graph().messages(&mailbox).len() >= left - 1);
}
