//! The output, Kafka's transport, topics, the spool, files, and the splitter.

use neckar_kafka::{Latency, WireCounts};

use super::View;
use super::page::Kind::{Counter, Gauge, Histogram};
use super::page::{Label, Metric, Page, fixed};
use crate::board::Snapshot;
use crate::output::OutputDetails;
use crate::spooler::SpoolerView;

const OUTPUT: &[Metric<Snapshot>] = &[
    Metric {
        name: "neckar_output_submitted_total",
        kind: Counter,
        help: "Flows given to the output, customers' copies apart.",
        value: |snapshot| snapshot.output.submitted,
    },
    Metric {
        name: "neckar_output_delivered_total",
        kind: Counter,
        help: "Flows that the output acknowledged.",
        value: |snapshot| snapshot.output.delivered,
    },
    Metric {
        name: "neckar_output_failed_total",
        kind: Counter,
        help: "Flows that the output gave up on.",
        value: |snapshot| snapshot.output.failed,
    },
    Metric {
        name: "neckar_output_queue_full_total",
        kind: Counter,
        help: "Times that the output's queue was full; the flows waited.",
        value: |snapshot| snapshot.output.queue_full,
    },
    Metric {
        name: "neckar_output_in_flight",
        kind: Gauge,
        help: "Flows submitted and not yet acknowledged.",
        value: |snapshot| snapshot.output.in_flight,
    },
    Metric {
        name: "neckar_output_latency_p50_microseconds",
        kind: Gauge,
        help: "Median from receipt to acknowledgement since the start, as that of the oldest flow in the batch.",
        value: |snapshot| snapshot.output.latency_us.map_or(0, |(p50, _)| p50 as u64),
    },
    Metric {
        name: "neckar_output_latency_p99_microseconds",
        kind: Gauge,
        help: "The same for the 99th percentile.",
        value: |snapshot| snapshot.output.latency_us.map_or(0, |(_, p99)| p99 as u64),
    },
    Metric {
        name: "neckar_output_up",
        kind: Gauge,
        help: "1 if the output takes flows: for Kafka, a broker is reachable.",
        value: |snapshot| u64::from(snapshot.output.trouble.is_none()),
    },
];

const TOPICS: &[Metric<Snapshot>] = &[
    Metric {
        name: "neckar_topics_made_total",
        kind: Counter,
        help: "Topics made on request (`kafka.create`).",
        value: |snapshot| snapshot.output.topics_made,
    },
    Metric {
        name: "neckar_topics_refused_total",
        kind: Counter,
        help: "Topics that the brokers refused to make for good; the log has why, also of those that are tried again.",
        value: |snapshot| snapshot.output.topics_refused,
    },
];

const SPOOL: &[Metric<Snapshot>] = &[
    Metric {
        name: "neckar_spool_bytes",
        kind: Gauge,
        help: "Bytes of the spool on disk.",
        value: |snapshot| spool(snapshot).state.bytes,
    },
    Metric {
        name: "neckar_spool_batches",
        kind: Gauge,
        help: "Batches on disk.",
        value: |snapshot| spool(snapshot).state.batches,
    },
    Metric {
        name: "neckar_spool_flows",
        kind: Gauge,
        help: "Flows on disk. `carried in + written = delivered + shed + damaged + flows`.",
        value: |snapshot| spool(snapshot).state.spooled_flows,
    },
    Metric {
        name: "neckar_spool_out_flows",
        kind: Gauge,
        help: "Those of them that are on their way to Kafka, in flight too.",
        value: |snapshot| spool(snapshot).out_flows,
    },
    Metric {
        name: "neckar_spool_oldest_timestamp_seconds",
        kind: Gauge,
        help: "When the oldest of them came, Unix time; 0 if there are none.",
        value: |snapshot| spool(snapshot).state.oldest_ms.unwrap_or(0) / 1000,
    },
    Metric {
        name: "neckar_spool_carried_in_total",
        kind: Counter,
        help: "Flows that an earlier run had left on disk.",
        value: |snapshot| spool(snapshot).state.carried_in_flows,
    },
    Metric {
        name: "neckar_spool_written_total",
        kind: Counter,
        help: "Flows written to disk.",
        value: |snapshot| spool(snapshot).state.written_flows,
    },
    Metric {
        name: "neckar_spool_delivered_total",
        kind: Counter,
        help: "Flows that Kafka reported on after they had been on disk.",
        value: |snapshot| spool(snapshot).state.delivered_flows,
    },
    Metric {
        name: "neckar_spool_shed_total",
        kind: Counter,
        help: "Flows given up, the oldest, because the spool was full.",
        value: |snapshot| spool(snapshot).state.shed_flows,
    },
    Metric {
        name: "neckar_spool_refused_total",
        kind: Counter,
        help: "Flows given up, the newest, because the spool was full or the disk failed.",
        value: |snapshot| spool(snapshot).state.refused_flows,
    },
    Metric {
        name: "neckar_spool_damaged_total",
        kind: Counter,
        help: "Flows on disk that cannot be read any more.",
        value: |snapshot| spool(snapshot).state.damaged_flows,
    },
    Metric {
        name: "neckar_spool_io_errors_total",
        kind: Counter,
        help: "Calls of the operating system that failed where the spool went on.",
        value: |snapshot| spool(snapshot).state.io_errors,
    },
    Metric {
        name: "neckar_spool_splitter_missed_total",
        kind: Counter,
        help: "Flows from disk that the splitter did not see because its queue was full.",
        value: |snapshot| spool(snapshot).splitter_missed,
    },
];

