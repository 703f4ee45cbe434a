//! Meetings: invitations, the calendar entries that they make, answers, updates, series, and what leaves the mailboxes.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use sandbox::graph::{
    Address, CalendarEntry, Delivery, Meeting, MeetingMessage, MeetingResponse, NewMessage, Outgoing,
    OutgoingKind,
};
use serde_json::{Value, json};

use super::setup::{TestTenant, code, encode, read};

const EVENT: &str = "microsoft.graph.eventMessage/event";
const IMMUTABLE: &[(&str, &str)] = &[("Prefer", "IdType=\"ImmutableId\"")];

fn attacker() -> Address {
    Address::new("Prize Office", "prize@attacker.example")
}

fn start() -> DateTime<Utc> {
    "2026-03-02T14:00:00Z".parse().unwrap()
}

fn prize() -> Meeting {
    Meeting { location: "Online".to_owned(), ..Meeting::new("prize", attacker(), "You have won", start()) }
}

/// A tenant in which this message arrived in the first mailboxes.
struct Invited {
    s: TestTenant,
    mailboxes: Vec<String>,
}

impl Invited {
    async fn to(count: usize, message: MeetingMessage) -> Self {
        let s = TestTenant::small().await;
        let mailboxes = s.tenant.mailboxes().into_iter().take(count).collect();
        let invited = Self { s, mailboxes };
        invited.deliver(message);
        invited
    }

    /// Lets a message arrive, and returns the ids of its copies.
    fn deliver(&self, message: MeetingMessage) -> Vec<String> {
        let received = start() - TimeDelta::days(1);
        let delivery = Delivery::of_meeting("<invitation@attacker.example>", message, received);
        let copies = self.s.tenant.deliver(&delivery.to(&self.mailboxes));
        copies.into_iter().map(|copy| copy.id).collect()
    }

    /// The URL of the first mailbox, and this path in it.
    fn url(&self, path: &str) -> String {
        format!("/users/{}/{path}", encode(&self.mailboxes[0]))
    }

    fn entries(&self) -> Vec<CalendarEntry> {
        self.s.tenant.calendar(&self.mailboxes[0])
    }

    /// The first mailbox's events with this identifier.
    async fn events(&self, uid: &str) -> Vec<Value> {
        let filter = encode(&format!("iCalUId eq '{}'", uid.replace('\'', "''")));
        self.s.all(&self.url(&format!("events?$filter={filter}&$select=subject,type"))).await
    }

    /// The first mailbox's newest message about a meeting, and its calendar entry.
    async fn message(&self) -> Value {
        let url = self.url(&format!("messages?$top=1000&$expand={}", encode(EVENT)));
        let messages = self.s.all(&url).await;
        let mut about = messages.into_iter().filter(|message| message.get("@odata.type").is_some());
        about.next().unwrap()
    }

    async fn delete_event(&self, number: usize) -> (u16, Value) {
        let id = self.s.tenant.events(&self.mailboxes[0])[number].id.clone();
        self.s.delete(&self.url(&format!("events/{}", encode(&id)))).await
    }
}

