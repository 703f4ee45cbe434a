//! Whether something grows over a run: robust statistics, and limits that a run has to keep.
#![allow(unreachable_pub)] // the benchmark and its tests use it

/// How much memory may grow over the run without its warm-up: this share of it, and at least so many MiB, since an
/// allocator keeps pages.
const MEMORY_SHARE: f64 = 0.05;
const MEMORY_LEAST_MIB: f64 = 1.0;
/// The latency of the last third, next to that of the first.
const LATENCY_RATIO: f64 = 1.25;

/// How much the number of things under load may grow.
const STEADY_SHARE: f64 = 0.5;

/// One thing that was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub text: String,
    pub passed: bool,
}

/// The median; `None` of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The value below which this share of the values is.
pub fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let place = (last as f64 * share).round() as usize;
    sorted.get(place).copied()
}

/// The slope by Theil and Sen: the median of the slopes of all pairs of points. Up to 29 % of the points may be
/// outliers (P. K. Sen, "Estimates of the regression coefficient based on Kendall's tau", 1968).
pub fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let pairs =
        points.iter().enumerate().flat_map(|(nth, from)| points[nth + 1..].iter().map(move |to| (from, to)));
    let slopes: Vec<f64> = pairs
        .filter(|(from, to)| to.0 > from.0)
        .map(|(from, to)| (to.1 - from.1) / (to.0 - from.0))
        .collect();
    median(&slopes)
}

/// Judges memory in MiB by time: it must not grow by more than a small share over the whole span.
pub fn memory(points: &[(f64, f64)]) -> Finding {
    let values: Vec<f64> = points.iter().map(|point| point.1).collect();
    let (Some(slope), Some(usual)) = (slope(points), median(&values)) else { return missing("memory") };
    let growth = slope * (points[points.len() - 1].0 - points[0].0);
    let limit = (usual * MEMORY_SHARE).max(MEMORY_LEAST_MIB);
    let text = format!("memory grew by {growth:+.2} MiB at a median of {usual:.1} MiB; limit {limit:.2} MiB");
    Finding { text, passed: growth <= limit }
}

/// Judges latency in milliseconds by time: the last third next to the first. `control` is the time of the same work
/// without the daemon: where the machine became slower, the daemon may have become so as well.
pub fn latency(points: &[(f64, f64)], control: &[(f64, f64)]) -> Finding {
    let (Some((first, last)), Some((control_first, control_last))) = (thirds(points), thirds(control)) else {
        return missing("latency");
    };
    let (ratio, machine) = (last / first, (control_last / control_first).max(1.0));
    let text = format!(
        "latency was {first:.2} ms in the first third and {last:.2} ms in the last, {ratio:.2} times as much; \
         the machine took {machine:.2} times as long; limit {LATENCY_RATIO} times that"
    );
    Finding { text, passed: ratio <= LATENCY_RATIO * machine }
}

/// The medians of the first third and of the last.
fn thirds(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let values: Vec<f64> = points.iter().map(|point| point.1).collect();
    let size = values.len().div_ceil(3);
    Some((median(&values[..size])?, median(&values[values.len() - size..])?))
}

/// Judges a number of things that the process has at rest: after the load there must be no more than before it.
pub fn returned(what: &str, before: u64, after: u64) -> Finding {
    Finding {
        text: format!("{what} at rest: {before} before the load, {after} after"),
        passed: after <= before,
    }
}

/// Judges a number of things under load by time. It goes up and down with the trouble before, so a trend is growth by a
/// good part of it.
pub fn steady(what: &str, points: &[(f64, f64)]) -> Finding {
    let values: Vec<f64> = points.iter().map(|point| point.1).collect();
    let (Some(slope), Some(usual)) = (slope(points), median(&values)) else { return missing(what) };
    let growth = slope * (points[points.len() - 1].0 - points[0].0);
    let limit = usual * STEADY_SHARE;
    let text = format!("{what} under load grew by {growth:+.1} at a median of {usual:.0}; limit {limit:.0}");
    Finding { text, passed: growth <= limit }
}

fn missing(what: &str) -> Finding {
    Finding { text: format!("{what}: too few samples"), passed: false }
}
