//! The words of the language and the fields they stand for: one table for the parser, the compiler
//! and `Display`.

use neckar_proto::Field;

use crate::Meaning;
use crate::ast::{Fact, Side};
use crate::constants::{
    DSCPS, ECNS, ETYPES, FLAGS, Name, NameTest, PORTS, PROTOCOLS, STATUSES, TYPES, VALIDITIES,
};

/// A number that a flow has. The order is that of [`QUANTITIES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantity {
    Port,
    Asn,
    NetSize,
    Cid,
    Vrf,
    Vlan,
    NatPort,
    IfaceId,
    IfaceSpeed,
    NextHopAsn,
    Bytes,
    Packets,
    Duration,
    Bps,
    Pps,
    SamplingRate,
    IpTos,
    Med,
    LocalPref,
    Etype,
    Proto,
    Status,
    TcpFlags,
    Dscp,
    Ecn,
    IcmpType,
    IcmpCode,
    Rpki,
    Ttl,
    MplsLabel,
    MplsTtl,
    MplsCount,
    FlowType,
    FlowLabel,
    Domain,
    FlowStart,
    FlowEnd,
    Received,
}

/// How a quantity is got from the fields of its table row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Each field, divided by the unit and rounded down.
    Divided { unit: u64 },
    /// The field's two low bits.
    LowBits,
    /// Those of the fields that are in the MPLS stack, by `MPLSCount`.
    Stack,
    /// Whole seconds from start to end.
    Duration,
    /// The last of the fields, times eight, by the duration in seconds.
    BitRate,
    /// The last of the fields by the duration in seconds.
    Rate,
    /// Of ICMP flows: the first field, or the upper byte of the destination port.
    IcmpType,
    /// Of ICMP flows: the second field, or the lower byte of the destination port.
    IcmpCode,
}

/// What the table says of a quantity.
pub(crate) struct QuantityInfo {
    pub(crate) quantity: Quantity,
    /// Its keywords in canonical text.
    pub(crate) text: &'static str,
    /// The largest value that makes sense.
    pub(crate) max: u64,
    pub(crate) reading: Reading,
    /// Fields without a side. With one: the last but one is the source's, the last the
    /// destination's.
    pub(crate) fields: &'static [Field],
    pub(crate) names: &'static [Name],
}

/// A text that a flow has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    IfaceName,
    IfaceDesc,
    Country,
    CidName,
    HostName,
    AsName,
    City,
    List,
    NetName,
    Note,
    Tenant,
    User,
}

/// How a text is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Likeness {
    /// Contains it, whatever the case.
    Contains,
    /// Contains it as it is; it is in upper case.
    Country,
    /// Is it.
    Equals,
}

/// An address that a flow has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Endpoint,
    Nat,
    Router,
    NextHop,
    BgpNextHop,
}

/// What a keyword begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Number(Quantity),
    Text(Label),
    Address(Host),
    Mac,
    Is(Fact),
    Direction,
    Path,
    Iface,
    Icmp,
    Mpls,
    /// A number, or a text in quotes.
    Cid,
}

