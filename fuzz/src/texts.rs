//! Targets: texts as they stand in a line of the log, in the HTML of a note, and in the name of a file.

use std::path::Path;

use fn_exchange_online::config::LogFormat;
use fn_exchange_online::functions::fuzzing::{escaped, file_name};
use fn_exchange_online::log::line_of as line;
use net::untrusted::text::sanitize_line;

use super::texts_of;

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

    is_one_line(&format!("{}\n", sanitize_line(&message)));

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
