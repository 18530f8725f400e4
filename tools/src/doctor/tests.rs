//! Each rule over a made-up page, and that a daemon without faults is well.

use super::losses::LOSSES;
use super::page::Page;
use super::report::{Finding, Report};
use super::signs::{Gravity, SIGNS};
use super::visit::Visit;

/// A daemon at work, ten seconds between the looks, with `more` on the second page.
fn visit(before: &str, after: &str) -> Visit {
    let base = |datagrams: u64, flows: u64| {
        format!(
            "neckar_build_info{{version=\"1\"}} 1\nneckar_uptime_seconds 60\n\
             process_start_time_seconds 5\nneckar_receive_datagrams_total{{worker=\"0\"}} {datagrams}\n\
             neckar_decode_records_total{{worker=\"0\"}} {flows}\n\
             neckar_decode_flows_total{{worker=\"0\"}} {flows}\n\
             neckar_host_interface_received_packets_total{{interface=\"eth0\"}} {datagrams}\n\
             neckar_host_softnet_packets_total {datagrams}\n\
             neckar_output_delivered_total {flows}\nneckar_spool_written_total {flows}\n\
             neckar_splitter_flows_total {flows}\nneckar_splitter_delivered_total {flows}\n\
             neckar_tables_up 1\nneckar_batches_max 10\nneckar_batches_lent{{worker=\"0\"}} 1\n\
             neckar_spool_max_bytes 1000\n\
             neckar_splitter_queue_max 64\n"
        )
    };
    let read = |base: String, more: &str| Page::read(&(base + more)).unwrap();
    Visit {
        before: read(base(0, 0), before),
        after: read(base(900, 9000), after),
        seconds: 10.0,
        now_s: 1_700_000_000.0,
        ..Visit::default()
    }
}

fn findings(before: &str, after: &str) -> Vec<Finding> {
    Report::of(&visit(before, after)).findings
}

/// Metrics that move a loss from 50 to 150 of what it counts.
const LOST: &[(&str, &str)] = &[
    ("missed", "neckar_decode_missed_total{worker=\"0\"}"),
    ("kernel_drops", "neckar_receive_kernel_drops_total{worker=\"0\"}"),
    ("datagrams_unknown", "neckar_dropped_total{worker=\"0\",cause=\"datagram_version_unknown\"}"),
    (
        "exporter_table_full",
        "neckar_dropped_total{worker=\"0\",cause=\"datagram_domain_table_full\"}",
    ),
    ("template_missing", "neckar_dropped_total{worker=\"0\",cause=\"set_template_missing\"}"),
    ("template_over_limit", "neckar_dropped_total{worker=\"0\",cause=\"set_template_over_limit\"}"),
    ("malformed", "neckar_dropped_total{worker=\"0\",cause=\"record_sample_malformed\"}"),
    ("shed", "neckar_flows_shed_total{worker=\"0\"}"),
    ("failed", "neckar_output_failed_total"),
    ("spool_shed", "neckar_spool_refused_total"),
    ("spool_damaged", "neckar_spool_damaged_total"),
    ("splitter_missed", "neckar_splitter_missed_total{worker=\"0\"}"),
    ("splitter_refused", "neckar_splitter_refused_total"),
    ("splitter_failed", "neckar_splitter_failed_total"),
    ("splitter_unserved", "neckar_splitter_unserved_total"),
];

#[test]
fn a_daemon_without_faults_is_well() {
    let report = Report::of(&visit("", ""));
    assert_eq!(report.findings, []);
    assert!(!report.is_losing());
    let text = report.text("http://here");
    assert!(text.contains("No flows are being lost; all is well."), "{text}");
    assert!(text.contains("900 flows a second"), "{text}");
    assert!(!text.contains("LOSS") && !text.contains("warn"), "{text}");
}

#[test]
fn every_loss_is_found_with_rate_and_share() {
    let known: Vec<&str> = LOST.iter().map(|(rule, _)| *rule).collect();
    let rules: Vec<&str> = LOSSES.iter().map(|loss| loss.name).collect();
    assert_eq!(rules, known, "a rule without a test, or a test without a rule");
    for (rule, series) in LOST {
        let found = findings(&format!("{series} 50\n"), &format!("{series} 150\n"));
        let [finding] = &found[..] else { panic!("{rule}: {found:?}") };
        assert_eq!((finding.rule, finding.gravity), (*rule, Gravity::Loss));
        let (per_s, share, since_start) = finding.lost.unwrap();
        assert_eq!((per_s, since_start), (10.0, 150.0), "{rule}");
        assert!(share.is_none_or(|share| share == 0.1 || (share - 1.0 / 91.0).abs() < 1e-9));
        assert!(finding.words.starts_with("10 ") && !finding.knob.is_empty(), "{}", finding.words);
        // The same, but long ago.
        let series = format!("{series} 150\n");
        let found = findings(&series, &series);
        assert_eq!((found.len(), found[0].gravity), (1, Gravity::Note), "{rule}");
        assert!(found[0].words.ends_with("none now"), "{}", found[0].words);
    }
}

/// The host's drops are of packets of any kind: no script is to be told that flows are lost.
#[test]
fn packets_that_the_host_drops_are_no_loss_of_flows() {
    let drops = "neckar_host_interface_missed_total{interface=\"eth0\"} 30\n\
                 neckar_host_interface_missed_total{interface=\"eth1\"} 9\n\
                 neckar_host_softnet_dropped_total 50\n";
    let report = Report::of(&visit("", drops));
    assert!(!report.is_losing());
    let words: Vec<&str> = report.findings.iter().map(|one| one.words.as_str()).collect();
    let expected = [
        "3 packets a second found no room in the ring of eth0, flows may be among them",
        "5 packets a second found no room in the kernel's backlog, flows may be among them",
    ];
    assert_eq!(words, expected);
    assert!(report.findings.iter().all(|one| one.gravity == Gravity::Warning));
}

