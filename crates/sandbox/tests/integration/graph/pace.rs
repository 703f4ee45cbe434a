//! The times of requests, the limit of an application, and the streams of a connection.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use sandbox::graph::{Pace, Slow, TenantOptions, optimum};
use serde_json::{Value, json};

use super::setup::{TestTenant, code, encode};

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn pace() -> Pace {
    Pace {
        round_trip: milliseconds(60),
        median: milliseconds(100),
        p99: milliseconds(400),
        slow: None,
        users_page: milliseconds(300),
    }
}

/// The URLs of a batch of 20, each of another mailbox.
fn twenty(s: &TestTenant) -> Vec<String> {
    let mailboxes = s.tenant.mailboxes();
    mailboxes[..20].iter().map(|mailbox| format!("/users/{}/messages?$top=1", encode(mailbox))).collect()
}

fn statuses(batch: &Value) -> Vec<u64> {
    batch["responses"].as_array().unwrap().iter().map(|part| part["status"].as_u64().unwrap()).collect()
}

#[test]
fn draws_have_the_median_and_the_percentile() {
    let mut draws = pace().draws(7, 40_000);
    assert_eq!(draws, pace().draws(7, 40_000));
    assert_ne!(draws, pace().draws(8, 40_000));
    draws.sort();
    let (median, p99) = (draws[20_000].as_secs_f64(), draws[39_600].as_secs_f64());
    assert!((0.098..0.102).contains(&median), "{median}");
    assert!((0.38..0.42).contains(&p99), "{p99}");
}

#[test]
fn repetition_draws_again() {
    let draw = |before| pace().draw(7, "GET /users/a/messages", before);
    assert_eq!(draw(0), draw(0));
    assert_ne!(draw(0), draw(1));
    assert_ne!(draw(0), pace().draw(7, "GET /users/b/messages", 0));
}

#[test]
fn slow_mailboxes_take_longer() {
    let quick = pace().draws(7, 10_000);
    let slow = Pace { slow: Some(Slow { share: 0.1, times: 5 }), ..pace() }.draws(7, 10_000);
    let slower = quick.iter().zip(&slow).filter(|(quick, slow)| **slow == **quick * 5).count();
    let same = quick.iter().zip(&slow).filter(|(quick, slow)| slow == quick).count();
    assert_eq!(slower + same, 10_000);
    assert!((900..1_100).contains(&slower), "{slower}");
}

#[test]
fn optimum_keeps_every_place_busy() {
    let draws: Vec<Duration> = [50, 10, 10, 10, 10].map(milliseconds).into();
    assert_eq!(optimum(&draws, 1, milliseconds(7)), milliseconds(97));
    assert_eq!(optimum(&draws, 2, milliseconds(7)), milliseconds(57));
    assert_eq!(optimum(&draws, 9, milliseconds(7)), milliseconds(57));
    assert_eq!(optimum(&[], 2, milliseconds(7)), milliseconds(7));
}

#[tokio::test]
async fn batch_takes_the_time_of_four_places() {
    let s = TestTenant::small().await;
    s.tenant.faults().set_pace(Some(pace()));
    let urls = twenty(&s);
    let seed = TenantOptions::default().seed;
    for before in [0, 1] {
        let draws: Vec<Duration> =
            urls.iter().map(|url| pace().draw(seed, &format!("GET {url}"), before)).collect();
        let expected = optimum(&draws, 4, pace().round_trip);
        let start = Instant::now();
        let (status, batch) = s.batch(&urls).await;
        let elapsed = start.elapsed();
        assert_eq!((status, statuses(&batch)), (200, vec![200; 20]));
        assert!(elapsed >= expected, "{elapsed:?} instead of {expected:?}");
        // A busy machine adds to the time, but not as much as two places would.
        let more = optimum(&draws, 2, pace().round_trip);
        assert!(elapsed < more, "{elapsed:?} instead of {expected:?}, and {more:?} on two places");
    }
    let counters = s.tenant.counters();
    assert_eq!((counters.most_below_mailboxes, counters.throttled), (4, 0));
}

#[tokio::test]
async fn page_of_users_and_round_trip_take_their_time() {
    let s = TestTenant::small().await;
    s.tenant.faults().set_pace(Some(pace()));
    let start = Instant::now();
    assert_eq!(s.get("/users?$top=1").await.0, 200);
    assert!(start.elapsed() >= milliseconds(360));
    s.tenant.faults().set_pace(None);
    let start = Instant::now();
    assert_eq!(s.get("/users?$top=1").await.0, 200);
    assert!(start.elapsed() < milliseconds(300));
}

