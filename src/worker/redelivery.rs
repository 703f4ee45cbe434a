//! Whether the call in a delivery that is new to this process may have been run before, by another process or by
//! an earlier life of this one.
//!
//! The broker's `redelivered` mark says so, but a broker that is killed forgets the mark (ActiveMQ does). What it
//! cannot forget is when the message was sent: one that is younger than our connection and bears no mark has been
//! with nobody. Had it been, either the mark would be there, or the broker was killed since, and with it our
//! connection. One that is older may have been with somebody a moment ago, whose connection broke with ours.

use crate::functions::{CLOCKS_APART, PriorRun};
use stomp::Delivery;

/// Judges a delivery.
pub(super) fn prior_run(delivery: &Delivery) -> PriorRun {
    if net::failpoint::is_set(format_args!("take-redeliveries-for-new-calls")) {
        return PriorRun::None;
    }
    if delivery.redelivered {
        return PriorRun::Likely;
    }
    match delivery.sent_at {
        Some(sent_at) if sent_at > delivery.serving_since + CLOCKS_APART => PriorRun::None,
        Some(sent_at) if sent_at > delivery.serving_since => PriorRun::Possible,
        _ => PriorRun::Likely,
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;
    use stomp::AckToken;

    fn delivery(redelivered: bool, sent_after: Option<TimeDelta>) -> Delivery {
        let serving_since = DateTime::<Utc>::from_timestamp(1_800_000_000, 0).unwrap();
        Delivery {
            message_id: "m".to_owned(),
            destination: "calls".to_owned(),
            reply_to: None,
            correlation_id: None,
            redelivered,
            sent_at: sent_after.map(|after| serving_since + after),
            serving_since,
            headers: stomp::Headers::default(),
            body: bytes::Bytes::new(),
            damage: None,
            ack: AckToken::of(1, "a"),
        }
    }

    #[test]
    fn what_is_younger_than_the_connection_for_sure_and_bears_no_mark_was_never_run() {
        assert_eq!(prior_run(&delivery(false, Some(TimeDelta::seconds(301)))), PriorRun::None);
    }

    #[test]
    fn what_may_be_older_than_the_connection_only_if_the_clocks_differ_may_have_been_run() {
        for sent_after in [TimeDelta::seconds(299), TimeDelta::milliseconds(1)] {
            assert_eq!(prior_run(&delivery(false, Some(sent_after))), PriorRun::Possible, "{sent_after:?}");
        }
    }

    #[test]
    fn what_is_older_than_the_connection_or_tells_no_time_was_likely_run() {
        for sent_after in [Some(TimeDelta::zero()), Some(TimeDelta::days(-2)), None] {
            assert_eq!(prior_run(&delivery(false, sent_after)), PriorRun::Likely, "{sent_after:?}");
        }
    }

    #[test]
    fn what_is_marked_was_likely_run_whenever_it_was_sent() {
        for sent_after in [Some(TimeDelta::seconds(301)), Some(TimeDelta::days(-2)), None] {
            assert_eq!(prior_run(&delivery(true, sent_after)), PriorRun::Likely, "{sent_after:?}");
        }
    }
}
