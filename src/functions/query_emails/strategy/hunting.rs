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
    const DAYS: i64 = 30;

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

/// What is asked of the tables of mail: what a message is known by, and only without that the sender, or the subject.
/// The rest is compared in the mailboxes, and so are names of attachments next to digests: a table has one file a row.
/// Recipients are not asked for: the tables have the members of a list, and those of blind copies.
fn of(criteria: &Criteria) -> HuntingCriteria {
    let indicators = &criteria.indicators;
    let names: Vec<String> = indicators.attachment_names.iter().map(ToString::to_string).collect();
    let are_usable = indicators.attachment_digests.is_empty() && !names.iter().any(|name| name.contains('*'));
    let known_by = HuntingCriteria {
        message_ids: indicators.message_ids.clone(),
        network_message_ids: indicators.network_message_ids.clone(),
        urls: indicators.urls.iter().map(|url| url.host().to_owned()).collect(),
        attachment_sha256: indicators.attachment_digests.iter().map(ToString::to_string).collect(),
        attachment_names: if are_usable { names } else { Vec::new() },
        ..HuntingCriteria::default()
    };
    let asked = match (&criteria.sender, &criteria.subject) {
        _ if !known_by.is_empty() => known_by,
        (Some(sender), _) => HuntingCriteria { senders: vec![sender.to_string()], ..known_by },
        (None, subject) => HuntingCriteria { subjects: subject.iter().cloned().collect(), ..known_by },
    };
    HuntingCriteria { from: criteria.received_from, to: criteria.received_to, ..asked }
}

impl From<MailEvent> for Row {
    fn from(row: MailEvent) -> Self {
        // The latest location says where the mail is now; the action is that of its delivery.
        let location = row.latest_delivery_location.to_lowercase();
        let is = |words: &[&str]| words.iter().any(|word| location.contains(word));
        let delivery = if is(&["inbox", "junk", "deleted"]) {
            Delivery::Delivered
        } else if is(&["quarantine"]) {
            Delivery::Quarantined
        } else {
            let text = format!("{}, {}", row.delivery_action, row.latest_delivery_location);
            Delivery::Unsure(text.trim_matches([' ', ',']).to_lowercase())
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
