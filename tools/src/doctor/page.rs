//! A page of `/metrics`, read back.

use std::collections::BTreeMap;

/// One number on the page.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: f64,
}

/// All numbers by the name before their labels.
#[derive(Clone, Debug, Default)]
pub(super) struct Page(BTreeMap<String, Vec<Sample>>);

impl Page {
    /// Reads Prometheus' text format; `None` if a line of it is something else.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut page = Self::default();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ')?;
            let (name, labels) = match series.split_once('{') {
                Some((name, rest)) => (name, labels(rest)?),
                None => (series, BTreeMap::new()),
            };
            let sample = Sample { labels, value: value.parse().ok()? };
            page.0.entry(name.to_owned()).or_default().push(sample);
        }
        Some(page)
    }

    pub(super) fn samples(&self, name: &str) -> &[Sample] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Over all labels; 0 if there is none.
    pub(super) fn sum(&self, name: &str) -> f64 {
        self.samples(name).iter().map(|sample| sample.value).sum()
    }

    /// Over those whose label begins like this.
    pub(super) fn sum_like(&self, name: &str, label: &str, beginnings: &[&str]) -> f64 {
        let is_like = |sample: &&Sample| {
            let value = sample.labels.get(label).map_or("", String::as_str);
            beginnings.iter().any(|beginning| value.starts_with(beginning))
        };
        self.samples(name).iter().filter(is_like).map(|sample| sample.value).sum()
    }

    /// By one label, summed over the others.
    pub(super) fn by(&self, name: &str, label: &str) -> BTreeMap<&str, f64> {
        self.by_of(name, label, |_| true)
    }

    /// The same, of those samples that are meant.
    pub(super) fn by_of(
        &self,
        name: &str,
        label: &str,
        is_meant: impl Fn(&Sample) -> bool,
    ) -> BTreeMap<&str, f64> {
        let mut sums = BTreeMap::new();
        for sample in self.samples(name).iter().filter(|sample| is_meant(sample)) {
            let value = sample.labels.get(label).map_or("", String::as_str);
            *sums.entry(value).or_insert(0.0) += sample.value;
        }
        sums
    }

    /// The value of a label that all samples have alike.
    pub(super) fn label(&self, name: &str, label: &str) -> Option<&str> {
        self.samples(name).first()?.labels.get(label).map(String::as_str)
    }
}

/// What stands between the brace and its end: `a="b",c="d"}`.
fn labels(text: &str) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while rest != "}" {
        let (name, after) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut letters = after.chars();
        loop {
            match letters.next()? {
                '"' => break,
                '\\' => match letters.next()? {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                other => value.push(other),
            }
        }
        labels.insert(name.trim_start_matches(',').to_owned(), value);
        rest = letters.as_str();
    }
    Some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read() {
        let text = "# HELP a b\n# TYPE a counter\na{x=\"1\",y=\"q\\\"u,o}te\\\\\"} 2\na{x=\"2\",y=\"\"} 3\nb 0.5\n";
        let page = Page::read(text).unwrap();
        assert_eq!((page.sum("a"), page.sum("b"), page.sum("c")), (5.0, 0.5, 0.0));
        assert_eq!(page.sum_like("a", "x", &["2", "3"]), 3.0);
        assert_eq!(page.by("a", "y"), BTreeMap::from([("", 3.0), ("q\"u,o}te\\", 2.0)]));
        assert_eq!(page.label("a", "x"), Some("1"));
        assert!(Page::read("<html>").is_none() && Page::read("a{x=\"1} 2").is_none());
    }
}
