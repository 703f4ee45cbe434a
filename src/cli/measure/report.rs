//! The report of a measurement for people, and what follows from it.

use std::fmt::Write as _;
use std::time::Duration;

use super::plan::Plan;
use super::run::{Measured, Stop, in_words};
use super::sample::Sample;
use net::untrusted::text::sanitize_terminal;

/// Longer times are shown in minutes.
const IN_SECONDS: Duration = Duration::from_secs(120);

/// How long a search of all users takes at least.
///
/// # Errors
/// What is missing to say so: a sentence for each.
pub(super) fn estimate(measured: &Measured) -> Result<Duration, Vec<String>> {
    let mut missing = Vec::new();
    let Some(listed) = &measured.listed else {
        return Err(vec!["The list of users did not come to its end.".to_owned()]);
    };
    if listed.has_more {
        missing.push(format!(
            "The tenant has, or may have, more users than the {} that were listed. Their number is not known.",
            listed.users
        ));
    }
    let unidentified = measured.left_out.values().sum::<usize>() - measured.denied;
    let looked_into = listed.users - measured.denied - unidentified;
    let not_reached = looked_into - measured.bulk.ended();
    for (count, what) in [
        (unidentified, "could not be compared with mailboxes_denied_reading"),
        (not_reached, "were not reached as a search does"),
        (measured.bulk.failures(), "failed as a search asks"),
    ] {
        if count > 0 {
            missing.push(format!("Mailboxes that {what}: {count}."));
        }
    }
    if measured.bulk.answered == 0 {
        missing.push("No mailbox answered as a search asks.".to_owned());
    }
    if missing.is_empty() { Ok(measured.bulk.took) } else { Err(missing) }
}

/// Why the measurement ended early.
pub(super) fn ended(plan: &Plan, stop: &Stop) -> String {
    match stop {
        Stop::Interrupted => "Ended early by Ctrl-C.".to_owned(),
        Stop::OutOfTime => format!("Ended early: the time of {} s was over.", plan.time.as_secs()),
        Stop::OutOfRequests => format!("Ended early: {} requests were sent.", plan.most_requests()),
        Stop::Failed(error) => format!("Ended early: {}.", in_words(error)),
    }
}

pub(super) fn text(plan: &Plan, measured: &Measured) -> String {
    let Measured { listed, left_out, single, bulk, sent, granted, stopped, .. } = measured;
    let mut text = String::new();
    let mut line = |line: &str| {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{}", sanitize_terminal(line));
    };
    if let Some(stop) = stopped {
        line(&ended(plan, stop));
    }
    if let Some(listed) = listed {
        let more = if listed.has_more { "; there are, or may be, more" } else { ", which are all" };
        line(&format!("Users listed: {}{more}", listed.users));
    }
    for (reason, count) in left_out {
        line(&format!("Not looked into: {count}, {reason}"));
    }
    line("");
    line(&format!("{:<32}{:>15}{:>12}", "", "by themselves", "as a search"));
    let mut row = |name: &str, value: fn(&Sample) -> String| {
        line(&format!("{name:<32}{:>15}{:>12}", value(single), value(bulk)));
    };
    row("mailboxes that answered", |sample| sample.answered.to_string());
    row("users without a mailbox", |sample| sample.without_mailbox.to_string());
    row("mailboxes that failed", |sample| sample.failures().to_string());
    row("seconds", |sample| format!("{:.1}", sample.took.as_secs_f64()));
    for (name, percent) in [("latency in ms, median", 50), ("latency in ms, 95th percentile", 95)] {
        // How long a request waited for a place is the doing of this program.
        line(&format!("{name:<32}{:>15}{:>12}", millis(single.percentile(percent)), "-"));
    }
    for (way, sample) in [("by itself", single), ("as a search does", bulk)] {
        for (reason, count) in &sample.failed {
            line(&format!("Failed {way}: {count}, {reason}"));
        }
    }
    line("");
    line(&format!(
        "Requests sent: {} to Graph ({} by themselves, {} in {} batches), {} for a token",
        sent.counted(),
        sent.single,
        sent.parts,
        sent.batches,
        sent.tokens
    ));
    line(&format!("Throttled answers: {}", sent.throttled));
    line(&format!(
        "Requests at once that Graph was found to accept: {} of {} (max_concurrent_requests)",
        granted.requests, plan.requests_at_once
    ));
    line("");
    for sentence in meaning(measured) {
        line(&sentence);
    }
    text
}

