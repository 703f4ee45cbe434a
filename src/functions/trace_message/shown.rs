//! Which rows of a trace the settings let an analyst see.

use std::collections::HashMap;

use futures_util::{StreamExt, stream};

use crate::functions::context::Context;
use graph::{ErrorKind, TraceRow, TraceStatus};

/// How many owners of addresses are looked up at once.
const AT_ONCE: usize = 100;

/// The rows that are shown, and how many are not.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) rows: Vec<TraceRow>,
    /// Rows of mailboxes that may not be read (`mailboxes_denied_reading`).
    pub(super) refused: usize,
    /// Rows of addresses whose owner could not be found out.
    pub(super) unidentified: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Shown,
    Unidentified,
    Refused,
}

impl Shown {
    /// Leaves out the rows of senders and recipients whose mailboxes may not be read.
    pub(super) async fn of(context: &Context, rows: Vec<TraceRow>) -> Result<Self, graph::Error> {
        if context.guard.read_policy().is_none() {
            return Ok(Self { rows, ..Self::default() });
        }
        let mut addresses: Vec<String> =
            rows.iter().flat_map(|row| [row.recipient.to_lowercase(), row.sender.to_lowercase()]).collect();
        addresses.sort_unstable();
        addresses.dedup();
        // A bounce has no sender.
        addresses.retain(|address| !address.is_empty());
        let route = context.graph.bulk();
        let checked = stream::iter(addresses).map(|address| {
            let route = &route;
            async move {
                let authorized = context.guard.authorize_showing(&context.graph, route, &address).await;
                (address, authorized)
            }
        });
        let mut checked = checked.buffer_unordered(AT_ONCE);
        let mut verdicts = HashMap::new();
        while let Some((address, authorized)) = checked.next().await {
            let verdict = match authorized {
                Ok(()) => Verdict::Shown,
                Err(error) if error.is_for_all() => return Err(error),
                Err(error) if matches!(error.kind(), ErrorKind::ReadingDenied) => Verdict::Refused,
                Err(_) => Verdict::Unidentified,
            };
            verdicts.insert(address, verdict);
        }
        let verdict =
            |address: &str| verdicts.get(&address.to_lowercase()).copied().unwrap_or(Verdict::Shown);
        let mut shown = Self::default();
        for row in rows {
            match verdict(&row.recipient).max(verdict(&row.sender)) {
                Verdict::Shown => shown.rows.push(row),
                Verdict::Refused => shown.refused += 1,
                Verdict::Unidentified => shown.unidentified += 1,
            }
        }
        Ok(shown)
    }

    pub(super) fn not_shown(&self) -> usize {
        self.refused + self.unidentified
    }

    /// How many messages there are rows of.
    pub(super) fn messages(&self) -> usize {
        distinct(self.rows.iter().map(|row| row.id.as_str()))
    }

    /// How many recipients there are, lists aside.
    pub(super) fn recipients(&self) -> usize {
        let people = self.rows.iter().filter(|row| row.status != TraceStatus::Expanded);
        distinct(people.map(|row| row.recipient.to_lowercase()))
    }

    /// How many rows have which status, in the order of the statuses.
    pub(super) fn by_status(&self) -> Vec<(&TraceStatus, usize)> {
        let mut statuses: Vec<&TraceStatus> = self.rows.iter().map(|row| &row.status).collect();
        statuses.sort_unstable();
        let mut counts: Vec<(&TraceStatus, usize)> = Vec::new();
        for status in statuses {
            match counts.last_mut().filter(|(last, _)| *last == status) {
                Some((_, count)) => *count += 1,
                None => counts.push((status, 1)),
            }
        }
        counts
    }
}

fn distinct<T: Ord>(values: impl Iterator<Item = T>) -> usize {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.dedup();
    values.len()
}
