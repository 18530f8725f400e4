//! Where flows can be lost, one line for each way: what is counted, of what whole, and the knob. Packets
//! of any kind that the host loses are none of them: [`super::signs`] has these.

use super::page::Page;
use super::step::Step;
use super::visit::Visit;

/// A way to lose.
pub(super) struct Loss {
    pub(super) step: Step,
    pub(super) name: &'static str,
    /// What is counted, in the plural.
    pub(super) what: &'static str,
    /// What became of them.
    pub(super) fate: &'static str,
    pub(super) count: fn(&Page) -> f64,
    /// What went well beside them, in the same unit; `None` where there is no such count.
    pub(super) well: Option<fn(&Page) -> f64>,
    /// Who has most of them.
    pub(super) blame: Option<fn(&Visit) -> Option<String>>,
    pub(super) knob: &'static str,
}

/// What a loss comes to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lost {
    pub(super) per_s: f64,
    /// Of all, lost or not.
    pub(super) share: Option<f64>,
    pub(super) since_start: f64,
    pub(super) by: Option<String>,
}

impl Loss {
    /// `None` if nothing was ever lost this way.
    pub(super) fn find(&self, visit: &Visit) -> Option<Lost> {
        let since_start = (self.count)(&visit.after);
        let lost = visit.grown(self.count);
        let well = self.well.map(|well| visit.grown(well));
        (since_start > 0.0).then(|| Lost {
            per_s: lost / visit.seconds,
            share: well.filter(|_| lost > 0.0).map(|well| lost / (lost + well)),
            since_start,
            by: self.blame.filter(|_| lost > 0.0).and_then(|blame| blame(visit)),
        })
    }
}

fn dropped(page: &Page, causes: &[&str]) -> f64 {
    page.sum_like("neckar_dropped_total", "cause", causes)
}

fn datagrams(page: &Page) -> f64 {
    page.sum("neckar_receive_datagrams_total")
}

fn flows(page: &Page) -> f64 {
    page.sum("neckar_decode_flows_total")
}

/// The exporter with most drops of these causes.
fn exporter(visit: &Visit, causes: &[&str]) -> Option<String> {
    let most = visit.most("neckar_exporter_dropped_total", "exporter", ("cause", causes));
    most.map(|(who, _)| who)
}

const UNKNOWN: &[&str] = &[
    "datagram_truncated",
    "datagram_version_unknown",
    "datagram_netflow",
    "datagram_sflow_version",
    "datagram_length_invalid",
    "datagram_count_invalid",
];
const MALFORMED: &[&str] = &[
    "set_length_invalid",
    "set_id_reserved",
    "set_template_malformed",
    "set_template_zero_length",
    "set_truncated",
    "set_record_overrun",
    "record_",
];

