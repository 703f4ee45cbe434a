//! Export and import of calendar entries in full fidelity.

use chrono::{DateTime, TimeDelta, Utc};
use sandbox::graph::{Address, Delivery, Meeting, MeetingMessage, RESTORE_ROLES};
use serde_json::{Value, json};

use super::setup::{TestTenant, code, encode, read};

struct Calendar {
    s: TestTenant,
    owner: String,
    /// The mailbox's own id, encoded.
    id: String,
}

impl Calendar {
    /// A calendar with a series and an exception of it, which its owner accepted.
    async fn new() -> Self {
        let s = TestTenant::small().await;
        let owner = s.tenant.mailboxes().remove(0);
        let start: DateTime<Utc> = "2026-03-02T14:00:00Z".parse().unwrap();
        let organizer = Address::new("Prize Office", "prize@attacker.example");
        let series = Meeting::new("prize", organizer, "You have won", start).weekly(5);
        let day = start.date_naive() + TimeDelta::weeks(1);
        for message in
            [MeetingMessage::request(series.clone()), MeetingMessage::request(series.clone()).on(day)]
        {
            let delivery = Delivery::of_meeting("<i@attacker.example>", message, start - TimeDelta::days(1));
            s.tenant.deliver(&delivery.to([&owner]));
        }
        assert!(s.tenant.accept_meeting(&owner, &series.uid));
        for role in RESTORE_ROLES {
            s.tenant.faults().give_role(role);
        }
        let (status, settings) = s.get(&format!("/users/{}/settings/exchange", encode(&owner))).await;
        assert_eq!(status, 200, "{settings}");
        let id = settings["primaryMailboxId"].as_str().unwrap();
        assert!(id.starts_with("MBX:") && id.contains('@'), "{id}");
        let id = encode(id);
        Self { s, owner, id }
    }

    fn url(&self, path: &str) -> String {
        format!("/admin/exchange/mailboxes/{}/{path}", self.id)
    }

    async fn export(&self, ids: &[&str]) -> (u16, Value) {
        self.s.post(&self.url("exportItems"), json!({"itemIds": ids})).await
    }

    async fn import_url(&self) -> String {
        let (status, session) = self.s.post(&self.url("createImportSession"), json!({})).await;
        assert_eq!(status, 200, "{session}");
        session["importUrl"].as_str().unwrap().to_owned()
    }

    async fn import(&self, url: &str, folder: &str, data: &str) -> (u16, Value) {
        let body = json!({"FolderId": folder, "Mode": "create", "Data": data});
        read(self.s.http.post(url).json(&body).send().await.unwrap()).await
    }

    async fn folder(&self) -> String {
        let filter = encode("type eq 'IPF.Appointment'");
        let (_, folders) = self.s.get(&self.url(&format!("folders?$filter={filter}"))).await;
        assert_eq!(
            (&folders["value"][0]["wellKnownName"], folders["value"].as_array().unwrap().len()),
            (&json!("calendar"), 1)
        );
        folders["value"][0]["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn exported_series_comes_back_as_it_was() {
    let calendar = Calendar::new().await;
    let (tenant, owner) = (&calendar.s.tenant, calendar.owner.as_str());
    let before = tenant.calendar(owner);
    assert_eq!((before.len(), before[0].response.as_str()), (2, "accepted"));
    let event = tenant.events(owner)[0].id.clone();
    let (status, exported) = calendar.export(&[&event]).await;
    assert_eq!((status, &exported["value"][0]["itemId"]), (200, &json!(event)));
    let data = exported["value"][0]["data"].as_str().unwrap();
    calendar.s.delete(&format!("/users/{}/events/{}", encode(owner), encode(&event))).await;
    assert!(tenant.calendar(owner).is_empty());
    let sent = tenant.outbox();

    let (url, folder) = (calendar.import_url().await, calendar.folder().await);
    let (status, imported) = calendar.import(&url, &folder, data).await;
    assert_eq!(status, 200, "{imported}");
    assert_ne!(imported["itemId"], json!(event));
    assert_eq!((tenant.calendar(owner), tenant.outbox()), (before, sent));
    calendar.import(&url, &folder, data).await;
    assert_eq!(tenant.calendar(owner).len(), 4, "a repeated import makes a second copy");
}

#[tokio::test]
async fn wrong_export_and_import_are_refused() {
    let calendar = Calendar::new().await;
    let event = calendar.s.tenant.events(&calendar.owner)[0].id.clone();
    let gone = calendar.s.tenant.messages(&calendar.owner)[0].id.clone();
    let (_, mixed) = calendar.export(&[&event, &gone, "x"]).await;
    let codes: Vec<&str> = mixed["value"].as_array().unwrap().iter().map(code).collect();
    assert_eq!(codes, ["", "ErrorItemNotFound", "ErrorInvalidIdMalformed"]);
    assert_eq!(calendar.export(&[event.as_str(); 21]).await.0, 400);
    let data = mixed["value"][0]["data"].as_str().unwrap();

    let (url, folder) = (calendar.import_url().await, calendar.folder().await);
    let (_, inbox) = calendar.s.get(&format!("/users/{}/mailFolders/inbox", encode(&calendar.owner))).await;
    for (url, folder, data, expected) in [
        (format!("{url}x"), folder.as_str(), data.to_owned(), 401),
        (url.replace("MBX", "MBY"), &folder, data.to_owned(), 401),
        (url.clone(), inbox["id"].as_str().unwrap(), data.to_owned(), 404),
        (url.clone(), &folder, data.replace('A', "B"), 400),
    ] {
        assert_eq!(calendar.import(&url, folder, &data).await.0, expected, "{url} {folder}");
    }
    let signed = calendar.s.http.post(&url).bearer_auth(&calendar.s.token).json(&json!({}));
    assert_eq!(signed.send().await.unwrap().status(), 401);

    let faults = calendar.s.tenant.faults();
    for (role, path) in
        [("MailboxItem.ImportExport.All", "createImportSession"), ("MailboxFolder.Read.All", "folders")]
    {
        faults.take_role(role);
        let (status, answer) = if path == "folders" {
            calendar.s.get(&calendar.url(path)).await
        } else {
            calendar.s.post(&calendar.url(path), json!({})).await
        };
        assert_eq!((status, code(&answer)), (403, "ErrorAccessDenied"), "{path}");
        faults.give_role(role);
    }
    let other = Calendar { id: encode("MBX:x@y"), ..calendar };
    assert_eq!(other.export(&[&event]).await.0, 404);
    other.s.tenant.faults().be_national();
    assert_eq!(other.export(&[&event]).await.0, 400);
}
