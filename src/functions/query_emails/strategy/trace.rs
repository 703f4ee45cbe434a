//! The message trace as an index.

use futures_util::future::BoxFuture;

use super::Task;
use super::index::{Index, Rows, Unusable};
use crate::functions::query_emails::reconciliation::{Delivery, Row};
use graph::{Criteria, IndexLimits, TraceCriteria, TraceRow, TraceStatus, message_trace};

/// The message trace: who received a message, for 90 days.
pub(super) struct MessageTrace;

impl Index for MessageTrace {
    const NAME: &'static str = "message trace";
    const DAYS: i64 = 90;

    fn knows(&self, criteria: &Criteria) -> bool {
        !of(criteria).is_empty()
    }

    fn rows<'a>(&'a self, task: Task<'a>) -> BoxFuture<'a, Result<Rows, Unusable>> {
        Box::pin(async move {
            let limits = IndexLimits::until(task.until);
            let trace = message_trace(&task.context.graph, &of(&task.query.criteria), limits)
                .await
                .map_err(|error| Unusable { why: error.to_string(), source: error.error().clone() })?;
            Ok(Rows { rows: trace.rows.into_iter().map(Row::from).collect(), coverage: trace.coverage })
        })
    }
}

/// A Message-ID is enough: the rest is compared in the mailboxes. The trace knows another sender, that of the envelope,
/// subjects as they were before they arrived, and recipients that a message does not name.
fn of(criteria: &Criteria) -> TraceCriteria {
    let ids = &criteria.indicators.message_ids;
    let others = if ids.is_empty() { Some(criteria) } else { None };
    TraceCriteria {
        message_ids: ids.clone(),
        senders: others.and_then(|it| it.sender.as_ref()).iter().map(ToString::to_string).collect(),
        recipients: Vec::new(),
        subjects: others.and_then(|it| it.subject.as_ref()).into_iter().cloned().collect(),
        from: criteria.received_from,
        to: criteria.received_to,
    }
}

impl From<TraceRow> for Row {
    fn from(row: TraceRow) -> Self {
        let delivery = match &row.status {
            TraceStatus::Delivered => Delivery::Delivered,
            TraceStatus::Expanded => Delivery::List,
            TraceStatus::Quarantined => Delivery::Quarantined,
            TraceStatus::Failed => Delivery::NotDelivered("failed".to_owned()),
            status @ (TraceStatus::FilteredAsSpam
            | TraceStatus::Pending
            | TraceStatus::GettingStatus
            | TraceStatus::Recalled
            | TraceStatus::Unknown(_)) => Delivery::Unsure(status.to_string()),
        };
        Self {
            recipient: row.recipient,
            user_id: None,
            message_id: row.message_id,
            received: row.received,
            delivery,
        }
    }
}
