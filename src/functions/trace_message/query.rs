//! What a trace asks for.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::functions::incident_sink::IncidentSink;
use crate::functions::inputs::{InputError, Inputs};
use crate::functions::report::Output;
use graph::{AddressMatch, TraceCriteria};
use net::untrusted::text::excerpt;

/// So many characters of a criterion are shown in a line.
const LONGEST_PHRASE: usize = 200;

/// What a trace asks for.
pub(super) struct Query {
    /// `None` only where the call was made without an incident.
    pub(super) incident: Option<i64>,
    pub(super) criteria: TraceCriteria,
    pub(super) output: Output,
}

impl Query {
    pub(super) fn read(inputs: &Inputs, sink: &IncidentSink) -> Result<Self, InputError> {
        let mut reader = inputs.read();
        let texts = |matches: Vec<AddressMatch>| matches.iter().map(ToString::to_string).collect();
        let query = Self {
            incident: reader.incident(sink.needs_incident()),
            criteria: TraceCriteria {
                message_ids: reader.message_ids("exo_internet_message_id"),
                senders: texts(reader.address_matches("exo_email_address_sender")),
                recipients: texts(reader.address_matches("exo_recipient")),
                subjects: reader.text_lines("exo_message_subject"),
                from: reader.time("exo_start_date"),
                to: reader.end_time("exo_end_date"),
            },
            output: Output { chosen: reader.required_choices("exo_query_output_format", Output::LABELS) },
        };
        reader.check_span(query.criteria.from, query.criteria.to);
        reader.finish()?;
        Ok(query)
    }

    /// Checks that there is a criterion. Dates alone would list the mail of the whole tenant.
    ///
    /// # Errors
    /// Says what is missing, for the analyst.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.criteria.is_empty() {
            return Err(
                "At least one criterion is required: exo_internet_message_id, exo_email_address_sender, exo_recipient \
                 or exo_message_subject. (Dates only limit the trace.)"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// Describes every criterion that was given.
    pub(super) fn described(&self) -> Vec<(&'static str, String)> {
        let TraceCriteria { message_ids, senders, recipients, subjects, from, to } = &self.criteria;
        let lists = [
            ("Message-ID", message_ids),
            ("Sender", senders),
            ("Recipient", recipients),
            ("Message subject", subjects),
        ];
        let lists = lists.into_iter().filter(|(_, values)| !values.is_empty());
        let times = [("Received from", from), ("Received to", to)];
        lists
            .map(|(name, values)| (name, values.join(", ")))
            .chain(times.into_iter().filter_map(|(name, time)| Some((name, shown((*time)?)))))
            .collect()
    }

    /// The criteria in one line.
    pub(super) fn phrase(&self) -> String {
        let phrases = self.described().into_iter();
        let phrases = phrases
            .map(|(name, value)| format!("{} {}", name.to_lowercase(), excerpt(&value, LONGEST_PHRASE)));
        phrases.collect::<Vec<_>>().join(" · ")
    }
}

fn shown(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
