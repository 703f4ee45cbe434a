//! The text that Prometheus reads (its documentation, "Exposition formats", text format 0.0.4).

use std::fmt::{Display, Write};

use super::{Counter, Each, Histogram, Label};

/// The media type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What all of our metrics' names begin with.
const PREFIX: &str = "fn_exchange_online_";

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What only becomes more; its name ends in `_total`.
    Counter,
    /// What becomes more and less.
    Gauge,
    /// How long things take.
    Histogram,
}

/// The text, as it is put together.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

/// The samples of one metric.
#[derive(Debug)]
pub struct Family<'e> {
    text: &'e mut String,
    name: &'static str,
}

impl Exposition {
    /// Begins a metric: its name without what all begin with, and what it means.
    pub fn family(&mut self, kind: Kind, name: &'static str, help: &str) -> Family<'_> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = write!(self.text, "# HELP {PREFIX}{name} {help}\n# TYPE {PREFIX}{name} {kind}\n");
        Family { text: &mut self.text, name }
    }

    /// A metric of one sample.
    pub fn single(&mut self, kind: Kind, name: &'static str, help: &str, value: impl Display) {
        self.family(kind, name, help).sample(&[], value);
    }

    /// A counter of one sample for each value of a label.
    pub fn by<L: Label>(
        &mut self,
        name: &'static str,
        help: &str,
        label: &'static str,
        each: &Each<L, Counter>,
    ) {
        let mut family = self.family(Kind::Counter, name, help);
        for (value, counter) in each.iter() {
            family.sample(&[(label, value)], counter.get());
        }
    }

    /// The whole.
    pub fn into_text(self) -> String {
        self.text
    }
}

impl Family<'_> {
    /// Adds a sample.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.line("", labels, value);
    }

    /// Adds those of a histogram.
    pub fn histogram(&mut self, labels: &[(&str, &str)], histogram: &Histogram) {
        let mut so_far = 0;
        let bounds = histogram.bounds.iter().map(|bound| bound.as_secs_f64().to_string());
        for (bound, bucket) in bounds.chain(["+Inf".to_owned()]).zip(&histogram.buckets) {
            so_far += bucket.get();
            self.line("_bucket", &[labels, &[("le", &bound)]].concat(), so_far);
        }
        self.line("_sum", labels, histogram.sum.get().as_secs_f64());
        // Not counted apart, so that it is what the last bucket says, whatever happens meanwhile.
        self.line("_count", labels, so_far);
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.text, "{PREFIX}{}{suffix}", self.name);
        for (nth, (name, value)) in labels.iter().enumerate() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{}{name}=\"{value}\"", if nth == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.text, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn help_and_labels_are_escaped() {
        let mut text = Exposition::default();
        text.family(Kind::Gauge, "x", "a\\b\nc\"d").sample(&[("a", "\\\"\n"), ("b", "ü")], 1.5);
        assert_eq!(
            text.into_text(),
            "# HELP fn_exchange_online_x a\\\\b\\nc\"d\n# TYPE fn_exchange_online_x gauge\n\
             fn_exchange_online_x{a=\"\\\\\\\"\\n\",b=\"ü\"} 1.5\n"
        );
    }

    #[test]
    fn the_buckets_of_a_histogram_add_up() {
        const BOUNDS: &[Duration] = &[Duration::from_millis(5), Duration::from_secs(10)];
        let histogram = Histogram::new(BOUNDS);
        for milliseconds in [1, 2, 9000, 11_000] {
            histogram.observe(Duration::from_millis(milliseconds));
        }
        let mut text = Exposition::default();
        text.family(Kind::Histogram, "x_seconds", "X.").histogram(&[("f", "g")], &histogram);
        let text = text.into_text();
        let samples: Vec<_> = text.lines().skip(2).collect();
        assert_eq!(
            samples,
            [
                "fn_exchange_online_x_seconds_bucket{f=\"g\",le=\"0.005\"} 2",
                "fn_exchange_online_x_seconds_bucket{f=\"g\",le=\"10\"} 3",
                "fn_exchange_online_x_seconds_bucket{f=\"g\",le=\"+Inf\"} 4",
                "fn_exchange_online_x_seconds_sum{f=\"g\"} 20.003",
                "fn_exchange_online_x_seconds_count{f=\"g\"} 4",
            ]
        );
    }
}
