//! The rows about where flows go: Kafka, the spool and files, customers' topics.

use super::{gauges, lines, rates, stat};
use crate::boards::{Look, Panel, Row, Unit};

/// The output and its transport.
pub(super) fn kafka() -> Row {
    let of_producer = |unit: Unit, title: &str, metric: &str, about: &str| {
        let expr = format!("sum by (producer) (rate({metric}{{@here}}[$w]))");
        lines(unit, title, &expr, "{{producer}}", about)
    };
    let seconds = "From receipt to acknowledgement, of the slowest daemon.";
    Row::new(
        "Kafka, or another output",
        vec![
            rates(Unit::Rate, "Flows", "submitted = delivered + failed + in flight.", &[("neckar_output_submitted_total", "submitted"), ("neckar_output_delivered_total", "delivered"), ("neckar_output_failed_total", "failed")]),
            gauges(Unit::Count, "Flows under way", "Submitted and not acknowledged. A saw is well; a ramp is a broker that does not answer.", &[("neckar_output_in_flight", "in flight")]),
            lines(Unit::Up, "Takes flows", "min by (instance) (neckar_output_up{@here})", "{{instance}}", "1: a broker is reachable. /healthz has the reason for 0."),
            Panel::new(Look::Heat, Unit::Seconds, "From receipt to acknowledgement", "Of each flow as that of the oldest in its batch: batch.linger_ms is in it. During an outage it is as long as that.")
                .query("sum by (le) (rate(neckar_output_latency_seconds_bucket{@here}[$w]))", "{{le}}"),
            Panel::new(Look::Lines, Unit::Seconds, "From receipt to acknowledgement, in numbers", "Median and 99th percentile. Empty while nothing is acknowledged.")
                .query("histogram_quantile(0.5, sum by (le) (rate(neckar_output_latency_seconds_bucket{@here}[$w])))", "median")
                .query("histogram_quantile(0.99, sum by (le) (rate(neckar_output_latency_seconds_bucket{@here}[$w])))", "p99"),
            stat(Unit::Microseconds, "Median since the start", "max(neckar_output_latency_p50_microseconds{@here})", seconds),
            stat(Unit::Microseconds, "p99 since the start", "max(neckar_output_latency_p99_microseconds{@here})", seconds),
            of_producer(Unit::Rate, "Requests to brokers", "neckar_kafka_requests_total", "Of the native transport; librdkafka does not tell."),
            of_producer(Unit::ByteRate, "Bytes to brokers", "neckar_kafka_request_bytes_total", "Record batches, compressed as they are."),
            of_producer(Unit::Rate, "Batches that had to go again", "neckar_kafka_retries_total", "A broker in trouble, or not the leader any more."),
            of_producer(Unit::Rate, "Connections lost", "neckar_kafka_connections_lost_total", "Lost, or could not be made."),
            of_producer(Unit::Share, "Throttled", "neckar_kafka_throttled_seconds_total", "Share of the time for which brokers asked to be left alone: a quota of the cluster is reached."),
            rates(Unit::Rate, "Queue full, topics made", "Queue full: flows waited, nothing was lost. Topics: kafka.create.", &[("neckar_output_queue_full_total", "queue full"), ("neckar_topics_made_total", "topics made"), ("neckar_topics_refused_total", "topics refused")]),
            lines(Unit::Rate, "Failed, by the output's error", "sum by (error) (rate(neckar_output_errors_total{@here}[$w]))", "{{error}}", "Kafka's own names. Empty is well.").loss(),
        ],
    )
}

/// The disk.
pub(super) fn spool() -> Row {
    Row::new(
        "Spool and files",
        vec![
            gauges(
                Unit::Bytes,
                "Bytes on disk",
                "Up to spool.bytes_max, then spool.shed decides.",
                &[
                    ("neckar_spool_bytes", "spool"),
                    ("neckar_spool_max_bytes", "spool's bound"),
                    ("neckar_files_bytes", "files of flows"),
                ],
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

/// Their copies.
pub(super) fn customers() -> Row {
    let by_topic = |title: &str, metric: &str, about: &str| {
        let expr = format!("topk(10, sum by (topic) (rate({metric}{{@here}}[$w])))");
        lines(Unit::Rate, title, &expr, "{{topic}}", about)
    };
    Row::new(
        "Customers' copies",
        vec![
            rates(Unit::Rate, "Copies", "Given to topics, not wanted by filters, acknowledged.", &[("neckar_splitter_flows_total", "given"), ("neckar_splitter_filtered_total", "filtered"), ("neckar_splitter_delivered_total", "delivered")]),
            rates(Unit::Rate, "Copies lost", "Copies only, never the flows themselves. Missed: raise split.queue_batches. Refused: the topic takes nothing. Failed: Kafka says why in the log. Unserved: raise split.tenants_max.", &[("neckar_splitter_missed_total", "missed"), ("neckar_spool_splitter_missed_total", "missed, from disk"), ("neckar_splitter_refused_total", "refused"), ("neckar_splitter_failed_total", "failed"), ("neckar_splitter_unserved_total", "unserved")]).loss(),
            gauges(Unit::Count, "Splitter's queue", "Batches that wait, up to split.queue_batches.", &[("neckar_splitter_queue", "batches"), ("neckar_splitter_queue_max", "bound")]),
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
