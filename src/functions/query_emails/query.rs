//! What a query asks for.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::config::SearchStrategy;
use crate::functions::incident_sink::IncidentSink;
use crate::functions::inputs::{InputError, Inputs, Reader};
use crate::functions::report::Output;
use graph::{Criteria, Indicators, RecoverableItems, SearchScope};
use net::untrusted::text::excerpt;

/// So many characters of a criterion are shown in a line.
const LONGEST_PHRASE: usize = 200;

/// The choices of `exo_search_strategy`.
pub(super) const STRATEGIES: &[&str] = &["auto", "mailboxes", "trace", "hunting"];

/// What a query asks for.
pub(in crate::functions) struct Query {
    /// `None` only where the call was made without an incident.
    pub(super) incident: Option<i64>,
    pub(super) scope: SearchScope,
    /// `exo_email_address` as it was typed.
    pub(super) asked: String,
    pub(super) criteria: Criteria,
    /// How the messages are found; the setting says it where this is `None`.
    pub(super) strategy: Option<SearchStrategy>,
    pub(super) output: Output,
}

impl Query {
    pub(in crate::functions) fn read(inputs: &Inputs, sink: &IncidentSink) -> Result<Self, InputError> {
        let mut reader = inputs.read();
        let asked = reader.required_words("exo_email_address");
        let query = Self {
            incident: reader.incident(sink.needs_incident()),
            scope: reader.scope(&asked),
            asked,
            strategy: strategy(&mut reader),
            output: Output { chosen: reader.required_choices("exo_query_output_format", Output::LABELS) },
            criteria: Criteria {
                folder: reader.folder("exo_mail_folders"),
                sender: reader.sender("exo_email_address_sender"),
                received_from: reader.time("exo_start_date"),
                received_to: reader.end_time("exo_end_date"),
                has_attachments: reader.flag("exo_has_attachments"),
                subject: reader.criterion("exo_message_subject"),
                body: reader.criterion("exo_message_body"),
                indicators: reader.indicators(),
                recoverable: match reader.flag("exo_include_recoverable") {
                    Some(true) => RecoverableItems::Included,
                    Some(false) | None => RecoverableItems::Excluded,
                },
            },
        };
        reader.check_span(query.criteria.received_from, query.criteria.received_to);
        reader.finish()?;
        Ok(query)
    }

    /// Checks that the inputs make sense together.
    ///
    /// # Errors
    /// Says what does not, for the analyst.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.criteria.is_empty() {
            return Err(
                "At least one search criterion is required: exo_email_address_sender, exo_start_date, exo_end_date, \
                 exo_has_attachments, exo_message_subject, exo_message_body, exo_internet_message_id, \
                 exo_network_message_id, exo_recipient, exo_attachment_name, exo_attachment_sha256, exo_url or \
                 exo_header. (A mail folder only limits the search.)"
                    .to_owned(),
            );
        }
        if self.criteria.body.as_ref().is_some_and(|body| !body.contains(char::is_alphanumeric)) {
            return Err(
                "The input \"exo_message_body\" holds no word to search for, and would find every message."
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// Describes every criterion that was given, `false` included.
    pub(in crate::functions) fn described(&self) -> Vec<(&'static str, String)> {
        let criteria = &self.criteria;
        let given = [
            ("Email address", Some(self.asked.clone())),
            ("Mail folder", criteria.folder.clone()),
            ("Sender", criteria.sender.as_ref().map(ToString::to_string)),
            ("Received from", criteria.received_from.map(shown)),
            ("Received to", criteria.received_to.map(shown)),
            ("Has attachments", criteria.has_attachments.map(|has| has.to_string())),
            ("Message subject", criteria.subject.clone()),
            ("Message body", criteria.body.clone()),
        ];
        let given = given.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let indicators = lists(&criteria.indicators).into_iter().filter(|(_, values)| !values.is_empty());
        let indicators = indicators.map(|(name, values)| (name, values.join(", ")));
        let recoverable = (criteria.recoverable == RecoverableItems::Included)
            .then(|| ("Recoverable Items", "included".to_owned()));
        given.chain(indicators).chain(recoverable).collect()
    }

    /// The query in a few words for each criterion, for a line that a reader takes in at a glance.
    pub(super) fn phrases(&self) -> Vec<String> {
        let criteria = &self.criteria;
        let who = match &self.scope {
            SearchScope::Tenant { prefix } if prefix.is_empty() => "all users".to_owned(),
            SearchScope::Tenant { prefix } => {
                format!("users whose name begins with {}", excerpt(prefix, LONGEST_PHRASE))
            }
            SearchScope::Listed(_) => excerpt(&self.asked, LONGEST_PHRASE),
        };
        let quoted = |text: &String| format!("“{}”", excerpt(text, LONGEST_PHRASE));
        let attachments = |has| if has { "with attachments" } else { "without attachments" };
        let given = [
            Some(who),
            criteria.folder.as_ref().map(|folder| format!("folder {}", excerpt(folder, LONGEST_PHRASE))),
            criteria
                .sender
                .as_ref()
                .map(|sender| format!("sender {}", excerpt(&sender.to_string(), LONGEST_PHRASE))),
            criteria.received_from.map(|time| format!("received from {}", shown(time))),
            criteria.received_to.map(|time| format!("received to {}", shown(time))),
            criteria.has_attachments.map(|has| attachments(has).to_owned()),
            criteria.subject.as_ref().map(|subject| format!("subject contains {}", quoted(subject))),
            criteria.body.as_ref().map(|body| format!("body contains {}", quoted(body))),
        ];
        let indicators = lists(&criteria.indicators).into_iter().filter(|(_, values)| !values.is_empty());
        let indicators = indicators.map(|(name, values)| {
            let any = if values.len() > 1 { "one of " } else { "" };
            format!("{} {any}{}", name.to_lowercase(), excerpt(&values.join(", "), LONGEST_PHRASE))
        });
        let recoverable =
            (criteria.recoverable == RecoverableItems::Included).then(|| "with Recoverable Items".to_owned());
        given.into_iter().flatten().chain(indicators).chain(recoverable).collect()
    }
}

/// The lists of indicators by name.
fn lists(indicators: &Indicators) -> [(&'static str, Vec<String>); 7] {
    fn texts(values: &[impl ToString]) -> Vec<String> {
        values.iter().map(ToString::to_string).collect()
    }
    [
        ("Message-ID", texts(&indicators.message_ids)),
        ("Network message id", texts(&indicators.network_message_ids)),
        ("Recipient", texts(&indicators.recipients)),
        ("Attachment name", texts(&indicators.attachment_names)),
        ("Attachment SHA-256", texts(&indicators.attachment_digests)),
        ("URL", texts(&indicators.urls)),
        ("Header", texts(&indicators.headers)),
    ]
}

/// Reads `exo_search_strategy`.
fn strategy(reader: &mut Reader<'_>) -> Option<SearchStrategy> {
    let name = reader.choice_of("exo_search_strategy", STRATEGIES)?;
    SearchStrategy::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, strategy)| strategy)
}

/// A time as results show it.
pub(super) fn shown(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