/// In the order of a flow's way.
pub(super) const LOSSES: &[Loss] = &[
    Loss {
        step: Step::Network,
        name: "missed",
        what: "records or datagrams",
        fate: "never came, say the routers' sequence numbers",
        count: |page| {
            page.sum("neckar_decode_missed_total") - page.sum("neckar_decode_recovered_total")
        },
        well: Some(|page| page.sum("neckar_decode_records_total")),
        blame: Some(|visit| {
            let most = visit.most("neckar_exporter_missed_total", "exporter", ("", &[]));
            most.map(|(who, _)| who)
        }),
        knob: "if interface and socket lose nothing it is the network, or the router itself (its export queue): look at the path, and at the router's own export counters",
    },
    Loss {
        step: Step::Socket,
        name: "kernel_drops",
        what: "datagrams",
        fate: "found the socket's buffer full",
        count: |page| page.sum("neckar_receive_kernel_drops_total"),
        well: Some(datagrams),
        blame: None,
        knob: "tuning/receive-buffers.sh apply, raise receive.buffer_bytes, restart; more workers.cores if a worker is busy all the time",
    },
    Loss {
        step: Step::Decode,
        name: "datagrams_unknown",
        what: "datagrams",
        fate: "are cut off or of no protocol that we know",
        count: |page| dropped(page, UNKNOWN),
        well: Some(datagrams),
        blame: None,
        knob: "find who sends them: tcpdump -ni any udp port PORT; neckar decode --stats --verbose FILE says what a capture of them holds",
    },
    Loss {
        step: Step::Decode,
        name: "exporter_table_full",
        what: "datagrams",
        fate: "came from exporters or domains beyond the bound",
        count: |page| {
            dropped(page, &["datagram_exporter_table_full", "datagram_domain_table_full"])
        },
        well: Some(datagrams),
        blame: None,
        knob: "raise decode.exporters_max, if they are routers; else name those that are in decode.allow",
    },
    Loss {
        step: Step::Decode,
        name: "template_missing",
        what: "data sets",
        fate: "were given up because their template did not come",
        count: |page| dropped(page, &["set_template_missing"]),
        well: None,
        blame: Some(|visit| exporter(visit, &["set_template_missing"])),
        knob: "shorten the router's template interval (a minute); decode.hold_s is how long data waits; state.directory keeps templates over a restart",
    },
    Loss {
        step: Step::Decode,
        name: "template_over_limit",
        what: "template sets",
        fate: "found no room for their templates",
        count: |page| dropped(page, &["set_template_over_limit"]),
        well: None,
        blame: Some(|visit| exporter(visit, &["set_template_over_limit"])),
        knob: "raise decode.templates_per_exporter_max or decode.templates_max; decode.template_lifetime_s forgets old ones",
    },
    Loss {
        step: Step::Decode,
        name: "malformed",
        what: "sets or records",
        fate: "do not parse",
        count: |page| dropped(page, MALFORMED),
        well: Some(|page| page.sum("neckar_decode_records_total")),
        blame: Some(|visit| exporter(visit, MALFORMED)),
        knob: "keep a capture and look into it: neckar decode --stats --verbose FILE",
    },
    Loss {
        step: Step::Batch,
        name: "shed",
        what: "flows",
        fate: "were shed because every batch waits for the output",
        count: |page| page.sum("neckar_flows_shed_total"),
        well: Some(flows),
        blame: None,
        knob: "see Kafka below; spool.directory holds an outage on disk, batch.memory_bytes one of some seconds",
    },
    Loss {
        step: Step::Output,
        name: "failed",
        what: "flows",
        fate: "were given up by the output",
        count: |page| page.sum("neckar_output_failed_total"),
        well: Some(|page| page.sum("neckar_output_delivered_total")),
        blame: Some(|visit| {
            let most = visit.most("neckar_output_errors_total", "error", ("", &[]));
            most.map(|(error, _)| error)
        }),
        knob: "the error's name is Kafka's own: the topic (kafka.topic, kafka.create.enabled), its rights, or max.message.bytes",
    },
    Loss {
        step: Step::Spool,
        name: "spool_shed",
        what: "flows",
        fate: "were given up because the spool is full or its disk fails",
        count: |page| page.sum("neckar_spool_shed_total") + page.sum("neckar_spool_refused_total"),
        well: Some(|page| page.sum("neckar_spool_written_total")),
        blame: None,
        knob: "raise spool.bytes_max, or mend Kafka; spool.shed says whether the oldest or the newest go",
    },
    Loss {
        step: Step::Spool,
        name: "spool_damaged",
        what: "flows",
        fate: "cannot be read from disk any more",
        count: |page| page.sum("neckar_spool_damaged_total"),
        well: None,
        blame: None,
        knob: "the log names the file; look at the disk (smartctl, dmesg)",
    },
    Loss {
        step: Step::Customers,
        name: "splitter_missed",
        what: "copies for customers",
        fate: "were lost because the splitter's queue was full",
        count: |page| {
            page.sum("neckar_splitter_missed_total")
                + page.sum("neckar_spool_splitter_missed_total")
        },
        well: Some(|page| page.sum("neckar_splitter_flows_total")),
        blame: None,
        knob: "raise split.queue_batches; the flows themselves are not lost",
    },
    Loss {
        step: Step::Customers,
        name: "splitter_refused",
        what: "copies for customers",
        fate: "found no room, because their topic takes nothing",
        count: |page| page.sum("neckar_splitter_refused_total"),
        well: Some(|page| page.sum("neckar_splitter_flows_total")),
        blame: Some(|visit| {
            visit.most("neckar_tenant_refused_total", "topic", ("", &[])).map(|(who, _)| who)
        }),
        knob: "make the topic (kafka.create.enabled), or let us write to it; split.tenant_bytes_max bounds what waits",
    },
    Loss {
        step: Step::Customers,
        name: "splitter_failed",
        what: "copies for customers",
        fate: "were refused by Kafka for good",
        count: |page| page.sum("neckar_splitter_failed_total"),
        well: Some(|page| page.sum("neckar_splitter_delivered_total")),
        blame: Some(|visit| {
            visit.most("neckar_tenant_failed_total", "topic", ("", &[])).map(|(who, _)| who)
        }),
        knob: "look at the topic: its rights and its max.message.bytes; the log has the error",
    },
    Loss {
        step: Step::Customers,
        name: "splitter_unserved",
        what: "copies for customers",
        fate: "were for more customers than there is room for",
        count: |page| page.sum("neckar_splitter_unserved_total"),
        well: Some(|page| page.sum("neckar_splitter_flows_total")),
        blame: None,
        knob: "raise split.tenants_max",
    },
];
