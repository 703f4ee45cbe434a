//! A deterministic simulation of clients and a service: the time that work takes next to the shortest possible one,
//! fairness, and that the window does not swing. It runs the decisions of the product in virtual time.

mod run;
mod service;

use std::time::Duration;

use run::{Run, SimulatedClient};
use service::Service;

const LONG: Duration = Duration::from_secs(100_000);

/// How often the usual number of runs is made: the environment's `SIMULATION_TIMES`, else once.
fn times() -> u64 {
    std::env::var("SIMULATION_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

/// Returns how much longer than the optimum a client took, for each seed.
fn ratios(service: Service, requests: usize, seeds: std::ops::Range<u64>) -> Vec<f64> {
    seeds
        .map(|seed| {
            let mut run = Run::new(service, seed, 1, requests);
            let optimum = run.optimum();
            let took = run.finish(LONG);
            assert_eq!(run.clients[0].done, requests, "seed {seed}");
            took.as_secs_f64() / optimum.as_secs_f64()
        })
        .collect()
}

fn worst(ratios: &[f64]) -> f64 {
    ratios.iter().copied().fold(0.0, f64::max)
}

fn mean(ratios: &[f64]) -> f64 {
    ratios.iter().sum::<f64>() / number(ratios.len())
}

fn number(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

/// Returns the windows of the second half of the time.
fn later(client: &SimulatedClient) -> impl Iterator<Item = usize> {
    let end = client.ended.unwrap_or_default();
    client.windows.iter().filter(move |(at, _)| *at > end / 2).map(|(_, window)| *window)
}

#[test]
fn work_takes_little_longer_than_the_optimum_whatever_the_limit() {
    for limit in [Some(1), Some(4), Some(10), Some(40), Some(150), None] {
        for requests in [2_000, 20_000] {
            let seeds = if requests == 2_000 { 0..50 * times() } else { 0..10 * times() };
            let ratios = ratios(Service { limit, ..Service::default() }, requests, seeds);
            println!("limit {limit:?}, {requests}: {:.2}, worst {:.2}", mean(&ratios), worst(&ratios));
            let bound = if requests == 2_000 { 1.7 } else { 1.35 };
            assert!(
                mean(&ratios) <= 1.3 && worst(&ratios) <= bound,
                "limit {limit:?}, {requests} requests: {ratios:.2?}"
            );
        }
    }
}

#[test]
fn work_without_http2_takes_little_longer_than_the_optimum() {
    // Eight batches run four requests each.
    let most = 32;
    for limit in [1, 4, 10, 20, 28, 40] {
        let service = Service { limit: Some(limit.min(most)), ..Service::default() };
        let ratios: Vec<_> = (0..50 * times())
            .map(|seed| {
                let optimum = Run::new(service, seed, 1, 2_000).optimum();
                let mut run = Run::new(Service { limit: Some(limit), ..service }, seed, 1, 2_000);
                run.is_http2 = false;
                run.finish(LONG).as_secs_f64() / optimum.as_secs_f64()
            })
            .collect();
        println!("without HTTP/2, limit {limit}: {:.2}, worst {:.2}", mean(&ratios), worst(&ratios));
        assert!(mean(&ratios) <= 1.4 && worst(&ratios) <= 2.0, "limit {limit}: {ratios:.2?}");
    }
}

#[test]
fn requests_of_long_work_are_sent_together() {
    let requests_at_a_time = |limit, requests| {
        let mut run = Run::new(Service { limit, ..Service::default() }, 1, 1, requests);
        run.finish(LONG);
        number(requests) / number(run.clients[0].turns)
    };
    let long = requests_at_a_time(None, 20_000);
    assert!(long > 5.0, "{long}");
    // Short work is sent together only at its start, and where few are at work, nothing is.
    let short = requests_at_a_time(None, 2_000);
    assert!(short < 1.5, "{short}");
    let few = requests_at_a_time(Some(40), 20_000);
    assert!(few < 1.5, "{few}");
}

#[test]
fn throttled_mailboxes_do_not_shrink_the_window() {
    for share in [0.01, 0.05, 0.1] {
        for requests in [2_000, 20_000] {
            let seeds = if requests == 2_000 { 0..50 * times() } else { 0..10 * times() };
            let ratios = ratios(Service { throttled: share, ..Service::default() }, requests, seeds);
            println!("throttled {share}, {requests}: {:.2}, worst {:.2}", mean(&ratios), worst(&ratios));
            assert!(
                mean(&ratios) <= 1.6 && worst(&ratios) <= 2.5,
                "{share}, {requests} requests: {ratios:.2?}"
            );
        }
    }
}

#[test]
fn slow_mailboxes_do_not_hold_back_others() {
    for limit in [Some(4), Some(40), None] {
        let ratios = ratios(Service { limit, slow: 0.1, ..Service::default() }, 5_000, 0..20 * times());
        println!("slow, limit {limit:?}: {:.2}", worst(&ratios));
        assert!(worst(&ratios) <= 1.4, "limit {limit:?}: {ratios:.2?}");
    }
}

#[test]
fn window_settles_at_the_limit() {
    for limit in [4, 10, 40, 150] {
        for seed in 0..10 * times() {
            let mut run = Run::new(
                Service { limit: Some(limit), ..Service::default() },
                seed,
                1,
                (limit * 1_000).min(20_000),
            );
            run.finish(LONG);
            let client = &run.clients[0];
            let windows: Vec<_> = later(client).collect();
            let mean = windows.iter().sum::<usize>() / windows.len();
            // What waits on the network is not at work.
            let range = limit * 3 / 4..=limit * 5 / 4 + 1;
            assert!(range.contains(&mean), "limit {limit}, seed {seed}: {mean}");
            let swings =
                windows.iter().filter(|window| !(limit / 2..=limit * 3 / 2 + 1).contains(window)).count();
            assert!(
                swings * 50 <= windows.len(),
                "limit {limit}, seed {seed}: {swings} of {}",
                windows.len()
            );
            let refused = client.refused;
            assert!(refused <= client.done / 20 + 60, "limit {limit}, seed {seed}: {refused} refused");
        }
    }
}

#[test]
fn clients_share_a_limit_without_a_coordinator() {
    for (clients, limit) in [(2, 4), (4, 4), (2, 8), (4, 8), (4, 16), (2, 40), (4, 40)] {
        let (mut used, mut fairness) = (Vec::new(), Vec::new());
        for seed in 0..10 * times() {
            let service = Service { limit: Some(limit), ..Service::default() };
            let mut run = Run::new(service, seed, clients, limit * 2_000);
            let time = Duration::from_secs(240);
            run.finish(time);
            let done: Vec<_> = run.clients.iter().map(|client| number(client.done)).collect();
            let total = done.iter().sum::<f64>();
            used.push(total / (number(limit) * time.as_secs_f64() / service.mean()));
            // Jain's index: 1 where all have the same, and 1/n where one has all.
            let squares = done.iter().map(|done| done * done).sum::<f64>();
            fairness.push(total * total / (number(clients) * squares));
            assert!(
                done.iter().all(|done| *done > 0.0),
                "{clients} clients, limit {limit}, seed {seed}: {done:?}"
            );
        }
        let least = fairness.iter().copied().fold(1.0, f64::min);
        let least_used = used.iter().copied().fold(1.0, f64::min);
        println!(
            "{clients} clients, limit {limit}: {:.2} used, at least {least_used:.2}; index {:.2}, at least {least:.2}",
            mean(&used),
            mean(&fairness)
        );
        assert!(mean(&used) >= 0.8 && least_used >= 0.7, "{clients} clients, limit {limit}: {used:.2?}");
        assert!(mean(&fairness) >= 0.9 && least >= 0.7, "{clients} clients, limit {limit}: {fairness:.2?}");
    }
}

#[test]
fn searches_spread_over_clients_that_share_a_limit() {
    let service = Service { limit: Some(8), ..Service::default() };
    let (searches, requests) = (32, 125);
    for (clients, fewest) in [(2, 0.6), (4, 0.5)] {
        let (mut ratios, mut spreads) = (Vec::new(), Vec::new());
        for seed in 0..20 * times() {
            let run = |clients| {
                let mut run = Run::of_searches(service, seed, (clients, 2), (searches, requests));
                let took = run.finish(LONG).as_secs_f64();
                let done: Vec<_> = run.clients.iter().map(|client| client.searches).collect();
                assert_eq!(done.iter().sum::<usize>(), searches, "seed {seed}");
                (took, done)
            };
            let (took, done) = run(clients);
            ratios.push(took / run(1).0);
            let (least, most) = (done.iter().min().copied(), done.iter().max().copied());
            spreads.push(number(least.unwrap_or_default()) / number(most.unwrap_or_default()));
        }
        println!(
            "{clients} clients: {:.2} times the time of one, worst {:.2}; least / most {:.2}",
            mean(&ratios),
            worst(&ratios),
            mean(&spreads)
        );
        assert!(mean(&ratios) <= 1.25 && worst(&ratios) <= 1.6, "{clients} clients: {ratios:.2?}");
        assert!(mean(&spreads) >= fewest, "{clients} clients: {spreads:.2?}");
    }
}

#[test]
fn short_outage_does_not_slow_down_later_searches() {
    for (is_http2, at) in [(true, 0), (true, 5), (false, 0), (false, 5)] {
        let ratios: Vec<_> = (0..10 * times())
            .map(|seed| {
                let run = |outage| {
                    let outage_at = Duration::from_secs(at);
                    let service = Service { outage_at, outage, ..Service::default() };
                    let mut run = Run::of_searches(service, seed, (1, 1), (20, 2_000));
                    run.is_http2 = is_http2;
                    run.finish(LONG).as_secs_f64()
                };
                run(Duration::from_secs(3)) / run(Duration::ZERO)
            })
            .collect();
        println!("outage after {at} s, HTTP/2 {is_http2}: {:.2}, worst {:.2}", mean(&ratios), worst(&ratios));
        // In the middle of a search the window sometimes shrinks before it pauses, and has to grow again step by step.
        let (most, most_once) = if at == 0 { (1.2, 1.2) } else { (1.4, 2.0) };
        assert!(
            mean(&ratios) <= most && worst(&ratios) <= most_once,
            "after {at} s, HTTP/2 {is_http2}: {ratios:.2?}"
        );
    }
}

#[test]
fn measured_throughput_chooses_the_way() {
    // As many at work as the client likes: by themselves.
    let by_batch = |service: Service, requests| {
        let mut run = Run::new(service, 1, 1, requests);
        run.finish(LONG);
        run.clients[0].by_batch * 100 / requests
    };
    assert!(by_batch(Service::default(), 20_000) < 10);
    // Few at work, far away: a batch takes the round trip once for twenty.
    let far = Service { limit: Some(8), round_trip: Duration::from_millis(200), ..Service::default() };
    let quick = Service { median: Duration::from_millis(20), p99: Duration::from_millis(60), ..far };
    assert!(by_batch(quick, 20_000) > 70, "{}", by_batch(quick, 20_000));
    // Without HTTP/2: in batches.
    let mut run = Run::new(Service::default(), 1, 1, 2_000);
    run.is_http2 = false;
    run.finish(LONG);
    assert_eq!(run.clients[0].by_batch, 2_000);
}
