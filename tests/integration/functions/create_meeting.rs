//! `exchange_online_create_meeting`

use chrono::{Datelike, NaiveDate, TimeDelta, Utc, Weekday};
use serde_json::{Value, json};

use crate::functions::common::{CreateMeeting, Fault, Fixture, RetryAfter, SOON, Target};
use crate::functions::front::Front;

/// The year after next, so that no time is in the past.
fn year() -> i32 {
    Utc::now().year() + 2
}

fn ms(text: &str) -> i64 {
    format!("{}-{text}Z", year()).parse::<chrono::DateTime<Utc>>().unwrap().timestamp_millis()
}

fn meeting(organizer: &str, start: i64, end: i64) -> Value {
    json!({
        "exo_meeting_email_address": organizer, "exo_meeting_start_time": start, "exo_meeting_end_time": end,
        "exo_meeting_subject": "Lessons", "exo_meeting_body": {"format": "html", "content": "<p>Come</p>"},
    })
}

/// The start and the end that Graph was asked for. In its answer both are in UTC.
fn times(fixture: &Fixture, organizer: &str, results: &Value) -> [Value; 2] {
    let events = fixture.graph().events(organizer);
    let event = events.iter().find(|event| event.id == results["content"]["id"]).unwrap();
    ["start", "end"].map(|key| event.asked[key].clone())
}

#[tokio::test]
async fn event_is_posted_and_returned_in_full() {
    let mut fixture = Fixture::new().await;
    let organizer = fixture.mailbox(0);
    fixture.graph().set_time_zone(&organizer, Some("Eastern Standard Time"));
    let front = Front::before(&mut fixture).await;
    let mut inputs = meeting(&organizer, ms("01-15T14:00:00"), ms("01-15T15:30:00"));
    inputs["exo_meeting_required_attendees"] = json!(" a@b.example,, c@d.example , ");
    inputs["exo_meeting_optional_attendees"] = json!("e@f.example");
    inputs["exo_meeting_location"] = json!("Room 4");
    let results = fixture.done(CreateMeeting, inputs).await;
    assert_eq!(
        front.lines(),
        [
            format!("GET /users/{organizer}/mailboxSettings/timeZone"),
            format!("POST /users/{organizer}/calendar/events")
        ]
    );
    let mut asked = front.the("/events").json();
    let transaction_id = asked.as_object_mut().unwrap().remove("transactionId").unwrap();
    assert!(!transaction_id.as_str().unwrap().is_empty());
    let attendee = |address: &str, kind: &str| json!({"emailAddress": {"address": address}, "type": kind});
    let expected = json!({
        "subject": "Lessons",
        "body": {"contentType": "HTML", "content": "<p>Come</p>"},
        "start": {"dateTime": format!("{}-01-15T09:00:00", year()), "timeZone": "Eastern Standard Time"},
        "end": {"dateTime": format!("{}-01-15T10:30:00", year()), "timeZone": "Eastern Standard Time"},
        "location": {"displayName": "Room 4"},
        "attendees": [
            attendee("a@b.example", "required"), attendee("c@d.example", "required"), attendee("e@f.example", "optional"),
        ],
    });
    assert_eq!(asked, expected);
    let events = fixture.graph().events(&organizer);
    assert_eq!(events.len(), 1);
    assert_eq!(results["content"]["id"], events[0].id);
    assert!(results["content"]["@odata.context"].is_string(), "nothing is left out");
    assert_eq!(fixture.status_messages(), [format!("Creating a meeting in the calendar of {organizer}")]);
}

#[tokio::test]
async fn pretty_string_keeps_graphs_order() {
    let fixture = Fixture::new().await;
    let results = fixture
        .done(CreateMeeting, meeting(&fixture.mailbox(0), ms("01-15T14:00:00"), ms("01-15T15:00:00")))
        .await;
    let pretty = results["pretty_string"].as_str().unwrap();
    assert!(pretty.starts_with("{\n    \"@odata.context\": \""), "{pretty}");
    let shown: Value = serde_json::from_str(pretty).unwrap();
    assert_eq!(shown.to_string(), results["content"].to_string());
    assert!(!shown.as_object().unwrap().keys().is_sorted());
}

