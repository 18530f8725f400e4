//! What is not lost yet, or is no loss: signs that something is short, away or misconfigured.

use super::step::{Step, busiest, fill, number};
use super::visit::Visit;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gravity {
    /// Good to know.
    Note,
    /// Flows may be lost, or say less than they could.
    Warning,
    /// Flows are being lost.
    Loss,
}

impl Gravity {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Loss => "loss",
        }
    }
}

/// A sign.
pub(super) struct Sign {
    pub(super) step: Step,
    pub(super) name: &'static str,
    pub(super) gravity: Gravity,
    /// A sentence if it is so.
    pub(super) find: fn(&Visit) -> Option<String>,
    pub(super) knob: &'static str,
}

/// A worker that works longer than this part of the time has little left.
const BUSY: f64 = 0.85;
/// An exporter that has been silent so long is worth a word.
const SILENT_S: f64 = 300.0;

use Gravity::{Note, Warning};

/// In the order of a flow's way.
pub(super) const SIGNS: &[Sign] = &[
    Sign {
        step: Step::Interface,
        name: "interface_missed",
        gravity: Warning,
        find: |visit| {
            let most = visit.most("neckar_host_interface_missed_total", "interface", ("", &[]))?;
            let (who, rate) = (most.0, number(most.1 / visit.seconds));
            Some(format!(
                "{rate} packets a second found no room in the ring of {who}, flows may be among them"
            ))
        },
        knob: "make the ring larger: ethtool -g IFACE tells its bound, ethtool -G IFACE rx N sets it; or spread the load: ethtool -L IFACE combined N",
    },
    Sign {
        step: Step::Interface,
        name: "softnet_dropped",
        gravity: Warning,
        find: |visit| {
            let rate = visit.rate("neckar_host_softnet_dropped_total");
            let much = format!(
                "{} packets a second found no room in the kernel's backlog, flows may be among them",
                number(rate)
            );
            (rate > 0.0).then_some(much)
        },
        knob: "sysctl -w net.core.netdev_max_backlog=10000; spread the interface's interrupts over more cores",
    },
    Sign {
        step: Step::Interface,
        name: "interface_errors",
        gravity: Warning,
        find: |visit| {
            let most = visit.most("neckar_host_interface_errors_total", "interface", ("", &[]))?;
            Some(format!("{} receives broken packets: {}", most.0, number(most.1)))
        },
        knob: "cable, optics, or duplex: ethtool -S IFACE",
    },
    Sign {
        step: Step::Interface,
        name: "interface_dropped",
        gravity: Note,
        find: |visit| {
            let most = visit.most("neckar_host_interface_dropped_total", "interface", ("", &[]))?;
            Some(format!("the kernel dropped {} packets of {}", number(most.1), most.0))
        },
        knob: "often packets of protocols that nobody wants (LLDP, VLANs); if it grows with the load: net.core.netdev_max_backlog",
    },
    Sign {
        step: Step::Interface,
        name: "softnet_squeezed",
        gravity: Note,
        find: |visit| {
            let rate = visit.rate("neckar_host_softnet_squeezed_total");
            let much =
                format!("{} times a second the kernel had more packets than time", number(rate));
            (rate > 1.0).then_some(much)
        },
        knob: "sysctl -w net.core.netdev_budget=600 net.core.netdev_budget_usecs=8000",
    },
    Sign {
        step: Step::Network,
        name: "exporters_silent",
        gravity: Warning,
        find: |visit| {
            let seen = visit.after.samples("neckar_exporter_last_seen_timestamp_seconds");
            let silent = seen.iter().filter(|one| visit.now_s - one.value > SILENT_S);
            let names = silent.filter_map(|one| one.labels.get("exporter").map(String::as_str));
            let names: Vec<&str> = names.collect();
            let few = names.iter().take(3).copied().collect::<Vec<_>>().join(", ");
            let more = if names.len() > 3 { ", ..." } else { "" };
            let count = names.len();
            (count > 0).then(|| {
                format!("{count} exporters are silent for five minutes or more: {few}{more}")
            })
        },
        knob: "switched off, or its export, or a firewall",
    },
    Sign {
        step: Step::Socket,
        name: "no_port",
        gravity: Note,
        find: |visit| {
            let none = visit
                .grown(|page| page.sum_like("neckar_host_udp_errors_total", "cause", &["no_port"]));
            let rate = number(none / visit.seconds);
            (none > 0.0).then(|| {
                format!("{rate} datagrams a second come to ports of this host where nobody listens")
            })
        },
        knob: "if they are flows, add their port to [[listen]]; tcpdump -ni any icmp shows which",
    },
    Sign {
        step: Step::Socket,
        name: "checksum",
        gravity: Warning,
        find: |visit| {
            let wrong = visit.grown(|page| {
                page.sum_like("neckar_host_udp_errors_total", "cause", &["checksum"])
            });
            (wrong > 0.0).then(|| format!("{} datagrams came with a wrong checksum", number(wrong)))
        },
        knob: "something on the way damages them: interface, switch, tunnel",
    },
    Sign {
        step: Step::Socket,
        name: "buffer_fills",
        gravity: Warning,
        find: |visit| {
            let fill = fill(visit);
            (fill >= 50).then(|| format!("a socket's buffer was {fill} % full at some time"))
        },
        knob: "tuning/receive-buffers.sh apply and a larger receive.buffer_bytes, before it overflows",
    },
    Sign {
        step: Step::Ring,
        name: "worker_busy",
        gravity: Warning,
        find: |visit| {
            let (worker, share) = busiest(visit)?;
            let percent = share * 100.0;
            (share > BUSY).then(|| format!("worker {worker} is at work {percent:.0} % of the time"))
        },
        knob: "more workers.cores; if only one is busy, workers.steering = \"cpu\" and the interface's queues spread the load (ethtool -L IFACE combined N)",
    },
    Sign {
        step: Step::Ring,
        name: "ring_starved",
        gravity: Note,
        find: |visit| {
            let rate = visit.rate("neckar_receive_starved_total");
            (rate > 0.0).then(|| {
                format!(
                    "io_uring ran out of buffers {} times a second; nothing is lost by it",
                    number(rate)
                )
            })
        },
        knob: "a sign of bursts: a lower receive.batch_wait_us empties the ring sooner",
    },
    Sign {
        step: Step::Decode,
        name: "denied",
        gravity: Note,
        find: |visit| {
            let denied = visit.grown(|page| {
                page.sum_like("neckar_dropped_total", "cause", &["datagram_exporter_denied"])
            });
            let rate = number(denied / visit.seconds);
            (denied > 0.0).then(|| {
                format!(
                    "{rate} datagrams a second come from exporters that decode.allow does not name"
                )
            })
        },
        knob: "add them to decode.allow, if they are yours",
    },
    Sign {
        step: Step::Decode,
        name: "data_waits",
        gravity: Warning,
        find: |visit| {
            let bytes = visit.now("neckar_decode_held_bytes");
            (bytes > 0.0)
                .then(|| format!("{} bytes of data wait for their templates", number(bytes)))
        },
        knob: "after a restart that is as it should be: templates come within the router's interval; they outlive a restart with state.directory",
    },
    Sign {
        step: Step::Decode,
        name: "rate_unknown",
        gravity: Warning,
        find: |visit| {
            let unknown = visit.rate("neckar_decode_rate_unknown_total");
            let rate = number(unknown);
            (unknown > 0.0).then(|| format!("{rate} flows a second have no sampling rate: their bytes and packets may stand for more"))
        },
        knob: "give the exporter one: [[exporter]] prefix = \"...\", default_rate = N; 1 for those that do not sample",
    },
    Sign {
        step: Step::Labels,
        name: "tables_broken",
        gravity: Warning,
        find: |visit| {
            let up = visit.after.samples("neckar_tables_up");
            let is_broken = up.iter().any(|sample| sample.value == 0.0);
            is_broken.then(|| {
                "the last load of the labels' files, or of the configuration, failed; the old stay in force"
                    .into()
            })
        },
        knob: "/healthz says which it is; neckard check and neckar table FILE name the mistake; then send SIGHUP",
    },
    Sign {
        step: Step::Batch,
        name: "batches_short",
        gravity: Warning,
        find: |visit| {
            // Each worker has its own, and sheds when these are out.
            let lent = visit.after.by("neckar_batches_lent", "worker").into_iter();
            let (worker, lent) = lent.max_by(|one, other| one.1.total_cmp(&other.1))?;
            let percent = lent / visit.now("neckar_batches_max").max(1.0) * 100.0;
            (percent > 70.0)
                .then(|| format!("{percent:.0} % of worker {worker}'s batches wait for the output"))
        },
        knob: "Kafka is slower than the routers: see below; batch.memory_bytes and spool.directory are what is left",
    },
    Sign {
        step: Step::Batch,
        name: "stalls",
        gravity: Warning,
        find: |visit| {
            let rate = visit.rate("neckar_stalls_total");
            (rate > 0.0)
                .then(|| format!("workers waited {} times a second for a free batch", number(rate)))
        },
        knob: "the same: the output is too slow; they shed after batch.stall_ms",
    },
    Sign {
        step: Step::Output,
        name: "troubles",
        gravity: Warning,
        find: |visit| {
            let told = visit.troubles.join("; ");
            (!told.is_empty()).then(|| format!("/healthz says: {told}"))
        },
        knob: "docs/troubleshoot.md says what these words mean",
    },
    Sign {
        step: Step::Output,
        name: "not_ready",
        gravity: Warning,
        find: |visit| {
            let told = visit.refusals.join("; ");
            (!told.is_empty()).then(|| format!("/readyz wants no flows now: {told}"))
        },
        knob: "what comes now is lost soon: mend the output, or give it spool.directory",
    },
    Sign {
        step: Step::Output,
        name: "retries",
        gravity: Warning,
        find: |visit| {
            let rate = visit.rate("neckar_kafka_retries_total");
            (rate > 0.0)
                .then(|| format!("{} record batches a second had to go again", number(rate)))
        },
        knob: "a broker in trouble, or partitions that move: look at the brokers' logs",
    },
    Sign {
        step: Step::Output,
        name: "throttled",
        gravity: Warning,
        find: |visit| {
            let rate = visit.rate("neckar_kafka_throttled_seconds_total");
            (rate > 0.0).then(|| format!("brokers throttle us, {rate:.2} s a second"))
        },
        knob: "raise our quota (kafka-configs.sh --entity-type users), or lower the load: kafka.compression",
    },
    Sign {
        step: Step::Output,
        name: "slow",
        gravity: Warning,
        find: |visit| {
            let p99 = visit.quantile("neckar_output_latency_seconds", 0.99)?;
            // Younger flows wait for a batch to fill by design; this is longer than any linger.
            (p99 > 3.0).then(|| format!("one flow in a hundred takes {p99:.0} s or more to Kafka"))
        },
        knob: "look at the brokers (disk, replicas); kafka.acks = \"leader\" waits for one of them only",
    },
    Sign {
        step: Step::Spool,
        name: "spool_in_use",
        gravity: Note,
        find: |visit| {
            let flows = visit.now("neckar_spool_flows");
            let (written, done) = (
                visit.rate("neckar_spool_written_total"),
                visit.rate("neckar_spool_delivered_total"),
            );
            let pace = if done > written {
                format!("empty in about {} s", number(flows / (done - written)))
            } else {
                "it does not get less".into()
            };
            (flows > 0.0).then(|| format!("{} flows wait on disk; {pace}", number(flows)))
        },
        knob: "nothing to do while Kafka takes them; new flows queue behind the old",
    },
    Sign {
        step: Step::Spool,
        name: "spool_fills",
        gravity: Warning,
        find: |visit| {
            let most = visit.now("neckar_spool_max_bytes");
            let share = visit.now("neckar_spool_bytes") / most.max(1.0);
            (share > 0.5).then(|| format!("the spool is {:.0} % full", share * 100.0))
        },
        knob: "raise spool.bytes_max, or mend Kafka before it is full",
    },
    Sign {
        step: Step::Spool,
        name: "spool_io_errors",
        gravity: Warning,
        find: |visit| {
            let errors = visit.now("neckar_spool_io_errors_total");
            (errors > 0.0).then(|| format!("the spool's disk has failed {} times", number(errors)))
        },
        knob: "the log has the calls; dmesg and smartctl look at the disk",
    },
    Sign {
        step: Step::Customers,
        name: "topics_refused",
        gravity: Warning,
        find: |visit| {
            let refused = visit.now("neckar_topics_refused_total");
            (refused > 0.0).then(|| format!("brokers refused to make {} topics", number(refused)))
        },
        knob: "the log has their words; often the right to create, or kafka.create.replication beyond the brokers",
    },
    Sign {
        step: Step::Customers,
        name: "splitter_queue",
        gravity: Warning,
        find: |visit| {
            let share = visit.now("neckar_splitter_queue")
                / visit.now("neckar_splitter_queue_max").max(1.0);
            (share > 0.5).then(|| format!("the splitter's queue is {:.0} % full", share * 100.0))
        },
        knob: "split.queue_batches; fewer customers' filters, or a core that no worker is pinned to",
    },
    Sign {
        step: Step::Counting,
        name: "uncounted",
        gravity: Warning,
        find: |visit| {
            let rate = visit.rate("neckar_traffic_missed_total");
            let few = format!("{} flows a second are delivered, but not counted", number(rate));
            (rate > 0.0).then_some(few)
        },
        knob: "series and talkers say too little: a core that no worker is pinned to (workers.cores), or a larger traffic.queue_batches",
    },
    Sign {
        step: Step::Counting,
        name: "push_influx",
        gravity: Warning,
        find: |visit| push(visit, "InfluxDB", PUSHED[0]),
        knob: "the log has its words: influx.url, token, database; points wait for influx.give_up_s",
    },
    Sign {
        step: Step::Counting,
        name: "push_remote_write",
        gravity: Warning,
        find: |visit| push(visit, "remote write", PUSHED[1]),
        knob: "the log has its words: remote_write.url, token; samples wait for remote_write.give_up_s",
    },
];

/// Counts of pushes that came to nothing.
const PUSHED: [[&str; 3]; 2] = [
    ["neckar_influx_errors_total", "neckar_influx_failed_total", "neckar_influx_dropped_total"],
    [
        "neckar_remote_write_errors_total",
        "neckar_remote_write_failed_total",
        "neckar_remote_write_dropped_total",
    ],
];

fn push(visit: &Visit, whom: &str, counts: [&str; 3]) -> Option<String> {
    let [errors, failed, dropped] = counts.map(|name| visit.grown(|page| page.sum(name)));
    let lost = number(failed + dropped);
    let is_so = errors + failed + dropped > 0.0;
    is_so
        .then(|| format!("{whom}: {} requests failed, {lost} points were given up", number(errors)))
}
