//! The judgement of the soak (`benches/soak.rs`): it has to notice growth, and nothing else.

use crate::trend::{Finding, latency, memory, returned, slope, steady};

/// One value each half a minute, from a minute on.
fn points(values: impl IntoIterator<Item = f64>) -> Vec<(f64, f64)> {
    (0..).map(|nth| 60.0 + 30.0 * f64::from(nth)).zip(values).collect()
}

/// An hour of values that go up and down around `usual`, and grow by `growth` over the hour.
fn hour(usual: f64, growth: f64) -> Vec<(f64, f64)> {
    points((0..120).map(|nth| usual + f64::from(nth % 7) * 0.1 + growth * f64::from(nth) / 119.0))
}

fn passed(finding: &Finding) -> bool {
    finding.passed
}

#[test]
fn slope_ignores_outliers() {
    let mut line = points((0..20).map(f64::from));
    line[3].1 = 1_000.0;
    line[17].1 = -1_000.0;
    let slope = slope(&line).unwrap();
    assert!((slope - 1.0 / 30.0).abs() < 1e-9, "{slope}");
}

#[test]
fn memory_that_grows_fails() {
    for (growth, is_fine) in [(0.0, true), (-10.0, true), (1.5, true), (3.0, false), (40.0, false)] {
        let finding = memory(&hour(40.0, growth));
        assert_eq!(passed(&finding), is_fine, "{growth}: {finding:?}");
    }
}

#[test]
fn memory_of_a_few_moments_is_no_growth() {
    let mut hour = hour(40.0, 0.0);
    for point in hour.iter_mut().step_by(5) {
        point.1 += 100.0;
    }
    assert!(passed(&memory(&hour)));
}

#[test]
fn latency_that_grows_fails() {
    for (growth, is_fine) in [(0.0, true), (-5.0, true), (1.0, true), (10.0, false)] {
        let finding = latency(&hour(5.0, growth), &hour(1.0, 0.0));
        assert_eq!(passed(&finding), is_fine, "{growth}: {finding:?}");
    }
}

#[test]
fn latency_is_compared_with_the_machine() {
    let slower = hour(5.0, 10.0);
    assert!(!passed(&latency(&slower, &hour(1.0, 0.0))));
    assert!(!passed(&latency(&slower, &hour(1.0, 0.2))));
    assert!(passed(&latency(&slower, &hour(1.0, 5.0))));
    // A machine that became faster asks no more of the daemon.
    assert!(passed(&latency(&hour(5.0, 1.0), &hour(5.0, -4.0))));
}

#[test]
fn descriptor_that_is_left_open_fails() {
    assert!(passed(&returned("open files", 20, 20)) && passed(&returned("open files", 20, 18)));
    assert!(!passed(&returned("open files", 20, 21)));
    assert!(passed(&steady("open files", &hour(30.0, 5.0))));
    assert!(!passed(&steady("open files", &hour(30.0, 40.0))));
}

#[test]
fn nothing_measured_fails() {
    for finding in [memory(&[]), latency(&[], &[]), steady("open files", &[])] {
        assert!(!passed(&finding), "{finding:?}");
    }
}