#[tokio::test]
async fn invitation_makes_a_tentative_entry() {
    let invited = Invited::to(3, MeetingMessage::request(prize())).await;
    let message = invited.message().await;
    // The values are those of the documentation's example ("Get eventMessage", example 2).
    assert_eq!(message["@odata.type"], "#microsoft.graph.eventMessageRequest");
    assert_eq!(
        (&message["meetingMessageType"], &message["type"], &message["isOutOfDate"]),
        (&json!("meetingRequest"), &json!("singleInstance"), &json!(false))
    );
    assert_eq!(
        message["startDateTime"],
        json!({"dateTime": "2026-03-02T14:00:00.0000000", "timeZone": "UTC"})
    );
    let event = &message["event"];
    let mut subset = event.clone();
    subset.as_object_mut().unwrap().retain(|key, _| {
        ["isOrganizer", "isCancelled", "showAs", "responseStatus", "reminderMinutesBeforeStart", "recurrence"]
            .contains(&key.as_str())
    });
    let expected = json!({
        "reminderMinutesBeforeStart": 15,
        "isCancelled": false,
        "isOrganizer": false,
        "showAs": "tentative",
        "responseStatus": {"response": "notResponded", "time": "0001-01-01T00:00:00Z"},
        "recurrence": null,
    });
    assert_eq!(subset, expected);
    assert_eq!(event["organizer"]["emailAddress"]["address"], "prize@attacker.example");
    let uid = event["iCalUId"].as_str().unwrap();
    let example = "040000008200E00074C5B7101A82E00800000000A2A6F3535D7FD3010000000000000000100000003D770E2E8974F44B9471BDB348097FE3";
    assert_eq!((uid.len(), &uid[..40], &uid[56..80]), (example.len(), &example[..40], &example[56..80]));
    for mailbox in &invited.mailboxes {
        let entries = invited.s.tenant.calendar(mailbox);
        assert_eq!((entries.len(), entries[0].uid.as_str(), entries[0].reminder), (1, uid, Some(15)));
    }
    assert_eq!(invited.events(uid).await.len(), 1);

    let id = encode(message["id"].as_str().unwrap());
    let (_, by_message) = invited.s.get(&invited.url(&format!("messages/{id}/{EVENT}"))).await;
    assert_eq!(by_message["id"], event["id"]);
    let select = "subject,microsoft.graph.eventMessage/meetingMessageType,microsoft.graph.eventMessageRequest/previousLocation";
    let (_, selected) = invited.s.get(&invited.url(&format!("messages/{id}?$select={select}"))).await;
    let keys: Vec<&str> = selected.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "@odata.context",
        "@odata.type",
        "@odata.etag",
        "id",
        "subject",
        "meetingMessageType",
        "previousLocation",
    ];
    assert_eq!(keys, expected);
    for wrong in ["meetingMessageType", "microsoft.graph.eventMessage/previousLocation"] {
        assert_eq!(invited.s.get(&invited.url(&format!("messages?$select={wrong}"))).await.0, 400, "{wrong}");
    }
    assert!(invited.s.tenant.outbox().is_empty());
}

#[tokio::test]
async fn entry_survives_its_invitation_and_goes_in_silence() {
    let uid = "o'malley@calendar.attacker.example";
    let invited = Invited::to(1, MeetingMessage::request(Meeting { uid: uid.to_owned(), ..prize() })).await;
    let message = invited.message().await;
    let id = encode(message["id"].as_str().unwrap());
    assert_eq!(invited.s.delete(&invited.url(&format!("messages/{id}"))).await.0, 204);
    let events = invited.events(uid).await;
    assert_eq!((events.len(), &events[0]["subject"]), (1, &json!("You have won")));
    let event = invited.url(&format!("events/{}", encode(events[0]["id"].as_str().unwrap())));
    assert_eq!(invited.s.get(&event).await.1["iCalUId"], uid);
    assert_eq!(invited.s.delete(&event).await.0, 204);
    assert_eq!(invited.s.delete(&event).await.0, 404);
    assert!(invited.events(uid).await.is_empty() && invited.s.tenant.outbox().is_empty());
    let (_, message) = invited
        .s
        .get(
            &invited
                .url(&format!("mailFolders/recoverableitemsdeletions/messages?$expand={}", encode(EVENT))),
        )
        .await;
    assert_eq!(message["value"][0]["event"], Value::Null);
}

