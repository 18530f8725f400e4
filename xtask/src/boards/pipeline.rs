//! The pipeline's board: the way of a flow from the socket to Kafka and to customers, room by room, and
//! each place where it can be lost. Its rows follow docs/troubleshoot.md.

use super::{Board, Look, Panel, Row, Unit, Variable};

mod beside;
mod delivery;

pub(super) fn board() -> Board {
    Board {
        name: "pipeline",
        title: "Neckar: pipeline",
        about: "The daemon's health: receive, decode, label, encode, Kafka, spool, customers. Something red: docs/troubleshoot.md has a line for each, and neckar doctor says it in words. Asks /metrics.",
        refresh: "10s",
        last: "1h",
        documents: &["troubleshoot.md", "metrics.md", "operate.md"],
        variables: vec![Variable {
            label: "instance",
            title: "Daemon",
            metric: "neckar_build_info",
        }],
        rows: vec![
            glance(),
            losses(),
            beside::host().closed(),
            receive(),
            decode(),
            label().closed(),
            encode(),
            delivery::kafka(),
            delivery::spool(),
            delivery::customers().closed(),
            beside::counting().closed(),
            beside::push().closed(),
            beside::tables().closed(),
            beside::names().closed(),
            beside::memory(),
            beside::process(),
        ],
    }
}

/// Lines of one query.
fn lines(unit: Unit, title: &str, expr: &str, legend: &str, about: &str) -> Panel {
    Panel::new(Look::Lines, unit, title, about).query(expr, legend)
}

/// Lines of the rates of several counters, each summed over workers.
fn rates(unit: Unit, title: &str, about: &str, counters: &[(&str, &str)]) -> Panel {
    counters.iter().fold(Panel::new(Look::Lines, unit, title, about), |panel, (metric, legend)| {
        panel.query(&format!("sum(rate({metric}{{@here}}[$w]))"), legend)
    })
}

/// Lines of several gauges, each summed over workers and daemons.
fn gauges(unit: Unit, title: &str, about: &str, gauges: &[(&str, &str)]) -> Panel {
    gauges.iter().fold(Panel::new(Look::Lines, unit, title, about), |panel, (metric, legend)| {
        panel.query(&format!("sum({metric}{{@here}})"), legend)
    })
}

fn stat(unit: Unit, title: &str, expr: &str, about: &str) -> Panel {
    Panel::new(Look::Stat, unit, title, about).query(expr, "")
}

fn glance() -> Row {
    let lost = [
        "neckar_flows_shed_total",
        "neckar_output_failed_total",
        "neckar_spool_shed_total",
        "neckar_spool_refused_total",
        "neckar_spool_damaged_total",
    ];
    let lost = lost.map(|metric| format!("sum(increase({metric}{{@here}}[$__range]))")).join(" + ");
    Row::new(
        "At a glance",
        vec![
            stat(
                Unit::Rate,
                "Flows in",
                "sum(rate(neckar_decode_flows_total{@here}[$w]))",
                "Decoded flows a second.",
            ),
            stat(
                Unit::Rate,
                "Flows delivered",
                "sum(rate(neckar_output_delivered_total{@here}[$w]))",
                "Flows a second that the output acknowledged.",
            ),
            stat(Unit::Count, "Flows lost", &lost, "Decoded and not delivered, in the time that is shown. What was lost before decoding is in the next row.").loss(),
            stat(Unit::Up, "Output takes flows", "min(neckar_output_up{@here})", "For Kafka: is a broker reachable? /healthz has the reason."),
            stat(Unit::Up, "Tables are fresh", "min(neckar_tables_up{@here})", "Did the last load of labels succeed? If not, the old ones are in force and the log has file and line."),
            stat(Unit::Count, "Under way", "sum(neckar_output_in_flight{@here})", "Flows submitted and not yet acknowledged."),
            stat(Unit::Count, "On disk", "sum(neckar_spool_flows{@here})", "Flows that wait in the spool."),
            stat(Unit::Seconds, "Up for", "min(neckar_uptime_seconds{@here})", "Of the daemon that was started last."),
            stat(Unit::Count, "Exporters", "sum(neckar_exporters{@here})", "Known ones. More: Neckar: exporters."),
            stat(Unit::Count, "Templates", "sum(neckar_templates{@here})", "Of all exporters, options templates included."),
            stat(Unit::Count, "Unaccounted records", "sum(neckar_decode_records_total{@here}) + sum(neckar_decode_reverse_flows_total{@here}) - sum(neckar_decode_flows_total{@here}) - sum(neckar_dropped_total{@here, cause=~\"record_.*\"})", "records + reverse flows - flows - dropped records. Always 0; anything else is a defect of ours.").loss(),
            stat(Unit::Count, "Unaccounted flows", "sum(neckar_decode_flows_total{@here}) - sum(neckar_flows_encoded_total{@here}) - sum(neckar_flows_shed_total{@here})", "flows - encoded - shed. Always 0.").loss(),
        ],
    )
}