#[tokio::test]
async fn blank_lists_and_location_are_left_out() {
    let mut fixture = Fixture::new().await;
    let front = Front::before(&mut fixture).await;
    for nothing in [Value::Null, json!(""), json!(" , ")] {
        let mut inputs = meeting(&fixture.mailbox(0), ms("01-15T14:00:00"), ms("01-15T15:00:00"));
        inputs["exo_meeting_required_attendees"] = nothing.clone();
        inputs["exo_meeting_optional_attendees"] = nothing;
        inputs["exo_meeting_location"] = json!(" ");
        fixture.done(CreateMeeting, inputs).await;
        let asked = front.seen().pop().unwrap().json();
        assert_eq!(asked.get("attendees").unwrap_or(&json!([])), &json!([]));
        assert_eq!(asked.get("location"), None);
    }
}

#[tokio::test]
async fn invalid_times_are_refused_without_a_request() {
    let fixture = Fixture::new().await;
    let organizer = fixture.mailbox(0);
    let start = ms("01-15T14:00:00");
    for end in [start, start - 1] {
        let error = fixture.failed(CreateMeeting, meeting(&organizer, start, end)).await;
        assert!(error.starts_with("The meeting was not created: "), "{error}");
    }
    let now = Utc::now().timestamp_millis();
    let error = fixture.failed(CreateMeeting, meeting(&organizer, now - 1000, now + 1_000_000)).await;
    assert_eq!(error, "The meeting was not created: its start is in the past.");
    assert_eq!(fixture.graph().counters().token_requests, 0);
}

#[tokio::test]
async fn times_are_local_times_in_the_organizers_zone() {
    let mut fixture = Fixture::new().await;
    let organizer = fixture.mailbox(0);
    let (winter, summer) = (ms("01-15T12:00:00"), ms("07-15T12:00:00"));
    for (zone, name, in_winter, in_summer) in [
        (Some("Eastern Standard Time"), "Eastern Standard Time", "07:00", "08:00"),
        (Some("W. Europe Standard Time"), "W. Europe Standard Time", "13:00", "14:00"),
        (Some("Europe/Berlin"), "Europe/Berlin", "13:00", "14:00"),
        (Some("America/Argentina/Buenos_Aires"), "America/Argentina/Buenos_Aires", "09:00", "09:00"),
        (Some("India Standard Time"), "India Standard Time", "17:30", "17:30"),
        (Some("AUS Eastern Standard Time"), "AUS Eastern Standard Time", "23:00", "22:00"),
        (Some("UTC"), "UTC", "12:00", "12:00"),
        (Some("Customized Time Zone"), "UTC", "12:00", "12:00"),
        (Some("tzone://Microsoft/Custom"), "UTC", "12:00", "12:00"),
        (Some(""), "UTC", "12:00", "12:00"),
        (None, "UTC", "12:00", "12:00"),
    ] {
        fixture.graph().set_time_zone(&organizer, zone);
        for (start, day, time) in [(winter, "01-15", in_winter), (summer, "07-15", in_summer)] {
            fixture.context.call.id = format!("{zone:?} {day}");
            let results = fixture.done(CreateMeeting, meeting(&organizer, start, start + 1_800_000)).await;
            let expected = json!({"dateTime": format!("{}-{day}T{time}:00", year()), "timeZone": name});
            assert_eq!(times(&fixture, &organizer, &results)[0], expected, "{zone:?}");
        }
    }
}

/// The first Sunday of November, when the clocks go back in New York.
fn back_in_new_york() -> NaiveDate {
    NaiveDate::from_weekday_of_month_opt(year(), 11, Weekday::Sun, 1).unwrap()
}

