//! The steps of a flow's way, and what goes well at each.

use indicatif::HumanCount;

use super::visit::Visit;

/// Where a flow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Interface,
    Network,
    Socket,
    Ring,
    Decode,
    Labels,
    Batch,
    Output,
    Spool,
    Customers,
    Counting,
}

impl Step {
    /// All, in their order.
    pub(super) const ALL: [Self; 11] = [
        Self::Interface,
        Self::Network,
        Self::Socket,
        Self::Ring,
        Self::Decode,
        Self::Labels,
        Self::Batch,
        Self::Output,
        Self::Spool,
        Self::Customers,
        Self::Counting,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Interface => "interface",
            Self::Network => "network",
            Self::Socket => "socket",
            Self::Ring => "ring",
            Self::Decode => "decode",
            Self::Labels => "labels",
            Self::Batch => "batch",
            Self::Output => "output",
            Self::Spool => "spool",
            Self::Customers => "customers",
            Self::Counting => "counting",
        }
    }

    /// What passes there.
    pub(super) fn summary(self, visit: &Visit) -> String {
        let per_s = |name: &str| number(visit.rate(name));
        let now = |name: &str| number(visit.now(name));
        match self {
            Self::Interface => {
                let packets = per_s("neckar_host_interface_received_packets_total");
                format!("{packets} packets a second on all interfaces, of any kind")
            }
            Self::Network => format!("{} exporters are known", now("neckar_exporters")),
            Self::Socket => {
                let (came, fill) = (per_s("neckar_receive_datagrams_total"), fill(visit));
                format!(
                    "{came} datagrams a second; the fullest buffer was {fill} % full at the most"
                )
            }
            Self::Ring => {
                let busiest = busiest(visit).map_or(0.0, |(_, share)| share);
                format!("the busiest worker is at work {:.0} % of the time", busiest * 100.0)
            }
            Self::Decode => {
                let (flows, templates) =
                    (per_s("neckar_decode_flows_total"), now("neckar_templates"));
                format!("{flows} flows a second; {templates} templates are known")
            }
            Self::Labels => {
                format!("{} prefixes in the tables in force", now("neckar_tables_prefixes"))
            }
            Self::Batch => format!("{} batches a second", per_s("neckar_batches_total")),
            Self::Output => delivered(visit),
            Self::Spool if visit.now("neckar_spool_max_bytes") == 0.0 => "there is none".into(),
            Self::Spool => format!("{} flows wait on disk", now("neckar_spool_flows")),
            Self::Customers => copied(visit),
            Self::Counting => {
                let counted = per_s("neckar_traffic_counted_total");
                format!("{counted} flows a second counted for /flowdata, talkers and the page")
            }
        }
    }
}

fn delivered(visit: &Visit) -> String {
    let delivered = number(visit.rate("neckar_output_delivered_total"));
    let p99 = visit.quantile("neckar_output_latency_seconds", 0.99);
    let latency = p99.map(|p99| format!("; 99 % within {p99:.3} s of their receipt"));
    format!("{delivered} flows a second delivered{}", latency.unwrap_or_default())
}

fn copied(visit: &Visit) -> String {
    if visit.now("neckar_splitter_queue_max") == 0.0 {
        return "flows are not split".into();
    }
    let copies = number(visit.rate("neckar_splitter_delivered_total"));
    let topics = visit.after.samples("neckar_tenant_flows_total").len();
    format!("{copies} copies a second delivered to {topics} topics")
}

/// A number for people.
pub(super) fn number(value: f64) -> String {
    if value > 0.0 && value < 10.0 && value.fract() != 0.0 {
        let digits = if value < 1.0 { 2 } else { 1 };
        return format!("{value:.digits$}");
    }
    HumanCount(value.max(0.0).round() as u64).to_string()
}

/// How full the fullest socket's buffer was at the most since the start, in percent.
pub(super) fn fill(visit: &Visit) -> u64 {
    let workers = visit.after.samples("neckar_receive_queue_fullest_peak_ratio").iter();
    (workers.map(|worker| worker.value).fold(0.0, f64::max) * 100.0) as u64
}

/// The worker that is at work most, and for which part of the time.
pub(super) fn busiest(visit: &Visit) -> Option<(String, f64)> {
    let most = visit.most("neckar_worker_busy_seconds_total", "worker", ("", &[]));
    most.map(|(worker, seconds)| (worker, seconds / visit.seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_exact_as_people_read_them() {
        let texts = [0.0, 0.25, 3.0, 9.87, 10.4, 12_345.6].map(number);
        assert_eq!(texts, ["0", "0.25", "3", "9.9", "10", "12,346"]);
    }
}
