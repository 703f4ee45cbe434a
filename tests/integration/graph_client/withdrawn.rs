//! A change that is withdrawn before it is sent is never sent, wherever it waits.

use std::time::Duration;

use graph::{Dispatch, Path, Request};
use sandbox::graph::{Address, Fault, NewMessage, RetryAfter, Target, Tenant, TenantOptions};

use crate::support::deployment::SOON;
use crate::support::graph_tenant::TestTenant;
use crate::support::permit::Permit;

/// The deletion of a new message.
fn deletion(tenant: &Tenant, mailbox: &str, permit: &Permit) -> Request {
    let message = NewMessage {
        subject: "Invoice".to_owned(),
        from: Address::new("Zoë", "zoe@elsewhere.example"),
        received: TenantOptions::default().now,
        html: false,
        body: "Click.".to_owned(),
        ..NewMessage::default()
    };
    let id = tenant.add_message(mailbox, message).unwrap();
    Request::delete(Path::message(mailbox, None, &id).unwrap(), permit).in_mailbox(mailbox)
}

fn sent(tenant: &Tenant) -> usize {
    tenant.requests().iter().filter(|request| request.method == "DELETE").count()
}

async fn is_asked(tenant: &Tenant, times: usize) {
    assert!(tenant.until(SOON, |tenant| sent(tenant) >= times).await, "{} deletions", sent(tenant));
}

#[tokio::test(flavor = "multi_thread")]
async fn change_that_waits_for_a_retry_is_not_sent_again() {
    let fixture = TestTenant::new(TenantOptions::default()).await;
    let tenant = &fixture.sandbox.graph;
    let mailbox = tenant.mailboxes()[0].clone();
    for batched in [false, true] {
        for (status, indeterminate) in [(429, false), (503, true)] {
            // A client of its own, since all requests of a client heed what Graph asks for.
            let client = fixture.client(&[]);
            let dispatch = if batched { client.bulk() } else { Dispatch::Single };
            tenant.forget_requests();
            let fault = Fault::Status(status, RetryAfter::Seconds(60));
            tenant.faults().next(1, Target::containing("DELETE"), fault);
            let permit = Permit::default();
            let request = deletion(tenant, &mailbox, &permit);
            let withdraw = async {
                is_asked(tenant, 1).await;
                permit.withdraw();
            };
            let (failed, ()) = tokio::join!(client.send_by(&dispatch, &request), withdraw);
            let failed = failed.unwrap_err();
            assert!(failed.error.withdrawal().is_some(), "{failed}");
            assert_eq!(failed.error.is_indeterminate(), indeterminate, "{status}: {failed}");
            assert_eq!(sent(tenant), 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_wait_for_their_mailbox_are_not_sent() {
    let fixture = TestTenant::new(TenantOptions::default()).await;
    let tenant = &fixture.sandbox.graph;
    let client = fixture.client(&[]);
    let mailbox = tenant.mailboxes()[0].clone();
    for dispatch in [Dispatch::Single, client.bulk()] {
        tenant.forget_requests();
        tenant.faults().set_latency(Duration::from_millis(200), Duration::ZERO);
        let permit = Permit::default();
        let requests: Vec<_> = (0..20).map(|_| deletion(tenant, &mailbox, &permit)).collect();
        let all =
            futures_util::future::join_all(requests.iter().map(|request| client.send_by(&dispatch, request)));
        let withdraw = async {
            let is_at_work = |tenant: &Tenant| tenant.requests_at_work() > 0;
            assert!(tenant.until(SOON, is_at_work).await);
            permit.withdraw();
        };
        let (ended, ()) = tokio::join!(all, withdraw);
        let withdrawn = ended
            .iter()
            .filter(|ended| ended.as_ref().is_err_and(|failed| failed.error.withdrawal().is_some()))
            .count();
        assert_eq!(withdrawn + sent(tenant), 20, "each is sent or withdrawn, and never both");
        assert!(sent(tenant) <= 4, "a mailbox takes four at once: {}", sent(tenant));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawn_part_does_not_keep_others_from_being_sent() {
    let fixture = TestTenant::new(TenantOptions::default()).await;
    let tenant = &fixture.sandbox.graph;
    let client = fixture.client(&[]);
    let dispatch = client.bulk();
    let (allowed, withdrawn) = (Permit::default(), Permit::default());
    withdrawn.withdraw();
    let [one, other] = [&tenant.mailboxes()[0], &tenant.mailboxes()[1]];
    let (one, other) = (deletion(tenant, one, &allowed), deletion(tenant, other, &withdrawn));
    let (one, other) = tokio::join!(client.send_by(&dispatch, &one), client.send_by(&dispatch, &other));
    assert!(one.is_ok());
    assert!(other.unwrap_err().error.withdrawal().is_some());
    assert_eq!(sent(tenant), 1);
}