#[tokio::test]
async fn meeting_across_a_clock_change_uses_both_offsets() {
    let mut fixture = Fixture::new().await;
    let organizer = fixture.mailbox(0);
    for zone in ["Eastern Standard Time", "America/New_York"] {
        fixture.graph().set_time_zone(&organizer, Some(zone));
        let day = back_in_new_york();
        fixture.context.call.id = format!("{zone} in November");
        // From 23:00 on the evening before, in summer time, to 09:00 in winter time: 11 hours.
        let start = day.and_hms_opt(3, 0, 0).unwrap().and_utc().timestamp_millis();
        let results = fixture.done(CreateMeeting, meeting(&organizer, start, start + 11 * 3_600_000)).await;
        let [from, to] = times(&fixture, &organizer, &results);
        assert_eq!(from["dateTime"], format!("{}T23:00:00", day.pred_opt().unwrap()));
        assert_eq!(to["dateTime"], format!("{day}T09:00:00"));
        // From 22:00 to 07:00 in the night in March that skips an hour: 8 hours.
        let day = NaiveDate::from_weekday_of_month_opt(year(), 3, Weekday::Sun, 2).unwrap();
        fixture.context.call.id = format!("{zone} in March");
        let start = day.and_hms_opt(3, 0, 0).unwrap().and_utc().timestamp_millis();
        let results = fixture.done(CreateMeeting, meeting(&organizer, start, start + 8 * 3_600_000)).await;
        let [from, to] = times(&fixture, &organizer, &results);
        assert_eq!(from["dateTime"], format!("{}T22:00:00", day.pred_opt().unwrap()));
        assert_eq!(to["dateTime"], format!("{day}T07:00:00"));
    }
}

#[tokio::test]
async fn ambiguous_local_time_is_written_in_utc() {
    let fixture = Fixture::new().await;
    let organizer = fixture.mailbox(0);
    fixture.graph().set_time_zone(&organizer, Some("Eastern Standard Time"));
    let day = back_in_new_york();
    // 01:45 summer time; half an hour later it is 01:15.
    let start = day.and_hms_opt(5, 45, 0).unwrap().and_utc();
    let end = start + TimeDelta::minutes(30);
    let inputs = meeting(&organizer, start.timestamp_millis(), end.timestamp_millis());
    let results = fixture.done(CreateMeeting, inputs).await;
    let utc = |time: &str| json!({"dateTime": format!("{day}T{time}:00"), "timeZone": "UTC"});
    assert_eq!(times(&fixture, &organizer, &results), [utc("05:45"), utc("06:15")]);
}

#[tokio::test]
async fn missing_time_zone_becomes_utc() {
    let fixture = Fixture::new().await;
    let organizer = fixture.mailbox(0);
    fixture.graph().faults().next(1, Target::containing("timeZone"), Fault::Status(404, RetryAfter::Absent));
    let results =
        fixture.done(CreateMeeting, meeting(&organizer, ms("01-15T14:00:00"), ms("01-15T15:00:00"))).await;
    let expected = json!({"dateTime": format!("{}-01-15T14:00:00", year()), "timeZone": "UTC"});
    assert_eq!(times(&fixture, &organizer, &results)[0], expected);
}

#[tokio::test]
async fn unknown_organizer_is_not_found() {
    let fixture = Fixture::new().await;
    let inputs = meeting("unknown@contoso.example", ms("01-15T14:00:00"), ms("01-15T15:00:00"));
    let results = fixture.run(CreateMeeting, inputs).await.unwrap();
    assert_eq!(results["success"], false);
    assert_eq!(results["content"]["error"]["code"], "ErrorInvalidUser");
    assert_eq!(
        results["reason"],
        "The calendar of unknown@contoso.example was not found (ErrorInvalidUser)."
    );
    let pretty = results["pretty_string"].as_str().unwrap();
    assert!(pretty.starts_with("{\n    \"error\": {\n"), "stock scripts print it: {pretty}");
}

