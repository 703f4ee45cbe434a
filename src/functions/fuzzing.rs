//! The targets of fuzzers in this room: what SOAR asks for, and the texts that are made of it.

use std::path::Path;

use super::casebook::{Casebook, file_name};
use super::create_meeting::Meeting;
use super::delete_messages_from_query_results::Order;
use super::inputs::Inputs;
use super::query_emails::Query;
use super::report::escaped;
use super::send_message::Mail;
use super::{Function, InputKind};
use crate::config::LogFormat;
use crate::fuzzing::texts_of;
use crate::log::fuzzing::line;
use crate::soar::{self, FunctionCall};
use crate::text::on_one_line;

/// A message of SOAR's: whether it is a call, and what each of the functions makes of its inputs; and by itself, as
/// the order to delete messages.
pub fn function_call(data: &[u8]) {
    let (casebook, _reports) = Casebook::local(Path::new("."));
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = Order::parse(text, &casebook);
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
        for input in function.inputs() {
            match input.kind {
                InputKind::Text => drop(reader.word(input.name)),
                InputKind::Number => drop(reader.number(input.name)),
                InputKind::Boolean => drop(reader.flag(input.name)),
                InputKind::DateTime => drop(reader.time(input.name)),
                InputKind::Select(_) => drop(reader.required_choice(input.name)),
                InputKind::MultiSelect(_) => drop(reader.choices(input.name)),
            }
        }
        let _ = reader.finish().map_err(|error| assert!(error.to_string().len() < 16 * 1024));
    }
    let _ = Mail::read(&inputs);
    let _ = Meeting::read(&inputs).map(|meeting| meeting.start < meeting.end);
    let _ = Query::read(&inputs, &casebook).map(|query| query.described());
    let mut reader = inputs.read();
    if let Some(text) = reader.text("exo_query_messages_results") {
        let _ = Order::parse(&text, &casebook);
    }
}

/// Two texts as an event of the log, as HTML of a note, and as the name of a file.
pub fn texts(data: &[u8]) {
    let [message, value] = texts_of(data);
    let text = line(LogFormat::Text, &message, &value);
    is_one_line(&text);
    let json = line(LogFormat::Json, &message, &value);
    is_one_line(&json);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap_or_default();
    for (name, text) in [("message", &message), ("value", &value)] {
        let written = json[name].as_str().unwrap_or_default();
        let cut = text.len() > 8 * 1024 && written.ends_with(" bytes more)");
        assert!(written == text || cut, "{written:?} of {text:?}");
    }

    is_one_line(&format!("{}\n", on_one_line(&message)));

    let html = escaped(&message);
    assert!(!html.contains(['<', '>', '"', '\'']), "{html}");
    let plain = html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
    assert_eq!(plain.replace("&amp;", "&"), message);

    let name = file_name(&message);
    assert!(name.len() <= 255 && !name.starts_with('.') && !name.contains(char::is_control), "{name:?}");
    let place = Path::new("/reports").join(&name);
    assert!(name.is_empty() || place.parent() == Some(Path::new("/reports")), "{name:?}");
    let name = soar::file_name(&message);
    assert!(!name.contains(['\\', '\u{202e}']) && !name.contains(char::is_control), "{name:?}");
    assert!(!name.starts_with('/') && !name.split('/').any(|part| part == "." || part == ".."), "{name:?}");
    assert_eq!(
        name.chars().count(),
        message.chars().count().min(if message == ".." { 1 } else { usize::MAX })
    );
}

/// Nothing in a line of the log ends it, moves a cursor or turns the direction of what follows.
fn is_one_line(line: &str) {
    // A line without an end is as wrong as one with two.
    let line = line.strip_suffix('\n').unwrap_or("\n");
    let hostile = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
            || matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{e0000}'..='\u{e007f}')
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}')
    };
    assert!(!line.contains(hostile), "{line:?}");
}
