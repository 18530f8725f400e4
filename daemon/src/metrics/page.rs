//! A page in Prometheus' text format while it is written, and what it announces.
//!
//! Whoever writes samples names their family first, with type, meaning and what bounds each label:
//! the document is made of the same calls, so the two cannot differ.

use std::fmt::{Display, Write as _};

/// How a value behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Summary,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        }
    }
}

/// A label, and why it cannot have ever more values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label {
    pub(super) name: &'static str,
    pub(super) bound: &'static str,
}

/// One of a fixed list of words.
pub(super) const fn fixed(name: &'static str) -> Label {
    Label { name, bound: "a fixed list" }
}

pub(super) const WORKER: Label = Label { name: "worker", bound: "`workers.cores`" };
pub(super) const EXPORTER: Label =
    Label { name: "exporter", bound: "`http.exporters_shown_max`, the busiest first" };
pub(super) const CAUSE: Label = fixed("cause");

/// A value that each of some things has.
pub(super) struct Metric<T: 'static, V = u64> {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    pub(super) value: fn(&T) -> V,
}

/// What is announced once, before its samples.
struct Family {
    name: &'static str,
    kind: Kind,
    labels: &'static [Label],
    help: &'static str,
}

/// The page so far.
pub(super) struct Page {
    text: String,
    families: Vec<Family>,
}

impl Page {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), families: Vec::new() }
    }

    /// Announces a family; its samples come next.
    pub(super) fn family(
        &mut self,
        (name, kind): (&'static str, Kind),
        labels: &'static [Label],
        help: &'static str,
    ) -> Samples<'_> {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {}", kind.name());
        self.families.push(Family { name, kind, labels, help });
        Samples { text: &mut self.text, name, labels }
    }

    /// Families of one sample for each of `rows`, which stand beside the values of `labels`.
    pub(super) fn table<const N: usize, T, V: Display>(
        &mut self,
        metrics: &[Metric<T, V>],
        labels: &'static [Label],
        rows: &[([&str; N], &T)],
    ) {
        for metric in metrics {
            let mut samples = self.family((metric.name, metric.kind), labels, metric.help);
            for (values, row) in rows {
                samples.add(*values, (metric.value)(row));
            }
        }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// Lines of docs/metrics.md.
    pub(super) fn document(&self) -> String {
        let mut out = String::new();
        for Family { name, kind, labels, help } in &self.families {
            let names: Vec<&str> = labels.iter().map(|label| label.name).collect();
            let bounds = labels.iter().map(|label| format!("{}: {}", label.name, label.bound));
            let bounds: Vec<String> = bounds.collect();
            let (kind, names, bounds) = (kind.name(), names.join(", "), bounds.join("; "));
            let _ = writeln!(out, "| `{name}` | {kind} | {names} | {bounds} | {help} |");
        }
        out
    }
}

/// Takes the samples of one family.
pub(super) struct Samples<'a> {
    text: &'a mut String,
    name: &'static str,
    labels: &'static [Label],
}

impl Samples<'_> {
    /// A sample, with the values of its labels in their order.
    pub(super) fn add<const N: usize>(&mut self, values: [&str; N], value: impl Display) {
        self.series("", &values, None);
        let _ = writeln!(self.text, " {value}");
    }

    /// A quantile of a summary.
    pub(super) fn quantile<const N: usize>(
        &mut self,
        values: [&str; N],
        share: &str,
        value: impl Display,
    ) {
        self.series("", &values, Some(("quantile", share)));
        let _ = writeln!(self.text, " {value}");
    }

    /// How many observations a summary is made of, and their sum.
    pub(super) fn sum_and_count<const N: usize>(
        &mut self,
        values: [&str; N],
        sum: impl Display,
        count: u64,
    ) {
        self.series("_sum", &values, None);
        let _ = writeln!(self.text, " {sum}");
        self.series("_count", &values, None);
        let _ = writeln!(self.text, " {count}");
    }

    /// A histogram: upper bounds, each with the count of all that is below, then all there is.
    pub(super) fn histogram<const N: usize>(
        &mut self,
        values: [&str; N],
        buckets: impl Iterator<Item = (f64, u64)>,
        (sum, count): (f64, u64),
    ) {
        for (bound, below) in buckets {
            self.series("_bucket", &values, Some(("le", &bound.to_string())));
            let _ = writeln!(self.text, " {below}");
        }
        self.series("_bucket", &values, Some(("le", "+Inf")));
        let _ = writeln!(self.text, " {count}");
        self.sum_and_count(values, sum, count);
    }

    fn series(&mut self, suffix: &str, values: &[&str], last: Option<(&str, &str)>) {
        assert_eq!(values.len(), self.labels.len(), "{}: a value for each label", self.name);
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        let labels = self.labels.iter().map(|label| label.name).zip(values.iter().copied());
        let mut before = '{';
        for (name, value) in labels.chain(last) {
            self.text.push(before);
            self.text.push_str(name);
            self.text.push_str("=\"");
            push_escaped(self.text, value);
            self.text.push('"');
            before = ',';
        }
        if before == ',' {
            self.text.push('}');
        }
    }
}

/// Names come from operators and topics: what would end a value is escaped.
fn push_escaped(text: &mut String, value: &str) {
    if !value.contains(['\\', '"', '\n']) {
        return text.push_str(value);
    }
    for letter in value.chars() {
        match letter {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_as_prometheus_reads_them() {
        let mut page = Page::with_capacity(0);
        let mut samples = page.family(("a_total", Kind::Counter), &[WORKER], "Some.");
        samples.add(["say \"hi\"\\\n"], 7);
        let mut samples = page.family(("b", Kind::Histogram), &[], "Others.");
        samples.histogram([], [(0.5, 1), (1.0, 2)].into_iter(), (2.25, 3));
        let expected = "\
# HELP a_total Some.
# TYPE a_total counter
a_total{worker=\"say \\\"hi\\\"\\\\\\n\"} 7
# HELP b Others.
# TYPE b histogram
b_bucket{le=\"0.5\"} 1
b_bucket{le=\"1\"} 2
b_bucket{le=\"+Inf\"} 3
b_sum 2.25
b_count 3
";
        let document = page.document();
        assert_eq!(page.into_text(), expected);
        let line = "| `a_total` | counter | worker | worker: `workers.cores` | Some. |\n";
        assert!(document.starts_with(line), "{document}");
    }
}
