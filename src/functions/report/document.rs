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

#[derive(Debug)]
enum Block {
    Line(Line),
    List(Vec<Line>),
    /// An empty line.
    Gap,
}

/// A text of lines and lists.
#[derive(Debug, Default)]
pub(super) struct Document {
    blocks: Vec<Block>,
}

impl Document {
    pub(super) fn line(&mut self, spans: impl IntoIterator<Item = Span>) {
        self.blocks.push(Block::Line(spans.into_iter().collect()));
    }

    pub(super) fn plain(&mut self, text: impl Into<String>) {
        self.line([Span::Plain(text.into())]);
    }

    pub(super) fn list(&mut self, lines: Vec<Line>) {
        self.blocks.push(Block::List(lines));
    }

    pub(super) fn gap(&mut self) {
        self.blocks.push(Block::Gap);
    }

    /// The text as HTML.
    pub(super) fn html(&self) -> String {
        let mut html = String::new();
        let mut is_after_list = false;
        for block in &self.blocks {
            match block {
                // A list has room below it.
                Block::Gap if is_after_list => {}
                Block::Line(line) => {
                    html.push_str("<div>");
                    html_line(&mut html, line);
                    html.push_str("</div>");
                }
                Block::List(lines) => {
                    html.push_str("<ul>");
                    for line in lines {
                        html.push_str("<li>");
                        html_line(&mut html, line);
                        html.push_str("</li>");
                    }
                    html.push_str("</ul>");
                }
                Block::Gap => html.push_str("<div><br/></div>"),
            }
            is_after_list = matches!(block, Block::List(_));
        }
        html
    }

    /// The text without markup.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for block in &self.blocks {
            match block {
                Block::Line(line) => text_line(&mut text, "", line),
                Block::List(lines) => lines.iter().for_each(|line| text_line(&mut text, "  ", line)),
                Block::Gap => text.push('\n'),
            }
        }
        text
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
