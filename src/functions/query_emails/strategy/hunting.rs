//! Advanced hunting as an index.

use futures_util::future::BoxFuture;

use super::Task;
use super::clicks::Clicks;
use super::index::{Index, Rows, Unusable};
use crate::functions::query_emails::reconciliation::{Delivery, Row};
use graph::{Criteria, HuntingCriteria, IndexLimits, MailEvent, hunt_mail};

/// Advanced hunting in the mail of 30 days.
pub(super) struct Hunting;

impl Index for Hunting {
    const NAME: &'static str = "advanced hunting";

    fn knows(&self, criteria: &Criteria) -> bool {
        !of(criteria).is_empty()
    }

    fn rows<'a>(&'a self, task: Task<'a>) -> BoxFuture<'a, Result<Rows, Unusable>> {
        Box::pin(async move {
            let limits = IndexLimits::until(task.until);
            let hunt = hunt_mail(&task.context.graph, &of(&task.query.criteria), limits)
                .await
                .map_err(|error| Unusable { why: error.to_string(), source: error.error().clone() })?;
            Ok(Rows { rows: hunt.rows.into_iter().map(Row::from).collect(), coverage: hunt.coverage })
        })
    }

    fn clicks<'a>(&'a self, task: Task<'a>) -> BoxFuture<'a, Option<Clicks>> {
        Box::pin(async move {
            let has_urls = !task.query.criteria.indicators.urls.is_empty();
            if has_urls { Some(Clicks::find(task).await) } else { None }
        })
    }
}

/// The criteria that the tables of mail have columns for. Wildcards are compared in the mailboxes.
fn of(criteria: &Criteria) -> HuntingCriteria {
    let indicators = &criteria.indicators;
    let names: Vec<String> = indicators.attachment_names.iter().map(ToString::to_string).collect();
    let has_wildcard = names.iter().any(|name| name.contains('*'));
    HuntingCriteria {
        message_ids: indicators.message_ids.clone(),
        network_message_ids: indicators.network_message_ids.clone(),
        senders: criteria.sender.iter().map(ToString::to_string).collect(),
        recipients: indicators.recipients.iter().map(ToString::to_string).collect(),
        subjects: criteria.subject.iter().cloned().collect(),
        urls: indicators.urls.iter().map(|url| url.host().to_owned()).collect(),
        attachment_sha256: indicators.attachment_digests.iter().map(ToString::to_string).collect(),
        attachment_names: if has_wildcard { Vec::new() } else { names },
        from: criteria.received_from,
        to: criteria.received_to,
    }
}

impl From<MailEvent> for Row {
    fn from(row: MailEvent) -> Self {
        let location = &row.latest_delivery_location;
        let is = |text: &str, word: &str| text.to_ascii_lowercase().contains(word);
        let delivery = if is(location, "quarantine") {
            Delivery::Quarantined
        } else if is(&row.delivery_action, "blocked") || is(location, "failed") || is(location, "dropped") {
            Delivery::NotDelivered(row.delivery_action.to_lowercase())
        } else if is(location, "external") {
            Delivery::External
        } else {
            Delivery::Delivered
        };
        Self {
            recipient: row.recipient,
            user_id: Some(row.recipient_object_id).filter(|id| !id.is_empty()),
            message_id: row.message_id,
            received: row.time,
            delivery,
        }
    }
}
