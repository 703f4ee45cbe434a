//! The message that asks for a function, and the replies to it.

use std::time::Duration;

use fn_exchange_online::functions::Function;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use soar::reply::{self, Results};
use soar::{CallError, FunctionCall, Run};

#[test]
fn call_is_parsed_and_raw_inputs_are_kept() {
    let body = br#"{"function":{"id":3,"name":"exchange_online_get_message","x":{}},
        "inputs":{"exo_email_address" : "a@b.example","n":1.50,"z":null,"a":[1]},
        "principal":{"id":1,"name":"Jane"},"workflow":{"programmatic_name":"wf","name":"WF"},
        "workflow_instance":{"workflow_instance_id":77},"new":[{}]}"#;
    let call = FunctionCall::parse(body).unwrap();
    assert_eq!(call.function, "exchange_online_get_message");
    assert_eq!(call.raw_inputs.get(), r#"{"exo_email_address" : "a@b.example","n":1.50,"z":null,"a":[1]}"#);
    assert_eq!(call.inputs["exo_email_address"], "a@b.example");
    assert_eq!(call.caller.principal.as_deref(), Some("Jane"));
    assert_eq!(call.caller.run, Some(Run::Workflow { name: Some("wf".to_owned()), instance: Some(77) }));
}

#[test]
fn playbook_run_is_read_from_its_instance() {
    for (instance, run) in [
        (
            r#"{"playbook_instance_id":77,"playbook_id":4,"playbook_display_name":"PB","is_playbook_deleted":false}"#,
            Some(Run::Playbook { name: Some("PB".to_owned()), id: Some(4), instance: Some(77) }),
        ),
        (r#"{"playbook_instance_id":77}"#, Some(Run::Playbook { name: None, id: None, instance: Some(77) })),
        (r#"{"playbook_instance_id":"x","playbook_id":[],"playbook_display_name":7}"#, None),
        ("{}", None),
        ("null", None),
        ("[1]", None),
    ] {
        let body = format!(
            r#"{{"function":{{"name":"f"}},"workflow":null,"workflow_instance":null,"playbook_instance":{instance}}}"#
        );
        assert_eq!(FunctionCall::parse(body.as_bytes()).unwrap().caller.run, run, "{instance}");
    }
}

#[test]
fn call_needs_only_the_function_name() {
    for body in [r#"{"function":{"name":"f"}}"#, r#"{"function":{"name":"f"},"inputs":null,"workflow":null}"#]
    {
        let call = FunctionCall::parse(body.as_bytes()).unwrap();
        assert_eq!((call.function.as_str(), call.inputs.len(), call.raw_inputs.get()), ("f", 0, "{}"));
    }
}

#[test]
fn invalid_call_is_described_without_quoting_it() {
    for (body, expected) in [
        ("geheim", CallError::NotJson { line: 1, column: 1 }),
        (r#"{"function":{"name":"f"},"#, CallError::NotJson { line: 1, column: 25 }),
        ("{}", CallError::NoFunction),
        ("[]", CallError::NoFunction),
        ("7", CallError::NoFunction),
        (r#"{"function":"f"}"#, CallError::NoFunction),
        (r#"{"function":{"name":""}}"#, CallError::NoFunction),
        (r#"{"function":{"name":7}}"#, CallError::NoFunction),
        (r#"{"inputs":{}}"#, CallError::NoFunction),
        (r#"{"function":{"name":"f"},"inputs":["geheim"]}"#, CallError::InputsNoObject),
        (r#"{"function":{"name":"f"},"inputs":"geheim"}"#, CallError::InputsNoObject),
    ] {
        let error = FunctionCall::parse(body.as_bytes()).unwrap_err();
        assert_eq!(error, expected, "{body}");
        assert!(!error.to_string().contains("geheim"));
    }
    assert_eq!(FunctionCall::parse(b"{\"function\":\xFF}").unwrap_err(), CallError::NotText);
}

#[test]
fn only_exact_function_names_are_accepted() {
    for name in [
        "exchange_online_get_email_user_profile",
        "exchange_online_get_message",
        "exchange_online_write_message_as_attachment",
        "exchange_online_move_message_to_folder",
        "exchange_online_send_message",
        "exchange_online_create_meeting",
        "exchange_online_delete_email",
        "exchange_online_query_emails",
        "exchange_online_delete_messages_from_query_results",
    ] {
        assert_eq!(Function::named(name).unwrap().name(), name);
    }
    for name in
        ["", "exchange_online_delete_emails", "EXCHANGE_ONLINE_DELETE_EMAIL", " exchange_online_delete_email"]
    {
        assert_eq!(Function::named(name), None);
    }
}

fn read(reply: &[u8]) -> Value {
    assert!(reply.is_ascii(), "no reader's charset can harm it");
    serde_json::from_slice(reply).unwrap()
}

#[test]
fn long_reply_is_in_pieces_and_within_its_limit() {
    let words = "wärum \u{1f98a} ".repeat(10_000);
    let content = RawValue::from_string(json!({ "words": words }).to_string()).unwrap();
    let inputs = RawValue::from_string("{}".to_owned()).unwrap();
    let results = Results {
        success: true,
        reason: None,
        content: &content,
        pretty: None,
        inputs: &inputs,
        execution_time: Duration::from_millis(1),
    };
    let pieces = reply::completed(&results, usize::MAX).unwrap();
    assert!(pieces.len() > 10 && pieces.iter().all(|piece| piece.len() <= 8192 && piece.is_ascii()));
    let whole = pieces.concat();
    assert_eq!(read(&whole)["results"]["content"]["words"], words);
    assert!(reply::completed(&results, whole.len()).is_ok());
    assert!(reply::completed(&results, whole.len() - 1).is_err());
}

#[test]
fn replies_have_soars_form() {
    let content = RawValue::from_string(r#"{"ü":"🦊"}"#.to_owned()).unwrap();
    let inputs = RawValue::from_string(r#"{"b": 1.0, "a": "é"}"#.to_owned()).unwrap();
    let results = Results {
        success: false,
        reason: Some("wärum"),
        content: &content,
        pretty: Some("{\n}"),
        inputs: &inputs,
        execution_time: Duration::from_millis(1300),
    };
    let completed = read(&reply::completed(&results, usize::MAX).unwrap().concat());
    assert_eq!((&completed["message_type"], &completed["complete"]), (&json!(0), &json!(true)));
    assert_eq!(completed["results"]["content"], json!({"ü": "🦊"}));
    assert_eq!(completed["results"]["raw"], r#"{"ü":"🦊"}"#);
    assert_eq!(
        (&completed["results"]["success"], &completed["results"]["reason"]),
        (&json!(false), &json!("wärum"))
    );
    assert_eq!(completed["results"]["pretty_string"], "{\n}");
    assert_eq!(completed["results"]["metrics"]["execution_time_ms"], 1300);
    let text = String::from_utf8(reply::completed(&results, usize::MAX).unwrap().concat()).unwrap();
    assert!(text.contains(r#""inputs":{"b": 1.0, "a": "\u00e9"}"#), "as they came: {text}");

    let status = read(&reply::status("größer"));
    assert_eq!(status, json!({"message_type": 0, "message": "größer", "complete": false}));
    let failed = read(&reply::failed("Could not."));
    assert_eq!(failed, json!({"message_type": 1, "message": "Could not.", "complete": true}));
    let trapped = read(&reply::trapped("f", "Could not."));
    assert_eq!((&trapped["message_type"], &trapped["complete"]), (&json!(0), &json!(true)));
    assert_eq!(trapped["results"], json!({"success": false, "reason": "Could not."}));
}