/// Keywords that begin a term, and whether `src` and `dst` may stand before them.
#[rustfmt::skip]
pub(crate) const SUBJECTS: &[(&str, bool, Subject)] = &[
    ("address", true, Subject::Address(Host::Endpoint)),
    ("iface", true, Subject::Iface),
    ("interface", true, Subject::Iface),
    ("port", true, Subject::Number(Quantity::Port)),
    ("asn", true, Subject::Number(Quantity::Asn)),
    ("netsize", true, Subject::Number(Quantity::NetSize)),
    ("cid", true, Subject::Cid),
    ("vrf", true, Subject::Number(Quantity::Vrf)),
    ("country", true, Subject::Text(Label::Country)),
    ("vlan", true, Subject::Number(Quantity::Vlan)),
    ("mac", true, Subject::Mac),
    ("host", true, Subject::Text(Label::HostName)),
    ("asname", true, Subject::Text(Label::AsName)),
    ("city", true, Subject::Text(Label::City)),
    ("netname", true, Subject::Text(Label::NetName)),
    ("list", true, Subject::Text(Label::List)),
    ("nataddress", true, Subject::Address(Host::Nat)),
    ("natport", true, Subject::Number(Quantity::NatPort)),
    ("router", false, Subject::Address(Host::Router)),
    ("nexthop", false, Subject::Address(Host::NextHop)),
    ("bgpnexthop", false, Subject::Address(Host::BgpNextHop)),
    ("nexthopasn", false, Subject::Number(Quantity::NextHopAsn)),
    ("bytes", false, Subject::Number(Quantity::Bytes)),
    ("packets", false, Subject::Number(Quantity::Packets)),
    ("duration", false, Subject::Number(Quantity::Duration)),
    ("bps", false, Subject::Number(Quantity::Bps)),
    ("pps", false, Subject::Number(Quantity::Pps)),
    ("samplingrate", false, Subject::Number(Quantity::SamplingRate)),
    ("iptos", false, Subject::Number(Quantity::IpTos)),
    ("med", false, Subject::Number(Quantity::Med)),
    ("localpref", false, Subject::Number(Quantity::LocalPref)),
    ("direction", false, Subject::Direction),
    ("incoming", false, Subject::Is(Fact::Incoming)),
    ("outgoing", false, Subject::Is(Fact::Outgoing)),
    ("normalized", false, Subject::Is(Fact::Normalized)),
    ("fragment", false, Subject::Is(Fact::Fragment)),
    ("etype", false, Subject::Number(Quantity::Etype)),
    ("proto", false, Subject::Number(Quantity::Proto)),
    ("status", false, Subject::Number(Quantity::Status)),
    ("tcpflags", false, Subject::Number(Quantity::TcpFlags)),
    ("dscp", false, Subject::Number(Quantity::Dscp)),
    ("ecn", false, Subject::Number(Quantity::Ecn)),
    ("icmp", false, Subject::Icmp),
    ("passes-through", false, Subject::Path),
    ("rpki", false, Subject::Number(Quantity::Rpki)),
    ("ttl", false, Subject::Number(Quantity::Ttl)),
    ("mpls", false, Subject::Mpls),
    ("type", false, Subject::Number(Quantity::FlowType)),
    ("flowlabel", false, Subject::Number(Quantity::FlowLabel)),
    ("domain", false, Subject::Number(Quantity::Domain)),
    ("flowstart", false, Subject::Number(Quantity::FlowStart)),
    ("flowend", false, Subject::Number(Quantity::FlowEnd)),
    ("received", false, Subject::Number(Quantity::Received)),
    ("note", false, Subject::Text(Label::Note)),
    ("tenant", false, Subject::Text(Label::Tenant)),
    ("user", false, Subject::Text(Label::User)),
];

/// What people write who know other languages, and what it is here.
pub(crate) const SYNONYMS: &[(&str, &str)] = &[
    ("as", "asn"),
    ("aspath", "passes-through"),
    ("destination", "dst"),
    ("dport", "dst port"),
    ("dstport", "dst port"),
    ("ethertype", "etype"),
    ("exporter", "router"),
    ("flags", "tcpflags"),
    ("ip", "address"),
    ("ipproto", "proto"),
    ("net", "address"),
    ("network", "address"),
    ("prefix", "address"),
    ("protocol", "proto"),
    ("sampler", "router"),
    ("source", "src"),
    ("sport", "src port"),
    ("srcport", "src port"),
    ("tos", "iptos"),
];

impl Subject {
    /// The subject that `word` begins, and whether it has sides.
    pub(crate) fn named(word: &str) -> Option<(Self, bool)> {
        let (_, sided, subject) = SUBJECTS.iter().find(|(keyword, ..)| *keyword == word)?;
        Some((*subject, *sided))
    }
}

