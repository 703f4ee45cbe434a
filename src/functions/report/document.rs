//! A text of lines and lists, which a note shows as HTML and a file as plain text. What a span holds may come from a
//! mail: it is escaped, and stays on its line.

use std::fmt::Write;

use net::untrusted::text::sanitize_line;

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Span {
    Plain(String),
    Bold(String),
    /// Bold and red.
    Alert(String),
    /// Less important than the rest.
    Quiet(String),
    /// A link to a message.
    Link(String),
}

/// A line.
pub(super) type Line = Vec<Span>;

/// What a document is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// HTML, for a note.
    Html,
    /// Text without markup, for a file.
    Plain,
}

/// A text of lines and lists. Each is written at once, since a report may have a hundred thousand of them.
#[derive(Debug)]
pub(super) struct Document {
    form: Form,
    text: String,
    is_after_list: bool,
}

impl Document {
    pub(super) fn new(form: Form) -> Self {
        Self { form, text: String::new(), is_after_list: false }
    }

    pub(super) fn line(&mut self, spans: impl IntoIterator<Item = Span>) {
        let line: Line = spans.into_iter().collect();
        match self.form {
            Form::Html => {
                self.text.push_str("<div>");
                html_line(&mut self.text, &line);
                self.text.push_str("</div>");
            }
            Form::Plain => text_line(&mut self.text, "", &line),
        }
        self.is_after_list = false;
    }

    pub(super) fn plain(&mut self, text: impl Into<String>) {
        self.line([Span::Plain(text.into())]);
    }

    pub(super) fn list(&mut self, lines: impl IntoIterator<Item = Line>) {
        let lines = lines.into_iter();
        match self.form {
            Form::Html => {
                self.text.push_str("<ul>");
                for line in lines {
                    self.text.push_str("<li>");
                    html_line(&mut self.text, &line);
                    self.text.push_str("</li>");
                }
                self.text.push_str("</ul>");
            }
            Form::Plain => lines.for_each(|line| text_line(&mut self.text, "  ", &line)),
        }
        self.is_after_list = true;
    }

    /// An empty line.
    pub(super) fn gap(&mut self) {
        match self.form {
            // A list has room below it.
            Form::Html if self.is_after_list => {}
            Form::Html => self.text.push_str("<div><br/></div>"),
            Form::Plain => self.text.push('\n'),
        }
        self.is_after_list = false;
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

fn html_line(html: &mut String, line: &[Span]) {
    for span in line {
        let (before, text, after) = match span {
            Span::Plain(text) => ("", text, ""),
            Span::Bold(text) => ("<b>", text, "</b>"),
            Span::Alert(text) => ("<b><span style=\"color:red\">", text, "</span></b>"),
            Span::Quiet(text) => ("<span style=\"color:gray\">", text, "</span>"),
            Span::Link(url) => {
                let url = escaped(&sanitize_line(url));
                let _ = write!(html, "<a href=\"{url}\" target=\"_blank\">open</a>");
                continue;
            }
        };
        let _ = write!(html, "{before}{}{after}", escaped(&sanitize_line(text)));
    }
}

fn text_line(text: &mut String, indentation: &str, line: &[Span]) {
    text.push_str(indentation);
    for span in line {
        let (Span::Plain(it) | Span::Bold(it) | Span::Alert(it) | Span::Quiet(it) | Span::Link(it)) = span;
        text.push_str(&sanitize_line(it));
    }
    text.push('\n');
}

/// `text` as HTML text.
pub(in crate::functions) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}
