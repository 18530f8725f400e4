//! Which field of the flow comes from where, for people: the one table of `docs/fields.md`.
//!
//! Information elements are read from the table that the decoder itself reads ([`crate::elements`]);
//! the fixed layouts of NetFlow v5 and sFlow, which are code, are listed here.

use std::fmt::Write as _;

use neckar_proto::Field;

use crate::elements::{self, Convert, ELEMENTS, Element, Use};
use crate::template::Protocol;
use crate::view::filled;

/// One line of the map from wire to row: what the documentation is made from.
#[derive(Clone, Debug)]
pub struct Source {
    /// What it fills.
    pub field: Field,
    /// Where: [`Protocol::NetflowV9`] and [`Protocol::Ipfix`] share elements, so an element has a
    /// line for each.
    pub protocol: Protocol,
    /// The information element, if it comes from one.
    pub element: Option<u16>,
    /// IANA's name of the element, or the name of the field in the protocol's own document.
    pub name: &'static str,
    /// How, where it is more than copying the number.
    pub note: String,
}

/// Fields of NetFlow v5: name in Cisco's document, what it fills, and how.
const V5: &[(&str, Field, &str)] = &[
    ("version", Field::Type, ""),
    ("unix_secs, unix_nsecs, SysUptime, first", Field::TimeFlowStartNs, "signed 32-bit difference"),
    ("unix_secs, unix_nsecs, SysUptime, last", Field::TimeFlowEndNs, "signed 32-bit difference"),
    ("flow_sequence", Field::SequenceNum, ""),
    ("sampling_interval", Field::SamplingRate, "low 14 bits"),
    ("srcaddr", Field::SrcAddr, ""),
    ("dstaddr", Field::DstAddr, ""),
    ("nexthop", Field::NextHop, ""),
    ("input", Field::InIf, ""),
    ("output", Field::OutIf, ""),
    ("dPkts", Field::Packets, ""),
    ("dOctets", Field::Bytes, ""),
    ("srcport", Field::SrcPort, ""),
    ("dstport", Field::DstPort, ""),
    ("dstport", Field::IcmpType, "high byte, if prot is ICMP"),
    ("dstport", Field::IcmpCode, "low byte, if prot is ICMP"),
    ("tcp_flags", Field::TCPFlags, ""),
    ("prot", Field::Proto, ""),
    ("tos", Field::IPTos, ""),
    ("src_as", Field::SrcAS, ""),
    ("dst_as", Field::DstAS, ""),
    ("src_mask", Field::SrcNet, ""),
    ("dst_mask", Field::DstNet, ""),
    ("(always IPv4)", Field::Etype, "0x0800"),
    ("(UDP source address)", Field::SamplerAddress, ""),
    ("(when it was received)", Field::TimeReceivedNs, ""),
];

/// Fields of sFlow v5 (sflow.org, sflow_version_5.txt): structure and member, what it fills, and how.
/// "header" is the sampled packet: raw header, or the sampled Ethernet, IPv4 and IPv6 records.
const SFLOW: &[(&str, Field, &str)] = &[
    ("version", Field::Type, ""),
    ("agent_address", Field::SamplerAddress, ""),
    ("sub_agent_id", Field::ObservationDomainID, ""),
    ("sequence_number", Field::SequenceNum, "of the datagram"),
    ("(when it was received)", Field::TimeReceivedNs, ""),
    ("(when it was received)", Field::TimeFlowStartNs, ""),
    ("(when it was received)", Field::TimeFlowEndNs, ""),
    ("flow_sample.sampling_rate", Field::SamplingRate, "unless configured"),
    ("(one sampled packet)", Field::Packets, "1"),
    ("sampled_header.frame_length", Field::Bytes, "sampled_ipv4.length, sampled_ipv6.length else"),
    ("flow_sample.input", Field::InIf, "0x3fffffff, the device itself, is 0"),
    ("flow_sample.output", Field::OutIf, "0x3fffffff, the device itself, is 0"),
    ("flow_sample.output", Field::ForwardingStatus, "dropped, and why, where the output says so"),
    ("header", Field::SrcMac, ""),
    ("header", Field::DstMac, ""),
    ("header", Field::Etype, ""),
    ("header", Field::VlanId, "the innermost tag"),
    ("header", Field::OuterVlanId, "the outermost of several tags"),
    ("extended_switch.src_vlan", Field::SrcVlan, ""),
    ("extended_switch.dst_vlan", Field::DstVlan, ""),
    ("header", Field::HasMPLS, ""),
    ("header", Field::MPLSCount, ""),
    ("header", Field::MPLS1Label, ""),
    ("header", Field::MPLS1TTL, ""),
    ("header", Field::MPLS2Label, ""),
    ("header", Field::MPLS2TTL, ""),
    ("header", Field::MPLS3Label, ""),
    ("header", Field::MPLS3TTL, ""),
    ("header", Field::MPLSLastLabel, ""),
    ("header", Field::MPLSLastTTL, ""),
    ("header", Field::SrcAddr, ""),
    ("header", Field::DstAddr, ""),
    ("header", Field::Proto, "the last of IPv6's next headers"),
    ("header", Field::IPTos, ""),
    ("header", Field::IPTTL, ""),
    ("header", Field::IPv6FlowLabel, ""),
    ("header", Field::FragmentId, ""),
    ("header", Field::FragmentOffset, ""),
    ("header", Field::SrcPort, "not of later fragments"),
    ("header", Field::DstPort, "not of later fragments"),
    ("header", Field::TCPFlags, ""),
    ("header", Field::IcmpType, ""),
    ("header", Field::IcmpCode, ""),
    ("extended_router.nexthop", Field::NextHop, "extended_gateway.nexthop else"),
    ("extended_router.src_mask", Field::SrcNet, ""),
    ("extended_router.dst_mask", Field::DstNet, ""),
    ("extended_gateway.nexthop", Field::BgpNextHop, ""),
    ("extended_gateway.src_as", Field::SrcAS, "as, our own, if it is 0"),
    ("extended_gateway.dst_as_path", Field::DstAS, "its last AS"),
    ("extended_gateway.dst_as_path", Field::NextHopAS, "its first AS"),
    ("extended_gateway.dst_as_path", Field::ASPath, ""),
];

