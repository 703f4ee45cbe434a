//! How a request wants messages to be shown: `$select` and the preferences.

use super::calendar::MeetingSelect;
use super::expand::Expand;
use super::identifier::IdForm;
use super::query::Query;
use super::refusal::Refusal;
use super::request::GraphRequest;

/// The properties that a request selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Select {
    message: u32,
    meeting: MeetingSelect,
}

/// All properties, in Graph's order. `id` always comes before them.
const PROPERTY: [&str; 30] = [
    "createdDateTime",
    "lastModifiedDateTime",
    "changeKey",
    "categories",
    "receivedDateTime",
    "sentDateTime",
    "hasAttachments",
    "internetMessageId",
    "subject",
    "bodyPreview",
    "importance",
    "parentFolderId",
    "conversationId",
    "conversationIndex",
    "isDeliveryReceiptRequested",
    "isReadReceiptRequested",
    "isRead",
    "isDraft",
    "webLink",
    "inferenceClassification",
    "body",
    "sender",
    "from",
    "toRecipients",
    "ccRecipients",
    "bccRecipients",
    "replyTo",
    "flag",
    "uniqueBody",
    "internetMessageHeaders",
];
/// The number of properties, from the start, that are shown without `$select`.
const SHOWN_BY_DEFAULT: usize = 28;

impl Select {
    const DEFAULT: Self = Self { message: (1 << SHOWN_BY_DEFAULT) - 1, meeting: MeetingSelect::ALL };

    fn parse(list: &str) -> Result<Self, Refusal> {
        let mut selected = Self { message: 0, meeting: MeetingSelect::NONE };
        for name in list.split(',').map(str::trim) {
            if name.eq_ignore_ascii_case("id") || selected.meeting.add(name) {
                continue;
            }
            let place = PROPERTY
                .iter()
                .position(|property| property.eq_ignore_ascii_case(name))
                .ok_or_else(|| Refusal::no_property(name, "microsoft.graph.message"))?;
            selected.message |= 1 << place;
        }
        Ok(selected)
    }

    /// The properties of messages about meetings.
    pub(super) fn meeting(self) -> MeetingSelect {
        self.meeting
    }

    pub(super) fn properties(self) -> impl Iterator<Item = &'static str> {
        PROPERTY
            .into_iter()
            .enumerate()
            .filter(move |(place, _)| self.message & 1 << place != 0)
            .map(|(_, name)| name)
    }
}

/// How a request wants messages to be shown.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) select: Select,
    pub(super) ids: IdForm,
    /// `Prefer: outlook.body-content-type="text"`
    pub(super) text_body: bool,
    pub(super) expand: Expand,
}

impl View {
    /// Reads the request's preferences, its `$select` and its `$expand`.
    pub(super) fn of(request: &GraphRequest, query: &Query) -> Result<Self, Refusal> {
        let select = query.select.as_deref().map_or(Ok(Select::DEFAULT), Select::parse)?;
        let expand = Expand::of_message(query.expand.as_deref())?;
        let body = request.preference("outlook.body-content-type");
        let text_body = body.is_some_and(|kind| kind.eq_ignore_ascii_case("text"));
        Ok(Self { select, ids: request.id_form(), text_body, expand })
    }
}