/// Every way to lose something, as docs/troubleshoot.md walks them, but for the network, of whose misses
/// those that came late after all are to be taken off.
const WAYS: [(&str, &str); 14] = [
    ("neckar_host_interface_missed_total", "host: an interface's ring full, any traffic"),
    ("neckar_host_softnet_dropped_total", "host: the kernel's backlog full, any traffic"),
    ("neckar_receive_kernel_drops_total", "socket: kernel's buffer full"),
    ("neckar_flows_shed_total", "batches: shed"),
    ("neckar_spool_shed_total", "disk: full, oldest given up"),
    ("neckar_spool_refused_total", "disk: full or failed, newest given up"),
    ("neckar_spool_damaged_total", "disk: unreadable"),
    ("neckar_output_failed_total", "Kafka: refused for good"),
    ("neckar_splitter_missed_total", "customers: splitter's queue full"),
    ("neckar_spool_splitter_missed_total", "customers: queue full, from disk"),
    ("neckar_splitter_refused_total", "customers: no room for the topic"),
    ("neckar_splitter_failed_total", "customers: refused for good"),
    ("neckar_splitter_unserved_total", "customers: beyond tenants_max"),
    ("neckar_traffic_missed_total", "traffic: delivered and not counted"),
];

fn losses() -> Row {
    let bars = Panel::new(
        Look::Bars,
        Unit::Count,
        "Lost in the time that is shown",
        "One bar per counter; docs/troubleshoot.md says what to do about each. Network: datagrams or records, by protocol. Host: packets of any kind. Socket: datagrams. The others: flows, or copies of flows.",
    );
    let missed = "sum(increase(neckar_decode_missed_total{@here}[$__range])) - sum(increase(neckar_decode_recovered_total{@here}[$__range]))";
    let bars = bars.wide(12).high(14).loss().query(missed, "network: lost before the socket");
    let bars = WAYS.iter().fold(bars, |panel, (metric, way)| {
        panel.query(&format!("sum(increase({metric}{{@here}}[$__range]))"), way)
    });
    let dropped = Panel::new(Look::Bars, Unit::Count, "Not decoded in the time that is shown", "neckar_dropped_total by cause; the cause's first word says what was counted: datagrams, sets or records. docs/metrics.md.")
        .wide(12)
        .high(14)
        .loss()
        .query(r#"sum by (cause) (increase(neckar_dropped_total{@here}[$__range])) > 0 or label_replace(sum(increase(neckar_dropped_total{@here}[$__range])), "cause", "all together", "", "")"#, "{{cause}}");
    Row::new("Where something was lost", vec![bars, dropped])
}

fn receive() -> Row {
    Row::new(
        "Receive",
        vec![
            lines(Unit::Rate, "Datagrams by worker", "sum by (worker) (rate(neckar_receive_datagrams_total{@here}[$w]))", "worker {{worker}}", "One worker far above the others: few exporters, all with one hash. workers.steering = \"cpu\" follows the NIC's queues."),
            lines(Unit::ByteRate, "Bytes by worker", "sum by (worker) (rate(neckar_receive_bytes_total{@here}[$w]))", "worker {{worker}}", "Payload of datagrams."),
            lines(Unit::Share, "Workers' time", "sum by (worker) (rate(neckar_worker_busy_seconds_total{@here}[$w]))", "worker {{worker}}", "Share of its core that a worker spends on datagrams. Near 1 it has no more to give: more workers.cores, or workers.steering = \"cpu\" if only one is busy."),
            rates(Unit::Rate, "Lost at the socket", "Kernel drops: tuning/receive-buffers.sh, more workers.cores. Too long: longer than a buffer of the ring, decoded as far as they go.", &[("neckar_receive_kernel_drops_total", "kernel's buffer full"), ("neckar_receive_truncated_total", "too long")]).loss(),
            Panel::new(Look::Lines, Unit::Share, "Fullest socket's buffer", "Of each worker, after a turn of work, and the most that was ever seen: how far from dropping. One socket that is full drops, however empty the others are.")
                .query("max by (worker) (neckar_receive_queue_fullest_ratio{@here})", "worker {{worker}}")
                .query("max(neckar_receive_queue_fullest_peak_ratio{@here})", "peak"),
            Panel::new(Look::Lines, Unit::Bytes, "Waiting in the sockets' buffers", "What the kernel holds after a turn of work, of all sockets of a worker: of the worker that has most, the most that one ever had, and the room of the worker that has least.")
                .query("max(neckar_receive_queue_bytes{@here})", "now")
                .query("max(neckar_receive_queue_peak_bytes{@here})", "peak")
                .query("min(neckar_receive_queue_size_bytes{@here})", "room"),
            Panel::new(Look::Heat, Unit::Seconds, "Work on a datagram", "Decoding to hand-over, as the mean of the turn that it came in. A second band above the first: one kind of datagram costs more, or the core is shared.")
                .query("sum by (le) (rate(neckar_worker_datagram_seconds_bucket{@here}[$w]))", "{{le}}"),
            lines(Unit::Count, "Datagrams a wake-up", "sum by (worker) (rate(neckar_receive_datagrams_total{@here}[$w])) / sum by (worker) (rate(neckar_receive_batches_total{@here}[$w]))", "worker {{worker}}", "Many are cheap; at receive.batch_datagrams and beyond the worker is busy all the time."),
            lines(Unit::Bytes, "Bytes a datagram", "sum(rate(neckar_receive_bytes_total{@here}[$w])) / sum(rate(neckar_receive_datagrams_total{@here}[$w]))", "bytes", "Small ones waste wake-ups: exporters may be told to fill theirs."),
            rates(Unit::Rate, "The ring", "Coalesced: buffers that held several datagrams (UDP_GRO), and the datagrams in them. Starved: no buffer was left; rearmed, overflows: io_uring was asked anew, or late. None of these loses anything.", &[("neckar_receive_coalesced_total", "coalesced buffers"), ("neckar_receive_segments_total", "datagrams in them"), ("neckar_receive_starved_total", "starved"), ("neckar_receive_rearmed_total", "rearmed"), ("neckar_receive_overflows_total", "overflows")]),
        ],
    )
}

fn decode() -> Row {
    Row::new(
        "Decode",
        vec![
            rates(Unit::Rate, "Records and flows", "Records are what is on the wire; a record with a reverse direction is two flows.", &[("neckar_decode_records_total", "records"), ("neckar_decode_flows_total", "flows"), ("neckar_decode_reverse_flows_total", "reverse flows")]),
            Panel::new(Look::Stack, Unit::Rate, "Datagrams by protocol", "Those that begin like a protocol that we decode.")
                .query("sum by (protocol) (rate(neckar_decode_datagrams_total{@here}[$w]))", "{{protocol}}"),
            Panel::new(Look::Stack, Unit::Rate, "Dropped by cause", "What did not become a flow. datagram_: not for us or unreadable; set_: template missing or malformed; record_: malformed.")
                .query("sum by (cause) (rate(neckar_dropped_total{@here}[$w]))", "{{cause}}").loss(),
            rates(Unit::Rate, "Missing by sequence numbers", "Lost between exporter and socket: the network, the NIC's ring (ethtool -S), the kernel's backlog. Datagrams of v9 and sFlow, records of v5 and IPFIX. Recovered: came late after all. Resets: an exporter restarted. By exporter: Neckar: exporters.", &[("neckar_decode_missed_total", "missed"), ("neckar_decode_recovered_total", "recovered"), ("neckar_decode_reordered_total", "out of order"), ("neckar_decode_resets_total", "resets")]),
            rates(Unit::Rate, "Templates and options", "Refreshes included. None for long while data comes: exporters refresh too seldom.", &[("neckar_decode_templates_total", "templates"), ("neckar_decode_options_templates_total", "options templates"), ("neckar_decode_withdrawals_total", "withdrawals"), ("neckar_decode_options_records_total", "options records"), ("neckar_decode_counter_samples_total", "counter samples")]),
            rates(Unit::Rate, "Data before its template", "Sets that were held, and those that were decoded after all when the template came; the rest is dropped as set_template_missing.", &[("neckar_decode_held_sets_total", "held"), ("neckar_decode_released_sets_total", "released")]),
            gauges(Unit::Bytes, "Held data", "Sets that wait for their templates, up to decode.hold_total_bytes a worker.", &[("neckar_decode_held_bytes", "bytes")]),
            rates(Unit::Rate, "Decoded with a remark", "sFlow: notifications of discards, samples of unknown formats, parts that are too short. Values wider than our field, cut. IPFIX times taken as Unix although the RFC says NTP.", &[("neckar_decode_discard_samples_total", "sFlow discards"), ("neckar_decode_unknown_samples_total", "unknown samples"), ("neckar_decode_parts_malformed_total", "short parts"), ("neckar_decode_values_cut_total", "values cut"), ("neckar_decode_times_unix_total", "times as Unix")]),
            lines(Unit::Share, "Flows without a sampling rate", "sum(rate(neckar_decode_rate_unknown_total{@here}[$w])) / sum(rate(neckar_decode_flows_total{@here}[$w]))", "share", "Their exporters do not say it: give them one in [[exporter]]."),
        ],
    )
}

fn label() -> Row {
    Row::new(
        "Label",
        vec![
            rates(
                Unit::Rate,
                "Labelled",
                "Every decoded flow.",
                &[("neckar_label_flows_total", "flows")],
            ),
            rates(
                Unit::Rate,
                "Unknown",
                "Far end: no direction in the record and no rule that helps (docs/labels.md, Whose flow is it). Interface: SNMP, the file or options data know the exporter and not this interface. Rate: to be normalised, and no sampling rate.",
                &[
                    ("neckar_label_remote_unknown_total", "far end"),
                    ("neckar_label_interface_unknown_total", "interface"),
                    ("neckar_label_rate_unknown_total", "rate"),
                ],
            ),
            rates(
                Unit::Rate,
                "Looked up",
                "Sources and destinations of flows, and those that no table of labels says anything of: many, where a full table is loaded, means an old file.",
                &[
                    ("neckar_label_addresses_total", "addresses"),
                    ("neckar_label_addresses_unknown_total", "unknown"),
                ],
            ),
            rates(
                Unit::Rate,
                "Normalised",
                "Flows multiplied by their sampling rate (enrich.normalize), and those that came multiplied.",
                &[
                    ("neckar_label_normalized_total", "now"),
                    ("neckar_label_already_normalized_total", "before"),
                ],
            ),
        ],
    )
}

fn encode() -> Row {
    Row::new(
        "Encode and batches",
        vec![
            rates(Unit::Rate, "Encoded and shed", "Shed: every batch was waiting for the output. Kafka is slower than the routers, or away.", &[("neckar_flows_encoded_total", "encoded"), ("neckar_flows_shed_total", "shed")]),
            lines(Unit::Bytes, "Bytes a flow", "sum(rate(neckar_flows_encoded_bytes_total{@here}[$w])) / sum(rate(neckar_flows_encoded_total{@here}[$w]))", "bytes", "Encoded, before compression: what spool and brokers are reckoned with."),
            lines(Unit::Count, "Flows a batch", "sum(rate(neckar_flows_encoded_total{@here}[$w])) / sum(rate(neckar_batches_total{@here}[$w]))", "flows", "Far below batch.flows_max: batch.linger_ms closes them; they could wait longer."),
            Panel::new(Look::Lines, Unit::Count, "Batches of a worker", "Lent: the output or the splitter has them. Backlog: they wait for room in the output's queue. Both grow while Kafka is away; at the bound a worker stalls, then sheds.")
                .query("max(neckar_batches_lent{@here})", "lent")
                .query("max(neckar_batches_backlog{@here})", "backlog")
                .query("max(neckar_batches_max{@here})", "bound"),
            lines(Unit::Share, "Time that workers stood still", "sum by (worker) (rate(neckar_stalled_nanoseconds_total{@here}[$w])) / 1e9", "worker {{worker}}", "Waiting for a free batch. Above 0 for long: shedding is next."),
            rates(Unit::Rate, "Stalls", "Times that a worker waited for a free batch.", &[("neckar_stalls_total", "stalls")]),
        ],
    )
}
