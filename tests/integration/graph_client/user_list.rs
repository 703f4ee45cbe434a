//! The list of a tenant's users: read in parts at the same time if it is long, and complete whatever the names are.

use std::collections::HashSet;
use std::time::Duration;

use graph::{Criteria, Limit, Mailboxes, SearchScope, list_mailboxes, search};
use sandbox::graph::{Fault, Pace, RecordedRequest, RetryAfter, Scope, Target, TenantOptions, Throttling};

use crate::support::graph_tenant::TestTenant;

/// 16 pages.
const USERS: usize = 15_100;
const PAGES: usize = 16;

async fn tenant(users: usize, name_starts: &[&str]) -> TestTenant {
    TestTenant::new(TenantOptions {
        mailboxes: users,
        users_without_mailbox: 0,
        name_starts: name_starts.iter().map(|start| (*start).to_owned()).collect(),
        phish: None,
        ..TenantOptions::default()
    })
    .await
}

async fn list(fixture: &TestTenant, prefix: &str, most: usize) -> Mailboxes {
    let scope = SearchScope::Tenant { prefix: prefix.to_owned() };
    list_mailboxes(&fixture.client(&[]), scope, most).await.unwrap()
}

/// Every user is listed once, and the list says that it is complete.
async fn check(fixture: &TestTenant) {
    let listed = list(fixture, "", usize::MAX).await;
    let names: HashSet<&str> = listed.named.iter().map(|(name, _)| name.as_str()).collect();
    let users = fixture.sandbox.graph.users();
    assert_eq!((listed.named.len(), names.len()), (users.len(), users.len()));
    assert!(users.iter().all(|user| names.contains(user.user_principal_name.as_str())));
    assert!(!listed.is_cut && listed.failure.is_none());
}

fn is_part(request: &RecordedRequest) -> bool {
    request.path_and_query.contains("startswith")
}

fn is_count(request: &RecordedRequest) -> bool {
    request.path_and_query.contains("$count")
}

/// How many pages of the whole list, requests for parts, and counts were answered.
fn requests(fixture: &TestTenant) -> (usize, usize, usize) {
    let requests = fixture.sandbox.graph.requests();
    let users = requests.iter().filter(|request| request.path_and_query.starts_with("/users?"));
    let (mut whole, mut parts, mut counts) = (0, 0, 0);
    for request in users.filter(|request| request.status == Some(200)) {
        match (is_count(request), is_part(request)) {
            (true, _) => counts += 1,
            (_, true) => parts += 1,
            _ => whole += 1,
        }
    }
    (whole, parts, counts)
}

