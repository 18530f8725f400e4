//! Counters at one moment, copied so that whoever counts is held up for the copy only.

use std::ops::Range;

/// A counter at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample<'a> {
    /// Its metric.
    pub metric: &'a str,
    /// What tells it from the metric's others, in an order that is always the same.
    pub labels: &'a [(&'a str, &'a str)],
    /// What it has counted since `since_s`.
    pub value: u64,
    /// When it appeared with 0, in Unix seconds: what was forgotten and came back is told by it from
    /// what went on.
    pub since_s: u64,
}

/// Shows every counter once.
pub type Source = Box<dyn Fn(&mut dyn FnMut(Sample<'_>)) + Send>;

/// The copy, and when it was made: texts in one piece, so that it is made without an allocation for each.
#[derive(Debug, Default)]
pub(super) struct Still {
    /// In Unix seconds.
    pub(super) taken_s: u64,
    text: String,
    labels: Vec<(Range<u32>, Range<u32>)>,
    counters: Vec<Counter>,
}

#[derive(Debug)]
struct Counter {
    metric: Range<u32>,
    labels: Range<u32>,
    value: u64,
    since_s: u64,
}

impl Still {
    /// Copies what `source` shows, at `taken_s`.
    pub(super) fn take(source: &Source, taken_s: u64) -> Self {
        let mut still = Self { taken_s, ..Self::default() };
        source(&mut |sample| still.add(&sample));
        still
    }

    fn add(&mut self, sample: &Sample<'_>) {
        let metric = self.keep(sample.metric);
        let first = self.labels.len() as u32;
        for (name, value) in sample.labels {
            let label = (self.keep(name), self.keep(value));
            self.labels.push(label);
        }
        self.counters.push(Counter {
            metric,
            labels: first..self.labels.len() as u32,
            value: sample.value,
            since_s: sample.since_s,
        });
    }

    fn keep(&mut self, text: &str) -> Range<u32> {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        start..self.text.len() as u32
    }

    fn text(&self, range: &Range<u32>) -> &str {
        &self.text[range.start as usize..range.end as usize]
    }

    /// Shows what was copied, in the same order.
    pub(super) fn each(&self, mut visit: impl FnMut(Sample<'_>)) {
        let mut labels = Vec::new();
        for counter in &self.counters {
            let kept = &self.labels[counter.labels.start as usize..counter.labels.end as usize];
            labels.clear();
            labels.extend(kept.iter().map(|(name, value)| (self.text(name), self.text(value))));
            visit(Sample {
                metric: self.text(&counter.metric),
                labels: &labels,
                value: counter.value,
                since_s: counter.since_s,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_shows_what_was_shown() {
        let source: Source = Box::new(|visit| {
            visit(Sample { metric: "a", labels: &[("x", "1"), ("y", "")], value: 7, since_s: 3 });
            visit(Sample { metric: "b", labels: &[], value: 8, since_s: 4 });
        });
        let mut seen = Vec::new();
        Still::take(&source, 5).each(|sample| seen.push(format!("{sample:?}")));
        let mut expected = Vec::new();
        source(&mut |sample| expected.push(format!("{sample:?}")));
        assert_eq!(seen, expected);
        assert_eq!(seen.len(), 2);
    }
}
