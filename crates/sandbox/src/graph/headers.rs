//! A message's internet headers (RFC 5322), as `internetMessageHeaders` and in its MIME form.

use chrono::DateTime;

use super::json::Object;
use super::options::Address;

/// The header in which Exchange keeps Defender's id of a message.
pub(super) const NETWORK_MESSAGE_ID: &str = "X-MS-Exchange-Organization-Network-Message-Id";

/// What the headers are derived from.
pub(super) struct Envelope<'a> {
    pub(super) from: Option<Address>,
    pub(super) to: &'a [Address],
    pub(super) cc: &'a [Address],
    pub(super) subject: &'a str,
    /// When it was received, in seconds since 1970.
    pub(super) received: i64,
    pub(super) message_id: Option<&'a str>,
    /// `None` if it did not arrive through Exchange.
    pub(super) network_message_id: Option<&'a str>,
    /// Headers that replace generated ones, or follow them.
    pub(super) own: &'a [(String, String)],
}

impl Envelope<'_> {
    /// All headers but those of the MIME structure.
    pub(super) fn headers(&self) -> Vec<(String, String)> {
        let date = DateTime::from_timestamp(self.received, 0).unwrap_or_default().to_rfc2822();
        let domain =
            self.from.as_ref().and_then(|from| from.address.split_once('@')).map_or("", |(_, domain)| domain);
        let mut headers = Vec::new();
        let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
        if self.network_message_id.is_some() {
            add(
                "Received",
                format!(
                    "from mail.contoso.example (203.0.113.7) by sandbox.contoso.example with HTTPS; {date}"
                ),
            );
            add(
                "Received",
                format!("from mx.{domain} (198.51.100.25) by mail.contoso.example with ESMTPS; {date}"),
            );
            let results = format!(
                "spf=none (sender IP is 198.51.100.25) smtp.mailfrom={domain}; dkim=none; dmarc=none"
            );
            add("Authentication-Results", results);
        }
        if let Some(from) = &self.from {
            add("From", written(from));
        }
        for (name, addresses) in [("To", self.to), ("Cc", self.cc)] {
            if !addresses.is_empty() {
                add(name, addresses.iter().map(written).collect::<Vec<_>>().join(", "));
            }
        }
        add("Subject", self.subject.to_owned());
        add("Date", date);
        if let Some(id) = self.message_id {
            add("Message-ID", id.to_owned());
        }
        if let Some(id) = self.network_message_id {
            let sender = self.from.as_ref().map_or("", |from| &from.address);
            add("Return-Path", sender.to_owned());
            add(NETWORK_MESSAGE_ID, id.to_owned());
            add("X-MS-Exchange-Organization-AuthSource", "mail.contoso.example".to_owned());
            add("X-MS-Exchange-Organization-SCL", "1".to_owned());
        }
        headers.retain(|(name, _)| value(self.own, name).is_none());
        headers.extend(self.own.iter().cloned());
        headers
    }
}

/// The value of the first header of this name.
pub(super) fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// Appends the headers as Graph's list of `internetMessageHeader`.
pub(super) fn write(out: &mut Vec<u8>, headers: &[(String, String)]) {
    out.push(b'[');
    for (nth, (name, value)) in headers.iter().enumerate() {
        if nth > 0 {
            out.push(b',');
        }
        let mut header = Object::begin(out);
        header.text("name", name).text("value", value);
        header.end();
    }
    out.push(b']');
}

fn written(address: &Address) -> String {
    format!("{} <{}>", address.name, address.address)
}