const U16: u64 = u16::MAX as u64;
const U32: u64 = u32::MAX as u64;
const U64: u64 = u64::MAX;
const U20: u64 = (1 << 20) - 1;
/// A time in seconds must not overflow in nanoseconds.
const SECONDS: u64 = u64::MAX / SECOND_NS;
pub(crate) const SECOND_NS: u64 = 1_000_000_000;

const PLAIN: Reading = Reading::Divided { unit: 1 };

const fn info(
    quantity: Quantity,
    text: &'static str,
    max: u64,
    fields: &'static [Field],
) -> QuantityInfo {
    QuantityInfo { quantity, text, max, reading: PLAIN, fields, names: &[] }
}

impl QuantityInfo {
    const fn read(self, reading: Reading) -> Self {
        Self { reading, ..self }
    }

    const fn named(self, names: &'static [Name]) -> Self {
        Self { names, ..self }
    }
}

#[rustfmt::skip]
static QUANTITIES: [QuantityInfo; 38] = {
    use Field as F;
    use Quantity as Q;
    [
        info(Q::Port, "port", U16, &[F::SrcPort, F::DstPort]).named(PORTS),
        info(Q::Asn, "asn", U32, &[F::SrcAS, F::DstAS]),
        info(Q::NetSize, "netsize", 128, &[F::SrcNet, F::DstNet]),
        info(Q::Cid, "cid", U32, &[F::Cid, F::SrcCid, F::DstCid]),
        info(Q::Vrf, "vrf", U32, &[F::IngressVrfID, F::EgressVrfID]),
        info(Q::Vlan, "vlan", 4095, &[F::VlanId, F::OuterVlanId, F::SrcVlan, F::DstVlan]),
        info(Q::NatPort, "natport", U16, &[F::PostNatSrcPort, F::PostNatDstPort]).named(PORTS),
        info(Q::IfaceId, "iface id", U32, &[F::InIf, F::OutIf]),
        // Gbit/s; the row has Mbit/s.
        info(Q::IfaceSpeed, "iface speed", U32, &[F::SrcIfSpeed, F::DstIfSpeed]).read(Reading::Divided { unit: 1000 }),
        info(Q::NextHopAsn, "nexthopasn", U32, &[F::NextHopAS]),
        info(Q::Bytes, "bytes", U64, &[F::Bytes]),
        info(Q::Packets, "packets", U64, &[F::Packets]),
        info(Q::Duration, "duration", SECONDS, &[F::TimeFlowStartNs, F::TimeFlowEndNs]).read(Reading::Duration),
        info(Q::Bps, "bps", U64, &[F::TimeFlowStartNs, F::TimeFlowEndNs, F::Bytes]).read(Reading::BitRate),
        info(Q::Pps, "pps", U64, &[F::TimeFlowStartNs, F::TimeFlowEndNs, F::Packets]).read(Reading::Rate),
        info(Q::SamplingRate, "samplingrate", U64, &[F::SamplingRate]),
        info(Q::IpTos, "iptos", 255, &[F::IPTos]),
        info(Q::Med, "med", U32, &[F::Med]),
        info(Q::LocalPref, "localpref", U32, &[F::LocalPref]),
        info(Q::Etype, "etype", U16, &[F::Etype]).named(ETYPES),
        info(Q::Proto, "proto", 255, &[F::Proto]).named(PROTOCOLS),
        info(Q::Status, "status", U32, &[F::ForwardingStatus]).named(STATUSES),
        info(Q::TcpFlags, "tcpflags", U16, &[F::TCPFlags]).named(FLAGS),
        // "dscp: IPTos>>2"
        info(Q::Dscp, "dscp", 63, &[F::IPTos]).read(Reading::Divided { unit: 4 }).named(DSCPS),
        info(Q::Ecn, "ecn", 3, &[F::IPTos]).read(Reading::LowBits).named(ECNS),
        info(Q::IcmpType, "icmp type", 255, &[F::IcmpType, F::IcmpCode, F::DstPort]).read(Reading::IcmpType),
        info(Q::IcmpCode, "icmp code", 255, &[F::IcmpType, F::IcmpCode, F::DstPort]).read(Reading::IcmpCode),
        info(Q::Rpki, "rpki", 3, &[F::ValidationStatus]).named(VALIDITIES),
        info(Q::Ttl, "ttl", 255, &[F::IPTTL]),
        info(Q::MplsLabel, "mpls label", U20, &[F::MPLS1Label, F::MPLS2Label, F::MPLS3Label, F::MPLSLastLabel])
            .read(Reading::Stack),
        info(Q::MplsTtl, "mpls ttl", 255, &[F::MPLS1TTL, F::MPLS2TTL, F::MPLS3TTL, F::MPLSLastTTL]).read(Reading::Stack),
        info(Q::MplsCount, "mpls count", U32, &[F::MPLSCount]),
        info(Q::FlowType, "type", U32, &[F::Type]).named(TYPES),
        info(Q::FlowLabel, "flowlabel", U20, &[F::IPv6FlowLabel]),
        info(Q::Domain, "domain", U32, &[F::ObservationDomainID]),
        info(Q::FlowStart, "flowstart", SECONDS, &[F::TimeFlowStartNs]).read(Reading::Divided { unit: SECOND_NS }),
        info(Q::FlowEnd, "flowend", SECONDS, &[F::TimeFlowEndNs]).read(Reading::Divided { unit: SECOND_NS }),
        info(Q::Received, "received", SECONDS, &[F::TimeReceivedNs]).read(Reading::Divided { unit: SECOND_NS }),
    ]
};

