//! Promise: calls that end together share a transaction, and each of them is as safe as alone.

use crate::support::peer::Line;
use crate::support::session::{next, subscribed};
use stomp::{AckToken, ClientCommand, Delivery, Frame, NotConfirmed, Reply, Session};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

fn reply(body: &str) -> Reply {
    Reply { destination: "/queue/acks.201.fn".to_owned(), correlation_id: None, body: body.to_owned().into() }
}

/// Hands out so many messages, whose acknowledgements are `a0`, `a1` and so on.
async fn deliver(line: &mut Line, deliveries: &mut mpsc::Receiver<Delivery>, count: usize) -> Vec<AckToken> {
    let mut acks = Vec::new();
    for n in 0..count {
        line.deliver(&format!("m{n}"), &format!("a{n}"), "call").await;
        acks.push(next(deliveries).await.ack);
    }
    acks
}

type Finishing = JoinHandle<Result<(), NotConfirmed>>;

/// Finishes calls with these replies. Returns once the session has all of them, which a status message proves.
async fn finish(line: &mut Line, session: &Session, calls: &[(&AckToken, &str)]) -> Vec<Finishing> {
    let mut finishing = Vec::new();
    for (ack, body) in calls {
        let (session, ack, reply) = (session.clone(), (*ack).clone(), reply(body));
        finishing.push(tokio::spawn(async move { session.finish(&ack, Some(reply)).await }));
        tokio::task::yield_now().await;
    }
    session.send(reply("status")).await.unwrap();
    let status = line.expect(ClientCommand::Send).await;
    assert_eq!(&status.body[..], b"status");
    finishing
}

/// The SENDs of a transaction that begins now, which must have these replies.
async fn begun(line: &mut Line, replies: &[&str]) -> Vec<Frame<ClientCommand>> {
    let begin = line.expect(ClientCommand::Begin).await;
    let mut sends = Vec::new();
    for reply in replies {
        let send = line.expect(ClientCommand::Send).await;
        assert_eq!(send.header("transaction"), begin.header("transaction"));
        assert_eq!(String::from_utf8_lossy(&send.body), *reply);
        sends.push(send);
    }
    sends
}

/// The COMMIT of a transaction that acknowledges these.
async fn committed(line: &mut Line, sends: &[Frame<ClientCommand>], acks: &[&str]) -> Frame<ClientCommand> {
    for id in acks {
        let ack = line.expect(ClientCommand::Ack).await;
        assert_eq!(
            (ack.header("id"), ack.header("transaction")),
            (Some(*id), sends[0].header("transaction"))
        );
    }
    let commit = line.expect(ClientCommand::Commit).await;
    assert_eq!(commit.header("transaction"), sends[0].header("transaction"));
    commit
}

async fn outcomes(finishing: Vec<Finishing>) -> Vec<Result<(), NotConfirmed>> {
    let mut outcomes = Vec::new();
    for one in finishing {
        outcomes.push(one.await.unwrap());
    }
    outcomes
}

/// The first call has begun its transaction; the others have ended as well.
async fn first_under_way(
    line: &mut Line,
    session: &Session,
    acks: &[AckToken],
) -> (Frame<ClientCommand>, Finishing, Vec<Finishing>) {
    let (finishing, ack) = (session.clone(), acks[0].clone());
    let first = tokio::spawn(async move { finishing.finish(&ack, Some(reply("0"))).await });
    let send = begun(line, &["0"]).await.remove(0);
    let others: Vec<_> = acks[1..].iter().zip(["1", "2", "3", "4"]).collect();
    let others = finish(line, session, &others).await;
    (send, first, others)
}

#[tokio::test]
async fn replies_that_are_ready_together_share_a_transaction() {
    let (_peer, mut line, session, mut deliveries) = subscribed().await;
    let acks = deliver(&mut line, &mut deliveries, 4).await;
    let (send, first, others) = first_under_way(&mut line, &session, &acks).await;
    line.confirm(&send).await;
    let commit = committed(&mut line, &[send], &["a0"]).await;
    // The next transaction does not wait for the broker's disk.
    let sends = begun(&mut line, &["1", "2", "3"]).await;
    line.confirm(&commit).await;
    assert_eq!(first.await.unwrap(), Ok(()));
    for send in &sends {
        line.confirm(send).await;
    }
    let commit = committed(&mut line, &sends, &["a1", "a2", "a3"]).await;
    assert!(others.iter().all(|other| !other.is_finished()), "nothing was confirmed yet");
    line.confirm(&commit).await;
    assert_eq!(outcomes(others).await, [Ok(()), Ok(()), Ok(())]);
}