#[tokio::test]
async fn answers_go_to_the_organizer() {
    let invited = Invited::to(4, MeetingMessage::request(prize())).await;
    let (tenant, mailboxes, uid) = (&invited.s.tenant, &invited.mailboxes, prize().uid);
    assert!(tenant.accept_meeting(&mailboxes[1], &uid));
    assert!(tenant.tentatively_accept_meeting(&mailboxes[2], &uid));
    assert!(tenant.decline_meeting(&mailboxes[3], &uid));
    let accepted = &tenant.calendar(&mailboxes[1])[0];
    assert_eq!((accepted.response.as_str(), accepted.show_as.as_str()), ("accepted", "busy"));
    assert!(tenant.calendar(&mailboxes[3]).is_empty());
    let request =
        tenant.messages(&mailboxes[1]).into_iter().find(|message| message.subject == "You have won");
    assert_eq!(request.unwrap().folder, "deleteditems");

    let id = encode(&tenant.events(&mailboxes[0])[0].id);
    let (status, _) =
        invited.s.post(&invited.url(&format!("events/{id}/accept")), json!({"sendResponse": false})).await;
    assert_eq!((status, tenant.calendar(&mailboxes[0])[0].response.as_str()), (202, "accepted"));
    let (status, answer) = invited.s.post(&invited.url(&format!("events/{id}/cancel")), json!({})).await;
    assert_eq!((status, code(&answer)), (400, "ErrorInvalidRequest"));
    let sent = |nth: usize, response, subject: &str| Outgoing {
        from: mailboxes[nth].clone(),
        to: "prize@attacker.example".to_owned(),
        kind: OutgoingKind::Response(response),
        subject: subject.to_owned(),
    };
    let expected = [
        sent(1, MeetingResponse::Accepted, "Accepted: You have won"),
        sent(2, MeetingResponse::TentativelyAccepted, "Tentative: You have won"),
        sent(3, MeetingResponse::Declined, "Declined: You have won"),
    ];
    assert_eq!(tenant.outbox(), expected);
}

#[tokio::test]
async fn update_changes_the_entry_and_resets_the_answer() {
    let invited = Invited::to(1, MeetingMessage::request(prize())).await;
    let tenant = &invited.s.tenant;
    assert!(tenant.accept_meeting(&invited.mailboxes[0], &prize().uid));
    let later =
        Meeting { start: start() + TimeDelta::hours(2), end: start() + TimeDelta::hours(3), ..prize() };
    let id = invited.deliver(MeetingMessage::request(later.clone())).remove(0);
    let entries = invited.entries();
    assert_eq!((entries.len(), entries[0].start.as_str()), (1, "2026-03-02T16:00:00.0000000"));
    assert_eq!(entries[0].response, "notResponded");
    let messages = invited.s.all(&invited.url("messages?$top=1000")).await;
    let about: Vec<&Value> =
        messages.iter().filter(|message| message["meetingMessageType"] == "meetingRequest").collect();
    let update = about.iter().find(|message| message["id"] == json!(id)).unwrap();
    assert_eq!(update["previousStartDateTime"]["dateTime"], "2026-03-02T14:00:00.0000000");
    let out_of_date = about.iter().filter(|message| message["isOutOfDate"] == true).count();
    assert_eq!((about.len(), out_of_date), (2, 1));

    assert!(tenant.remove_event(&invited.mailboxes[0], &later.uid));
    invited.deliver(MeetingMessage::request(later));
    assert_eq!(invited.entries().len(), 1, "an update brings it back");
    invited.deliver(MeetingMessage::cancellation(prize()));
    let cancelled = &invited.entries()[0];
    assert_eq!((cancelled.is_cancelled, cancelled.subject.as_str()), (true, "Canceled: You have won"));
    let types: Vec<Value> = invited.s.all(&invited.url("messages?$top=1000")).await;
    assert!(types.iter().any(|message| message["@odata.type"] == "#microsoft.graph.eventMessage"));
}