/// A quantity's number is its row.
const _: () = {
    let mut row = 0;
    while row < QUANTITIES.len() {
        assert!(QUANTITIES[row].quantity as usize == row);
        row += 1;
    }
};

impl Quantity {
    pub(crate) const fn info(self) -> &'static QuantityInfo {
        &QUANTITIES[self as usize]
    }

    /// The fields that a term with this side looks at.
    pub(crate) fn fields(self, side: Side) -> &'static [Field] {
        let fields = self.info().fields;
        match (side, fields) {
            (Side::Src, [.., src, _]) => std::slice::from_ref(src),
            (Side::Dst, [.., dst]) => std::slice::from_ref(dst),
            _ => fields,
        }
    }

    /// What `name` stands for here.
    pub(crate) fn meaning_of(self, name: &str, meaning: Meaning) -> Option<NameTest> {
        let name = self.info().names.iter().find(|one| one.word == name)?;
        Some(match meaning {
            Meaning::Standard => name.test,
            Meaning::Legacy => name.legacy.unwrap_or(name.test),
        })
    }
}

impl Label {
    /// Its keywords in canonical text.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::IfaceName => "iface name",
            Self::IfaceDesc => "iface desc",
            Self::Country => "country",
            Self::CidName => "cid",
            Self::HostName => "host",
            Self::AsName => "asname",
            Self::City => "city",
            Self::List => "list",
            Self::NetName => "netname",
            Self::Note => "note",
            Self::Tenant => "tenant",
            Self::User => "user",
        }
    }

    pub(crate) const fn likeness(self) -> Likeness {
        match self {
            Self::Country => Likeness::Country,
            // Customer "1" is not customer "11".
            Self::CidName => Likeness::Equals,
            _ => Likeness::Contains,
        }
    }

    /// The fields that a term with this side looks at.
    pub(crate) const fn fields(self, side: Side) -> &'static [Field] {
        use Field as F;
        // Without a side, with `src`, with `dst`.
        let [either, src, dst]: [&[Field]; 3] = match self {
            Self::IfaceName => [&[F::SrcIfName, F::DstIfName], &[F::SrcIfName], &[F::DstIfName]],
            Self::IfaceDesc => [&[F::SrcIfDesc, F::DstIfDesc], &[F::SrcIfDesc], &[F::DstIfDesc]],
            // "country: RemoteCountry"; the sides are ours.
            Self::Country => [&[F::RemoteCountry], &[F::SrcCountry], &[F::DstCountry]],
            Self::CidName => [
                &[F::CidString, F::SrcCidString, F::DstCidString],
                &[F::SrcCidString],
                &[F::DstCidString],
            ],
            Self::HostName => {
                [&[F::SrcHostName, F::DstHostName], &[F::SrcHostName], &[F::DstHostName]]
            }
            Self::AsName => [&[F::SrcASName, F::DstASName], &[F::SrcASName], &[F::DstASName]],
            Self::City => [&[F::SrcCity, F::DstCity], &[F::SrcCity], &[F::DstCity]],
            Self::List => [&[F::SrcList, F::DstList], &[F::SrcList], &[F::DstList]],
            Self::NetName => [&[F::SrcNetName, F::DstNetName], &[F::SrcNetName], &[F::DstNetName]],
            Self::Note => [&[F::Note]; 3],
            Self::Tenant => [&[F::Tenant]; 3],
            Self::User => [&[F::UserName]; 3],
        };
        match side {
            Side::Either => either,
            Side::Src => src,
            Side::Dst => dst,
        }
    }
}