#[tokio::test]
async fn parts_that_depend_on_each_other_run_in_turn() {
    let s = TestTenant::small().await;
    s.tenant.faults().set_pace(Some(pace()));
    let url = &twenty(&s)[0];
    let step = |id: &str, after: &[&str]| json!({"id": id, "method": "GET", "url": url, "dependsOn": after});
    let chain = json!({"requests": [step("3", &["2"]), step("2", &["1"]), step("1", &[])]});
    let (status, batch) = s.post("/$batch", chain).await;
    assert_eq!((status, statuses(&batch)), (200, vec![200; 3]));
    assert_eq!(s.tenant.counters().most_below_mailboxes, 1);

    let missing = json!({"id": "1", "method": "GET", "url": "/users/missing%40x.example/messages"});
    let (_, batch) = s.post("/$batch", json!({"requests": [step("2", &["1"]), missing]})).await;
    let mut statuses = statuses(&batch);
    statuses.sort_unstable();
    assert_eq!(statuses, [404, 424]);

    let circle = json!({"requests": [step("1", &["2"]), step("2", &["1"])]});
    assert_eq!(s.post("/$batch", circle).await.0, 400);
}

#[tokio::test]
async fn fifth_request_of_the_application_is_refused() {
    let s = TestTenant::small().await;
    s.tenant.faults().set_application_limit(Some(4));
    // All five are at work before the first is answered.
    s.tenant.faults().gather(5);
    let urls = twenty(&s);
    let answers = join_all(urls[..5].iter().map(|url| s.request(Method::GET, url, None))).await;
    let refused: Vec<_> = answers.into_iter().filter(|answer| answer.status() == 429).collect();
    let [refused] = <[_; 1]>::try_from(refused).unwrap();
    assert_eq!(refused.headers()["Retry-After"], "1");
    let answer: Value = refused.json().await.unwrap();
    assert_eq!(code(&answer), "ApplicationThrottled");
    let counters = s.tenant.counters();
    assert_eq!((counters.most_below_mailboxes, counters.throttled), (4, 1));
}

#[tokio::test]
async fn batch_alone_stays_within_the_limit_of_the_application() {
    let s = TestTenant::small().await;
    s.tenant.faults().set_application_limit(Some(4));
    s.tenant.faults().set_pace(Some(Pace { median: milliseconds(5), p99: milliseconds(20), ..pace() }));
    assert_eq!(statuses(&s.batch(&twenty(&s)).await.1), [200; 20]);
    let counters = s.tenant.counters();
    assert_eq!((counters.most_below_mailboxes, counters.throttled), (4, 0));
}

#[tokio::test]
async fn part_over_the_limit_is_refused_at_once() {
    let s = TestTenant::small().await;
    s.tenant.faults().set_application_limit(Some(2));
    s.tenant.faults().set_pace(Some(Pace { p99: pace().median, ..pace() }));
    let urls = twenty(&s);
    let start = Instant::now();
    let (status, batch) = s.batch(&urls).await;
    assert_eq!(status, 200);
    let (good, refused): (Vec<_>, Vec<_>) =
        batch["responses"].as_array().unwrap().iter().partition(|part| part["status"] == 200);
    // The first two parts are at work; the others find no place and take no time.
    assert_eq!((good.len(), refused.len()), (2, 18));
    assert!(refused.iter().all(|part| part["status"] == 429 && part["headers"]["Retry-After"] == "1"));
    assert!(start.elapsed() < milliseconds(60 + 5 * 100), "not five rounds");

    // The list of users is not Outlook's.
    s.tenant.faults().set_application_limit(Some(0));
    assert_eq!(s.get("/users?$top=1").await.0, 200);
    assert_eq!(s.request(Method::GET, &urls[0], None).await.status(), 429);
}

#[tokio::test]
async fn connection_carries_a_hundred_streams() {
    let s = TestTenant::small().await;
    s.tenant.faults().set_latency(milliseconds(300), Duration::ZERO);
    s.tenant.faults().gather(100);
    let requests = (0..150).map(|_| s.request(Method::GET, "/users?$top=1", None));
    assert!(join_all(requests).await.iter().all(|answer| answer.status() == 200));
    assert_eq!((s.tenant.counters().most_http_requests, s.tenant.connections()), (100, 1));
}
