//! `$filter` of the message trace. The service was measured to accept `or`, `in` and `ne` and to ignore them: of the
//! values for a property, the last one counts. What its documentation does not name at all is refused here.

use chrono::{DateTime, TimeDelta};

use crate::graph::cursor::Cursor;
use crate::graph::mail_flow::Passage;
use crate::graph::refusal::Refusal;

const LONGEST_SPAN: TimeDelta = TimeDelta::days(10);
const OLDEST: TimeDelta = TimeDelta::days(90);
const DEFAULT_SPAN: TimeDelta = TimeDelta::hours(48);

/// The conditions of a trace: one for each property at most.
#[derive(Debug, Default)]
pub(super) struct TraceFilter {
    id: Option<String>,
    message_id: Option<String>,
    sender: Option<String>,
    recipient: Option<String>,
    from_ip: Option<String>,
    to_ip: Option<String>,
    status: Option<String>,
    subject: Option<(Place, String)>,
    /// In milliseconds since 1970.
    from: Option<i64>,
    to: Option<i64>,
}

/// Where a text has to occur.
#[derive(Debug, Clone, Copy)]
enum Place {
    Anywhere,
    Start,
    End,
}

impl TraceFilter {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let mut filter = Self::default();
        let mut cursor = Cursor::new(text);
        if text.trim().is_empty() {
            return Ok(filter);
        }
        loop {
            while cursor.keyword("(") {}
            filter.condition(&mut cursor)?;
            while cursor.keyword(")") {}
            if cursor.rest().trim().is_empty() {
                return Ok(filter);
            }
            if !cursor.keyword(" and ") && !cursor.keyword(" or ") {
                return Err(cursor.error("'and' expected"));
            }
        }
    }

    fn condition(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Refusal> {
        let name = cursor.word();
        let place = match name.to_ascii_lowercase().as_str() {
            "contains" => Some(Place::Anywhere),
            "startswith" => Some(Place::Start),
            "endswith" => Some(Place::End),
            _ => None,
        };
        if let Some(place) = place {
            cursor.expect("(")?;
            let property = cursor.word();
            if property != "subject" {
                return Err(cursor.error(&format!("'{name}' cannot be used on '{property}'")));
            }
            cursor.expect(",")?;
            self.subject = Some((place, cursor.string()?.to_lowercase()));
            return cursor.expect(")");
        }
        if name == "receivedDateTime" {
            let bound = match cursor.word() {
                "ge" => &mut self.from,
                "le" => &mut self.to,
                other => return Err(cursor.error(&format!("'{other}' cannot be used on '{name}'"))),
            };
            let literal = cursor.word();
            let time = DateTime::parse_from_rfc3339(literal)
                .map_err(|_| cursor.error(&format!("'{literal}' is not an Edm.DateTimeOffset")))?;
            *bound = Some(time.timestamp_millis());
            return Ok(());
        }
        let slot = match name {
            "id" => &mut self.id,
            "messageId" => &mut self.message_id,
            "senderAddress" => &mut self.sender,
            "recipientAddress" => &mut self.recipient,
            "fromIP" => &mut self.from_ip,
            "toIP" => &mut self.to_ip,
            "status" => &mut self.status,
            other => return Err(Refusal::no_property(other, "microsoft.graph.exchangeMessageTrace")),
        };
        *slot = Some(match cursor.word() {
            "eq" | "ne" => cursor.string()?,
            "in" => last_of_list(cursor)?,
            other => return Err(cursor.error(&format!("'{other}' cannot be used on '{name}'"))),
        });
        Ok(())
    }

    pub(super) fn recipient(&self) -> Option<&str> {
        self.recipient.as_deref()
    }

    /// The span of the trace, in milliseconds since 1970.
    pub(super) fn span(&self, present: i64) -> Result<(i64, i64), Refusal> {
        let (from, to) = match (self.from, self.to) {
            (None, None) => return Ok((present - DEFAULT_SPAN.num_milliseconds(), present)),
            (Some(from), Some(to)) => (from, to),
            _ => return Err(Refusal::invalid_filter("receivedDateTime needs a start and an end.")),
        };
        let refuse = |what: &str| Err(Refusal::bad_request(format!("Invalid date range: {what}.")));
        if from > to {
            refuse("the start is after the end")
        } else if to > present {
            refuse("the end is later than the current date")
        } else if to - from > LONGEST_SPAN.num_milliseconds() {
            refuse("it exceeds 10 days")
        } else if present - from > OLDEST.num_milliseconds() {
            refuse("the start is more than 90 days before the current date")
        } else {
            Ok((from, to))
        }
    }

    /// Compares all conditions but the span.
    pub(super) fn matches(&self, passage: &Passage<'_>) -> bool {
        let same = |wanted: &Option<String>, own: &dyn Fn() -> String| {
            wanted.as_ref().is_none_or(|wanted| own().eq_ignore_ascii_case(wanted))
        };
        let subject = |(place, text): &(Place, String)| {
            let own = passage.subject().to_lowercase();
            match place {
                Place::Anywhere => own.contains(text.as_str()),
                Place::Start => own.starts_with(text.as_str()),
                Place::End => own.ends_with(text.as_str()),
            }
        };
        self.message_id.as_ref().is_none_or(|wanted| *passage.message_id() == **wanted)
            && same(&self.id, &|| passage.network_message_id().into_owned())
            && self.sender.as_ref().is_none_or(|wanted| is_sender(wanted, &passage.sender()))
            && self.subject.as_ref().is_none_or(subject)
            && same(&self.recipient, &|| passage.recipient().into_owned())
            && same(&self.from_ip, &|| passage.source_ip().into_owned())
            && same(&self.to_ip, &|| passage.to_ip().to_owned())
            && same(&self.status, &|| passage.status().to_owned())
    }
}

fn last_of_list(cursor: &mut Cursor<'_>) -> Result<String, Refusal> {
    cursor.expect("(")?;
    loop {
        let value = cursor.string()?;
        if !cursor.keyword(",") {
            cursor.expect(")")?;
            return Ok(value);
        }
    }
}

/// `*@domain` stands for every sender of a domain.
fn is_sender(wanted: &str, sender: &str) -> bool {
    match wanted.strip_prefix('*') {
        Some(domain) if domain.starts_with('@') => {
            sender.to_ascii_lowercase().ends_with(&domain.to_ascii_lowercase())
        }
        _ => sender.eq_ignore_ascii_case(wanted),
    }
}
