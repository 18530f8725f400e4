//! What each worker counts, in the order of a flow's way through it.

use neckar_decode::{Cause, Protocol};

use super::View;
use super::page::Kind::{Counter, Gauge, Histogram};
use super::page::{CAUSE, Label, Metric, Page, WORKER, fixed};
use crate::worker::WorkerCounts;

/// From the socket to the decoder.
const RECEIVE: &[Metric<WorkerCounts>] = &[
    Metric {
        name: "neckar_receive_datagrams_total",
        kind: Counter,
        help: "Datagrams taken from the sockets.",
        value: |counts| counts.receive.datagrams,
    },
    Metric {
        name: "neckar_receive_bytes_total",
        kind: Counter,
        help: "Payload bytes of these datagrams.",
        value: |counts| counts.receive.bytes,
    },
    Metric {
        name: "neckar_receive_kernel_drops_total",
        kind: Counter,
        help: "Datagrams that the kernel dropped because a socket's buffer was full; `neckar_host_udp_errors_total` counts them once more, for all sockets of the host.",
        value: |counts| counts.kernel_drops,
    },
    Metric {
        name: "neckar_receive_truncated_total",
        kind: Counter,
        help: "Datagrams longer than a buffer of the ring, decoded as far as they go.",
        value: |counts| counts.receive.truncated,
    },
    Metric {
        name: "neckar_receive_batches_total",
        kind: Counter,
        help: "Wake-ups that brought at least one datagram.",
        value: |counts| counts.receive.batches,
    },
    Metric {
        name: "neckar_receive_queue_bytes",
        kind: Gauge,
        help: "What the kernel holds for the worker's sockets, its own bookkeeping included, after a turn of work.",
        value: |counts| counts.queue.queued,
    },
    Metric {
        name: "neckar_receive_queue_peak_bytes",
        kind: Gauge,
        help: "The most that was ever seen there.",
        value: |counts| counts.queue.queued_peak,
    },
    Metric {
        name: "neckar_receive_queue_size_bytes",
        kind: Gauge,
        help: "What there is room for: the sockets' buffers, twice what was granted (socket(7)).",
        value: |counts| counts.queue.size,
    },
    Metric {
        name: "neckar_receive_coalesced_total",
        kind: Counter,
        help: "Buffers that held several datagrams of one sender (UDP_GRO).",
        value: |counts| counts.receive.coalesced,
    },
    Metric {
        name: "neckar_receive_segments_total",
        kind: Counter,
        help: "Datagrams that came in these.",
        value: |counts| counts.receive.segments,
    },
    Metric {
        name: "neckar_receive_starved_total",
        kind: Counter,
        help: "Times that io_uring had no buffer left; nothing is lost by it, the socket holds what comes.",
        value: |counts| counts.receive.starved,
    },
    Metric {
        name: "neckar_receive_rearmed_total",
        kind: Counter,
        help: "Times that a receive of io_uring was armed anew.",
        value: |counts| counts.receive.rearmed,
    },
    Metric {
        name: "neckar_receive_overflows_total",
        kind: Counter,
        help: "Completions of io_uring that found no room in its queue and came late.",
        value: |counts| counts.receive.overflows,
    },
];

/// How full the fullest socket is.
const FULLEST: &[Metric<WorkerCounts, f64>] = &[
    Metric {
        name: "neckar_receive_queue_fullest_ratio",
        kind: Gauge,
        help: "How full the fullest of the worker's sockets' buffers is, 0 to 1, after a turn of work: at 1 the next datagram for it finds no room, however much there is in the others.",
        value: |counts| counts.queue.fullest_ppm as f64 / 1e6,
    },
    Metric {
        name: "neckar_receive_queue_fullest_peak_ratio",
        kind: Gauge,
        help: "The most that was ever seen of that.",
        value: |counts| counts.queue.fullest_peak_ppm as f64 / 1e6,
    },
];