#[test]
fn the_exporter_that_loses_most_is_named() {
    let of = |exporter: &str, count: u64| {
        format!(
            "neckar_exporter_dropped_total{{exporter=\"{exporter}\",cause=\"set_template_missing\"}} {count}\n"
        )
    };
    let lost = "neckar_dropped_total{worker=\"0\",cause=\"set_template_missing\"} 9\n";
    let found = findings("", &(of("192.0.2.1", 3) + &of("192.0.2.2", 6) + lost));
    assert!(found[0].words.ends_with("most of them 192.0.2.2"), "{}", found[0].words);
}

/// Pages that show a sign.
const SHOWN: &[(&str, &str)] = &[
    ("interface_missed", "neckar_host_interface_missed_total{interface=\"eth0\"} 3\n"),
    ("softnet_dropped", "neckar_host_softnet_dropped_total 3\n"),
    ("interface_errors", "neckar_host_interface_errors_total{interface=\"eth0\"} 3\n"),
    ("interface_dropped", "neckar_host_interface_dropped_total{interface=\"eth0\"} 3\n"),
    ("softnet_squeezed", "neckar_host_softnet_squeezed_total 100\n"),
    (
        "exporters_silent",
        "neckar_exporter_last_seen_timestamp_seconds{exporter=\"192.0.2.1\"} 1699999000\n",
    ),
    ("no_port", "neckar_host_udp_errors_total{family=\"ipv4\",cause=\"no_port\"} 5\n"),
    ("checksum", "neckar_host_udp_errors_total{family=\"ipv4\",cause=\"checksum\"} 5\n"),
    (
        "buffer_fills",
        "neckar_receive_queue_fullest_peak_ratio{worker=\"0\"} 0\nneckar_receive_queue_fullest_peak_ratio{worker=\"1\"} 0.6\n",
    ),
    ("worker_busy", "neckar_worker_busy_seconds_total{worker=\"1\"} 9.5\n"),
    ("ring_starved", "neckar_receive_starved_total{worker=\"0\"} 10\n"),
    ("denied", "neckar_dropped_total{worker=\"0\",cause=\"datagram_exporter_denied\"} 5\n"),
    ("data_waits", "neckar_decode_held_bytes{worker=\"0\"} 5\n"),
    ("rate_unknown", "neckar_decode_rate_unknown_total{worker=\"0\"} 5\n"),
    ("tables_broken", "neckar_tables_up 0\n"),
    ("batches_short", "neckar_batches_lent{worker=\"1\"} 8\n"),
    ("stalls", "neckar_stalls_total{worker=\"0\"} 5\n"),
    ("troubles", ""),
    ("not_ready", ""),
    ("retries", "neckar_kafka_retries_total{producer=\"flows\"} 5\n"),
    ("throttled", "neckar_kafka_throttled_seconds_total{producer=\"flows\"} 5\n"),
    (
        "slow",
        "neckar_output_latency_seconds_bucket{le=\"1\"} 5\nneckar_output_latency_seconds_bucket{le=\"4\"} 10\nneckar_output_latency_seconds_bucket{le=\"+Inf\"} 10\n",
    ),
    ("spool_in_use", "neckar_spool_flows 5\n"),
    ("spool_fills", "neckar_spool_bytes 600\n"),
    ("spool_io_errors", "neckar_spool_io_errors_total 1\n"),
    ("topics_refused", "neckar_topics_refused_total 1\n"),
    ("splitter_queue", "neckar_splitter_queue 60\n"),
    ("uncounted", "neckar_traffic_missed_total{worker=\"0\"} 5\n"),
    ("push_influx", "neckar_influx_errors_total 5\n"),
    ("push_remote_write", "neckar_remote_write_dropped_total 5\n"),
];

#[test]
fn every_sign_is_seen_where_it_is_and_nowhere_else() {
    let known: Vec<&str> = SHOWN.iter().map(|(rule, _)| *rule).collect();
    let rules: Vec<&str> = SIGNS.iter().map(|sign| sign.name).collect();
    assert_eq!(rules, known, "a rule without a test, or a test without a rule");
    for (rule, more) in SHOWN {
        let mut visit = visit("", more);
        match *rule {
            "troubles" => visit.troubles = vec!["output: no broker".into()],
            "not_ready" => visit.refusals = vec!["output: no broker".into()],
            _ => {}
        }
        let report = Report::of(&visit);
        let [finding] = &report.findings[..] else { panic!("{rule}: {:?}", report.findings) };
        assert_eq!(finding.rule, *rule);
        assert!(!report.is_losing() && !finding.knob.is_empty());
    }
}

#[test]
fn scripts_get_an_object_and_people_the_worst_in_the_last_line() {
    let lost = "neckar_receive_kernel_drops_total{worker=\"0\"} 100\n";
    let report = Report::of(&visit("", lost));
    assert!(report.is_losing());
    let value: serde_json::Value = serde_json::from_str(&report.json("http://here")).unwrap();
    assert_eq!(value["losing"], true);
    assert_eq!(value["findings"][0]["rule"], "kernel_drops");
    assert_eq!(value["findings"][0]["per_second"], 10.0);
    assert_eq!(value["findings"][0]["share"], 0.1);
    let text = report.text("http://here");
    let last = text.lines().last().unwrap();
    let expected =
        "Flows are being lost: 10 datagrams a second (10.0 %) found the socket's buffer full.";
    assert_eq!(last, expected);
    assert!(text.contains("LOSS  socket"), "{text}");
}
