//! `$expand`: what a response shows of the resources that belong to the one that was requested.

use super::attachments::SelectAttachment;
use super::cursor::Cursor;
use super::extended_property::PropertyId;
use super::refusal::Refusal;

/// What a request expands.
#[derive(Debug, Clone, Default)]
pub(super) struct Expand {
    pub(super) attachments: Option<SelectAttachment>,
    /// The extended properties to show.
    pub(super) properties: Vec<PropertyId>,
    /// Whether the calendar entry of a message about a meeting is shown ("Get eventMessage", example 2).
    pub(super) event: bool,
}

impl Expand {
    /// Reads the option for a message.
    pub(super) fn of_message(text: Option<&str>) -> Result<Self, Refusal> {
        let mut expand = Self::default();
        for part in text.into_iter().flat_map(parts) {
            if let Some(rest) = part.strip_prefix(PROPERTIES) {
                expand.properties.extend(property_ids(rest)?);
            } else if part == "microsoft.graph.eventMessage/event" {
                expand.event = true;
            } else {
                expand.attachments = Some(SelectAttachment::expanded(part)?);
            }
        }
        Ok(expand)
    }

    /// Reads the option for a resource that has extended properties and nothing else to expand, of the type `kind`.
    pub(super) fn properties_of(text: Option<&str>, kind: &str) -> Result<Vec<PropertyId>, Refusal> {
        let mut properties = Vec::new();
        for part in text.into_iter().flat_map(parts) {
            let rest = part.strip_prefix(PROPERTIES).ok_or_else(|| Refusal::no_property(part, kind))?;
            properties.extend(property_ids(rest)?);
        }
        Ok(properties)
    }
}

const PROPERTIES: &str = "singleValueExtendedProperties";

/// The parts of the option, which commas separate that stand in no parentheses and no string.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let (mut depth, mut quoted) = (0_i32, false);
    text.split(move |c| {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0 && !quoted
    })
    .map(str::trim)
}

/// Reads `($filter=id eq '…' or id eq '…')`: a filter on the id is the only way to see a property ("Get
/// singleValueLegacyExtendedProperty").
fn property_ids(text: &str) -> Result<Vec<PropertyId>, Refusal> {
    let filter = text.strip_prefix("($filter=").and_then(|rest| rest.strip_suffix(')'));
    let filter = filter.ok_or_else(|| {
        Refusal::bad_request("The expansion of singleValueExtendedProperties needs a $filter on id.")
    })?;
    let mut cursor = Cursor::new(filter);
    let mut ids = Vec::new();
    loop {
        let grouped = cursor.keyword("(");
        if !cursor.word().eq_ignore_ascii_case("id") {
            return Err(cursor.error("'id' expected"));
        }
        cursor.expect(" eq ")?;
        ids.push(PropertyId::parse(&cursor.string()?)?);
        if grouped {
            cursor.expect(")")?;
        }
        if !cursor.keyword(" or ") {
            break;
        }
    }
    if cursor.rest().trim().is_empty() { Ok(ids) } else { Err(cursor.error("'or' expected")) }
}
