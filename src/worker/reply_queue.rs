//! Where a reply may go. A broker, or anyone who can write to the queue of calls, could name another queue, and the
//! reply would be sent there with the rights of this program.

/// How a broker names a temporary queue of another connection.
const TEMPORARY: &str = "/remote-temp-queue/ID:";

/// Whether `reply_to` is the queue in which the organisation waits for the reply to a message of `destination`:
/// `acks.ORG.NAME` for `actions.ORG.NAME`, and for any name where the destination is unknown. A temporary queue of the
/// sender is allowed as well: only the connection that made it can read it (ActiveMQ page "STOMP"). So are `others`.
pub(super) fn may_reply_to(
    reply_to: &str,
    destination: Option<&str>,
    organisation: i64,
    others: &[String],
) -> bool {
    if reply_to.strip_prefix(TEMPORARY).is_some_and(is_id) {
        return true;
    }
    let reply_to = queue(reply_to);
    let actions = format!("actions.{organisation}.");
    let acks = format!("acks.{organisation}.");
    let is_expected = |name: &str| {
        is_name(name) && destination.is_none_or(|it| queue(it).strip_prefix(&*actions) == Some(name))
    };
    reply_to.strip_prefix(&*acks).is_some_and(is_expected)
        || others.iter().any(|other| queue(other) == reply_to)
}

/// A destination without a prefix is a queue (ActiveMQ page "STOMP").
fn queue(destination: &str) -> &str {
    destination.strip_prefix("/queue/").unwrap_or(destination)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// Whether it can be the rest of an id that a broker makes: host, port, time and counters.
fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reply_goes_to_the_queue_of_the_message_only() {
        let may = |reply_to: &str| may_reply_to(reply_to, Some("/queue/actions.201.fn_x"), 201, &[]);
        assert!(may("/queue/acks.201.fn_x") && may("acks.201.fn_x"));
        assert!(may("/remote-temp-queue/ID:host-49739-1421170578125-2:10:1"));
        for other in [
            "/queue/acks.201.other",
            "/queue/acks.202.fn_x",
            "/queue/actions.201.fn_x",
            "/queue/acks.201.fn_x,acks.201.other",
            "/queue/acks.201.>",
            "/topic/acks.201.fn_x",
            "/topic/ActiveMQ.Advisory.Queue",
            "/temp-queue/acks.201.fn_x",
            "/remote-temp-queue/",
            "/remote-temp-queue/ID:",
            "/remote-temp-queue/ID:x/../acks.201.other",
            "/remote-temp-queue/ID:x?consumer.exclusive=true",
            "/remote-temp-topic/ID:host-49739-1421170578125-2:10:1",
            "/queue//queue/acks.201.fn_x",
            "/queue/",
            "",
        ] {
            assert!(!may(other), "{other}");
        }
        for destination in
            ["/queue/actions.202.fn_x", "/topic/actions.201.fn_x", "/queue/actions.201.>", "/queue/x"]
        {
            let reply_to = destination.replace("actions", "acks");
            assert!(!may_reply_to(&reply_to, Some(destination), 201, &[]), "{destination}");
        }
    }

    #[test]
    fn unreadable_message_is_answered_in_the_organisation_only() {
        assert!(may_reply_to("/queue/acks.201.fn_x", None, 201, &[]));
        assert!(!may_reply_to("/queue/acks.202.fn_x", None, 201, &[]));
        assert!(!may_reply_to("/queue/acks.201.>", None, 201, &[]));
    }

    #[test]
    fn configured_queue_is_allowed() {
        let others = ["replies.soar".to_owned()];
        assert!(may_reply_to("/queue/replies.soar", Some("/queue/x"), 201, &others));
        assert!(!may_reply_to("/queue/replies.soar2", Some("/queue/x"), 201, &others));
    }
}
