//! What was measured: the table by tenths of the run, and the judgement.

use std::time::Duration;

use crate::daemon::Bench;
use crate::load::Tally;
use crate::trend::{self, Finding, median, quantile};

const TENTHS: usize = 10;
/// Tenths in which caches and pools fill; no trend is looked for there.
const WARM_UP: usize = 2;
/// The most failures that are shown.
const SHOWN: usize = 10;

/// What the daemon's process has at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    at: Duration,
    /// Memory that is its own (`RssAnon`), and all that is resident (`VmRSS`).
    anonymous_mib: f64,
    resident_mib: f64,
    descriptors: u64,
    threads: u64,
}

impl Sample {
    pub fn of(bench: &Bench, at: Duration) -> Self {
        let mib = |name| f64::from(u32::try_from(bench.status(name)).unwrap()) / 1024.0;
        Self {
            at,
            anonymous_mib: mib("RssAnon"),
            resident_mib: mib("VmRSS"),
            descriptors: bench.descriptors() as u64,
            threads: bench.status("Threads"),
        }
    }
}

/// What the daemon's process has while it has no work.
#[derive(Debug, Clone, Copy)]
pub struct Rest {
    descriptors: u64,
    threads: u64,
}

impl Rest {
    pub fn of(bench: &Bench) -> Self {
        Self { descriptors: bench.descriptors() as u64, threads: bench.status("Threads") }
    }

    /// The lower number of each.
    pub fn least(self, other: Self) -> Self {
        Self {
            descriptors: self.descriptors.min(other.descriptors),
            threads: self.threads.min(other.threads),
        }
    }
}

/// A period of the run: its samples, and what came of its calls.
#[derive(Debug, Default)]
struct Period {
    samples: Vec<Sample>,
    tally: Tally,
    /// The daemon's, until the end of the period.
    processor_seconds: f64,
}

pub struct Report {
    /// The calls before the first period, and the processor time until its beginning.
    before: Tally,
    processor_before: f64,
    /// How many there will be.
    of: usize,
    periods: Vec<Period>,
    samples: Vec<Sample>,
}

impl Report {
    pub fn new(of: usize, before: Tally, processor_before: f64) -> Self {
        println!(
            "{:>5} {:>8} {:>8} {:>8} {:>6} {:>8} {:>9} {:>9} {:>10} {:>9} {:>7} {:>7} {:>9} {:>6}",
            "tenth",
            "minutes",
            "anon MiB",
            "RSS MiB",
            "files",
            "threads",
            "median ms",
            "p95 ms",
            "control ms",
            "cpu/call",
            "calls",
            "failed",
            "slowest",
            "load"
        );
        Self { before, processor_before, of, periods: Vec::new(), samples: Vec::new() }
    }

    pub fn sample(&mut self, sample: Sample) {
        self.samples.push(sample);
    }

    /// Ends a period; after the last of a tenth its row is printed.
    pub fn period(&mut self, tally: Tally, processor_seconds: f64) {
        let samples = std::mem::take(&mut self.samples);
        self.periods.push(Period { samples, tally, processor_seconds });
        let ended = self.periods.len();
        if self.tenth_of(ended - 1) != self.tenth_of(ended) {
            self.print(self.tenth_of(ended - 1));
        }
    }

    fn tenth_of(&self, period: usize) -> usize {
        period * TENTHS / self.of
    }

    fn in_tenth(&self, tenth: usize) -> impl Iterator<Item = &Period> {
        self.periods
            .iter()
            .enumerate()
            .filter(move |(nth, _)| self.tenth_of(*nth) == tenth)
            .map(|(_, period)| period)
    }