/// What datagrams become.
const DECODE: &[Metric<WorkerCounts>] = &[
    Metric {
        name: "neckar_decode_records_total",
        kind: Counter,
        help: "Data records seen; for sFlow, flow samples.",
        value: |counts| counts.decode.records,
    },
    Metric {
        name: "neckar_decode_reverse_flows_total",
        kind: Counter,
        help: "Second flows made from records with a reverse direction.",
        value: |counts| counts.decode.reverse_flows,
    },
    Metric {
        name: "neckar_decode_flows_total",
        kind: Counter,
        help: "Flows decoded.",
        value: |counts| counts.decode.flows,
    },
    Metric {
        name: "neckar_decode_templates_total",
        kind: Counter,
        help: "Template records, refreshes included.",
        value: |counts| counts.decode.templates,
    },
    Metric {
        name: "neckar_decode_options_templates_total",
        kind: Counter,
        help: "Options template records, refreshes included.",
        value: |counts| counts.decode.options_templates,
    },
    Metric {
        name: "neckar_decode_options_records_total",
        kind: Counter,
        help: "Options data records.",
        value: |counts| counts.decode.options_records,
    },
    Metric {
        name: "neckar_decode_counter_samples_total",
        kind: Counter,
        help: "sFlow counter samples.",
        value: |counts| counts.decode.counter_samples,
    },
    Metric {
        name: "neckar_decode_held_sets_total",
        kind: Counter,
        help: "Data sets held because their template was not there yet.",
        value: |counts| counts.decode.held,
    },
    Metric {
        name: "neckar_decode_released_sets_total",
        kind: Counter,
        help: "Held data sets decoded after all.",
        value: |counts| counts.decode.released,
    },
    Metric {
        name: "neckar_decode_missed_total",
        kind: Counter,
        help: "Records (v5, IPFIX) or datagrams (v9, sFlow) that sequence numbers jumped over: lost before they reached us, but for those recovered.",
        value: |counts| counts.decode.missed,
    },
    Metric {
        name: "neckar_decode_rate_unknown_total",
        kind: Counter,
        help: "Flows whose sampling rate is not known.",
        value: |counts| counts.decode.rate_unknown,
    },
    Metric {
        name: "neckar_decode_recovered_total",
        kind: Counter,
        help: "Those missed that came late after all.",
        value: |counts| counts.decode.recovered,
    },
    Metric {
        name: "neckar_decode_reordered_total",
        kind: Counter,
        help: "Datagrams that came after a later one of the same exporter and domain.",
        value: |counts| counts.decode.reordered,
    },
    Metric {
        name: "neckar_decode_resets_total",
        kind: Counter,
        help: "Sequence numbers that started anew: the exporter restarted.",
        value: |counts| counts.decode.resets,
    },
    Metric {
        name: "neckar_decode_withdrawals_total",
        kind: Counter,
        help: "Template withdrawals.",
        value: |counts| counts.decode.withdrawals,
    },
    Metric {
        name: "neckar_decode_held_bytes",
        kind: Gauge,
        help: "Bytes of data sets that wait for their templates; at most `decode.hold_total_bytes`.",
        value: |counts| counts.held_bytes,
    },
    Metric {
        name: "neckar_decode_discard_samples_total",
        kind: Counter,
        help: "sFlow notifications of discarded packets.",
        value: |counts| counts.decode.discard_samples,
    },
    Metric {
        name: "neckar_decode_unknown_samples_total",
        kind: Counter,
        help: "sFlow samples of unknown formats, skipped by their length.",
        value: |counts| counts.decode.unknown_samples,
    },
    Metric {
        name: "neckar_decode_parts_malformed_total",
        kind: Counter,
        help: "Records in sFlow flow samples that are shorter than their format; the flow does without them.",
        value: |counts| counts.decode.parts_malformed,
    },
    Metric {
        name: "neckar_decode_values_cut_total",
        kind: Counter,
        help: "Integers wider than the field they go to, cut.",
        value: |counts| counts.decode.values_cut,
    },
    Metric {
        name: "neckar_decode_times_unix_total",
        kind: Counter,
        help: "IPFIX times taken as Unix although RFC 7011 says NTP.",
        value: |counts| counts.decode.times_unix,
    },
];

const LABELS: &[Metric<WorkerCounts>] = &[
    Metric {
        name: "neckar_label_flows_total",
        kind: Counter,
        help: "Flows labelled.",
        value: |counts| counts.stage.labels.rows,
    },
    Metric {
        name: "neckar_label_addresses_total",
        kind: Counter,
        help: "Addresses looked up: sources and destinations of flows.",
        value: |counts| counts.stage.labels.addresses,
    },
    Metric {
        name: "neckar_label_addresses_unknown_total",
        kind: Counter,
        help: "Those of them that no table says anything of.",
        value: |counts| counts.stage.labels.addresses_unknown,
    },
    Metric {
        name: "neckar_label_remote_unknown_total",
        kind: Counter,
        help: "Flows of which neither end could be told to be the far one.",
        value: |counts| counts.stage.labels.remote_unknown,
    },
    Metric {
        name: "neckar_label_normalized_total",
        kind: Counter,
        help: "Flows whose counters were multiplied by their sampling rate.",
        value: |counts| counts.stage.labels.normalized,
    },
    Metric {
        name: "neckar_label_already_normalized_total",
        kind: Counter,
        help: "Flows whose counters had been multiplied before they came.",
        value: |counts| counts.stage.labels.already_normalized,
    },
    Metric {
        name: "neckar_label_rate_unknown_total",
        kind: Counter,
        help: "Flows that were to be normalised but have no sampling rate.",
        value: |counts| counts.stage.labels.rate_unknown,
    },
    Metric {
        name: "neckar_label_interface_unknown_total",
        kind: Counter,
        help: "Interfaces in flows that nobody names, where any have names.",
        value: |counts| counts.stage.labels.interface_unknown,
    },
];