#[tokio::test]
async fn series_goes_with_its_exceptions() {
    let series = prize().weekly(5);
    let invited = Invited::to(1, MeetingMessage::request(series.clone())).await;
    let day = start().date_naive() + TimeDelta::weeks(1);
    let moved =
        Meeting { start: start() + TimeDelta::days(8), end: start() + TimeDelta::days(9), ..series.clone() };
    invited.deliver(MeetingMessage::request(moved.clone()).on(day));
    let kinds: Vec<String> = invited.entries().into_iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, ["seriesMaster", "exception"]);
    let listed = invited.s.all(&invited.url("calendar/events")).await;
    assert_eq!((listed.len(), &listed[0]["type"]), (1, &json!("seriesMaster")), "{listed:?}");
    assert_eq!(listed[0]["recurrence"]["range"]["numberOfOccurrences"], 5);
    let uid = series.uid_on(day);
    assert_eq!((&uid[..40], &uid[40..]), ("040000008200E00074C5B7101A82E00807EA0309", &series.uid[40..]));
    assert!(invited.events(&uid).await.is_empty(), "exceptions are not listed");
    let exception = invited.s.tenant.events(&invited.mailboxes[0])[1].id.clone();
    let (_, exception) = invited.s.get(&invited.url(&format!("events/{}", encode(&exception)))).await;
    assert_eq!((&exception["iCalUId"], &exception["seriesMasterId"]), (&json!(uid), &listed[0]["id"]));
    assert_eq!(invited.delete_event(0).await.0, 204);
    assert!(invited.entries().is_empty() && invited.s.tenant.outbox().is_empty());

    invited.deliver(MeetingMessage::request(moved).on(day));
    let alone = invited.events(&uid).await;
    assert_eq!((alone.len(), &alone[0]["type"]), (1, &json!("singleInstance")), "the series is not known");
}

#[tokio::test]
async fn organizer_who_deletes_sends_cancellations() {
    let s = TestTenant::small().await;
    let mailbox = s.tenant.mailboxes().remove(0);
    let url = format!("/users/{}/events", encode(&mailbox));
    let event = |attendees: &[&str]| {
        let attendees: Vec<Value> =
            attendees.iter().map(|address| json!({"emailAddress": {"address": address}})).collect();
        json!({
            "subject": "Team",
            "start": {"dateTime": "2026-03-29T09:00:00", "timeZone": "UTC"},
            "end": {"dateTime": "2026-03-29T10:00:00", "timeZone": "UTC"},
            "attendees": attendees,
        })
    };
    let (_, alone) = s.post(&url, event(&[])).await;
    assert!(s.tenant.outbox().is_empty());
    s.delete(&format!("{url}/{}", encode(alone["id"].as_str().unwrap()))).await;
    assert!(s.tenant.outbox().is_empty());
    for how in ["DELETE", "cancel", "permanentDelete"] {
        let (_, created) = s.post(&url, event(&["a@b.example", "c@d.example"])).await;
        let one = format!("{url}/{}", encode(created["id"].as_str().unwrap()));
        let before = s.tenant.outbox().len();
        let (status, answer) = if how == "DELETE" {
            s.delete(&one).await
        } else {
            s.post(&format!("{one}/{how}"), json!({})).await
        };
        assert_eq!(status, if how == "cancel" { 202 } else { 204 }, "{answer}");
        let sent = s.tenant.outbox().split_off(before);
        assert_eq!(sent.len(), 2, "{how}");
        assert!(sent.iter().all(|sent| sent.kind == OutgoingKind::Cancellation && sent.from == mailbox));
        assert_eq!(s.get(&one).await.0, 404);
    }
    assert_eq!(s.tenant.outbox().iter().filter(|sent| sent.kind == OutgoingKind::Invitation).count(), 6);
    s.tenant.faults().be_national();
    let (_, created) = s.post(&url, event(&[])).await;
    let purge = format!("{url}/{}/permanentDelete", encode(created["id"].as_str().unwrap()));
    assert_eq!(s.post(&purge, json!({})).await.0, 400);
}