impl Host {
    /// Its keyword.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Endpoint => "address",
            Self::Nat => "nataddress",
            Self::Router => "router",
            Self::NextHop => "nexthop",
            Self::BgpNextHop => "bgpnexthop",
        }
    }

    /// The fields that a term with this side looks at.
    pub(crate) const fn fields(self, side: Side) -> &'static [Field] {
        use Field as F;
        match (self, side) {
            (Self::Endpoint, Side::Either) => &[F::SrcAddr, F::DstAddr],
            (Self::Endpoint, Side::Src) => &[F::SrcAddr],
            (Self::Endpoint, Side::Dst) => &[F::DstAddr],
            (Self::Nat, Side::Either) => &[F::PostNatSrcAddr, F::PostNatDstAddr],
            (Self::Nat, Side::Src) => &[F::PostNatSrcAddr],
            (Self::Nat, Side::Dst) => &[F::PostNatDstAddr],
            (Self::Router, _) => &[F::SamplerAddress],
            (Self::NextHop, _) => &[F::NextHop],
            (Self::BgpNextHop, _) => &[F::BgpNextHop],
        }
    }
}

impl Fact {
    /// Its keyword.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Outgoing => "outgoing",
            Self::Normalized => "normalized",
            Self::Fragment => "fragment",
            Self::Mpls => "mpls",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_sides_has_two_fields() {
        for (keyword, sided, subject) in SUBJECTS {
            if let (true, Subject::Number(quantity)) = (sided, subject) {
                let [src, dst] = [Side::Src, Side::Dst].map(|side| quantity.fields(side)[0].name());
                assert_ne!(src, dst, "{keyword}");
            }
        }
    }

    #[test]
    fn words_are_there_once_and_documented() {
        let grammar = include_str!("grammar.md");
        let documented = |word: &str| grammar.contains(&format!("`{word}`"));
        for (index, (keyword, ..)) in SUBJECTS.iter().enumerate() {
            assert!(SUBJECTS[..index].iter().all(|(other, ..)| other != keyword), "{keyword}");
            assert!(documented(keyword), "grammar.md does not mention `{keyword}`");
        }
        for info in &QUANTITIES {
            for (index, name) in info.names.iter().enumerate() {
                let before = &info.names[..index];
                assert!(before.iter().all(|other| other.word != name.word), "{}", name.word);
                assert!(documented(name.word), "grammar.md does not mention `{}`", name.word);
            }
        }
        for (synonym, _) in SYNONYMS {
            assert!(Subject::named(synonym).is_none(), "{synonym} is a keyword");
        }
    }
}
