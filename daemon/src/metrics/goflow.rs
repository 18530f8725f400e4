//! The names of goflow's metrics, and the suite's `kafka_…`, for boards that read them.
//!
//! What they say is what goflow says, where that can be said here without a lie:
//! * `remote_ip` and `router` are the exporter: for sFlow its agent, which goflow has apart.
//!   `remote_port` is left out, because every restart of a router would make new series; so are
//!   `local_ip` and `local_port`, because any protocol may come to any port.
//! * `version` and `type` are the datagram's. Templates of NetFlow v9 are counted as what they are;
//!   goflow counts them as options templates. `obs_domain_id` and `template_id` are left out.
//! * Times are of decoding, labelling and encoding together, a datagram as the mean of its batch,
//!   for each protocol the same: nobody reads a clock for each datagram. So "decoding" and
//!   "processing" say the same.
//! * The delay is from a flow's end to its receipt, of a flow of each sixteenth datagram.
//! * Left out: `flow_decoder_error_count`, and `error_version` among the errors: such datagrams are
//!   counted in `neckar_dropped_total` and belong to no exporter.

use std::borrow::Cow;

use neckar_decode::{Ages, Cause, Protocol, Totals};

use super::View;
use super::exporter::Shown;
use super::page::Kind::{Counter, Gauge, Summary};
use super::page::{EXPORTER, Label, Page, Samples, WORKER, fixed};
use crate::effort::Effort;

const SHOWN: &str = EXPORTER.bound;
const REMOTE: Label = Label { name: "remote_ip", bound: SHOWN };
const ROUTER: Label = Label { name: "router", bound: SHOWN };
const AGENT: Label = Label { name: "agent", bound: SHOWN };
const TYPE: Label = fixed("type");
const VERSION: Label = fixed("version");
const NAME: Label = fixed("name");
const ERROR: Label = fixed("error");
const PARTITION: Label = Label { name: "partition", bound: "the partitions of `kafka.topic`" };
const TOPIC: Label = Label { name: "topic", bound: "`kafka.topic`" };

const SHARES: [(f64, &str); 3] = [(0.5, "0.5"), (0.9, "0.9"), (0.99, "0.99")];
const NETFLOW: [Protocol; 3] = [Protocol::NetflowV5, Protocol::NetflowV9, Protocol::Ipfix];

/// What goflow calls the listener of a protocol.
const fn listener(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::NetflowV5 => "NetFlowV5",
        Protocol::NetflowV9 | Protocol::Ipfix => "NetFlow",
        Protocol::Sflow => "sFlow",
    }
}

const LISTENERS: [&str; 3] = ["NetFlowV5", "NetFlow", "sFlow"];

const fn version(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::NetflowV5 | Protocol::Sflow => "5",
        Protocol::NetflowV9 => "9",
        Protocol::Ipfix => "10",
    }
}

pub(super) fn write(page: &mut Page, view: &View<'_>) {
    write_traffic(page, &view.exporters.shown);
    write_netflow(page, &view.exporters.shown);
    write_sflow(page, &view.exporters.shown);
    write_decoders(page, view);
    write_kafka(page, view);
}

/// What an exporter has sent by one protocol.
fn of(one: &Shown, protocol: Protocol) -> Option<&Totals> {
    one.account.protocols[protocol as usize].as_ref()
}

fn write_traffic(page: &mut Page, shown: &[Shown]) {
    let name = ("flow_traffic_bytes", Counter);
    let help = "goflow: bytes of datagrams, by exporter and listener.";
    let mut samples = page.family(name, &[REMOTE, TYPE], help);
    each_listener(shown, |remote, name, totals| samples.add([remote, name], totals.bytes));
    let name = ("flow_traffic_packets", Counter);
    let help = "goflow: datagrams, by exporter and listener.";
    let mut samples = page.family(name, &[REMOTE, TYPE], help);
    each_listener(shown, |remote, name, totals| samples.add([remote, name], totals.datagrams));
    let name = ("flow_traffic_summary_size_bytes", Summary);
    let help = "goflow: sizes of datagrams; their sum and count, without quantiles.";
    let mut samples = page.family(name, &[REMOTE, TYPE], help);
    each_listener(shown, |remote, name, totals| {
        samples.sum_and_count([remote, name], totals.bytes, totals.datagrams);
    });
    let name = ("udp_traffic_bytes", Counter);
    let mut samples = page.family(name, &[REMOTE], "goflow's board: bytes of an exporter.");
    for one in shown {
        samples.add([&one.address], one.account.totals().bytes);
    }
    let name = ("udp_traffic_packets", Counter);
    let mut samples = page.family(name, &[REMOTE], "goflow's board: datagrams of an exporter.");
    for one in shown {
        samples.add([&one.address], one.account.totals().datagrams);
    }
}