/// What the numbers mean.
fn meaning(measured: &Measured) -> Vec<String> {
    let mut sentences = Vec::new();
    match estimate(measured) {
        Ok(time) => {
            let users = measured.listed.as_ref().map_or(0, |listed| listed.users);
            sentences.push(format!(
                "A search of all {users} users would take about {}, with one small request for each mailbox. A search \
                 that reads many messages takes longer.",
                duration(time)
            ));
        }
        Err(missing) => {
            sentences.push("How long a search of all users would take was not measured:".to_owned());
            sentences.extend(missing.into_iter().map(|sentence| format!("  {sentence}")));
        }
    }
    let first_try = measured.single.timed();
    if first_try > 0 {
        sentences.push(format!(
            "The latency is that of {first_try} requests that were answered at the first try."
        ));
    }
    if measured.sent.throttled > 0 {
        sentences.push(
            "Graph throttled the application. Other work of it at the same time may be the reason."
                .to_owned(),
        );
    }
    sentences
}

/// A time in the unit that suits it.
fn duration(time: Duration) -> String {
    if time < IN_SECONDS {
        return format!("{} s", time.as_secs_f64().ceil());
    }
    format!("{} minutes", (time.as_secs_f64() / 60.0).ceil())
}

fn millis(time: Option<Duration>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| format!("{:.0}", time.as_secs_f64() * 1000.0))
}

#[cfg(test)]
mod tests {
    use super::super::run::Listed;
    use super::super::sample::Answer;
    use super::*;

    fn measured(users: usize, has_more: bool, answered: usize) -> Measured {
        let mut measured = Measured { listed: Some(Listed { users, has_more }), ..Measured::default() };
        (0..answered).for_each(|_| measured.bulk.add(Answer::Answered(None)));
        measured.bulk.took = Duration::from_secs(150);
        measured
    }

    #[test]
    fn estimate_takes_a_complete_sample_of_all_users() {
        assert_eq!(estimate(&measured(2, false, 2)), Ok(Duration::from_secs(150)));
        let more = estimate(&measured(2, true, 2)).unwrap_err();
        assert!(more.len() == 1 && more[0].contains("more users than the 2"), "{more:?}");
        let unreached = estimate(&measured(3, false, 2)).unwrap_err();
        assert_eq!(unreached, ["Mailboxes that were not reached as a search does: 1."]);
        assert_eq!(estimate(&Measured::default()).unwrap_err().len(), 1);
        let mut failed = measured(3, false, 2);
        failed.bulk.add(Answer::Failed("x".to_owned()));
        assert_eq!(estimate(&failed).unwrap_err(), ["Mailboxes that failed as a search asks: 1."]);
    }

    #[test]
    fn denied_mailboxes_do_not_make_a_sample_incomplete() {
        let mut denied = measured(3, false, 2);
        (denied.denied, denied.left_out) = (1, [("denied".to_owned(), 1)].into());
        assert!(estimate(&denied).is_ok());
        denied.left_out.insert("not identified".to_owned(), 1);
        denied.listed = Some(Listed { users: 4, has_more: false });
        assert_eq!(
            estimate(&denied).unwrap_err(),
            ["Mailboxes that could not be compared with mailboxes_denied_reading: 1."]
        );
    }

    #[test]
    fn estimate_is_not_too_small() {
        assert_eq!(duration(Duration::from_millis(1_200)), "2 s");
        assert_eq!(duration(Duration::from_secs(121)), "3 minutes");
    }
}