    fn print(&self, tenth: usize) {
        let samples: Vec<Sample> = self.in_tenth(tenth).flat_map(|period| period.samples.clone()).collect();
        let of = |value: fn(&Sample) -> f64| median(&samples.iter().map(value).collect::<Vec<_>>()).unwrap();
        let calm: Vec<f64> = self.in_tenth(tenth).flat_map(|period| period.tally.calm.clone()).collect();
        let control: Vec<f64> =
            self.in_tenth(tenth).flat_map(|period| period.tally.control.clone()).collect();
        let calls: usize = self.in_tenth(tenth).map(|period| period.tally.calls).sum();
        let failed: usize = self.in_tenth(tenth).map(|period| period.tally.failed).sum();
        let slowest = self.in_tenth(tenth).map(|period| period.tally.slowest).fold(0.0, f64::max);
        let before = self.periods.iter().enumerate().rfind(|(nth, _)| self.tenth_of(*nth) < tenth);
        let processor = self.periods[self.periods.len() - 1].processor_seconds
            - before.map_or(self.processor_before, |(_, period)| period.processor_seconds);
        print!("{:>5} {:>8.1} ", tenth + 1, samples[samples.len() - 1].at.as_secs_f64() / 60.0);
        println!(
            "{:>8.1} {:>8.1} {:>6.0} {:>8.0} {:>9.2} {:>9.2} {:>10.2} {:>6.2} ms {calls:>7} {failed:>7} {slowest:>7.1} s \
             {:>6.1}",
            of(|sample| sample.anonymous_mib),
            of(|sample| sample.resident_mib),
            of(|sample| f64::from(u32::try_from(sample.descriptors).unwrap())),
            of(|sample| f64::from(u32::try_from(sample.threads).unwrap())),
            median(&calm).unwrap(),
            quantile(&calm, 0.95).unwrap(),
            median(&control).unwrap(),
            processor * 1000.0 / f64::from(u32::try_from(calls).unwrap()),
            load_average(),
        );
    }

    /// By time, the value of each period after the warm-up.
    fn points(&self, value: impl Fn(&Period, &Sample) -> f64) -> Vec<(f64, f64)> {
        let warm = self.periods.iter().enumerate().filter(|(nth, _)| self.tenth_of(*nth) >= WARM_UP);
        // The last sample of a period is of the end of its calm part.
        warm.filter_map(|(_, period)| Some((period, period.samples.last()?)))
            .map(|(period, last)| (last.at.as_secs_f64(), value(period, last)))
            .collect()
    }

    /// Prints what was found. Returns whether all of it passed.
    pub fn judge(&self, before: Rest, after: Rest, late_replies: usize, unreadable: usize) -> bool {
        let tallies = || self.periods.iter().map(|period| &period.tally).chain([&self.before]);
        let all = |of: fn(&Tally) -> &Vec<String>| {
            tallies().flat_map(|tally| of(tally).clone()).collect::<Vec<_>>()
        };
        let none = |what: &str, those: &[String]| {
            let shown: Vec<&str> =
                [""].into_iter().chain(those.iter().take(SHOWN).map(String::as_str)).collect();
            let shown = shown.join("\n    ");
            Finding { text: format!("{what}: {}{shown}", those.len()), passed: those.is_empty() }
        };
        let calls: usize = tallies().map(|tally| tally.calls).sum();
        let findings = [
            none(
                &format!("of {calls} calls without exactly one final reply"),
                &all(|tally| &tally.wrong_replies),
            ),
            none("failures while nothing was wrong", &all(|tally| &tally.calm_failures)),
            Finding { text: format!("late replies: {late_replies}"), passed: late_replies == 0 },
            Finding { text: format!("replies that SOAR cannot read: {unreadable}"), passed: unreadable == 0 },
            trend::memory(&self.points(|_, last| last.anonymous_mib)),
            trend::latency(
                &self.points(|period, _| median(&period.tally.calm).unwrap()),
                &self.points(|period, _| median(&period.tally.control).unwrap()),
            ),
            trend::steady(
                "open files",
                &self.points(|_, last| f64::from(u32::try_from(last.descriptors).unwrap())),
            ),
            trend::returned("open files", before.descriptors, after.descriptors),
            trend::returned("threads", before.threads, after.threads),
        ];
        for Finding { text, passed } in &findings {
            println!("{} {text}", if *passed { "passed" } else { "FAILED" });
        }
        findings.iter().all(|finding| finding.passed)
    }
}

/// The machine's load average of a minute: above the number of its processors, latency says little.
fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}