/// NetFlow v9 and IPFIX have one listener in goflow.
fn each_listener(shown: &[Shown], mut visit: impl FnMut(&str, &str, &Totals)) {
    for one in shown {
        for name in LISTENERS {
            let mut sum: Option<Totals> = None;
            let protocols = Protocol::ALL.into_iter().filter(|one| listener(*one) == name);
            for totals in protocols.filter_map(|protocol| of(one, protocol)) {
                let sum = sum.get_or_insert_default();
                sum.bytes += totals.bytes;
                sum.datagrams += totals.datagrams;
            }
            if let Some(totals) = sum {
                visit(&one.address, name, &totals);
            }
        }
    }
}

/// Exporters by NetFlow protocol.
fn each_netflow<'a>(shown: &'a [Shown], mut visit: impl FnMut(&'a Shown, Protocol, &'a Totals)) {
    for one in shown {
        for protocol in NETFLOW {
            if let Some(totals) = of(one, protocol) {
                visit(one, protocol, totals);
            }
        }
    }
}

/// Sets or records by goflow's words for their kinds.
type Kinds = [(&'static str, u64); 4];

fn sets(protocol: Protocol, totals: &Totals) -> Kinds {
    // A datagram of v5 is a set.
    let data = if protocol == Protocol::NetflowV5 { totals.datagrams } else { totals.data_sets };
    [
        ("DataFlowSet", data),
        ("TemplateFlowSet", totals.template_sets),
        ("OptionsTemplateFlowSet", totals.options_template_sets),
        ("OptionsDataFlowSet", totals.options_sets),
    ]
}

fn records(_: Protocol, totals: &Totals) -> Kinds {
    [
        ("DataFlowSet", totals.records),
        ("TemplateFlowSet", totals.templates),
        ("OptionsTemplateFlowSet", totals.options_templates),
        ("OptionsDataFlowSet", totals.options_records),
    ]
}

fn write_netflow(page: &mut Page, shown: &[Shown]) {
    let name = ("flow_process_nf_count", Counter);
    let help = "goflow: datagrams of NetFlow and IPFIX.";
    let mut samples = page.family(name, &[ROUTER, VERSION], help);
    each_netflow(shown, |one, protocol, totals| {
        samples.add([&one.address, version(protocol)], totals.datagrams);
    });
    let name = ("flow_process_nf_flowset_sum", Counter);
    let help = "goflow: sets decoded, by kind; a datagram of v5 is one.";
    write_kinds(page.family(name, &[ROUTER, TYPE, VERSION], help), shown, sets);
    let name = ("flow_process_nf_flowset_records_sum", Counter);
    let help = "goflow: records in them.";
    write_kinds(page.family(name, &[ROUTER, TYPE, VERSION], help), shown, records);
    let name = ("flow_process_nf_templates_count", Counter);
    let help = "goflow: templates announced, refreshes included.";
    let mut samples = page.family(name, &[ROUTER, VERSION, TYPE], help);
    each_netflow(shown, |one, protocol, totals| {
        if protocol != Protocol::NetflowV5 {
            let (router, version) = (one.address.as_str(), version(protocol));
            samples.add([router, version, "template"], totals.templates);
            samples.add([router, version, "options_template"], totals.options_templates);
        }
    });
    let name = ("flow_process_nf_errors_count", Counter);
    let help = "goflow: sets without their template, of reserved numbers, or malformed.";
    let mut samples = page.family(name, &[ROUTER, ERROR], help);
    for one in shown.iter().filter(|one| NETFLOW.iter().any(|nf| of(one, *nf).is_some())) {
        for (error, count) in errors(one) {
            samples.add([&one.address, error], count);
        }
    }
    let name = ("flow_process_nf_delay_summary_seconds", Summary);
    let help =
        "goflow: from the end of a flow to its receipt, of a flow of each sixteenth datagram.";
    let mut samples = page.family(name, &[ROUTER, VERSION], help);
    each_netflow(shown, |one, protocol, totals| {
        write_delay(&mut samples, [&one.address, version(protocol)], &totals.ages);
    });
}

fn write_kinds(mut samples: Samples<'_>, shown: &[Shown], kinds: fn(Protocol, &Totals) -> Kinds) {
    each_netflow(shown, |one, protocol, totals| {
        for (kind, count) in kinds(protocol, totals) {
            // What v5 does not have is no series.
            if kind == "DataFlowSet" || protocol != Protocol::NetflowV5 {
                samples.add([&one.address, kind, version(protocol)], count);
            }
        }
    });
}

fn errors(one: &Shown) -> [(&'static str, u64); 3] {
    let sum = |causes: &[Cause]| -> u64 {
        causes.iter().map(|cause| one.account.dropped[*cause as usize]).sum()
    };
    let malformed = [
        Cause::SetLengthInvalid,
        Cause::SetTemplateMalformed,
        Cause::SetTemplateZeroLength,
        Cause::SetTemplateOverLimit,
        Cause::SetTruncated,
        Cause::SetRecordOverrun,
        Cause::RecordTruncated,
    ];
    [
        ("template_not_found", sum(&[Cause::SetTemplateMissing])),
        ("error_flow_id", sum(&[Cause::SetIdReserved])),
        ("error_decoding", sum(&malformed)),
    ]
}

fn write_delay(samples: &mut Samples<'_>, labels: [&str; 2], ages: &Ages) {
    for (share, text) in SHARES {
        if let Some(age_s) = ages.quantile_s(share) {
            samples.quantile(labels, text, age_s);
        }
    }
    if ages.count() > 0 {
        samples.sum_and_count(labels, ages.sum_s(), ages.count());
    }
}

fn write_sflow(page: &mut Page, shown: &[Shown]) {
    let agents: Vec<(&str, &Totals)> = shown
        .iter()
        .filter_map(|one| Some((one.address.as_str(), of(one, Protocol::Sflow)?)))
        .collect();
    let name = ("flow_process_sf_count", Counter);
    let help = "goflow: datagrams of sFlow; router and agent are the agent.";
    let mut samples = page.family(name, &[ROUTER, AGENT, VERSION], help);
    for (agent, totals) in &agents {
        samples.add([agent, agent, "5"], totals.datagrams);
    }
    let name = ("flow_process_sf_samples_sum", Counter);
    let help = "goflow: samples by kind; counter samples of both forms are one kind.";
    let mut samples = page.family(name, &[ROUTER, AGENT, TYPE, VERSION], help);
    for (agent, totals) in &agents {
        let compact = totals.records.saturating_sub(totals.expanded_samples);
        samples.add([agent, agent, "FlowSample", "5"], compact);
        samples.add([agent, agent, "ExpandedFlowSample", "5"], totals.expanded_samples);
        samples.add([agent, agent, "CounterSample", "5"], totals.counter_samples);
    }
    let name = ("flow_process_sf_samples_records_sum", Counter);
    let help = "goflow: records in flow samples.";
    let mut samples = page.family(name, &[ROUTER, AGENT, TYPE, VERSION], help);
    for (agent, totals) in &agents {
        let expanded = totals.expanded_sample_records;
        let compact = totals.sample_records.saturating_sub(expanded);
        samples.add([agent, agent, "FlowSample", "5"], compact);
        samples.add([agent, agent, "ExpandedFlowSample", "5"], expanded);
    }
    let name = ("flow_process_sf_errors_count", Counter);
    let help = "goflow: flow samples that do not parse.";
    let mut samples = page.family(name, &[ROUTER, ERROR], help);
    for one in shown.iter().filter(|one| of(one, Protocol::Sflow).is_some()) {
        let malformed = one.account.dropped[Cause::RecordSampleMalformed as usize];
        samples.add([&one.address, "error_decoding"], malformed);
    }
}

fn write_decoders(page: &mut Page, view: &View<'_>) {
    let name = ("flow_decoder_count", Counter);
    let help = "goflow: datagrams decoded, by worker and listener.";
    let mut samples = page.family(name, &[WORKER, NAME], help);
    let mut effort = Effort::default();
    for (worker, counts) in view.snapshot.workers.iter().enumerate() {
        effort.add(&counts.effort);
        for name in LISTENERS {
            let protocols = Protocol::ALL.iter().zip(counts.decode.protocols);
            let of_it = protocols.filter(|(protocol, _)| listener(**protocol) == name);
            samples.add([&worker.to_string(), name], of_it.map(|(_, count)| count).sum::<u64>());
        }
    }
    for name in ["flow_summary_decoding_time_us", "flow_summary_processing_time_us"] {
        let help = "goflow: microseconds of work on a datagram, decoding to hand-over, whatever the protocol.";
        let mut samples = page.family((name, Summary), &[NAME], help);
        for name in LISTENERS.iter().filter(|_| effort.datagrams() > 0) {
            for (share, text) in SHARES {
                let us = effort.quantile_s(share).unwrap_or(0.0) * 1e6;
                samples.quantile([name], text, us);
            }
            samples.sum_and_count([name], effort.busy_s() * 1e6, effort.datagrams());
        }
    }
}

fn write_kafka(page: &mut Page, view: &View<'_>) {
    let delivered = view.settings.topic.as_ref().map(|_| view.snapshot.output.delivered);
    let name = ("kafka_messages_total", Counter);
    let help = "The suite's consumers: flows in Kafka, which are what they will read.";
    page.family(name, &[], help).add([], delivered.unwrap_or(0));
    let name = ("kafka_offset_current", Gauge);
    let help = "The suite's consumers: offset of the last record that is known to be in Kafka; none by librdkafka.";
    let mut samples = page.family(name, &[TOPIC, PARTITION], help);
    let topic = view.settings.topic.as_deref().map_or(Cow::Borrowed(""), Cow::Borrowed);
    for (partition, offset) in &view.output.offsets {
        samples.add([&topic, &partition.to_string()], offset);
    }
}
