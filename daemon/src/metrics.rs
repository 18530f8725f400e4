//! `/metrics` in Prometheus' text format, and its documentation, from one table.

use std::fmt::Write as _;
use std::time::UNIX_EPOCH;

use neckar_decode::Cause;

use crate::board::{Board, Snapshot};
use crate::snmp::Failure;
use crate::worker::WorkerCounts;

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

/// A value that each worker has.
struct PerWorker {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    value: fn(&WorkerCounts) -> u64,
}

/// A value that the process has.
struct PerProcess {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    value: fn(&Snapshot) -> u64,
}

use Kind::{Counter, Gauge};

const PER_WORKER: &[PerWorker] = &[
    PerWorker {
        name: "neckar_receive_datagrams_total",
        kind: Counter,
        help: "Datagrams taken from the sockets.",
        value: |counts| counts.receive.datagrams,
    },
    PerWorker {
        name: "neckar_receive_bytes_total",
        kind: Counter,
        help: "Payload bytes of these datagrams.",
        value: |counts| counts.receive.bytes,
    },
    PerWorker {
        name: "neckar_receive_kernel_drops_total",
        kind: Counter,
        help: "Datagrams that the kernel dropped because a socket's buffer was full.",
        value: |counts| counts.kernel_drops,
    },
    PerWorker {
        name: "neckar_receive_truncated_total",
        kind: Counter,
        help: "Datagrams longer than the receive buffer.",
        value: |counts| counts.receive.truncated,
    },
    PerWorker {
        name: "neckar_receive_batches_total",
        kind: Counter,
        help: "Wake-ups that brought at least one datagram.",
        value: |counts| counts.receive.batches,
    },
    PerWorker {
        name: "neckar_decode_records_total",
        kind: Counter,
        help: "Data records seen; for sFlow, flow samples.",
        value: |counts| counts.decode.records,
    },
    PerWorker {
        name: "neckar_decode_reverse_flows_total",
        kind: Counter,
        help: "Second flows made from records with a reverse direction.",
        value: |counts| counts.decode.reverse_flows,
    },
    PerWorker {
        name: "neckar_decode_flows_total",
        kind: Counter,
        help: "Flows decoded.",
        value: |counts| counts.decode.flows,
    },
    PerWorker {
        name: "neckar_decode_templates_total",
        kind: Counter,
        help: "Template records, refreshes included.",
        value: |counts| counts.decode.templates,
    },
    PerWorker {
        name: "neckar_decode_options_templates_total",
        kind: Counter,
        help: "Options template records, refreshes included.",
        value: |counts| counts.decode.options_templates,
    },
    PerWorker {
        name: "neckar_decode_options_records_total",
        kind: Counter,
        help: "Options data records.",
        value: |counts| counts.decode.options_records,
    },
    PerWorker {
        name: "neckar_decode_counter_samples_total",
        kind: Counter,
        help: "sFlow counter samples.",
        value: |counts| counts.decode.counter_samples,
    },
    PerWorker {
        name: "neckar_decode_held_sets_total",
        kind: Counter,
        help: "Data sets held because their template was not there yet.",
        value: |counts| counts.decode.held,
    },
    PerWorker {
        name: "neckar_decode_released_sets_total",
        kind: Counter,
        help: "Held data sets decoded after all.",
        value: |counts| counts.decode.released,
    },
    PerWorker {
        name: "neckar_decode_missed_total",
        kind: Counter,
        help: "Records (v5, IPFIX) or datagrams (v9, sFlow) lost before they reached us, by sequence numbers.",
        value: |counts| counts.decode.missed,
    },
    PerWorker {
        name: "neckar_decode_rate_unknown_total",
        kind: Counter,
        help: "Flows whose sampling rate is not known.",
        value: |counts| counts.decode.rate_unknown,
    },
    PerWorker {
        name: "neckar_label_remote_unknown_total",
        kind: Counter,
        help: "Flows of which neither end could be told to be the far one.",
        value: |counts| counts.stage.labels.remote_unknown,
    },
    PerWorker {
        name: "neckar_label_normalized_total",
        kind: Counter,
        help: "Flows whose counters were multiplied by their sampling rate.",
        value: |counts| counts.stage.labels.normalized,
    },
    PerWorker {
        name: "neckar_label_already_normalized_total",
        kind: Counter,
        help: "Flows whose counters had been multiplied before they came.",
        value: |counts| counts.stage.labels.already_normalized,
    },
    PerWorker {
        name: "neckar_label_rate_unknown_total",
        kind: Counter,
        help: "Flows that were to be normalised but have no sampling rate.",
        value: |counts| counts.stage.labels.rate_unknown,
    },
    PerWorker {
        name: "neckar_label_interface_unknown_total",
        kind: Counter,
        help: "Interfaces in flows whose exporter is known, but not they.",
        value: |counts| counts.stage.labels.interface_unknown,
    },
    PerWorker {
        name: "neckar_flows_encoded_total",
        kind: Counter,
        help: "Flows encoded and handed to the output.",
        value: |counts| counts.stage.encoded,
    },
    PerWorker {
        name: "neckar_flows_encoded_bytes_total",
        kind: Counter,
        help: "Encoded bytes of the batches handed over.",
        value: |counts| counts.stage.encoded_bytes,
    },
    PerWorker {
        name: "neckar_flows_shed_total",
        kind: Counter,
        help: "Flows dropped because every batch was still waiting for the output.",
        value: |counts| counts.stage.shed,
    },
    PerWorker {
        name: "neckar_batches_total",
        kind: Counter,
        help: "Batches handed over.",
        value: |counts| counts.stage.batches,
    },
    PerWorker {
        name: "neckar_batches_lent",
        kind: Gauge,
        help: "Batches that the output or the splitter still holds.",
        value: |counts| counts.stage.batches_lent,
    },
    PerWorker {
        name: "neckar_batches_backlog",
        kind: Gauge,
        help: "Batches waiting for room in the output's own queue.",
        value: |counts| counts.stage.backlog,
    },
    PerWorker {
        name: "neckar_stalls_total",
        kind: Counter,
        help: "Times that a worker waited for a free batch.",
        value: |counts| counts.stage.stalls,
    },
    PerWorker {
        name: "neckar_stalled_nanoseconds_total",
        kind: Counter,
        help: "Nanoseconds that a worker waited for a free batch.",
        value: |counts| counts.stage.stalled_ns,
    },
    PerWorker {
        name: "neckar_splitter_missed_total",
        kind: Counter,
        help: "Flows that the splitter did not see because its queue was full.",
        value: |counts| counts.stage.splitter_missed,
    },
];

