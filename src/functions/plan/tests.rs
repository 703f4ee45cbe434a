//! Any edit of a plan's file is refused, or makes another plan with another digest.

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn message(mailbox: usize, nth: usize) -> PlannedMessage {
    PlannedMessage {
        mailbox_id: format!("00000000-0000-4000-8000-{mailbox:012}"),
        mailbox: format!("user{mailbox}@contoso.example"),
        id: format!("AAkALg{nth}="),
        internet_message_id: format!("<{mailbox}.{nth}@evil.example>"),
        received: format!("2026-11-{:02}T10:00:00Z", 1 + nth % 28),
        sender: "mallory@evil.example".to_owned(),
        folder_id: "AAMkAD=".to_owned(),
        folder: (nth.is_multiple_of(2)).then(|| "Inbox".to_owned()),
        subject: "Ünpaid \"invoice\" \u{202e}<b>".to_owned(),
        is_read: nth.is_multiple_of(3),
        is_invitation: nth.is_multiple_of(5),
    }
}

fn plan(messages: Vec<PlannedMessage>) -> Plan {
    let facts = Facts {
        incident: 2095,
        reference: "3f0c…".to_owned(),
        created: at("2026-11-28T10:00:00Z").into(),
        expires: at("2026-11-29T10:00:00Z").into(),
        created_by: Author { name: "mary@example.com".to_owned(), display_name: "Mary Major".to_owned() },
        incomplete_because: vec!["The query ended at a limit (max_messages).".to_owned()],
        looked_until: at("2026-11-28T09:59:00Z").into(),
    };
    Plan::new(facts, messages).unwrap()
}

fn example() -> Plan {
    plan((0..12).map(|nth| message(nth % 3, nth)).collect())
}

#[test]
fn written_plan_is_read_unchanged() {
    let plan = example();
    let bytes = plan.bytes().unwrap();
    assert_eq!(Plan::read(&bytes), Ok(plan.clone()));
    let document: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((&document["version"], &document["complete"]), (&json!(1), &json!(false)));
    assert_eq!(document["digest"], plan.digest().to_string());
    assert_eq!(plan.file_name(), format!("exo-removal-plan-{}.json", &plan.digest().to_string()[..12]));
}

#[test]
fn order_and_repetition_of_messages_do_not_matter() {
    let mut messages: Vec<_> = (0..12).map(|nth| message(nth % 3, nth)).collect();
    messages.reverse();
    messages.push(message(0, 0));
    assert_eq!(plan(messages), example());
}

#[test]
fn counts_are_those_of_the_messages() {
    let plan = example();
    let counts = plan.counts();
    assert_eq!((counts.messages, counts.mailboxes.len(), counts.invitations), (12, 3, 3));
    let folders: Vec<_> = counts.folders.iter().map(|count| (count.name.as_str(), count.messages)).collect();
    assert_eq!(folders, [("(unknown folder)", 6), ("Inbox", 6)]);
    assert_eq!(counts.days.iter().map(|count| count.messages).sum::<usize>(), 12);
}

#[test]
fn author_is_known_by_either_name() {
    let author = Author { name: "mary@example.com".to_owned(), display_name: "Mary  Major".to_owned() };
    for name in ["mary@example.com", " MARY@example.COM ", "mary major", "Mary Major"] {
        assert!(author.may_be(name), "{name}");
    }
    for name in ["", " ", "mary", "nora@example.com"] {
        assert!(!author.may_be(name), "{name}");
    }
    assert!(Author::default().is_unknown() && !Author::default().may_be(""));
}

#[test]
fn file_of_another_format_is_not_a_changed_plan() {
    let mut document: Value = serde_json::from_slice(&example().bytes().unwrap()).unwrap();
    document["version"] = json!(2);
    document["more"] = json!(true);
    assert_eq!(Plan::read(document.to_string().as_bytes()), Err(Unusable::OtherFormat));
    assert!(matches!(Plan::read(b"[]"), Err(Unusable::NotAPlan { .. })));
    assert!(matches!(Plan::read(b""), Err(Unusable::NotAPlan { .. })));
}

/// The paths of all values in a document.
fn paths(value: &Value, path: &str, all: &mut Vec<String>) {
    all.push(path.to_owned());
    match value {
        Value::Object(object) => {
            object.iter().for_each(|(key, value)| paths(value, &format!("{path}/{key}"), all));
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(nth, value)| paths(value, &format!("{path}/{nth}"), all));
        }
        _ => {}
    }
}

/// Whether an edited file is refused, or holds another plan with another digest.
fn is_safe(edited: &[u8], original: &Plan) -> bool {
    match Plan::read(edited) {
        Err(_) => true,
        Ok(plan) => (plan == *original) == (plan.digest() == original.digest()) && plan != *original,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn edit_of_any_bytes_is_refused(at in any::<prop::sample::Index>(), new in prop::collection::vec(any::<u8>(), 0..4), cut in 0..4usize) {
        let plan = example();
        let bytes = plan.bytes().unwrap();
        let place = at.index(bytes.len());
        let mut edited = bytes.clone();
        let end = (place + cut).min(bytes.len());
        edited.splice(place..end, new);
        prop_assert!(edited == bytes || is_safe(&edited, &plan));
    }

    #[test]
    fn edit_of_any_value_is_refused(at in any::<prop::sample::Index>(), new in 0..6usize, with_digest in any::<bool>()) {
        let plan = example();
        let mut document: Value = serde_json::from_slice(&plan.bytes().unwrap()).unwrap();
        let original = document.clone();
        let mut all = Vec::new();
        paths(&document, "", &mut all);
        let path = all[at.index(all.len())].clone();
        let value = document.pointer_mut(&path).unwrap();
        let grown = match value {
            Value::String(text) => json!(format!("{text} ")),
            Value::Bool(yes) => json!(!*yes),
            Value::Number(number) => json!(number.as_i64().unwrap_or(0) + 1),
            Value::Array(list) => json!(list.iter().skip(1).collect::<Vec<_>>()),
            _ => json!("x"),
        };
        *value = [json!(null), json!(""), json!([]), json!({}), json!(-1), grown][new].clone();
        if with_digest && document.is_object() {
            document.as_object_mut().unwrap().remove("digest");
            let digest = Sha256::of(document.to_string().as_bytes());
            document["digest"] = json!(digest);
        }
        prop_assume!(document != original);
        prop_assert!(is_safe(document.to_string().as_bytes(), &plan), "{path}");
    }

    #[test]
    fn every_message_counts_for_the_digest(keep in prop::collection::vec(any::<bool>(), 12)) {
        let all: Vec<_> = (0..12).map(|nth| message(nth % 3, nth)).collect();
        let some: Vec<_> = all.into_iter().zip(&keep).filter(|(_, keep)| **keep).map(|(one, _)| one).collect();
        let is_all = some.len() == 12;
        prop_assert_eq!(plan(some).digest() == example().digest(), is_all);
    }
}