#[tokio::test(flavor = "multi_thread")]
async fn short_list_is_read_page_by_page() {
    for (users, expected) in [(999, (1, 0, 0)), (3_996, (4, 0, 0)), (11_900, (12, 0, 1))] {
        let fixture = tenant(users, &[]).await;
        check(&fixture).await;
        assert_eq!(requests(&fixture), expected, "{users} users");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_list_is_read_in_parts() {
    let fixture = tenant(USERS, &[]).await;
    fixture.sandbox.graph.faults().set_latency(Duration::from_millis(30), Duration::ZERO);
    check(&fixture).await;
    let (whole, parts, counts) = requests(&fixture);
    assert!(whole < PAGES, "{whole} pages of the whole list");
    assert!((30..100).contains(&parts), "{parts} requests for parts");
    assert_eq!(counts, 1);
    let most = fixture.sandbox.graph.counters().most_http_requests;
    assert!((2..=8).contains(&most), "{most} at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn list_of_a_prefix_is_read_in_parts() {
    let fixture = tenant(2 * USERS, &["Q", "b"]).await;
    let listed = list(&fixture, "q", usize::MAX).await;
    assert_eq!(listed.named.len(), USERS);
    assert!(listed.named.iter().all(|(name, _)| name.starts_with('Q')));
    let all: Vec<RecordedRequest> = fixture.sandbox.graph.requests();
    assert!(all.iter().filter(|request| is_part(request)).count() > 30);
    assert!(all.iter().any(is_count));
    assert!(!all.iter().any(|request| request.path_and_query.contains("%27b%27")));
}

#[tokio::test(flavor = "multi_thread")]
async fn users_with_any_name_are_found() {
    let fixture = tenant(USERS, &["É", "7", "~", "日本", "'", "#", "UPPER", "%", "\\", "_", "ß"]).await;
    check(&fixture).await;
    // The parts miss the names outside of ASCII, so the whole list is read.
    assert_eq!(requests(&fixture).0, PAGES);
}

#[tokio::test(flavor = "multi_thread")]
async fn permitted_names_need_no_whole_list() {
    let fixture =
        tenant(2 * USERS, &[".", "7", "~", "-", "'", "#", "UPPER", "^", "!", "_", "x0", "x1"]).await;
    check(&fixture).await;
    let (whole, _, counts) = requests(&fixture);
    assert!(whole < 2 * PAGES - 1, "{whole}");
    assert_eq!(counts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_with_one_beginning_are_read_in_deeper_parts() {
    let fixture = tenant(3 * USERS, &["S"]).await;
    check(&fixture).await;
    let deeper = |request: &RecordedRequest| request.path_and_query.contains("%27sm%27");
    assert!(fixture.sandbox.graph.requests().iter().any(deeper));
    assert!(requests(&fixture).0 < 3 * PAGES - 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_parts_and_counts_leave_the_whole_list() {
    const UNSUPPORTED: Fault = Fault::Refused(400, "Request_UnsupportedQuery", "Unsupported query.");
    for (target, fault) in [("startswith", UNSUPPORTED), ("%24count", UNSUPPORTED), ("$count", UNSUPPORTED)] {
        let fixture = tenant(USERS, &[]).await;
        fixture.sandbox.graph.faults().next(usize::MAX, Target::containing(target), fault);
        check(&fixture).await;
        let (whole, parts, _) = requests(&fixture);
        let refused = fixture.sandbox.graph.requests().iter().any(|request| request.status == Some(400));
        assert!(!refused || (whole, parts) == (PAGES, 0), "{target}: {whole} and {parts}");
    }
    let fixture = tenant(USERS, &[]).await;
    fixture.sandbox.graph.faults().filter_no_users();
    check(&fixture).await;
    assert_eq!(requests(&fixture).0, PAGES, "a filter that is ignored");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refused_part_does_not_matter_if_it_is_empty() {
    let fixture = tenant(2 * USERS, &["a", "b", "c", "d", "e", "f", "g"]).await;
    let refused = Fault::Refused(400, "BadRequest", "Invalid filter clause.");
    fixture.sandbox.graph.faults().next(1, Target::containing("%27%28%27"), refused);
    check(&fixture).await;
    assert!(requests(&fixture).0 < 2 * PAGES - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn count_that_differs_leaves_the_whole_list() {
    for count in [USERS - 1, USERS + 1] {
        let fixture = tenant(USERS, &[]).await;
        fixture.sandbox.graph.faults().set_user_count(Some(count));
        check(&fixture).await;
        let (whole, _, counts) = requests(&fixture);
        assert_eq!(whole, PAGES, "{count}");
        assert!(counts <= 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn throttled_pages_are_read_later() {
    let fixture = tenant(USERS, &[]).await;
    let scope = Scope::HttpRequests;
    let throttling = Throttling { share: 0.2, scope, retry_after: RetryAfter::Seconds(1), times: 1 };
    fixture.sandbox.graph.faults().throttle(Some(throttling));
    check(&fixture).await;
    assert!(fixture.sandbox.graph.counters().throttled > 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn order_of_a_long_list_is_the_same_each_time() {
    let fixture = tenant(USERS, &[]).await;
    let first = list(&fixture, "", usize::MAX).await.named;
    // The pages are answered in another order.
    let pace = Pace {
        round_trip: Duration::ZERO,
        median: Duration::from_millis(5),
        p99: Duration::from_millis(50),
        slow: None,
        users_page: Duration::from_millis(5),
    };
    fixture.sandbox.graph.faults().set_pace(Some(pace));
    let slow = Fault::Delay(Duration::from_millis(150));
    fixture.sandbox.graph.faults().next(3, Target::containing("%27m%27"), slow);
    assert!(list(&fixture, "", usize::MAX).await.named == first);
    let cut = list(&fixture, "", 14_000).await;
    assert!(cut.is_cut && cut.named == first[..14_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn user_who_is_listed_twice_is_listed_once() {
    let fixture = tenant(USERS, &[]).await;
    let twice = fixture.sandbox.graph.users()[17].user_principal_name.clone();
    assert!(fixture.sandbox.graph.list_twice(&twice));
    check(&fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_take_fewer_turns_than_the_whole_list() {
    let fixture = tenant(2 * USERS, &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"]).await;
    check(&fixture).await;
    let (whole, parts, _) = requests(&fixture);
    // The pages are taken in turn, one of each list, so the whole list has one in each.
    assert!(whole <= 16, "{whole} turns instead of 31");
    assert!(parts <= 80, "{parts} requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_for_the_list_of_users_is_counted() {
    let fixture = tenant(3, &[]).await;
    let faults = fixture.sandbox.graph.faults();
    faults.next(1, Target::containing("GET /users?"), Fault::Delay(Duration::from_millis(200)));
    let client = fixture.client(&[]);
    let scope = SearchScope::Tenant { prefix: String::new() };
    search(&client, scope, &Criteria::default(), 10, 10, |_| ()).await.unwrap();
    assert!(client.metrics().users_wait() >= Duration::from_millis(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn search_that_ends_early_lists_no_more_users() {
    let fixture = tenant(USERS, &[]).await;
    let scope = SearchScope::Tenant { prefix: String::new() };
    let found = search(&fixture.client(&[]), scope, &Criteria::default(), USERS, 5, |_| ()).await.unwrap();
    assert_eq!(found.limit, Some(Limit::Messages));
    // A thousand mailboxes are searched at once, so the second page is read as well.
    let (whole, parts, counts) = requests(&fixture);
    assert!(whole <= 3 && parts + counts == 0, "{whole} pages, {parts} requests for parts, {counts} counts");
}