const PER_PROCESS: &[PerProcess] = &[
    PerProcess {
        name: "neckar_output_submitted_total",
        kind: Counter,
        help: "Flows given to the output, customers' copies apart.",
        value: |snapshot| snapshot.output.submitted,
    },
    PerProcess {
        name: "neckar_output_delivered_total",
        kind: Counter,
        help: "Flows that the output acknowledged.",
        value: |snapshot| snapshot.output.delivered,
    },
    PerProcess {
        name: "neckar_output_failed_total",
        kind: Counter,
        help: "Flows that the output gave up on.",
        value: |snapshot| snapshot.output.failed,
    },
    PerProcess {
        name: "neckar_output_queue_full_total",
        kind: Counter,
        help: "Times that the output's queue was full; the flows waited.",
        value: |snapshot| snapshot.output.queue_full,
    },
    PerProcess {
        name: "neckar_output_in_flight",
        kind: Gauge,
        help: "Flows submitted and not yet acknowledged.",
        value: |snapshot| snapshot.output.in_flight,
    },
    PerProcess {
        name: "neckar_output_latency_p50_microseconds",
        kind: Gauge,
        help: "Median from receipt to acknowledgement since the start, as that of the oldest flow in the batch.",
        value: |snapshot| snapshot.output.latency_us.map_or(0, |(p50, _)| p50 as u64),
    },
    PerProcess {
        name: "neckar_output_latency_p99_microseconds",
        kind: Gauge,
        help: "The same for the 99th percentile.",
        value: |snapshot| snapshot.output.latency_us.map_or(0, |(_, p99)| p99 as u64),
    },
    PerProcess {
        name: "neckar_output_up",
        kind: Gauge,
        help: "1 if the output takes flows: for Kafka, a broker is reachable.",
        value: |snapshot| u64::from(snapshot.output.trouble.is_none()),
    },
    PerProcess {
        name: "neckar_splitter_flows_total",
        kind: Counter,
        help: "Copies of flows given to customers' topics.",
        value: |snapshot| snapshot.splitter.submitted,
    },
    PerProcess {
        name: "neckar_splitter_refused_total",
        kind: Counter,
        help: "Copies that found no room in the producer's queue, or whose topic refused.",
        value: |snapshot| snapshot.splitter.refused,
    },
    PerProcess {
        name: "neckar_splitter_queue",
        kind: Gauge,
        help: "Batches waiting for the splitter.",
        value: |snapshot| snapshot.splitter.queued,
    },
    PerProcess {
        name: "neckar_tables_swaps_total",
        kind: Counter,
        help: "Times that new tables of labels came into force, the first included.",
        value: |snapshot| snapshot.tables.swaps,
    },
    PerProcess {
        name: "neckar_tables_failures_total",
        kind: Counter,
        help: "Loads of tables that failed; the old stayed in force.",
        value: |snapshot| snapshot.tables.failures,
    },
    PerProcess {
        name: "neckar_tables_up",
        kind: Gauge,
        help: "1 if the last load of tables succeeded.",
        value: |snapshot| u64::from(snapshot.tables.trouble.is_none()),
    },
    PerProcess {
        name: "neckar_tables_loaded_timestamp_seconds",
        kind: Gauge,
        help: "When the prefixes in force were loaded, Unix time.",
        value: |snapshot| {
            let since = snapshot.tables.loaded.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            since.map_or(0, |since| since.as_secs())
        },
    },
    PerProcess {
        name: "neckar_tables_load_milliseconds",
        kind: Gauge,
        help: "How long the last load took that succeeded.",
        value: |snapshot| snapshot.tables.load.as_millis() as u64,
    },
    PerProcess {
        name: "neckar_tables_prefixes",
        kind: Gauge,
        help: "Prefixes of all sources.",
        value: |snapshot| snapshot.tables.prefixes,
    },
    PerProcess {
        name: "neckar_tables_label_sets",
        kind: Gauge,
        help: "Different sets of labels that addresses have.",
        value: |snapshot| snapshot.tables.label_sets,
    },
    PerProcess {
        name: "neckar_tables_interfaces",
        kind: Gauge,
        help: "Interfaces with labels.",
        value: |snapshot| snapshot.tables.interfaces,
    },
    PerProcess {
        name: "neckar_tables_bytes",
        kind: Gauge,
        help: "Memory of the tables in force.",
        value: |snapshot| snapshot.tables.memory_bytes,
    },
    PerProcess {
        name: "neckar_tables_retired",
        kind: Gauge,
        help: "Old tables that are not freed yet because a worker still reads them.",
        value: |snapshot| snapshot.tables.retired,
    },
    PerProcess {
        name: "neckar_snmp_walks_total",
        kind: Counter,
        help: "Walks that brought the interfaces of a device.",
        value: |snapshot| snapshot.snmp.walks,
    },
    PerProcess {
        name: "neckar_snmp_cut_total",
        kind: Counter,
        help: "Walks that found more interfaces than `snmp.interfaces_per_exporter_max` or `snmp.interfaces_max` leave room for.",
        value: |snapshot| snapshot.snmp.cut,
    },
    PerProcess {
        name: "neckar_snmp_devices",
        kind: Gauge,
        help: "Exporters that are asked by SNMP.",
        value: |snapshot| snapshot.snmp.devices,
    },
    PerProcess {
        name: "neckar_snmp_devices_backing_off",
        kind: Gauge,
        help: "Those of them whose last walk failed, and which rest.",
        value: |snapshot| snapshot.snmp.backing_off,
    },
    PerProcess {
        name: "neckar_snmp_devices_walking",
        kind: Gauge,
        help: "Those of them that are being asked now.",
        value: |snapshot| snapshot.snmp.walking,
    },
    PerProcess {
        name: "neckar_snmp_interfaces",
        kind: Gauge,
        help: "Interfaces known by SNMP, remembered ones included.",
        value: |snapshot| snapshot.snmp.interfaces,
    },
    PerProcess {
        name: "neckar_uptime_seconds",
        kind: Gauge,
        help: "Seconds since the start.",
        value: |snapshot| snapshot.uptime.as_secs(),
    },
];

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
    for metric in PER_PROCESS {
        header(&mut out, metric.name, metric.kind, metric.help);
        let _ = writeln!(out, "{} {}", metric.name, (metric.value)(&snapshot));
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
    for metric in PER_PROCESS {
        row(metric.name, metric.kind, "", metric.help);
    }
    row(SNMP_FAILED.0, Counter, "cause", SNMP_FAILED.1);
    row(OUTPUT_ERRORS.0, Counter, "error", OUTPUT_ERRORS.1);
    out
}
