//! What each worker counts.

use super::Kind::{self, Counter, Gauge};
use crate::worker::WorkerCounts;

/// A value that each worker has.
pub(super) struct PerWorker {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    pub(super) value: fn(&WorkerCounts) -> u64,
}

pub(super) const PER_WORKER: &[PerWorker] = &[
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
    PerWorker {
        name: "neckar_traffic_missed_total",
        kind: Counter,
        help: "Flows that were delivered and not counted as traffic because that queue was full.",
        value: |counts| counts.stage.traffic_missed,
    },
];
