//! The senders of a message, as results show them.

use serde_json::Value;
use serde_json::value::RawValue;

use super::message::is_x500;

/// Replaces X.500 names among the senders' addresses. Exchange writes the senders of its own organization so in some
/// messages, and to a reader or a script such a name is not an address. It stands for the address that the other of
/// `from` and `sender` has under the same display name; where there is none, the address becomes null.
pub(super) fn without_x500(message: Box<RawValue>) -> Box<RawValue> {
    let text = message.get();
    // A slash may be escaped, so only what follows it is looked for.
    let may_hold_one = text.as_bytes().windows(3).any(|bytes| bytes.eq_ignore_ascii_case(b"/o="));
    if !may_hold_one {
        return message;
    }
    let Ok(mut value) = serde_json::from_str::<Value>(text) else { return message };
    let mut changed = false;
    for (one, other) in [("sender", "from"), ("from", "sender")] {
        let other = value[other]["emailAddress"].clone();
        let Some(email) = value.get_mut(one).and_then(|person| person.get_mut("emailAddress")) else {
            continue;
        };
        if !email["address"].as_str().is_some_and(is_x500) {
            continue;
        }
        let stands_for = Some(&other["address"]).filter(|address| {
            other["name"] == email["name"] && address.as_str().is_some_and(|text| !is_x500(text))
        });
        email["address"] = stands_for.cloned().unwrap_or(Value::Null);
        changed = true;
    }
    if !changed {
        return message;
    }
    serde_json::value::to_raw_value(&value).unwrap_or(message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(message: &Value) -> Value {
        let raw = serde_json::value::to_raw_value(message).unwrap();
        serde_json::from_str(without_x500(raw).get()).unwrap()
    }

    #[test]
    fn x500_name_becomes_the_address_it_stands_for() {
        let x500 =
            json!({"emailAddress": {"name": "Ada", "address": "/O=EXCHANGELABS/OU=X/CN=RECIPIENTS/CN=0A1B"}});
        let ada = json!({"emailAddress": {"name": "Ada", "address": "ada@example.com"}});
        let bo = json!({"emailAddress": {"name": "Bo", "address": "bo@example.com"}});
        assert_eq!(shown(&json!({"id": "a", "sender": x500, "from": ada}))["sender"], ada);
        let nameless = json!({"emailAddress": {"name": "Ada", "address": null}});
        assert_eq!(
            shown(&json!({"id": "a", "sender": x500, "from": bo})),
            json!({"id": "a", "sender": nameless, "from": bo})
        );
        assert_eq!(
            shown(&json!({"sender": x500, "from": x500})),
            json!({"sender": nameless, "from": nameless})
        );
    }

    #[test]
    fn other_messages_stay_as_graph_wrote_them() {
        for text in [
            r#"{"id":  "a", "subject": "to/o=x", "sender": null}"#,
            r#"{"id": "a","sender":{"emailAddress":{"address":"b@x"}}}"#,
        ] {
            let raw: Box<RawValue> = serde_json::from_str(text).unwrap();
            assert_eq!(without_x500(raw).get(), text);
        }
    }
}