#[tokio::test]
async fn refused_reply_does_not_take_the_others_with_it() {
    let (_peer, mut line, session, mut deliveries) = subscribed().await;
    let acks = deliver(&mut line, &mut deliveries, 4).await;
    let (send, _first, others) = first_under_way(&mut line, &session, &acks).await;
    line.confirm(&send).await;
    committed(&mut line, &[send], &["a0"]).await;
    let sends = begun(&mut line, &["1", "2", "3"]).await;
    line.confirm(&sends[0]).await;
    line.refuse(&sends[1], "no room").await;
    line.confirm(&sends[2]).await;
    let abort = line.expect(ClientCommand::Abort).await;
    assert_eq!(abort.header("transaction"), sends[0].header("transaction"));
    let sends = begun(&mut line, &["1", "3"]).await;
    for send in &sends {
        line.confirm(send).await;
    }
    let commit = committed(&mut line, &sends, &["a1", "a3"]).await;
    line.confirm(&commit).await;
    let refused = Err(NotConfirmed::RefusedByBroker("no room".to_owned()));
    assert_eq!(outcomes(others).await, [Ok(()), refused, Ok(())]);
}

#[tokio::test]
async fn reply_that_cannot_be_sent_does_not_take_the_others_with_it() {
    let (_peer, mut line, session, mut deliveries) = subscribed().await;
    let acks = deliver(&mut line, &mut deliveries, 3).await;
    let (send, _first, mut others) = first_under_way(&mut line, &session, &acks[..2]).await;
    let bad = Reply { destination: "acks\0".to_owned(), ..reply("2") };
    let (finishing, ack) = (session.clone(), acks[2].clone());
    others.push(tokio::spawn(async move { finishing.finish(&ack, Some(bad)).await }));
    assert_eq!(finish(&mut line, &session, &[]).await.len(), 0);
    line.confirm(&send).await;
    committed(&mut line, &[send], &["a0"]).await;
    let sends = begun(&mut line, &["1"]).await;
    line.confirm(&sends[0]).await;
    let commit = committed(&mut line, &sends, &["a1"]).await;
    line.confirm(&commit).await;
    let outcomes = outcomes(others).await;
    assert_eq!(outcomes[0], Ok(()));
    assert!(matches!(outcomes[1], Err(NotConfirmed::Refused(_))));
}

#[tokio::test]
async fn large_reply_and_reply_alone_have_their_own_transactions() {
    let (_peer, mut line, session, mut deliveries) = subscribed().await;
    let acks = deliver(&mut line, &mut deliveries, 3).await;
    let (_send, _first, _others) = first_under_way(&mut line, &session, &acks[..1]).await;
    let (large, alone) = (session.clone(), session.clone());
    let (ack_of_large, ack_of_alone) = (acks[1].clone(), acks[2].clone());
    let body = "x".repeat(64 * 1024);
    let text = body.clone();
    tokio::spawn(async move { large.finish(&ack_of_large, Some(reply(&text))).await });
    begun(&mut line, &[&body]).await;
    tokio::spawn(async move { alone.finish_alone(&ack_of_alone, Some(reply("alone"))).await });
    begun(&mut line, &["alone"]).await;
}

#[tokio::test]
async fn lost_connection_leaves_every_call_of_the_transaction_undone() {
    let (_peer, mut line, session, mut deliveries) = subscribed().await;
    let acks = deliver(&mut line, &mut deliveries, 4).await;
    let (send, first, mut others) = first_under_way(&mut line, &session, &acks[..3]).await;
    line.confirm(&send).await;
    committed(&mut line, &[send], &["a0"]).await;
    begun(&mut line, &["1", "2"]).await;
    others.extend(finish(&mut line, &session, &[(&acks[3], "3")]).await);
    drop(line);
    assert_eq!(first.await.unwrap(), Err(NotConfirmed::ConnectionLost));
    let (lost, not_sent) = (Err(NotConfirmed::ConnectionLost), Err(NotConfirmed::Stale));
    assert_eq!(outcomes(others).await, [lost.clone(), lost, not_sent]);
}

#[tokio::test]
async fn disconnect_waits_for_replies_that_wait_for_a_transaction() {
    let (_peer, mut line, session, mut deliveries) = subscribed().await;
    let acks = deliver(&mut line, &mut deliveries, 2).await;
    let (send, _first, others) = first_under_way(&mut line, &session, &acks).await;
    let leaving = session.clone();
    tokio::spawn(async move { leaving.disconnect(crate::support::session::PATIENCE).await });
    line.confirm(&send).await;
    let commit = committed(&mut line, &[send], &["a0"]).await;
    let sends = begun(&mut line, &["1"]).await;
    line.confirm(&commit).await;
    line.confirm(&sends[0]).await;
    let commit = committed(&mut line, &sends, &["a1"]).await;
    line.confirm(&commit).await;
    line.expect(ClientCommand::Disconnect).await;
    assert_eq!(outcomes(others).await, [Ok(())]);
}
