//! The page as one HTML document: markup, style and script, with the state inside.

use serde_json::Value;
use uuid::Uuid;

const MARKUP: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The document. Only its own style and script are allowed to take effect, whatever a note contains.
pub(super) fn document(state: &Value) -> String {
    let nonce = Uuid::new_v4().simple().to_string();
    // Within a script element, HTML ends at the next `</`; JSON may write any character as an escape.
    let state = state.to_string().replace('<', "\\u003c");
    // The state comes last, since it may contain anything.
    MARKUP
        .replace("{nonce}", &nonce)
        .replace("{style}", STYLE)
        .replace("{script}", SCRIPT)
        .replacen("{state}", &state, 1)
}
