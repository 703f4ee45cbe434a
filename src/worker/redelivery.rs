//! Whether the call in a delivery that is new to this process may have been run before: by another process, or by this
//! one before it was restarted.
//!
//! The broker marks a message that it handed out before (`redelivered`). A broker that is killed forgets the mark, but
//! not when the message was sent. So a message without the mark was handed out before only if it is older than the
//! broker's own start:
//!
//! ```text
//!   ──── sent ──── broker starts ────────────▶   Likely: the broker may have forgotten the mark
//!   ──── broker starts ──── sent ──── we connect ──▶   Possible: a broker restarted in its process forgets it
//!   ──── broker starts ──── we connect ──── sent ──▶   None
//! ```
//!
//! ActiveMQ names its start in the `session` header of its CONNECTED frame, by the clock that messages are stamped
//! with. With a broker that does not name it, the start of the connection decides: had the broker been restarted
//! since, the connection would have broken. That is a time of this machine's clock, so the difference of the clocks
//! counts, which is measured from SOAR's answers.

use chrono::{DateTime, TimeDelta, Utc};

use crate::functions::{CLOCKS_APART, PriorRun};
use soar::ClockDifference;
use stomp::Delivery;

/// Times that cannot be a broker's start: another number stands there.
const PLAUSIBLE_START: std::ops::Range<i64> = 1_000_000_000_000..10_000_000_000_000;

/// Judges a delivery that came over a connection whose SOAR's clock differs by `difference`, if that is known.
pub(super) fn prior_run(
    delivery: &Delivery,
    difference: Option<ClockDifference>,
    now: DateTime<Utc>,
) -> PriorRun {
    if net::failpoint::is_set(format_args!("take-redeliveries-for-new-calls")) {
        return PriorRun::None;
    }
    let Some(sent_at) = delivery.sent_at.filter(|_| !delivery.redelivered) else {
        return PriorRun::Likely;
    };
    let started = delivery.broker_session.as_deref().and_then(broker_start);
    if started.is_some_and(|started| sent_at <= started) {
        return PriorRun::Likely;
    }
    let difference = difference.unwrap_or(ClockDifference {
        least: -TimeDelta::from_std(CLOCKS_APART).unwrap_or_default(),
        most: TimeDelta::from_std(CLOCKS_APART).unwrap_or_default(),
    });
    let connected = (delivery.serving_since + difference.least, delivery.serving_since + difference.most);
    // A stamp from the future was made by a clock that says nothing about the order of events.
    let is_from_future = sent_at > now + difference.most;
    if sent_at > connected.1 && !is_from_future {
        PriorRun::None
    } else if started.is_some() || sent_at > connected.0 {
        PriorRun::Possible
    } else {
        PriorRun::Likely
    }
}

