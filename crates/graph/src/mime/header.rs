//! The headers of a message or of one of its parts, as far as they are needed.

use mailparse::{DispositionType, MailHeader, parse_content_disposition, parse_content_type, parse_header};

use crate::attachments::{MOST_NAME, bounded};

/// A line of a header beyond this many bytes is cut.
pub(super) const MOST_HEADER: usize = 64 << 10;

/// What the headers say.
#[derive(Debug, Default)]
pub(super) struct Headers {
    pub(super) subject: Option<String>,
    pub(super) from: Option<String>,
    pub(super) message_id: Option<String>,
    /// In lower case.
    pub(super) media_type: Option<String>,
    pub(super) boundary: Option<String>,
    pub(super) charset: Option<String>,
    pub(super) name: Option<String>,
    pub(super) encoding: Option<String>,
    pub(super) disposition: Option<Disposition>,
    pub(super) has_content_id: bool,
}

/// The kinds of `Content-Disposition` (RFC 2183).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposition {
    Inline,
    Attachment,
}

impl Headers {
    /// Takes in a header with its continuation lines. The first of its name counts.
    pub(super) fn add(&mut self, line: &[u8]) {
        let Ok((header, _)) = parse_header(line) else { return };
        let key = header.get_key_ref().trim().to_ascii_lowercase();
        let value = |header: &MailHeader<'_>| Some(bounded(header.get_value().trim(), MOST_NAME));
        match key.as_str() {
            "subject" => first(&mut self.subject, || value(&header)),
            "from" => first(&mut self.from, || value(&header)),
            "message-id" => first(&mut self.message_id, || value(&header)),
            "content-transfer-encoding" => first(&mut self.encoding, || value(&header)),
            "content-id" => self.has_content_id = true,
            "content-type" if self.media_type.is_none() => {
                let parsed = parse_content_type(&header.get_value());
                self.media_type = Some(bounded(&parsed.mimetype.to_ascii_lowercase(), MOST_NAME));
                self.boundary = parsed.params.get("boundary").cloned();
                self.charset = parsed.params.get("charset").cloned();
                first(&mut self.name, || parsed.params.get("name").map(|name| bounded(name, MOST_NAME)));
            }
            "content-disposition" if self.disposition.is_none() => {
                let parsed = parse_content_disposition(&header.get_value());
                self.disposition = Some(match parsed.disposition {
                    DispositionType::Inline => Disposition::Inline,
                    _ => Disposition::Attachment,
                });
                // Mail programs show this name rather than that of the type.
                if let Some(name) = parsed.params.get("filename") {
                    self.name = Some(bounded(name, MOST_NAME));
                }
            }
            _ => {}
        }
    }

    /// Whether the part holds other parts.
    pub(super) fn is_multipart(&self) -> bool {
        self.media_type.as_deref().is_some_and(|kind| kind.starts_with("multipart/"))
            && self.boundary.as_deref().is_some_and(|boundary| !boundary.is_empty())
    }

    /// Whether the part is a message.
    pub(super) fn is_message(&self) -> bool {
        let kind = self.media_type.as_deref().unwrap_or_default();
        matches!(kind, "message/rfc822" | "message/global")
            || self.name.as_deref().is_some_and(is_message_file)
    }

    /// Whether the part is shown as the text of its message.
    pub(super) fn is_body(&self) -> bool {
        let kind = self.media_type.as_deref().unwrap_or("text/plain");
        self.name.is_none()
            && self.disposition != Some(Disposition::Attachment)
            && matches!(kind, "text/plain" | "text/html" | "text")
    }

    pub(super) fn is_html(&self) -> bool {
        self.media_type.as_deref() == Some("text/html")
    }

    pub(super) fn is_inline(&self) -> bool {
        self.disposition != Some(Disposition::Attachment)
            && (self.disposition == Some(Disposition::Inline) || self.has_content_id)
    }
}

/// Whether a file of this name is a message.
pub(crate) fn is_message_file(name: &str) -> bool {
    let name = name.trim_end();
    name.len() > 4 && name.get(name.len() - 4..).is_some_and(|end| end.eq_ignore_ascii_case(".eml"))
}

fn first(slot: &mut Option<String>, value: impl FnOnce() -> Option<String>) {
    if slot.is_none() {
        *slot = value();
    }
}
