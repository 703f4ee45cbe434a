//! Lists that loop, repeat entries, end early or ignore their filter.

use sandbox::graph::PageLoop;
use serde_json::Value;

use super::setup::{TestTenant, encode};

fn next(page: &Value) -> String {
    page["@odata.nextLink"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn pages_can_lead_in_a_circle() {
    let s = TestTenant::small().await;
    let messages = format!("/users/{}/messages?$top=15", encode(&s.tenant.mailboxes()[0]));
    for first in [messages, "/users?$top=25".to_owned()] {
        s.tenant.faults().loop_pages(Some(PageLoop::Itself));
        let (_, page) = s.get(&first).await;
        let (_, again) = s.get(&next(&page)).await;
        assert_eq!((&again["value"], next(&again)), (&page["value"], next(&page)), "{first}");

        s.tenant.faults().loop_pages(Some(PageLoop::EmptyPage));
        let mut url = first.clone();
        let mut sizes = Vec::new();
        for _ in 0..5 {
            let (status, page) = s.get(&url).await;
            assert_eq!(status, 200, "{page}");
            sizes.push(page["value"].as_array().unwrap().len());
            url = next(&page);
        }
        assert!(sizes[2] > 0 && sizes[3..] == [0, 0], "{sizes:?}");

        s.tenant.faults().loop_pages(Some(PageLoop::First));
        let (_, page) = s.get(&first).await;
        let (_, second) = s.get(&next(&page)).await;
        let (_, third) = s.get(&next(&second)).await;
        assert_ne!(page["value"], second["value"]);
        assert_eq!(page["value"], third["value"], "{first}");
        s.tenant.faults().loop_pages(None);
    }
}

#[tokio::test]
async fn user_can_be_listed_twice() {
    let s = TestTenant::small().await;
    let mailbox = s.tenant.mailboxes()[0].clone();
    assert!(s.tenant.list_twice(&mailbox));
    let users = s.all("/users?$top=20").await;
    assert_eq!(users.len(), 65);
    assert_eq!(users.iter().filter(|user| user["userPrincipalName"] == mailbox.as_str()).count(), 2);
    s.tenant.faults().clear();
    assert_eq!(s.all("/users?$top=20").await.len(), 64);
}

#[tokio::test]
async fn search_can_end_below_a_thousand_hits() {
    let s = TestTenant::small().await;
    let url = format!(
        "/users/{}/messages?$top=1000&$search={}",
        encode(&s.tenant.mailboxes()[0]),
        encode("\"received>=2020-01-01\"")
    );
    let all = s.all(&url).await;
    s.tenant.faults().set_most_hits(25);
    let capped = s.all(&url).await;
    assert!(all.len() >= 40);
    assert_eq!(capped, all[..25], "the newest ones remain");
}

#[tokio::test]
async fn filter_on_messages_can_be_ignored() {
    let s = TestTenant::small().await;
    let url = format!("/users/{}/messages?$top=1000", encode(&s.tenant.mailboxes()[0]));
    let filtered = format!("{url}&$filter={}", encode("subject eq 'does not exist'"));
    assert!(s.all(&filtered).await.is_empty());
    s.tenant.faults().filter_no_messages();
    assert_eq!(s.all(&filtered).await, s.all(&url).await);
}

#[tokio::test]
async fn filter_takes_parentheses_and_the_other_operators() {
    let s = TestTenant::small().await;
    let url = format!("/users/{}/messages?$top=1000", encode(&s.tenant.mailboxes()[0]));
    let count = async |filter: &str| s.all(&format!("{url}&$filter={}", encode(filter))).await.len();
    let all = s.all(&url).await.len();
    let read = count("isRead eq true").await;
    let with_files = count("hasAttachments eq true").await;
    let both = count("(isRead eq true) and (hasAttachments eq true)").await;
    assert!(both > 0 && read > both && all > read, "{all} {read} {with_files} {both}");
    assert_eq!(count("isRead eq true or hasAttachments eq true").await, read + with_files - both);
    assert_eq!(count("not (isRead eq true)").await, all - read);
    assert_eq!(count("isRead ne true").await, all - read);
    assert_eq!(count("(isRead eq true or isRead eq false) and hasAttachments eq true").await, with_files);
    let sent = "sentDateTime ge 2026-02-01T00:00:00Z and sentDateTime lt 2026-02-10T00:00:00Z";
    let received = "receivedDateTime ge 2026-02-01T00:00:02Z and receivedDateTime lt 2026-02-10T00:00:02Z";
    assert!(count(sent).await > 0);
    assert_eq!(count(sent).await, count(received).await, "messages arrive two seconds after they were sent");
}

#[tokio::test]
async fn messages_show_the_properties_that_are_selected() {
    let s = TestTenant::small().await;
    let (mailbox, id) = s.phish();
    let select = "internetMessageId,parentFolderId,isRead,from,sentDateTime,internetMessageHeaders,body";
    let url = format!("/users/{}/messages/{}?$select={select}", encode(&mailbox), encode(&id));
    let prefer = [("Prefer", "outlook.body-content-type=\"text\", IdType=\"ImmutableId\"")];
    let response = s.request_with(reqwest::Method::GET, &url, None, &prefer).await;
    let message: Value = response.json().await.unwrap();
    assert!(select.split(',').all(|property| message.get(property).is_some()), "{message}");
    assert_eq!(message["body"]["contentType"], "text");
    assert!(!message["body"]["content"].as_str().unwrap().contains("<p>"));
    let header = message["internetMessageHeaders"].as_array().unwrap().iter();
    let header = header.clone().find(|header| header["name"] == "Message-ID").unwrap();
    assert_eq!(header["value"], message["internetMessageId"]);
    let filter = format!("internetMessageId eq '{}'", message["internetMessageId"].as_str().unwrap());
    let found = s.all(&format!("/users/{}/messages?$filter={}", encode(&mailbox), encode(&filter))).await;
    assert_eq!((found.len(), &found[0]["id"]), (1, &Value::from(id)));
    assert!(found[0].get("internetMessageHeaders").is_none(), "they are shown only where they are selected");
}