/// The start of an ActiveMQ broker, from its name for a connection: `ID:<host>-<port>-<start in ms>-<n>:<n>`
/// (`IdGenerator`).
fn broker_start(session: &str) -> Option<DateTime<Utc>> {
    let (seed, _) = session.strip_prefix("ID:")?.split_once(':')?;
    let mut parts = seed.rsplitn(4, '-');
    let (_instance, start, port) = (parts.next()?, parts.next()?, parts.next()?);
    // Without a host it is not of this form.
    parts.next()?;
    port.parse::<u16>().ok()?;
    let start = start.parse().ok().filter(|start| PLAUSIBLE_START.contains(start))?;
    DateTime::from_timestamp_millis(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stomp::AckToken;

    /// The clocks differ by one to two seconds.
    const MEASURED: Option<ClockDifference> =
        Some(ClockDifference { least: TimeDelta::seconds(1), most: TimeDelta::seconds(2) });

    fn connected() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    /// A delivery over a connection to a broker that started that many seconds before it, sent that many after it.
    fn delivery(started_before: Option<i64>, sent_after: Option<f64>) -> Delivery {
        let started = |before| (connected() - TimeDelta::seconds(before)).timestamp_millis();
        Delivery {
            message_id: "m".to_owned(),
            destination: "calls".to_owned(),
            reply_to: None,
            correlation_id: None,
            redelivered: false,
            sent_at: sent_after.map(|after: f64| {
                connected()
                    + TimeDelta::from_std(std::time::Duration::from_secs_f64(after.abs())).unwrap_or_default()
                        * if after < 0.0 { -1 } else { 1 }
            }),
            serving_since: connected(),
            broker_session: started_before
                .map(|before| format!("ID:soar-1.example-40000-{}-2:1", started(before)).into()),
            headers: stomp::Headers::default(),
            body: bytes::Bytes::new(),
            damage: None,
            ack: AckToken::of(1, "a"),
        }
    }

    fn judged(started_before: Option<i64>, sent_after: f64, difference: Option<ClockDifference>) -> PriorRun {
        let now = connected() + TimeDelta::hours(1);
        prior_run(&delivery(started_before, Some(sent_after)), difference, now)
    }

    #[test]
    fn message_younger_than_connection_was_not_run() {
        for broker in [None, Some(3600)] {
            assert_eq!(judged(broker, 2.001, MEASURED), PriorRun::None);
            assert_eq!(judged(broker, 300.001, None), PriorRun::None);
        }
    }

    #[test]
    fn message_older_than_broker_was_likely_run() {
        for difference in [None, MEASURED] {
            assert_eq!(judged(Some(60), -60.0, difference), PriorRun::Likely);
            assert_eq!(judged(Some(60), -86_400.0, difference), PriorRun::Likely);
        }
    }

    #[test]
    fn message_between_broker_and_connection_was_possibly_run() {
        for (sent_after, difference) in
            [(-59.999, MEASURED), (0.0, MEASURED), (1.999, MEASURED), (299.0, None)]
        {
            assert_eq!(judged(Some(60), sent_after, difference), PriorRun::Possible, "{sent_after}");
        }
    }

    #[test]
    fn connection_decides_when_broker_does_not_name_its_start() {
        assert_eq!(judged(None, 1.0, MEASURED), PriorRun::Likely);
        assert_eq!(judged(None, 1.001, MEASURED), PriorRun::Possible);
        assert_eq!(judged(None, -300.0, None), PriorRun::Likely);
        assert_eq!(judged(None, -299.0, None), PriorRun::Possible);
    }

    #[test]
    fn message_from_the_future_was_possibly_run() {
        for broker in [None, Some(60)] {
            assert_eq!(judged(broker, 3602.001, MEASURED), PriorRun::Possible);
            assert_eq!(judged(broker, 3900.001, None), PriorRun::Possible);
            assert_eq!(judged(broker, 3602.0, MEASURED), PriorRun::None);
        }
    }

    #[test]
    fn marked_or_undated_message_was_likely_run() {
        let now = connected() + TimeDelta::hours(1);
        let marked = Delivery { redelivered: true, ..delivery(Some(60), Some(600.0)) };
        assert_eq!(prior_run(&marked, MEASURED, now), PriorRun::Likely);
        assert_eq!(prior_run(&delivery(Some(60), None), MEASURED, now), PriorRun::Likely);
    }

    #[test]
    fn broker_start_is_read_from_activemq_names_only() {
        let start = |session| broker_start(session).map(|start| start.timestamp_millis());
        assert_eq!(start("ID:host-43211-1764350000000-2:5"), Some(1_764_350_000_000));
        assert_eq!(start("ID:soar-1.example.com-43211-1764350000000-2:5"), Some(1_764_350_000_000));
        for other in [
            "",
            "session-UwRAKvYTXDVXIbGxdSPs8w",
            "ID:sandbox-2:7",
            "ID:43211-1764350000000-2:5",
            "ID:host-43211-17643-2:5",
            "ID:host-99999-1764350000000-2:5",
            "ID:host-43211-99999999999999999999-2:5",
            "d2f1a3c0-1764350000000",
        ] {
            assert_eq!(start(other), None, "{other}");
        }
    }
}
