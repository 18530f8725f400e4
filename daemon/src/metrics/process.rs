//! What the process counts.

use std::time::UNIX_EPOCH;

use super::Kind::{self, Counter, Gauge};
use crate::board::Snapshot;
use crate::spooler::SpoolerView;

/// A value that the process has.
pub(super) struct PerProcess {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    pub(super) value: fn(&Snapshot) -> u64,
}

pub(super) const PER_PROCESS: &[PerProcess] = &[
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
        name: "neckar_topics_made_total",
        kind: Counter,
        help: "Topics made on request (`kafka.create`).",
        value: |snapshot| snapshot.output.topics_made,
    },
    PerProcess {
        name: "neckar_topics_refused_total",
        kind: Counter,
        help: "Topics that the brokers refused to make; the log has why.",
        value: |snapshot| snapshot.output.topics_refused,
    },
    PerProcess {
        name: "neckar_spool_bytes",
        kind: Gauge,
        help: "Bytes of the spool on disk.",
        value: |snapshot| spool(snapshot).state.bytes,
    },
    PerProcess {
        name: "neckar_spool_batches",
        kind: Gauge,
        help: "Batches on disk.",
        value: |snapshot| spool(snapshot).state.batches,
    },
    PerProcess {
        name: "neckar_spool_flows",
        kind: Gauge,
        help: "Flows on disk. `carried in + written = delivered + shed + damaged + flows`.",
        value: |snapshot| spool(snapshot).state.spooled_flows,
    },
    PerProcess {
        name: "neckar_spool_out_flows",
        kind: Gauge,
        help: "Those of them that are on their way to Kafka, in flight too.",
        value: |snapshot| spool(snapshot).out_flows,
    },
    PerProcess {
        name: "neckar_spool_oldest_timestamp_seconds",
        kind: Gauge,
        help: "When the oldest of them came, Unix time; 0 if there are none.",
        value: |snapshot| spool(snapshot).state.oldest_ms.unwrap_or(0) / 1000,
    },
    PerProcess {
        name: "neckar_spool_carried_in_total",
        kind: Counter,
        help: "Flows that an earlier run had left on disk.",
        value: |snapshot| spool(snapshot).state.carried_in_flows,
    },
    PerProcess {
        name: "neckar_spool_written_total",
        kind: Counter,
        help: "Flows written to disk.",
        value: |snapshot| spool(snapshot).state.written_flows,
    },
    PerProcess {
        name: "neckar_spool_delivered_total",
        kind: Counter,
        help: "Flows that Kafka reported on after they had been on disk.",
        value: |snapshot| spool(snapshot).state.delivered_flows,
    },
    PerProcess {
        name: "neckar_spool_shed_total",
        kind: Counter,
        help: "Flows given up, the oldest, because the spool was full.",
        value: |snapshot| spool(snapshot).state.shed_flows,
    },
    PerProcess {
        name: "neckar_spool_refused_total",
        kind: Counter,
        help: "Flows given up, the newest, because the spool was full or the disk failed.",
        value: |snapshot| spool(snapshot).state.refused_flows,
    },
    PerProcess {
        name: "neckar_spool_damaged_total",
        kind: Counter,
        help: "Flows on disk that cannot be read any more.",
        value: |snapshot| spool(snapshot).state.damaged_flows,
    },
    PerProcess {
        name: "neckar_spool_io_errors_total",
        kind: Counter,
        help: "Calls of the operating system that failed where the spool went on.",
        value: |snapshot| spool(snapshot).state.io_errors,
    },
    PerProcess {
        name: "neckar_spool_splitter_missed_total",
        kind: Counter,
        help: "Flows from disk that the splitter did not see because its queue was full.",
        value: |snapshot| spool(snapshot).splitter_missed,
    },
    PerProcess {
        name: "neckar_files_finished_total",
        kind: Counter,
        help: "Files of flows that are finished, those that a crash had left included.",
        value: |snapshot| snapshot.output.files_finished,
    },
    PerProcess {
        name: "neckar_files_deleted_total",
        kind: Counter,
        help: "Old files of flows deleted for `output.file.bytes_max`.",
        value: |snapshot| snapshot.output.files_deleted,
    },
    PerProcess {
        name: "neckar_files_bytes",
        kind: Gauge,
        help: "Bytes of the finished files of flows.",
        value: |snapshot| snapshot.output.files_bytes,
    },
    PerProcess {
        name: "neckar_splitter_flows_total",
        kind: Counter,
        help: "Copies of flows given to customers' topics.",
        value: |snapshot| snapshot.splitter.total.topic.submitted,
    },
    PerProcess {
        name: "neckar_splitter_refused_total",
        kind: Counter,
        help: "Copies for which there was no room, because the customer's topic takes nothing or too much is under way.",
        value: |snapshot| snapshot.splitter.total.refused,
    },
    PerProcess {
        name: "neckar_splitter_filtered_total",
        kind: Counter,
        help: "Copies that the customer's filter did not want.",
        value: |snapshot| snapshot.splitter.total.filtered,
    },
    PerProcess {
        name: "neckar_splitter_delivered_total",
        kind: Counter,
        help: "Copies that Kafka acknowledged.",
        value: |snapshot| snapshot.splitter.total.topic.delivered,
    },
    PerProcess {
        name: "neckar_splitter_failed_total",
        kind: Counter,
        help: "Copies that Kafka refused for good.",
        value: |snapshot| snapshot.splitter.total.topic.failed,
    },
    PerProcess {
        name: "neckar_splitter_bytes_in_flight",
        kind: Gauge,
        help: "Bytes of copies that are not acknowledged.",
        value: |snapshot| snapshot.splitter.total.topic.bytes_in_flight,
    },
    PerProcess {
        name: "neckar_splitter_unserved_total",
        kind: Counter,
        help: "Copies for customers beyond `split.tenants_max`.",
        value: |snapshot| snapshot.splitter.unserved,
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
        name: "neckar_names_asked_total",
        kind: Counter,
        help: "Addresses whose names the DNS was asked for.",
        value: |snapshot| snapshot.names.asked,
    },
    PerProcess {
        name: "neckar_names_answered_total",
        kind: Counter,
        help: "Those that have one.",
        value: |snapshot| snapshot.names.answered,
    },
    PerProcess {
        name: "neckar_names_nameless_total",
        kind: Counter,
        help: "Those that have none.",
        value: |snapshot| snapshot.names.nameless,
    },
    PerProcess {
        name: "neckar_names_failed_total",
        kind: Counter,
        help: "Those for which no good answer came in time.",
        value: |snapshot| snapshot.names.failed,
    },
    PerProcess {
        name: "neckar_names_evicted_total",
        kind: Counter,
        help: "Names forgotten before their time because `reverse_names.names_max` are known.",
        value: |snapshot| snapshot.names.evicted,
    },
    PerProcess {
        name: "neckar_names_queue_full_total",
        kind: Counter,
        help: "Times that an address could not be asked for because too many wait.",
        value: |snapshot| snapshot.names.queue_full,
    },
    PerProcess {
        name: "neckar_names_entries",
        kind: Gauge,
        help: "Addresses of which it is known what they are called, or that they are not.",
        value: |snapshot| snapshot.names.entries,
    },
    PerProcess {
        name: "neckar_uptime_seconds",
        kind: Gauge,
        help: "Seconds since the start.",
        value: |snapshot| snapshot.uptime.as_secs(),
    },
];

fn spool(snapshot: &Snapshot) -> SpoolerView {
    snapshot.output.spool.unwrap_or_default()
}