#[tokio::test]
async fn repeated_call_creates_one_meeting() {
    let mut fixture = Fixture::new().await;
    let organizer = fixture.mailbox(0);
    let inputs = meeting(&organizer, ms("01-15T14:00:00"), ms("01-15T15:00:00"));
    let first = fixture.done(CreateMeeting, inputs.clone()).await;
    let again = fixture.done(CreateMeeting, inputs.clone()).await;
    assert_eq!(first["content"]["id"], again["content"]["id"]);
    assert_eq!(fixture.graph().events(&organizer).len(), 1);
    fixture.context.call.id = "ID:soar-1234-2".to_owned();
    fixture.done(CreateMeeting, inputs).await;
    assert_eq!(fixture.graph().events(&organizer).len(), 2);
}

#[tokio::test]
async fn lost_answer_creates_one_meeting() {
    for fault in [
        Fault::DoneButStatus(504, RetryAfter::Absent),
        Fault::DoneButStatus(429, SOON),
        Fault::CutBody,
        Fault::BrokenJson,
        Fault::Close,
    ] {
        let fixture = Fixture::new().await;
        let organizer = fixture.mailbox(0);
        fixture.graph().faults().next(1, Target::containing("/events"), fault);
        fixture.done(CreateMeeting, meeting(&organizer, ms("01-15T14:00:00"), ms("01-15T15:00:00"))).await;
        assert_eq!(fixture.graph().events(&organizer).len(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn custom_time_zone_becomes_utc() {
    let mut fixture = Fixture::new().await;
    let front = Front::before(&mut fixture).await;
    let zone = json!({"value": {"@odata.type": "#microsoft.graph.customTimeZone", "name": "Customized Time Zone", "bias": -60}});
    front.answer(1, "/timeZone", 200, zone.to_string());
    let organizer = fixture.mailbox(0);
    let results =
        fixture.done(CreateMeeting, meeting(&organizer, ms("01-15T14:00:00"), ms("01-15T15:00:00"))).await;
    let expected = json!({"dateTime": format!("{}-01-15T14:00:00", year()), "timeZone": "UTC"});
    assert_eq!(times(&fixture, &organizer, &results)[0], expected);
}

#[tokio::test]
async fn refused_time_zone_is_replaced_by_utc() {
    for code in ["TimeZoneNotSupportedException", "ErrorPropertyValidationFailure"] {
        let mut fixture = Fixture::new().await;
        let organizer = fixture.mailbox(0);
        fixture.graph().set_time_zone(&organizer, Some("Europe/Berlin"));
        let front = Front::before(&mut fixture).await;
        let refusal =
            json!({"error": {"code": code, "message": "A valid TimeZone value must be specified."}});
        front.answer(1, "/events", 400, refusal.to_string());
        let inputs = meeting(&organizer, ms("01-15T14:00:00"), ms("01-15T15:00:00"));
        fixture.done(CreateMeeting, inputs).await;
        let mut posts: Vec<_> = front.seen();
        posts.retain(|seen| seen.line().ends_with("/events"));
        let [first, second] = [posts[0].json(), posts[1].json()];
        assert_eq!((posts.len(), &first["start"]["timeZone"]), (2, &json!("Europe/Berlin")), "{code}");
        let expected = json!({"dateTime": format!("{}-01-15T14:00:00", year()), "timeZone": "UTC"});
        assert_eq!(second["start"], expected, "{code}");
        assert_eq!(first["transactionId"], second["transactionId"], "{code}");
        assert_eq!(fixture.graph().events(&organizer).len(), 1, "{code}");
    }
}

#[tokio::test]
async fn meeting_with_unreadable_answer_is_indeterminate() {
    let mut fixture = Fixture::new().await;
    let organizer = fixture.mailbox(0);
    let front = Front::before(&mut fixture).await;
    front.answer(99, "/events", 201, "");
    let inputs = meeting(&organizer, ms("01-15T14:00:00"), ms("01-15T15:00:00"));
    let error = fixture.failed(CreateMeeting, inputs).await;
    assert!(error.contains("may have been carried out all the same"), "{error}");
    assert_eq!(fixture.trail().last().unwrap()["outcome"], "unknown");
}
