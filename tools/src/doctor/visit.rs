//! Two looks at a daemon, some seconds apart, and what happened between.

use serde_json::Value;

use super::page::{Page, Sample};

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Visit {
    pub(super) before: Page,
    pub(super) after: Page,
    pub(super) seconds: f64,
    /// When, Unix time.
    pub(super) now_s: f64,
    /// What `/healthz` complains of.
    pub(super) troubles: Vec<String>,
    /// Why `/readyz` wants no more flows.
    pub(super) refusals: Vec<String>,
}

impl Visit {
    /// How much a count grew; a daemon that was started anew counts from 0.
    pub(super) fn grown(&self, count: impl Fn(&Page) -> f64) -> f64 {
        (count(&self.after) - count(&self.before)).max(0.0)
    }

    /// How much a metric grew a second.
    pub(super) fn rate(&self, name: &str) -> f64 {
        self.grown(|page| page.sum(name)) / self.seconds
    }

    /// What a gauge says now.
    pub(super) fn now(&self, name: &str) -> f64 {
        self.after.sum(name)
    }

    /// Who of those that a label tells apart has most of what came between, and how much; of samples
    /// whose `other` label begins like one of the words, if any are given.
    pub(super) fn most(
        &self,
        name: &str,
        label: &str,
        (other, words): (&str, &[&str]),
    ) -> Option<(String, f64)> {
        let is_meant = |sample: &Sample| {
            let word = sample.labels.get(other).map_or("", String::as_str);
            words.is_empty() || words.iter().any(|one| word.starts_with(one))
        };
        let before = self.before.by_of(name, label, is_meant);
        let after = self.after.by_of(name, label, is_meant).into_iter();
        let grown = after.map(|(who, count)| (who, count - before.get(who).unwrap_or(&0.0)));
        let most = grown.max_by(|one, other| one.1.total_cmp(&other.1));
        most.filter(|(_, grown)| *grown > 0.0).map(|(who, grown)| (who.to_owned(), grown))
    }

    /// Was the daemon started anew between the looks?
    pub(super) fn restarted(&self) -> bool {
        let started = |page: &Page| page.sum("process_start_time_seconds");
        started(&self.before) != started(&self.after)
    }

    /// The upper bound that a share of what a histogram saw between the looks stays below.
    pub(super) fn quantile(&self, name: &str, share: f64) -> Option<f64> {
        let buckets = format!("{name}_bucket");
        let grown = self.after.by(&buckets, "le").into_keys().filter_map(|le| {
            let bound: f64 = if le == "+Inf" { f64::INFINITY } else { le.parse().ok()? };
            Some((
                bound,
                self.grown(|page| page.by(&buckets, "le").get(le).copied().unwrap_or(0.0)),
            ))
        });
        let mut grown: Vec<(f64, f64)> = grown.collect();
        grown.sort_by(|one, other| one.0.total_cmp(&other.0));
        let all = grown.last()?.1;
        let found = grown.iter().find(|(_, below)| *below >= all * share)?;
        (all > 0.0).then_some(found.0)
    }
}

/// The reasons in the body of `/healthz` or `/readyz`.
pub(super) fn reasons(body: &str) -> Vec<String> {
    let answer: Value = serde_json::from_str(body).unwrap_or_default();
    if let Some(reasons) = answer["reasons"].as_object() {
        let told = reasons.iter();
        return told
            .map(|(room, why)| format!("{room}: {}", why.as_str().unwrap_or("?")))
            .collect();
    }
    // Without a token it says that something is wrong, and not what.
    let status = answer["status"].as_str().unwrap_or("no answer");
    if matches!(status, "ok" | "ready") { Vec::new() } else { vec![status.to_owned()] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(before: &str, after: &str) -> Visit {
        let read = |text| Page::read(text).unwrap();
        Visit { before: read(before), after: read(after), seconds: 2.0, ..Visit::default() }
    }

    #[test]
    fn what_came_between_is_told() {
        let visit = visit(
            "a{x=\"1\",c=\"p\"} 5\na{x=\"2\",c=\"q\"} 5\n",
            "a{x=\"1\",c=\"p\"} 9\na{x=\"2\",c=\"q\"} 6\na{x=\"3\",c=\"q\"} 2\n",
        );
        assert_eq!(visit.rate("a"), 3.5);
        assert_eq!(visit.most("a", "x", ("", &[])), Some(("1".into(), 4.0)));
        assert_eq!(visit.most("a", "x", ("c", &["q"])), Some(("3".into(), 2.0)));
        assert_eq!(visit.most("b", "x", ("", &[])), None);
    }

    /// A sum over all samples for each of so many would be half a thousand million looks.
    #[test]
    fn the_one_of_ten_thousand_is_found() {
        let page = |extra: u32| {
            let line = |at: u32| {
                let count = if at == 7777 { extra } else { 0 };
                format!("a{{x=\"{at}\",c=\"p\"}} {count}\na{{x=\"{at}\",c=\"q\"}} {at}\n")
            };
            (0..10_000).map(line).collect::<String>()
        };
        let visit = visit(&page(1), &page(6));
        assert_eq!(visit.most("a", "x", ("c", &["p"])), Some(("7777".into(), 5.0)));
    }

    #[test]
    fn a_daemon_that_was_started_anew_has_lost_nothing_by_that() {
        let visit =
            visit("a 5\nprocess_start_time_seconds 1\n", "a 2\nprocess_start_time_seconds 2\n");
        assert_eq!(visit.rate("a"), 0.0);
        assert!(visit.restarted());
    }

    #[test]
    fn a_histogram_tells_what_came_between() {
        let before = "h_bucket{le=\"1\"} 100\nh_bucket{le=\"2\"} 100\nh_bucket{le=\"+Inf\"} 100\n";
        let after = "h_bucket{le=\"1\"} 101\nh_bucket{le=\"2\"} 110\nh_bucket{le=\"+Inf\"} 110\n";
        assert_eq!(visit(before, after).quantile("h", 0.99), Some(2.0));
        assert_eq!(visit(after, after).quantile("h", 0.99), None);
    }

    #[test]
    fn reasons_are_read_where_they_are_told() {
        let body = "{\"status\":\"degraded\",\"reasons\":{\"output\":\"no broker\"}}";
        assert_eq!(reasons(body), ["output: no broker"]);
        assert_eq!(reasons("{\"status\":\"not ready\"}"), ["not ready"]);
        assert!(reasons("{\"status\":\"ok\"}").is_empty());
    }
}
