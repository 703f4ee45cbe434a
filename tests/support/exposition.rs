//! Reads what Prometheus reads, and takes nothing that it would not take.
#![allow(clippy::float_cmp, reason = "counts are whole numbers")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

/// What all of our names begin with.
pub(crate) const PREFIX: &str = "fn_exchange_online_";

type Labels = BTreeMap<String, String>;

/// The samples of a scrape.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    samples: BTreeMap<(String, Labels), f64>,
    types: BTreeMap<String, String>,
}

impl Metrics {
    /// Reads the text, every line of it.
    pub(crate) fn read(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line ends");
        let (mut samples, mut types, mut helped) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, words) = help.split_once(' ').expect("words of help");
                assert!(name.starts_with(PREFIX) && words.ends_with('.'), "{line}");
                assert!(helped.insert(name.to_owned()), "{name} has two HELP lines");
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').expect("a type");
                assert!(helped.contains(name), "{name}: HELP comes first");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
                let known = types.insert(name.to_owned(), kind.to_owned());
                assert_eq!(known, None, "{name} has two TYPE lines");
            } else {
                let (name, labels, value) = sample(line);
                let family = family(&name, &types).unwrap_or_else(|| panic!("{name} has no TYPE line"));
                assert!(value.is_finite() && (value >= 0.0 || types[family] == "gauge"), "{line}");
                assert_eq!(samples.insert((name, labels), value), None, "twice: {line}");
            }
        }
        let metrics = Self { samples, types };
        metrics.check_histograms();
        metrics
    }

    fn check_histograms(&self) {
        for name in self.types.iter().filter(|(_, kind)| *kind == "histogram").map(|(name, _)| name) {
            let mut series: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
            for ((_, labels), value) in
                self.samples.iter().filter(|((of, _), _)| *of == format!("{name}_bucket"))
            {
                let mut labels = labels.clone();
                let bound = labels.remove("le").expect("a bound");
                let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap() };
                series.entry(labels).or_default().push((bound, *value));
            }
            assert!(!series.is_empty(), "{name} has no buckets");
            for (labels, mut buckets) in series {
                buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
                assert!(buckets.is_sorted_by(|one, other| one.1 <= other.1), "{name}: {buckets:?}");
                let (last, all) = buckets.pop().unwrap();
                assert!(last.is_infinite());
                assert_eq!(self.samples[&(format!("{name}_count"), labels.clone())], all);
                assert!(self.samples.contains_key(&(format!("{name}_sum"), labels)));
            }
        }
    }

    /// The value of a metric without labels, by its name without what all begin with.
    pub(crate) fn one(&self, name: &str) -> f64 {
        self.of(name, &[])
    }

    /// The value of the series with exactly these labels.
    pub(crate) fn of(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(name, labels).unwrap_or_else(|| panic!("there is no {name} {labels:?}"))
    }

    /// The same, where there is one.
    pub(crate) fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.samples.get(&(format!("{PREFIX}{name}"), labels)).copied()
    }

    /// The sum over the series that have these labels among theirs.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has =
            |of: &Labels| labels.iter().all(|(name, value)| of.get(*name).is_some_and(|has| has == value));
        let name = format!("{PREFIX}{name}");
        self.samples
            .iter()
            .filter(|((of, labels), _)| *of == name && has(labels))
            .map(|(_, value)| value)
            .sum()
    }

    /// The metrics, with what all begin with.
    pub(crate) fn families(&self) -> BTreeSet<String> {
        self.types.keys().cloned().collect()
    }

    /// The names that a query may use, with what all begin with.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for (name, kind) in &self.types {
            if kind == "histogram" {
                names.extend(["_bucket", "_sum", "_count"].map(|suffix| format!("{name}{suffix}")));
            } else {
                names.insert(name.clone());
            }
        }
        names
    }

    /// The label names that series of a metric have, by its whole name.
    pub(crate) fn labels(&self, name: &str) -> BTreeSet<String> {
        let of = self.samples.keys().filter(|(of, _)| of == name);
        of.flat_map(|(_, labels)| labels.keys().cloned()).collect()
    }

    /// Whether a series of a metric, by its whole name, has a label of that value.
    pub(crate) fn has(&self, name: &str, label: &str, value: &str) -> bool {
        self.samples
            .keys()
            .any(|(of, labels)| of == name && labels.get(label).is_some_and(|has| has == value))
    }

    /// How many series there are.
    pub(crate) fn series(&self) -> usize {
        self.samples.len()
    }
}

/// The family a sample belongs to.
fn family<'a>(name: &'a str, types: &BTreeMap<String, String>) -> Option<&'a str> {
    if types.get(name).is_some_and(|kind| kind != "histogram") {
        return Some(name);
    }
    let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix))?;
    types.get(base).is_some_and(|kind| kind == "histogram").then_some(base)
}

/// Takes `name{label="value",…} value` apart.
fn sample(line: &str) -> (String, Labels, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line:?}"));
    let value = value.parse().unwrap_or_else(|_| panic!("no number: {line:?}"));
    let Some((name, labels)) = series.split_once('{') else { return (named(series), Labels::new(), value) };
    let mut rest = labels.strip_suffix('}').unwrap_or_else(|| panic!("an open brace: {line:?}"));
    let mut labels = Labels::new();
    while !rest.is_empty() {
        let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line:?}"));
        let (mut value, mut chars) = (String::new(), after.chars());
        loop {
            match chars.next().unwrap_or_else(|| panic!("an open quote: {line:?}")) {
                '"' => break,
                '\\' => match chars.next() {
                    Some('n') => value.push('\n'),
                    Some(c @ ('\\' | '"')) => value.push(c),
                    _ => panic!("an unknown escape: {line:?}"),
                },
                c => value.push(c),
            }
        }
        assert_eq!(labels.insert(named(label), value), None, "a label twice: {line:?}");
        rest = chars.as_str();
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    (named(name), labels, value)
}

/// A name of a metric or label.
fn named(name: &str) -> String {
    let legal = |(at, c): (usize, char)| c == '_' || c.is_ascii_lowercase() || at > 0 && c.is_ascii_digit();
    assert!(!name.is_empty() && name.chars().enumerate().all(legal), "{name:?} is no name");
    name.to_owned()
}

/// What Prometheus' own tool says of `input`; nothing where it is not installed (Debian's package `prometheus`).
pub(crate) fn promtool(arguments: &[&str], input: &str) -> Option<(bool, String)> {
    let tool = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut tool = tool.ok()?;
    tool.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}