/// What the header of a message fills, and what is concluded where no element says it.
const HEADER: &[(&str, Field)] = &[
    ("version", Field::Type),
    ("sequence number", Field::SequenceNum),
    ("source id, observation domain id", Field::ObservationDomainID),
    ("(UDP source address)", Field::SamplerAddress),
    ("(when it was received)", Field::TimeReceivedNs),
    ("(export time, if no element says it)", Field::TimeFlowStartNs),
    ("(export time, if no element says it)", Field::TimeFlowEndNs),
    ("(family of the address kept)", Field::Etype),
    ("(high byte of DstPort, if Proto is ICMP and no element says it)", Field::IcmpType),
    ("(low byte of DstPort, if Proto is ICMP and no element says it)", Field::IcmpCode),
];

/// The whole map, by protocol, and for those with templates by element.
pub fn sources() -> impl Iterator<Item = Source> {
    let v5 = V5.iter().map(|(name, field, note)| Source {
        field: *field,
        protocol: Protocol::NetflowV5,
        element: None,
        name,
        note: (*note).into(),
    });
    let with_templates = [Protocol::NetflowV9, Protocol::Ipfix].into_iter().flat_map(|protocol| {
        let header = HEADER.iter().map(move |(name, field)| Source {
            field: *field,
            protocol,
            element: None,
            name,
            note: String::new(),
        });
        let lines = ELEMENTS
            .iter()
            .filter(move |line| !line.v9_only || protocol == Protocol::NetflowV9)
            .flat_map(move |line| sources_of(line, protocol));
        header.chain(lines)
    });
    let sflow = SFLOW.iter().map(|(name, field, note)| Source {
        field: *field,
        protocol: Protocol::Sflow,
        element: None,
        name,
        note: (*note).into(),
    });
    v5.chain(with_templates).chain(sflow)
}

fn sources_of(line: &'static Element, protocol: Protocol) -> Vec<Source> {
    let mut sources = Vec::new();
    for one in line.uses {
        for field in filled(*one) {
            let (element, name) = (Some(line.id), line.name);
            let note = match line.id {
                // semantics.md section 1, rule 2.
                85 => "only if the template has no 1".into(),
                86 => "only if the template has no 2".into(),
                _ => note(*one),
            };
            sources.push(Source { field, protocol, element, name, note });
        }
    }
    sources
}

/// How a use fills its field, in words.
fn note(one: Use) -> String {
    match one {
        Use::Fill { rank, convert, .. } => {
            let how = conversion(convert);
            let stands_in = if rank > 0 { "stands in while the others say nothing" } else { "" };
            [how, stands_in]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join("; ")
        }
        Use::FillReverse { .. } => "of the reverse flow".into(),
        Use::Label(_) => "label: the top 20 bits".into(),
        Use::Rate(_) => "in the record, or by options data".into(),
        Use::Sampler => "names the options row that says the rate".into(),
        Use::Boot => "with flowStartSysUpTime, flowEndSysUpTime in IPFIX".into(),
        Use::VrfName => "of the VRF number before it".into(),
        Use::Frame(_) => "parsed".into(),
        Use::InterfaceName => String::new(),
    }
}