#[tokio::test]
async fn events_are_selected_filtered_and_paged() {
    let invited = Invited::to(1, MeetingMessage::request(prize())).await;
    for nth in 0..11 {
        invited.deliver(MeetingMessage::request(Meeting::new(&nth.to_string(), attacker(), "More", start())));
    }
    let (_, page) = invited.s.get(&invited.url("events?$select=subject,iCalUId")).await;
    assert_eq!(page["value"].as_array().unwrap().len(), 10);
    assert_eq!(page["value"][0].as_object().unwrap().len(), 4, "{}", page["value"][0]);
    assert_eq!(invited.s.all(&invited.url("events?$top=5&$select=iCalUId")).await.len(), 12);
    let filter = encode(&format!("iCalUId eq '{}' or subject eq 'MORE'", prize().uid));
    assert_eq!(invited.s.all(&invited.url(&format!("events?$filter={filter}"))).await.len(), 12);
    let (status, answer) =
        invited.s.get(&invited.url(&format!("events?$filter={}", encode("uid eq 'x'")))).await;
    assert_eq!((status, code(&answer)), (400, "UnsupportedEntityExpression"));
    for wrong in ["$filter=colour%20eq%20'red'", "$select=colour", "$top=1001", "$expand=attachments"] {
        assert_eq!(invited.s.get(&invited.url(&format!("events?{wrong}"))).await.0, 400, "{wrong}");
    }
    let url = invited.url("events?$top=1");
    let (_, default) = invited.s.get(&url).await;
    let (_, immutable) = read(invited.s.request_with(Method::GET, &url, None, IMMUTABLE).await).await;
    let id = immutable["value"][0]["id"].as_str().unwrap();
    assert_ne!(default["value"][0]["id"], json!(id));
    let (_, event) = invited.s.get(&invited.url(&format!("events/{}", encode(id)))).await;
    assert_eq!(event["id"], default["value"][0]["id"]);
    let other = encode(&invited.s.tenant.mailboxes()[5]);
    assert_eq!(invited.s.get(&format!("/users/{other}/events/{}", encode(id))).await.0, 404);
    assert_eq!(invited.s.get(&format!("/users/{other}/events/x")).await.0, 400);
}

#[tokio::test]
async fn answer_arrives_at_an_organizer_in_the_tenant() {
    let s = TestTenant::small().await;
    let mailboxes = s.tenant.mailboxes();
    let organizer = Address::new("Chair", mailboxes[2].clone());
    let meeting = Meeting::new("inside", organizer, "Board", start());
    let message = NewMessage {
        subject: "Board".to_owned(),
        meeting: Some(MeetingMessage::request(meeting.clone())),
        ..NewMessage::default()
    };
    assert!(s.tenant.stop_calendar_attendant(&mailboxes[1]));
    for mailbox in &mailboxes[..2] {
        s.tenant.add_message(mailbox, message.clone()).unwrap();
    }
    assert!(s.tenant.calendar(&mailboxes[1]).is_empty());
    assert!(!s.tenant.accept_meeting(&mailboxes[1], &meeting.uid));
    assert!(s.tenant.accept_meeting(&mailboxes[0], &meeting.uid));
    let inbox =
        s.all(&format!("/users/{}/mailFolders/inbox/messages?$top=1000", encode(&mailboxes[2]))).await;
    let answers: Vec<&Value> = inbox
        .iter()
        .filter(|message| message["@odata.type"] == "#microsoft.graph.eventMessageResponse")
        .collect();
    assert_eq!((answers.len(), &answers[0]["subject"]), (1, &json!("Accepted: Board")));
    assert_eq!(
        (&answers[0]["meetingMessageType"], &answers[0]["responseType"]),
        (&json!("meetingAccepted"), &json!("accepted"))
    );
}

#[tokio::test]
async fn sent_mail_is_in_the_outbox() {
    let s = TestTenant::small().await;
    let mailbox = s.tenant.mailboxes().remove(0);
    let to = |address: &str| json!([{"emailAddress": {"address": address}}]);
    let mail = json!({"message": {"subject": "Hi", "toRecipients": to("a@b.example"), "ccRecipients": to("c@d.example")}});
    assert_eq!(s.post(&format!("/users/{}/sendMail", encode(&mailbox)), mail).await.0, 202);
    let recipients: Vec<(String, OutgoingKind)> =
        s.tenant.outbox().into_iter().map(|sent| (sent.to, sent.kind)).collect();
    let expected = ["a@b.example", "c@d.example"].map(|to| (to.to_owned(), OutgoingKind::Mail));
    assert_eq!(recipients, expected);
}
