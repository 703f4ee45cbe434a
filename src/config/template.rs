//! The `app.config` that a new installation starts from, made from the definitions of the options.

use std::fmt::Write as _;
use std::sync::LazyLock;

use super::definitions::{Definition, Line, Opt, SECTIONS, Section};

/// The longest line of a comment.
const WIDTH: usize = 118;

/// The sections by name, with their texts, in the order of the file.
pub fn sections() -> &'static [(&'static str, String)] {
    static TEXTS: LazyLock<Vec<(&str, String)>> =
        LazyLock::new(|| SECTIONS.iter().map(|section| (section.name, text_of(section))).collect());
    &TEXTS
}

/// The whole file: what `--print-config` prints.
pub fn template() -> &'static str {
    static WHOLE: LazyLock<String> =
        LazyLock::new(|| sections().iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n"));
    &WHOLE
}

fn text_of(section: &Section) -> String {
    let mut text = format!("[{}]\n", section.name);
    comment(&mut text, section.introduction);
    for group in section.groups {
        text.push('\n');
        for definition in *group {
            option(&mut text, *definition);
        }
    }
    text
}

fn option(text: &mut String, definition: &dyn Definition) {
    let mut description = Opt::described(definition);
    if let Some(default) = definition.default() {
        // Writing to a String does not fail.
        let _ = write!(description, " Default: {default}.");
    }
    comment(text, &description);
    let key = definition.opt().key;
    let _ = match definition.opt().line {
        Line::Set(value) | Line::Placeholder(value) => writeln!(text, "{key}={value}"),
        Line::Suggested(value) => writeln!(text, "#{key}={value}"),
    };
}

/// Adds `description` as lines of a comment, without the backticks of the documentation.
fn comment(text: &mut String, description: &str) {
    for paragraph in description.replace('`', "").lines() {
        let mut width = 0;
        for word in paragraph.split(' ') {
            if width == 0 || width + 1 + word.len() > WIDTH {
                text.push_str(if width == 0 { "# " } else { "\n# " });
                width = 2;
            } else {
                text.push(' ');
                width += 1;
            }
            text.push_str(word);
            width += word.len();
        }
        text.push('\n');
    }
}