fn conversion(convert: Convert) -> &'static str {
    match convert {
        Convert::Low(12) => "low 12 bits",
        Convert::Low(13) => "low 13 bits",
        Convert::Low(20) => "low 20 bits",
        Convert::Low(_) => "low byte",
        Convert::Left(_) => "shifted left by 2",
        Convert::High => "high byte",
        Convert::IpVersion => "4: 0x0800, 6: 0x86dd; only without addresses",
        Convert::PrefixV4 => "if the address kept is IPv4",
        Convert::PrefixV6 => "if the address kept is IPv6",
        Convert::Time(elements::Unit::Uptime) => "header clock minus signed difference of uptimes",
        Convert::Time(elements::Unit::DeltaMicroseconds) => "before the export time",
        Convert::Time(elements::Unit::NtpMicroseconds | elements::Unit::NtpNanoseconds) => {
            "NTP 64-bit; plain Unix time where only that makes sense"
        }
        Convert::Number | Convert::Address | Convert::Time(_) | Convert::Text => "",
    }
}

/// `docs/fields.md`: a line for each field, by number.
#[must_use]
pub fn markdown() -> String {
    let all: Vec<Source> = sources().collect();
    let mut out = String::from(INTRODUCTION);
    let mut rest = Vec::new();
    let mut fields: Vec<Field> = Field::all().collect();
    fields.sort_by_key(|field| field.info().number);
    for field in fields {
        let info = field.info();
        let of = |protocols: &[Protocol]| cell(&all, field, protocols);
        let v5 = of(&[Protocol::NetflowV5]);
        let elements = of(&[Protocol::NetflowV9, Protocol::Ipfix]);
        let sflow = of(&[Protocol::Sflow]);
        if [&v5, &elements, &sflow].into_iter().all(String::is_empty) {
            rest.push(format!("`{}` {}", field.name(), info.number));
            continue;
        }
        let name = field.name();
        let _ = writeln!(out, "| `{name}` | {} | {v5} | {elements} | {sflow} |", info.number);
    }
    let _ = write!(out, "{SERVING}");
    for line in ELEMENTS {
        for one in line.uses {
            if let Some(purpose) = purpose(*one) {
                let _ = writeln!(out, "| {} `{}` | {purpose} |", line.id, line.name);
            }
        }
    }
    let _ = writeln!(out, "{LATER}{}.", rest.join(", "));
    out
}

const INTRODUCTION: &str = "# Fields

Which field of the flow comes from where. Made from the decoder's own table: `UPDATE=1 cargo test -p neckar-decode --test
documents`. Names and numbers of the fields are those of `proto/flow.proto`; numbers of elements are IANA's, which NetFlow v9
shares (RFC 7012, RFC 3954).

Where several elements of one record fill a field, the last one wins, but zero never replaces what is not zero; \u{201c}stands
in\u{201d} marks those that count only while the others say nothing. An integer may have 1 to 8 bytes. What is not listed is
skipped by its length, and never an error: `neckar decode --verbose` shows what each template holds and what of it is skipped.
Elements of the other direction (RFC 5103, enterprise 29305) fill the same fields of a second flow,
whose ends and interfaces are the other way round and whose `FlowDirection`, if the record has one, is the opposite.

| field | number | NetFlow v5 | NetFlow v9, IPFIX | sFlow v5 |
| --- | --- | --- | --- | --- |
";

const SERVING: &str = "
## Read for something else

| element | for |
| --- | --- |
";

const LATER: &str = "
## Filled later

By labelling ([labels.md](labels.md)), or kept for messages of older schemas: ";

/// Everything that fills `field` in these protocols, one entry a line.
fn cell(all: &[Source], field: Field, protocols: &[Protocol]) -> String {
    let mut entries: Vec<String> = Vec::new();
    for source in all.iter().filter(|one| one.field == field && protocols.contains(&one.protocol)) {
        let entry = entry(source);
        // v9 and IPFIX say the same of almost everything.
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    entries.join("<br>")
}

fn entry(source: &Source) -> String {
    let number = source.element.map_or(String::new(), |id| format!("{id} "));
    let name = match source.name.starts_with('(') {
        true => source.name.to_string(),
        false => format!("`{}`", source.name),
    };
    let line = source.element.and_then(elements::element);
    let only = if line.is_some_and(|line| line.v9_only) { ", v9 only" } else { "" };
    let note = if source.note.is_empty() { String::new() } else { format!(": {}", source.note) };
    format!("{number}{name}{only}{note}")
}

/// What an element is read for that does not fill a field by itself.
fn purpose(one: Use) -> Option<&'static str> {
    match one {
        Use::Rate(_) => Some("sampling rate, in the record or in options data"),
        Use::Sampler => Some("which row of the sampling options says the rate of this record"),
        Use::InterfaceName => {
            Some("SrcIfName, SrcIfDesc and their like, from options data by ifIndex (labels.md)")
        }
        Use::Boot => Some("start of the exporter, to which 21 and 22 add in IPFIX"),
        Use::Frame(_) => {
            Some("a sampled packet, parsed as sFlow's are; counters of the record win")
        }
        Use::Fill { .. } | Use::FillReverse { .. } | Use::Label(_) | Use::VrfName => None,
    }
}
