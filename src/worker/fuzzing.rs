//! Entry points for the fuzz targets. Not part of the public interface.

use std::array;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use stomp::{AckToken, Delivery, Headers};

use super::redelivery::prior_run;
use super::reply_queue::may_reply_to;
use crate::functions::PriorRun;

/// Judges a message by headers of the broker, and by the `Date` of SOAR: where its reply may go, and whether its call
/// may have run before. The texts are divided by bytes that UTF-8 does not have.
pub fn broker_headers(data: &[u8]) {
    let mut parts = data.split(|byte| *byte == 0xFF);
    let [reply_to, destination, session, timestamp, date]: [String; 5] =
        array::from_fn(|_| String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned());
    check_reply_queue(&reply_to, &destination);

    let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default();
    let sent_at = timestamp.parse().ok().and_then(DateTime::<Utc>::from_timestamp_millis);
    let delivery = Delivery {
        message_id: "m".to_owned(),
        destination,
        reply_to: Some(reply_to),
        correlation_id: None,
        redelivered: false,
        sent_at,
        serving_since: now - chrono::TimeDelta::hours(1),
        broker_session: Some(session.into()),
        headers: Headers::default(),
        body: Bytes::new(),
        damage: None,
        ack: AckToken::of(1, "a"),
    };
    let difference = soar::fuzzing::clock_difference(&date, now);
    let prior = prior_run(&delivery, difference, now);
    // Without a measured clock, only a message younger than the connection is certainly new.
    if difference.is_none() && sent_at.is_none_or(|sent_at| sent_at <= delivery.serving_since) {
        assert_ne!(prior, PriorRun::None);
    }
    let marked = Delivery { redelivered: true, ..delivery };
    assert_eq!(prior_run(&marked, difference, now), PriorRun::Likely);
}

/// Checks that a reply goes to one queue of SOAR or of the sender, and that none is named by a pattern or a list.
fn check_reply_queue(reply_to: &str, destination: &str) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.:/".contains(c);
    for known in [Some(destination), None] {
        if may_reply_to(reply_to, known, 201, &[]) {
            assert!(reply_to.chars().all(is_plain), "{reply_to:?}");
            let name = reply_to.strip_prefix("/queue/").unwrap_or(reply_to);
            let is_temporary = reply_to.starts_with("/remote-temp-queue/ID:");
            assert!(is_temporary || name.starts_with("acks.201."), "{reply_to:?}");
            let actions = destination.replacen("actions", "acks", 1);
            assert!(
                is_temporary || known.is_none() || actions.ends_with(name),
                "{reply_to:?} for {destination:?}"
            );
        }
    }
}
