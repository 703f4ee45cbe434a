//! Entry points for the fuzz targets. Not part of the public interface.

use std::path::Path;

use super::create_meeting::Meeting;
use super::delete_messages_from_query_results::Order;
use super::incident_sink::{self, IncidentSink};
use super::inputs::Inputs;
use super::plan::{Plan, RemovalOutcome};
use super::plan_removal;
use super::query_emails::Query;
use super::restore_messages::Wish;
use super::send_message::Mail;
use super::{Function, InputKind};
use soar::FunctionCall;

/// Parses a message from SOAR as a function call, and reads its inputs as each function does. Parses it also as the
/// results of a query whose messages are to be deleted.
pub fn function_call(data: &[u8]) {
    let (sink, _reports) = IncidentSink::local(Path::new("."));
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = Order::parse(text, &sink);
    }
    let inputs = match FunctionCall::parse(data) {
        Ok(call) => Inputs::new(call.inputs),
        Err(error) => {
            assert!(error.to_string().len() < 1024);
            return;
        }
    };
    let _ = inputs.incident();
    for function in Function::ALL {
        let mut reader = inputs.read();
        for input in function.spec().inputs {
            match input.kind {
                InputKind::Text => {
                    drop((reader.word(input.name), reader.criterion(input.name), reader.folder(input.name)));
                    drop((
                        reader.sender(input.name),
                        reader.addresses(input.name),
                        reader.rich_text(input.name),
                    ));
                }
                InputKind::Number => drop(reader.number(input.name)),
                InputKind::Boolean => drop(reader.flag(input.name)),
                InputKind::DateTime => drop((reader.time(input.name), reader.end_time(input.name))),
                InputKind::Select(_) => drop(reader.chosen_folder(input.name)),
                InputKind::MultiSelect(options) => drop(reader.required_choices(input.name, options)),
            }
        }
        let _ = reader.finish().map_err(|error| assert!(error.to_string().len() < 16 * 1024));
    }
    let _ = Mail::read(&inputs);
    let _ = Meeting::read(&inputs).map(|meeting| meeting.start < meeting.end);
    let _ = Query::read(&inputs, &sink).map(|query| query.described());
    let _ = Wish::read(&inputs);
    let mut reader = inputs.read();
    if let Some(text) = reader.text("exo_query_messages_results") {
        let _ = Order::parse(&text, &sink);
    }
}

/// Reads a file of an incident as a removal plan and as the outcome of one, and the results of a query as what is to be
/// planned. A file that is read as a plan is what this program writes for it, byte for byte.
pub fn removal_plan(data: &[u8]) {
    match Plan::read(data) {
        Ok(plan) => assert!(plan.bytes().is_ok_and(|bytes| bytes == data), "the file is not canonical"),
        Err(error) => assert!(error.to_string().len() < 1024),
    }
    if let Some(outcome) = RemovalOutcome::read(data) {
        let written = outcome.bytes().unwrap_or_default();
        assert_eq!(RemovalOutcome::read(&written), Some(outcome));
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = plan_removal::parse(text).map_err(|error| assert!(error.len() < 1024));
    }
}

/// Escapes `text` for a note's HTML.
pub fn escaped(text: &str) -> String {
    super::report::escaped(text)
}

/// Turns `name` into the name of a file that `invoke` writes.
pub fn file_name(name: &str) -> String {
    incident_sink::file_name(name)
}
