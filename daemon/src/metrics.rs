//! `/metrics` in Prometheus' text format, and its documentation, from one table.

use std::fmt::Write as _;

use neckar_decode::Cause;

use crate::board::Board;
use crate::snmp::Failure;

mod process;
mod push;
mod tenant;
mod traffic;
mod worker;

use process::PER_PROCESS;
use push::PER_PUSH;
use tenant::PER_TENANT;
use traffic::TRAFFIC;
use worker::PER_WORKER;

/// How a value behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

use Kind::{Counter, Gauge};

const DROPPED: (&str, &str) = (
    "neckar_dropped_total",
    "What arrived and did not become a flow; the cause says whether it counts datagrams, sets or records.",
);
const OUTPUT_ERRORS: (&str, &str) =
    ("neckar_output_errors_total", "Flows that the output gave up on, by its own error name.");
const SNMP_FAILED: (&str, &str) = (
    "neckar_snmp_failed_total",
    "Walks that brought nothing; a wrong community or pass phrase is a timeout, too.",
);

/// The page that Prometheus reads.
#[must_use]
pub fn render(board: &Board) -> String {
    let snapshot = board.snapshot();
    let mut out = String::with_capacity(16 << 10);
    header(&mut out, "neckar_build_info", Gauge, "Version of this build.");
    let _ = writeln!(out, "neckar_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
    for metric in PER_WORKER {
        header(&mut out, metric.name, metric.kind, metric.help);
        for (worker, counts) in snapshot.workers.iter().enumerate() {
            let value = (metric.value)(counts);
            let _ = writeln!(out, "{}{{worker=\"{worker}\"}} {value}", metric.name);
        }
    }
    header(&mut out, DROPPED.0, Counter, DROPPED.1);
    for (worker, counts) in snapshot.workers.iter().enumerate() {
        for cause in Cause::ALL {
            let (cause, value) = (cause.name(), counts.decode.dropped(*cause));
            let _ = writeln!(out, "{}{{worker=\"{worker}\",cause=\"{cause}\"}} {value}", DROPPED.0);
        }
    }
    for metric in PER_PROCESS.iter().chain(TRAFFIC).chain(PER_PUSH) {
        header(&mut out, metric.name, metric.kind, metric.help);
        let _ = writeln!(out, "{} {}", metric.name, (metric.value)(&snapshot));
    }
    for metric in PER_TENANT {
        header(&mut out, metric.name, metric.kind, metric.help);
        for (topic, tenant) in &snapshot.splitter.tenants {
            let _ =
                writeln!(out, "{}{{topic=\"{topic}\"}} {}", metric.name, (metric.value)(tenant));
        }
    }
    header(&mut out, SNMP_FAILED.0, Counter, SNMP_FAILED.1);
    for (failure, count) in Failure::ALL.iter().zip(snapshot.snmp.failed) {
        let _ = writeln!(out, "{}{{cause=\"{}\"}} {count}", SNMP_FAILED.0, failure.name());
    }
    header(&mut out, OUTPUT_ERRORS.0, Counter, OUTPUT_ERRORS.1);
    for (error, count) in &snapshot.output.errors {
        let _ = writeln!(out, "{}{{error=\"{error}\"}} {count}", OUTPUT_ERRORS.0);
    }
    out
}

fn header(out: &mut String, name: &str, kind: Kind, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {}", kind.name());
}

/// The body of `docs/metrics.md`.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::from(
        "# Metrics\n\nMade by `neckard metrics`; the source is `daemon/src/metrics.rs`. Every drop has exactly one \
         counter: `records + reverse_flows = flows + dropped{record_*}`, `flows = encoded + shed`, \
         `submitted = delivered + failed + in_flight`.\n\n\
         | name | type | labels | meaning |\n| --- | --- | --- | --- |\n\
         | `neckar_build_info` | gauge | version | Version of this build. |\n",
    );
    let mut row = |name: &str, kind: Kind, labels: &str, help: &str| {
        let _ = writeln!(out, "| `{name}` | {} | {labels} | {help} |", kind.name());
    };
    for metric in PER_WORKER {
        row(metric.name, metric.kind, "worker", metric.help);
    }
    row(DROPPED.0, Counter, "worker, cause", DROPPED.1);
    for metric in PER_PROCESS.iter().chain(TRAFFIC).chain(PER_PUSH) {
        row(metric.name, metric.kind, "", metric.help);
    }
    for metric in PER_TENANT {
        row(metric.name, metric.kind, "topic", metric.help);
    }
    row(SNMP_FAILED.0, Counter, "cause", SNMP_FAILED.1);
    row(OUTPUT_ERRORS.0, Counter, "error", OUTPUT_ERRORS.1);
    out
}