const FILES: &[Metric<Snapshot>] = &[
    Metric {
        name: "neckar_files_finished_total",
        kind: Counter,
        help: "Files of flows that are finished, those that a crash had left included.",
        value: |snapshot| snapshot.output.files_finished,
    },
    Metric {
        name: "neckar_files_deleted_total",
        kind: Counter,
        help: "Old files of flows deleted for `output.file.bytes_max`.",
        value: |snapshot| snapshot.output.files_deleted,
    },
    Metric {
        name: "neckar_files_bytes",
        kind: Gauge,
        help: "Bytes of the finished files of flows.",
        value: |snapshot| snapshot.output.files_bytes,
    },
];

const SPLITTER: &[Metric<Snapshot>] = &[
    Metric {
        name: "neckar_splitter_flows_total",
        kind: Counter,
        help: "Copies of flows given to customers' topics.",
        value: |snapshot| snapshot.splitter.total.topic.submitted,
    },
    Metric {
        name: "neckar_splitter_refused_total",
        kind: Counter,
        help: "Copies for which there was no room, because the customer's topic takes nothing or too much is under way.",
        value: |snapshot| snapshot.splitter.total.refused,
    },
    Metric {
        name: "neckar_splitter_filtered_total",
        kind: Counter,
        help: "Copies that the customer's filter did not want.",
        value: |snapshot| snapshot.splitter.total.filtered,
    },
    Metric {
        name: "neckar_splitter_delivered_total",
        kind: Counter,
        help: "Copies that Kafka acknowledged.",
        value: |snapshot| snapshot.splitter.total.topic.delivered,
    },
    Metric {
        name: "neckar_splitter_failed_total",
        kind: Counter,
        help: "Copies that Kafka refused for good.",
        value: |snapshot| snapshot.splitter.total.topic.failed,
    },
    Metric {
        name: "neckar_splitter_bytes_in_flight",
        kind: Gauge,
        help: "Bytes of copies that are not acknowledged.",
        value: |snapshot| snapshot.splitter.total.topic.bytes_in_flight,
    },
    Metric {
        name: "neckar_splitter_unserved_total",
        kind: Counter,
        help: "Copies for customers beyond `split.tenants_max`.",
        value: |snapshot| snapshot.splitter.unserved,
    },
    Metric {
        name: "neckar_splitter_queue",
        kind: Gauge,
        help: "Batches that wait for the splitter, or that it holds to share them out together.",
        value: |snapshot| snapshot.splitter.queued,
    },
];

fn spool(snapshot: &Snapshot) -> SpoolerView {
    snapshot.output.spool.unwrap_or_default()
}

/// What Kafka's own transport does; one row per producer.
const WIRE: &[Metric<WireCounts>] = &[
    Metric {
        name: "neckar_kafka_requests_total",
        kind: Counter,
        help: "Produce requests sent by the native transport; librdkafka does not tell.",
        value: |wire| wire.requests,
    },
    Metric {
        name: "neckar_kafka_request_bytes_total",
        kind: Counter,
        help: "Bytes of the record batches in them, compressed as they are.",
        value: |wire| wire.request_bytes,
    },
    Metric {
        name: "neckar_kafka_retries_total",
        kind: Counter,
        help: "Record batches that had to go again: a broker in trouble, or not the leader any more.",
        value: |wire| wire.retries,
    },
    Metric {
        name: "neckar_kafka_connections_lost_total",
        kind: Counter,
        help: "Connections to brokers that were lost or could not be made.",
        value: |wire| wire.connections_lost,
    },
];

const PRODUCER: Label = fixed("producer");
const ERROR: Label = Label { name: "error", bound: "Kafka's own error names" };

pub(super) fn write(page: &mut Page, view: &View<'_>) {
    let rows = [([], &view.snapshot)];
    page.table(OUTPUT, &[], &rows);
    let help = "Flows that the output gave up on, by its own error name.";
    let mut samples = page.family(("neckar_output_errors_total", Counter), &[ERROR], help);
    for (error, count) in &view.snapshot.output.errors {
        samples.add([error], count);
    }
    write_kafka(page, &view.output);
    page.table(TOPICS, &[], &rows);
    write_spool_bound(page, view);
    page.table(SPOOL, &[], &rows);
    page.table(FILES, &[], &rows);
    let help = "Batches that may wait for it (`split.queue_batches`).";
    let mut samples = page.family(("neckar_splitter_queue_max", Gauge), &[], help);
    samples.add([], view.settings.splitter_queue_max);
    page.table(SPLITTER, &[], &rows);
}

fn write_kafka(page: &mut Page, output: &OutputDetails) {
    let name = ("neckar_output_latency_seconds", Histogram);
    let help = "From receipt to Kafka's acknowledgement, of each flow as that of the oldest flow in its batch.";
    let Latency { buckets, count, sum_s } = &output.latency;
    page.family(name, &[], help).histogram([], buckets.iter().copied(), (*sum_s, *count));
    let rows: Vec<_> = output.wire.iter().map(|(producer, wire)| ([*producer], wire)).collect();
    page.table(WIRE, &[PRODUCER], &rows);
    let name = ("neckar_kafka_throttled_seconds_total", Counter);
    let help = "Time for which brokers asked to be left alone (quotas).";
    let mut samples = page.family(name, &[PRODUCER], help);
    for (producer, wire) in &output.wire {
        samples.add([producer], wire.throttled_ms as f64 / 1000.0);
    }
}

fn write_spool_bound(page: &mut Page, view: &View<'_>) {
    let help = "Bytes that the spool may take (`spool.bytes_max`); 0 without one.";
    let mut samples = page.family(("neckar_spool_max_bytes", Gauge), &[], help);
    samples.add([], view.settings.spool_bytes_max);
}