/// Encoding and hand-over.
const BATCHES: &[Metric<WorkerCounts>] = &[
    Metric {
        name: "neckar_flows_encoded_total",
        kind: Counter,
        help: "Flows encoded and handed to the output.",
        value: |counts| counts.stage.encoded,
    },
    Metric {
        name: "neckar_flows_encoded_bytes_total",
        kind: Counter,
        help: "Encoded bytes of the batches handed over.",
        value: |counts| counts.stage.encoded_bytes,
    },
    Metric {
        name: "neckar_flows_shed_total",
        kind: Counter,
        help: "Flows dropped because every batch was still waiting for the output.",
        value: |counts| counts.stage.shed,
    },
    Metric {
        name: "neckar_batches_total",
        kind: Counter,
        help: "Batches handed over.",
        value: |counts| counts.stage.batches,
    },
    Metric {
        name: "neckar_batches_lent",
        kind: Gauge,
        help: "Batches that the output or the splitter still holds.",
        value: |counts| counts.stage.batches_lent,
    },
    Metric {
        name: "neckar_batches_backlog",
        kind: Gauge,
        help: "Batches waiting for room in the output's own queue.",
        value: |counts| counts.stage.backlog,
    },
    Metric {
        name: "neckar_stalls_total",
        kind: Counter,
        help: "Times that a worker waited for a free batch.",
        value: |counts| counts.stage.stalls,
    },
    Metric {
        name: "neckar_stalled_nanoseconds_total",
        kind: Counter,
        help: "Nanoseconds that a worker waited for a free batch.",
        value: |counts| counts.stage.stalled_ns,
    },
    Metric {
        name: "neckar_splitter_missed_total",
        kind: Counter,
        help: "Flows that the splitter did not see because its queue was full.",
        value: |counts| counts.stage.splitter_missed,
    },
    Metric {
        name: "neckar_traffic_missed_total",
        kind: Counter,
        help: "Flows that were delivered and not counted as traffic because that queue was full.",
        value: |counts| counts.stage.traffic_missed,
    },
];

const PROTOCOL: Label = fixed("protocol");

/// Each worker's number and counts.
type Rows<'a> = Vec<([&'a str; 1], &'a WorkerCounts)>;

pub(super) fn write(page: &mut Page, view: &View<'_>) {
    let workers = &view.snapshot.workers;
    let names: Vec<String> = (0..workers.len()).map(|worker| worker.to_string()).collect();
    let rows: Rows<'_> = names.iter().map(|name| [name.as_str()]).zip(workers).collect();
    page.table(RECEIVE, &[WORKER], &rows);
    page.table(FULLEST, &[WORKER], &rows);
    write_effort(page, &rows);
    write_datagrams(page, &rows);
    page.table(DECODE, &[WORKER], &rows);
    write_drops(page, &rows);
    page.table(LABELS, &[WORKER], &rows);
    page.table(BATCHES, &[WORKER], &rows);
}

fn write_effort(page: &mut Page, rows: &Rows<'_>) {
    const BUSY: (&str, &str) = (
        "neckar_worker_busy_seconds_total",
        "Time at work on datagrams, from the first of a turn to the last: a worker that is near 1 s per second has no more to give.",
    );
    let mut samples = page.family((BUSY.0, Counter), &[WORKER], BUSY.1);
    for ([worker], counts) in rows {
        samples.add([worker], counts.effort.busy_s());
    }
    const COST: (&str, &str) = (
        "neckar_worker_datagram_seconds",
        "Work on a datagram, decoding to hand-over, as the mean of the turn that it came in.",
    );
    let mut samples = page.family((COST.0, Histogram), &[WORKER], COST.1);
    for ([worker], counts) in rows {
        let total = (counts.effort.busy_s(), counts.effort.datagrams());
        samples.histogram([worker], counts.effort.buckets_s(), total);
    }
}

fn write_datagrams(page: &mut Page, rows: &Rows<'_>) {
    let name = "neckar_decode_datagrams_total";
    let help = "Datagrams that begin like a protocol that we decode.";
    let mut samples = page.family((name, Counter), &[WORKER, PROTOCOL], help);
    for ([worker], counts) in rows {
        for (protocol, count) in Protocol::ALL.iter().zip(counts.decode.protocols) {
            samples.add([worker, protocol.name()], count);
        }
    }
}

fn write_drops(page: &mut Page, rows: &Rows<'_>) {
    let help = "What arrived and did not become a flow; the cause says whether it counts datagrams, sets or records.";
    let mut samples = page.family(("neckar_dropped_total", Counter), &[WORKER, CAUSE], help);
    for ([worker], counts) in rows {
        for cause in Cause::ALL {
            samples.add([worker, cause.name()], counts.decode.dropped(*cause));
        }
    }
}
