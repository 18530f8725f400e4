//! What the doctor says, for people and for scripts.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::losses::LOSSES;
use super::signs::{Gravity, SIGNS};
use super::step::{Step, number};
use super::visit::Visit;

/// One thing that is wrong, or was.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    pub(super) step: Step,
    pub(super) rule: &'static str,
    pub(super) gravity: Gravity,
    pub(super) words: String,
    pub(super) knob: &'static str,
    /// Of losses: a second, of all, since the start.
    pub(super) lost: Option<(f64, Option<f64>, f64)>,
}

/// Everything there is to say.
pub(super) struct Report {
    pub(super) findings: Vec<Finding>,
    summaries: Vec<(Step, String)>,
    version: String,
    uptime: Duration,
    seconds: f64,
    restarted: bool,
}

impl Report {
    pub(super) fn of(visit: &Visit) -> Self {
        let signs = SIGNS.iter().filter_map(|sign| {
            let words = (sign.find)(visit)?;
            let (step, rule, gravity, knob) = (sign.step, sign.name, sign.gravity, sign.knob);
            Some(Finding { step, rule, gravity, words, knob, lost: None })
        });
        let mut findings: Vec<Finding> = losses(visit).chain(signs).collect();
        // Stable: losses come before signs of the same gravity.
        findings.sort_by_key(|one| std::cmp::Reverse(one.gravity));
        let summaries = Step::ALL.into_iter().map(|step| (step, step.summary(visit)));
        let uptime_s = visit.now("neckar_uptime_seconds").max(0.0);
        Self {
            findings,
            summaries: summaries.collect(),
            version: visit.after.label("neckar_build_info", "version").unwrap_or("?").into(),
            uptime: Duration::from_secs(uptime_s as u64),
            seconds: visit.seconds,
            restarted: visit.restarted(),
        }
    }

    pub(super) fn is_losing(&self) -> bool {
        self.findings.iter().any(|finding| finding.gravity == Gravity::Loss)
    }

    fn of_step(&self, step: Step) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.step == step)
    }

    /// A line for each step, what is wrong there below it, and the verdict last.
    pub(super) fn text(&self, url: &str) -> String {
        let (version, uptime) = (&self.version, humantime::format_duration(self.uptime));
        let mut out = format!("neckard {version} at {url}, up {uptime}, {:.1} s\n\n", self.seconds);
        for (step, summary) in &self.summaries {
            let worst = self.of_step(*step).map(|finding| finding.gravity).max();
            let state = match worst {
                Some(Gravity::Loss) => "LOSS",
                Some(Gravity::Warning) => "warn",
                Some(Gravity::Note) | None => "ok",
            };
            let _ = writeln!(out, "{state:<4}  {:<10} {summary}", step.name());
            for Finding { gravity, words, knob, .. } in self.of_step(*step) {
                let _ = writeln!(out, "      {:<10} {words}", gravity.name());
                let _ = writeln!(out, "      {:<10} -> {knob}", "");
            }
        }
        let _ = writeln!(out, "\n{}", self.verdict());
        out
    }

    fn verdict(&self) -> String {
        let restarted = if self.restarted { "; the daemon was restarted meanwhile" } else { "" };
        let losses = self.findings.iter().filter(|finding| finding.gravity == Gravity::Loss);
        let words: Vec<&str> = losses.map(|finding| finding.words.as_str()).collect();
        if words.is_empty() {
            let warnings = self.findings.iter().filter(|one| one.gravity == Gravity::Warning);
            let warnings = match warnings.count() {
                0 => "all is well",
                _ => "mind the warnings",
            };
            return format!("No flows are being lost; {warnings}{restarted}.");
        }
        format!("Flows are being lost: {}{restarted}.", words.join("; "))
    }

    pub(super) fn json(&self, url: &str) -> String {
        let findings = self.findings.iter().map(|finding| {
            let mut value = json!({
                "step": finding.step.name(), "rule": finding.rule,
                "gravity": finding.gravity.name(), "words": finding.words, "knob": finding.knob,
            });
            if let Some((per_s, share, since_start)) = finding.lost {
                value["per_second"] = per_s.into();
                value["share"] = share.map_or(Value::Null, Value::from);
                value["since_start"] = since_start.into();
            }
            value
        });
        let steps = self.summaries.iter();
        let steps = steps.map(|(step, words)| json!({"step": step.name(), "words": words}));
        let report = json!({
            "url": url, "version": self.version, "uptime_s": self.uptime.as_secs(),
            "seconds": self.seconds, "restarted": self.restarted,
            "losing": self.is_losing(), "verdict": self.verdict(),
            "steps": steps.collect::<Vec<_>>(), "findings": findings.collect::<Vec<_>>(),
        });
        format!("{report}\n")
    }
}

/// What is being lost; what was lost before and is not any more is a note.
fn losses(visit: &Visit) -> impl Iterator<Item = Finding> {
    LOSSES.iter().filter_map(|loss| {
        let lost = loss.find(visit)?;
        let by = lost.by.as_ref().map(|by| format!(", most of them {by}")).unwrap_or_default();
        let (what, fate) = (loss.what, loss.fate);
        let (gravity, words) = if lost.per_s > 0.0 {
            let share = lost.share.map(|share| format!(" ({:.1} %)", share * 100.0));
            let (rate, share) = (number(lost.per_s), share.unwrap_or_default());
            (Gravity::Loss, format!("{rate} {what} a second{share} {fate}{by}"))
        } else {
            let count = number(lost.since_start);
            (Gravity::Note, format!("{count} {what} since the start {fate}; none now"))
        };
        Some(Finding {
            step: loss.step,
            rule: loss.name,
            gravity,
            words,
            knob: loss.knob,
            lost: Some((lost.per_s, lost.share, lost.since_start)),
        })
    })
}
