//! The pipeline's board: the way of a flow from the socket to Kafka and to customers, room by room, and
//! each place where it can be lost. Its rows follow docs/troubleshoot.md.

use super::{Board, Look, Panel, Row, Unit, Variable};

mod beside;

pub(super) fn board() -> Board {
    Board {
        name: "pipeline",
        title: "Neckar: pipeline",
        about: "The daemon's health: receive, decode, label, encode, Kafka, spool, customers. Something red: docs/troubleshoot.md has a line for each. Asks /metrics.",
        refresh: "10s",
        last: "1h",
        variables: vec![Variable {
            label: "instance",
            title: "Daemon",
            metric: "neckar_build_info",
        }],
        rows: vec![
            glance(),
            losses(),
            receive(),
            decode(),
            beside::exporters(),
            label(),
            encode(),
            kafka(),
            spool(),
            customers(),
            beside::counting(),
            beside::tables(),
            beside::names(),
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
    Panel::new(Look::Stat, unit, title, about).wide(3).query(expr, "")
}

fn glance() -> Row {
    Row::new(
        "At a glance",
        vec![
            stat(Unit::Rate, "Flows in", "sum(rate(neckar_decode_flows_total{@here}[$w]))", "Decoded flows a second."),
            stat(Unit::Rate, "Flows delivered", "sum(rate(neckar_output_delivered_total{@here}[$w]))", "Flows a second that the output acknowledged."),
            stat(Unit::Count, "Flows lost", "sum(increase(neckar_flows_shed_total{@here}[$__range])) + sum(increase(neckar_output_failed_total{@here}[$__range])) + sum(increase(neckar_spool_shed_total{@here}[$__range])) + sum(increase(neckar_spool_refused_total{@here}[$__range])) + sum(increase(neckar_spool_damaged_total{@here}[$__range]))", "Decoded and not delivered, in the time that is shown. What was lost before decoding is in the next row.").loss(),
            stat(Unit::Up, "Output", "min(neckar_output_up{@here})", "Does the output take flows? For Kafka: is a broker reachable? /healthz has the reason."),
            stat(Unit::Up, "Tables", "min(neckar_tables_up{@here})", "Did the last load of labels succeed? If not, the old ones are in force and the log has file and line."),
            stat(Unit::Count, "Under way", "sum(neckar_output_in_flight{@here})", "Flows submitted and not yet acknowledged."),
            stat(Unit::Count, "On disk", "sum(neckar_spool_flows{@here})", "Flows that wait in the spool."),
            stat(Unit::Seconds, "Up since", "min(neckar_uptime_seconds{@here})", "Of the daemon that was started last."),
            stat(Unit::Count, "Unaccounted records", "sum(neckar_decode_records_total{@here}) + sum(neckar_decode_reverse_flows_total{@here}) - sum(neckar_decode_flows_total{@here}) - sum(neckar_dropped_total{@here, cause=~\"record_.*\"})", "records + reverse flows - flows - dropped records. Always 0; anything else is a defect of ours.").loss(),
            stat(Unit::Count, "Unaccounted flows", "sum(neckar_decode_flows_total{@here}) - sum(neckar_flows_encoded_total{@here}) - sum(neckar_flows_shed_total{@here})", "flows - encoded - shed. Always 0.").loss(),
        ],
    )
}

/// Every way to lose something, as docs/troubleshoot.md walks them.
fn losses() -> Row {
    let ways = [
        ("neckar_decode_missed_total{@here}", "network: missed before the socket"),
        ("neckar_receive_kernel_drops_total{@here}", "socket: kernel's buffer full"),
        ("neckar_receive_truncated_total{@here}", "socket: datagram too long"),
        ("neckar_flows_shed_total{@here}", "batches: shed"),
        ("neckar_spool_shed_total{@here}", "disk: full, oldest given up"),
        ("neckar_spool_refused_total{@here}", "disk: full or failed, newest given up"),
        ("neckar_spool_damaged_total{@here}", "disk: unreadable"),
        ("neckar_output_failed_total{@here}", "Kafka: refused for good"),
        ("neckar_splitter_missed_total{@here}", "customers: splitter's queue full"),
        ("neckar_splitter_refused_total{@here}", "customers: no room for the topic"),
        ("neckar_splitter_failed_total{@here}", "customers: refused for good"),
        ("neckar_splitter_unserved_total{@here}", "customers: beyond tenants_max"),
        ("neckar_spool_splitter_missed_total{@here}", "customers: queue full, from disk"),
        ("neckar_traffic_missed_total{@here}", "traffic: delivered and not counted"),
    ];
    let bars = Panel::new(
        Look::Bars,
        Unit::Count,
        "Lost in the time that is shown",
        "One bar per counter; docs/troubleshoot.md says what to do about each. The first counts datagrams or records, by protocol; the second and third datagrams; the others flows or copies of flows.",
    );
    let bars = ways.iter().fold(bars.wide(12).high(13).loss(), |panel, (series, way)| {
        panel.query(&format!("sum(increase({series}[$__range]))"), way)
    });
    let dropped = Panel::new(Look::Bars, Unit::Count, "Not decoded in the time that is shown", "neckar_dropped_total by cause; the cause's first word says what was counted: datagrams, sets or records. docs/metrics.md.")
        .wide(12).high(13).loss()
        .query("sum by (cause) (increase(neckar_dropped_total{@here}[$__range])) > 0 or sum(increase(neckar_dropped_total{@here}[$__range]))", "{{cause}}");
    Row::new("Where something was lost", vec![bars, dropped])
}

fn receive() -> Row {
    Row::new(
        "Receive",
        vec![
            lines(Unit::Rate, "Datagrams by worker", "sum by (worker) (rate(neckar_receive_datagrams_total{@here}[$w]))", "worker {{worker}}", "One worker far above the others: few exporters, all with one hash. workers.steering = \"cpu\" follows the NIC's queues."),
            lines(Unit::ByteRate, "Bytes by worker", "sum by (worker) (rate(neckar_receive_bytes_total{@here}[$w]))", "worker {{worker}}", "Payload of datagrams."),
            rates(Unit::Rate, "Lost at the socket", "Kernel drops: tuning/receive-buffers.sh, more workers.cores. Truncated: longer than the receive buffer.", &[("neckar_receive_kernel_drops_total", "kernel's buffer full"), ("neckar_receive_truncated_total", "too long")]).loss(),
            lines(Unit::Count, "Datagrams a wake-up", "sum by (worker) (rate(neckar_receive_datagrams_total{@here}[$w])) / sum by (worker) (rate(neckar_receive_batches_total{@here}[$w]))", "worker {{worker}}", "Many are cheap; at receive.batch_datagrams and beyond the worker is busy all the time."),
            lines(Unit::Bytes, "Bytes a datagram", "sum(rate(neckar_receive_bytes_total{@here}[$w])) / sum(rate(neckar_receive_datagrams_total{@here}[$w]))", "bytes", "Small ones waste wake-ups: exporters may be told to fill theirs."),
        ],
    )
}

fn decode() -> Row {
    Row::new(
        "Decode",
        vec![
            rates(Unit::Rate, "Records and flows", "Records are what is on the wire; a record with a reverse direction is two flows.", &[("neckar_decode_records_total", "records"), ("neckar_decode_flows_total", "flows"), ("neckar_decode_reverse_flows_total", "reverse flows")]),
            rates(Unit::Rate, "Templates and options", "Refreshes included. None for long while data comes: exporters refresh too seldom.", &[("neckar_decode_templates_total", "templates"), ("neckar_decode_options_templates_total", "options templates"), ("neckar_decode_options_records_total", "options records"), ("neckar_decode_counter_samples_total", "counter samples")]),
            rates(Unit::Rate, "Data before its template", "Sets that were held, and those that were decoded after all when the template came; the rest is dropped as set_template_missing.", &[("neckar_decode_held_sets_total", "held"), ("neckar_decode_released_sets_total", "released")]),
            Panel::new(Look::Stack, Unit::Rate, "Dropped by cause", "What did not become a flow. datagram_: not for us or unreadable; set_: template missing or malformed; record_: malformed.")
                .query("sum by (cause) (rate(neckar_dropped_total{@here}[$w]))", "{{cause}}").loss(),
            rates(Unit::Rate, "Missing by sequence numbers", "Lost between exporter and socket: the network, the NIC's ring (ethtool -S), the kernel's backlog. Datagrams of v9 and sFlow, records of v5 and IPFIX.", &[("neckar_decode_missed_total", "missed")]).loss(),
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
            rates(
                Unit::Rate,
                "Encoded and shed",
                "Shed: every batch was waiting for the output. Kafka is slower than the routers, or away.",
                &[("neckar_flows_encoded_total", "encoded"), ("neckar_flows_shed_total", "shed")],
            ),
            lines(
                Unit::Bytes,
                "Bytes a flow",
                "sum(rate(neckar_flows_encoded_bytes_total{@here}[$w])) / sum(rate(neckar_flows_encoded_total{@here}[$w]))",
                "bytes",
                "Encoded, before compression: what spool and brokers are reckoned with.",
            ),
            lines(
                Unit::Count,
                "Flows a batch",
                "sum(rate(neckar_flows_encoded_total{@here}[$w])) / sum(rate(neckar_batches_total{@here}[$w]))",
                "flows",
                "Far below batch.flows_max: batch.linger_ms closes them; they could wait longer.",
            ),
            gauges(
                Unit::Count,
                "Batches",
                "Lent: the output or the splitter has them. Backlog: they wait for room in the output's queue. Both grow while Kafka is away.",
                &[("neckar_batches_lent", "lent"), ("neckar_batches_backlog", "backlog")],
            ),
            lines(
                Unit::Share,
                "Time that workers stood still",
                "sum by (worker) (rate(neckar_stalled_nanoseconds_total{@here}[$w])) / 1e9",
                "worker {{worker}}",
                "Waiting for a free batch. Above 0 for long: shedding is next.",
            ),
            rates(
                Unit::Rate,
                "Stalls",
                "Times that a worker waited for a free batch.",
                &[("neckar_stalls_total", "stalls")],
            ),
        ],
    )
}

fn kafka() -> Row {
    Row::new(
        "Kafka, or another output",
        vec![
            rates(
                Unit::Rate,
                "Flows",
                "submitted = delivered + failed + in flight.",
                &[
                    ("neckar_output_submitted_total", "submitted"),
                    ("neckar_output_delivered_total", "delivered"),
                    ("neckar_output_failed_total", "failed"),
                ],
            ),
            gauges(
                Unit::Count,
                "Flows under way",
                "Submitted and not acknowledged. A saw is well; a ramp is a broker that does not answer.",
                &[("neckar_output_in_flight", "in flight")],
            ),
            lines(
                Unit::Up,
                "Takes flows",
                "min by (instance) (neckar_output_up{@here})",
                "{{instance}}",
                "1: a broker is reachable. /healthz has the reason for 0.",
            ),
            Panel::new(
                Look::Lines,
                Unit::Microseconds,
                "From receipt to acknowledgement, since the start",
                "Of the oldest flow of a batch: batch.linger_ms is in it.",
            )
            .query(
                "max by (instance) (neckar_output_latency_p50_microseconds{@here})",
                "{{instance}} median",
            )
            .query(
                "max by (instance) (neckar_output_latency_p99_microseconds{@here})",
                "{{instance}} p99",
            ),
            rates(
                Unit::Rate,
                "Queue full, topics made",
                "Queue full: flows waited, nothing was lost. Topics: kafka.create.",
                &[
                    ("neckar_output_queue_full_total", "queue full"),
                    ("neckar_topics_made_total", "topics made"),
                    ("neckar_topics_refused_total", "topics refused"),
                ],
            ),
            lines(
                Unit::Rate,
                "Failed, by the output's error",
                "sum by (error) (rate(neckar_output_errors_total{@here}[$w]))",
                "{{error}}",
                "Kafka's own names. Empty is well.",
            )
            .loss(),
        ],
    )
}

fn spool() -> Row {
    Row::new(
        "Spool and files",
        vec![
            gauges(
                Unit::Bytes,
                "Bytes on disk",
                "Up to spool.bytes_max, then spool.shed decides.",
                &[("neckar_spool_bytes", "spool"), ("neckar_files_bytes", "files of flows")],
            ),
            gauges(
                Unit::Count,
                "Flows on disk",
                "On their way: being sent to Kafka, in order.",
                &[
                    ("neckar_spool_flows", "on disk"),
                    ("neckar_spool_out_flows", "on their way"),
                    ("neckar_spool_batches", "batches"),
                ],
            ),
            lines(
                Unit::Seconds,
                "How long the oldest has waited",
                "(time() - max by (instance) (neckar_spool_oldest_timestamp_seconds{@here} > 0)) or max by (instance) (neckar_spool_oldest_timestamp_seconds{@here})",
                "{{instance}}",
                "0 while the spool is empty.",
            ),
            rates(
                Unit::Rate,
                "To disk and from it",
                "carried in + written = delivered + shed + damaged + on disk.",
                &[
                    ("neckar_spool_carried_in_total", "carried in"),
                    ("neckar_spool_written_total", "written"),
                    ("neckar_spool_delivered_total", "delivered"),
                ],
            ),
            rates(
                Unit::Rate,
                "Lost on disk",
                "Each stays at 0 on a good day. I/O errors: the log has the call and the reason.",
                &[
                    ("neckar_spool_shed_total", "oldest given up"),
                    ("neckar_spool_refused_total", "newest given up"),
                    ("neckar_spool_damaged_total", "unreadable"),
                    ("neckar_spool_io_errors_total", "I/O errors"),
                ],
            )
            .loss(),
            rates(
                Unit::Rate,
                "Files",
                "output.kind = \"file\": finished, and deleted for output.file.bytes_max.",
                &[
                    ("neckar_files_finished_total", "finished"),
                    ("neckar_files_deleted_total", "deleted"),
                ],
            ),
        ],
    )
}

fn customers() -> Row {
    let by_topic = |title: &str, metric: &str, about: &str| {
        lines(
            Unit::Rate,
            title,
            &format!("topk(10, sum by (topic) (rate({metric}{{@here}}[$w])))"),
            "{{topic}}",
            about,
        )
    };
    Row::new(
        "Customers' copies",
        vec![
            rates(Unit::Rate, "Copies", "Given to topics, not wanted by filters, acknowledged.", &[("neckar_splitter_flows_total", "given"), ("neckar_splitter_filtered_total", "filtered"), ("neckar_splitter_delivered_total", "delivered")]),
            rates(Unit::Rate, "Copies lost", "Copies only, never the flows themselves. Missed: raise split.queue_batches. Refused: the topic takes nothing. Failed: Kafka says why in the log. Unserved: raise split.tenants_max.", &[("neckar_splitter_missed_total", "missed"), ("neckar_spool_splitter_missed_total", "missed, from disk"), ("neckar_splitter_refused_total", "refused"), ("neckar_splitter_failed_total", "failed"), ("neckar_splitter_unserved_total", "unserved")]).loss(),
            gauges(Unit::Count, "Splitter's queue", "Batches that wait, up to split.queue_batches.", &[("neckar_splitter_queue", "batches")]),
            gauges(Unit::Bytes, "Copies under way", "Not acknowledged, up to split.bytes_max.", &[("neckar_splitter_bytes_in_flight", "bytes")]),
            by_topic("Largest customers", "neckar_tenant_flows_total", "Flows of the ten largest, by topic."),
            by_topic("Delivered to customers", "neckar_tenant_delivered_total", "What Kafka acknowledged."),
            by_topic("Customers that lose copies: no room", "neckar_tenant_refused_total", "Their topic takes nothing, or too much is under way.").loss(),
            by_topic("Customers that lose copies: refused", "neckar_tenant_failed_total", "No such topic, not allowed, too large.").loss(),
            by_topic("Not wanted by the customer", "neckar_tenant_filtered_total", "By his filter."),
            lines(Unit::Count, "Under way by customer", "topk(10, sum by (topic) (neckar_tenant_in_flight{@here}))", "{{topic}}", "A line that stays: his topic is not served."),
        ],
    )
}
