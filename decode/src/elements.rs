//! Which information element fills which field: one flat table.
//!
//! NetFlow v9 and IPFIX use the same numbers (RFC 3954 section 8, IANA "IPFIX Information
//! Elements"). Everything the decoder knows about an element stands in its line here; the compiler
//! of plans and the documentation read it. An element that is not here is skipped by its length.

use neckar_proto::Field;

/// Enterprise number of reverse elements: the number below it means the other direction (RFC 5103
/// section 6.1).
pub(crate) const REVERSE_PEN: u32 = 29305;

/// What a time element counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Milliseconds of the exporter's uptime (21, 22).
    Uptime,
    /// Unix seconds.
    Seconds,
    /// Unix milliseconds.
    Milliseconds,
    /// NTP 64-bit; microseconds since 1970 from exporters that did not read RFC 7011 6.1.9.
    NtpMicroseconds,
    /// NTP 64-bit; nanoseconds since 1970 from exporters that did not read RFC 7011 6.1.10.
    NtpNanoseconds,
    /// Microseconds before the export time.
    DeltaMicroseconds,
}

/// How the bytes of an element become the value of its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Convert {
    /// A big-endian integer, cut to the field's type.
    Number,
    /// The low bits of an integer.
    Low(u8),
    /// An integer shifted left.
    Left(u8),
    /// Bits 8 to 15 of an integer.
    High,
    /// 4 for IPv4, 6 for IPv6, as an EtherType; other values say nothing.
    IpVersion,
    /// A prefix length that belongs to an IPv4 address.
    PrefixV4,
    /// A prefix length that belongs to an IPv6 address.
    PrefixV6,
    /// 4 or 16 bytes.
    Address,
    /// An instant.
    Time(Unit),
    /// Text or opaque bytes.
    Text,
}

/// What a sampled section starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// An Ethernet header.
    Ethernet,
    /// An IPv4 or IPv6 header.
    Ip,
    /// An MPLS label stack.
    Mpls,
}

/// A part of what says the sampling rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RatePart {
    /// 305: packets taken in a row.
    Interval,
    /// 306: packets left out between.
    Space,
    /// 50: one of so many, at random.
    Random,
    /// 34: one of so many.
    Plain,
    /// 309: taken out of a population.
    Size,
    /// 310: the population.
    Population,
    /// 311: probability as a float.
    Probability,
}

/// One use of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Fills `field`. Of several sources those of rank 0 win; higher ranks stand in while those say
    /// nothing.
    Fill { field: Field, rank: u8, convert: Convert },
    /// Fills `field` of the reverse flow.
    FillReverse { field: Field, convert: Convert },
    /// Label stack entry, 0 on top.
    Label(u8),
    /// Part of the sampling rate.
    Rate(RatePart),
    /// Names the sampler whose options row holds the rate.
    Sampler,
    /// When the exporter started (160), Unix milliseconds.
    Boot,
    /// The name of the VRF that 234 or 235 beside it names by number.
    VrfName,
    /// What the exporter calls an interface, in options data.
    InterfaceName,
    /// A sampled packet.
    Frame(Section),
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element {
    pub(crate) id: u16,
    /// IANA's name, or the vendor's.
    pub(crate) name: &'static str,
    /// Only in NetFlow v9, where numbers above 32767 are not enterprise elements.
    pub(crate) v9_only: bool,
    pub(crate) uses: &'static [Use],
}

const fn fill(field: Field) -> Use {
    Use::Fill { field, rank: 0, convert: Convert::Number }
}

const fn or(field: Field) -> Use {
    Use::Fill { field, rank: 1, convert: Convert::Number }
}

const fn with(field: Field, convert: Convert) -> Use {
    Use::Fill { field, rank: 0, convert }
}

const fn or_with(field: Field, rank: u8, convert: Convert) -> Use {
    Use::Fill { field, rank, convert }
}

const fn responder(field: Field) -> Use {
    Use::FillReverse { field, convert: Convert::Number }
}

const START: Field = Field::TimeFlowStartNs;
const END: Field = Field::TimeFlowEndNs;

macro_rules! table {
    ($($(#$v9:tt)? $id:literal $name:ident => [$($one:expr),+ $(,)?];)+) => {
        &[$(Element { id: $id, name: stringify!($name), v9_only: false $(|| $v9)?, uses: &[$($one),+] }),+]
    };
}

/// semantics.md section 2, by element number. Sorted, which a test proves.
pub(crate) const ELEMENTS: &[Element] = {
    use Convert::{Address, High, IpVersion, Left, Low, PrefixV4, PrefixV6, Text, Time};
    use Field::*;
    table! {
        1 octetDeltaCount => [fill(Bytes)];
        2 packetDeltaCount => [fill(Packets)];
        4 protocolIdentifier => [fill(Proto)];
        5 ipClassOfService => [fill(IPTos)];
        6 tcpControlBits => [fill(TCPFlags)];
        7 sourceTransportPort => [fill(SrcPort)];
        8 sourceIPv4Address => [with(SrcAddr, Address)];
        9 sourceIPv4PrefixLength => [with(SrcNet, PrefixV4)];
        10 ingressInterface => [fill(InIf)];
        11 destinationTransportPort => [fill(DstPort)];
        12 destinationIPv4Address => [with(DstAddr, Address)];
        13 destinationIPv4PrefixLength => [with(DstNet, PrefixV4)];
        14 egressInterface => [fill(OutIf)];
        15 ipNextHopIPv4Address => [with(NextHop, Address)];
        16 bgpSourceAsNumber => [fill(SrcAS)];
        17 bgpDestinationAsNumber => [fill(DstAS)];
        // "NextHop takes the BGP one when it has none of its own."
        18 bgpNextHopIPv4Address => [with(BgpNextHop, Address), or_with(NextHop, 1, Address)];
        21 flowEndSysUpTime => [with(END, Time(Unit::Uptime))];
        22 flowStartSysUpTime => [with(START, Time(Unit::Uptime))];
        23 postOctetDeltaCount => [fill(Bytes)];
        24 postPacketDeltaCount => [fill(Packets)];
        27 sourceIPv6Address => [with(SrcAddr, Address)];
        28 destinationIPv6Address => [with(DstAddr, Address)];
        29 sourceIPv6PrefixLength => [with(SrcNet, PrefixV6)];
        30 destinationIPv6PrefixLength => [with(DstNet, PrefixV6)];
        31 flowLabelIPv6 => [with(IPv6FlowLabel, Low(20))];
        32 icmpTypeCodeIPv4 => [with(IcmpType, High), with(IcmpCode, Low(8))];
        34 samplingInterval => [Use::Rate(RatePart::Plain)];
        48 samplerId => [Use::Sampler];
        50 samplerRandomInterval => [Use::Rate(RatePart::Random)];
        52 minimumTTL => [fill(IPTTL)];
        53 maximumTTL => [or_with(IPTTL, 2, Convert::Number)];
        54 fragmentIdentification => [fill(FragmentId)];
        56 sourceMacAddress => [fill(SrcMac)];
        57 postDestinationMacAddress => [fill(DstMac)];
        58 vlanId => [with(VlanId, Low(12)), with(SrcVlan, Low(12))];
        59 postVlanId => [with(DstVlan, Low(12))];
        // "IE 60 (4, 6) only when there is no address; IE 256 ethernetType when neither": see plan::compile.
        60 ipVersion => [with(Etype, IpVersion)];
        61 flowDirection => [fill(FlowDirection)];
        62 ipNextHopIPv6Address => [with(NextHop, Address)];
        63 bgpNextHopIPv6Address => [with(BgpNextHop, Address), or_with(NextHop, 1, Address)];
        70 mplsTopLabelStackSection => [Use::Label(0)];
        71 mplsLabelStackSection2 => [Use::Label(1)];
        72 mplsLabelStackSection3 => [Use::Label(2)];
        73 mplsLabelStackSection4 => [Use::Label(3)];
        74 mplsLabelStackSection5 => [Use::Label(4)];
        75 mplsLabelStackSection6 => [Use::Label(5)];
        76 mplsLabelStackSection7 => [Use::Label(6)];
        77 mplsLabelStackSection8 => [Use::Label(7)];
        78 mplsLabelStackSection9 => [Use::Label(8)];
        79 mplsLabelStackSection10 => [Use::Label(9)];
        80 destinationMacAddress => [fill(DstMac)];
        81 postSourceMacAddress => [fill(SrcMac)];
        82 interfaceName => [Use::InterfaceName];
        83 interfaceDescription => [Use::InterfaceName];
        85 octetTotalCount => [fill(Bytes)];
        86 packetTotalCount => [fill(Packets)];
        88 fragmentOffset => [with(FragmentOffset, Low(13))];
        89 forwardingStatus => [fill(ForwardingStatus)];
        95 applicationId => [with(ApplicationId, Text)];
        104 layer2packetSectionData => [Use::Frame(Section::Ethernet)];
        128 bgpNextAdjacentAsNumber => [fill(NextHopAS)];
        136 flowEndReason => [fill(FlowEndReason)];
        138 observationPointId => [fill(ObservationPointID)];
        139 icmpTypeCodeIPv6 => [with(IcmpType, High), with(IcmpCode, Low(8))];
        150 flowStartSeconds => [with(START, Time(Unit::Seconds))];
        151 flowEndSeconds => [with(END, Time(Unit::Seconds))];
        152 flowStartMilliseconds => [with(START, Time(Unit::Milliseconds))];
        153 flowEndMilliseconds => [with(END, Time(Unit::Milliseconds))];
        154 flowStartMicroseconds => [with(START, Time(Unit::NtpMicroseconds))];
        155 flowEndMicroseconds => [with(END, Time(Unit::NtpMicroseconds))];
        156 flowStartNanoseconds => [with(START, Time(Unit::NtpNanoseconds))];
        157 flowEndNanoseconds => [with(END, Time(Unit::NtpNanoseconds))];
        158 flowStartDeltaMicroseconds => [with(START, Time(Unit::DeltaMicroseconds))];
        159 flowEndDeltaMicroseconds => [with(END, Time(Unit::DeltaMicroseconds))];
        160 systemInitTimeMilliseconds => [Use::Boot];
        176 icmpTypeIPv4 => [fill(IcmpType)];
        177 icmpCodeIPv4 => [fill(IcmpCode)];
        178 icmpTypeIPv6 => [fill(IcmpType)];
        179 icmpCodeIPv6 => [fill(IcmpCode)];
        180 udpSourcePort => [or(SrcPort)];
        181 udpDestinationPort => [or(DstPort)];
        182 tcpSourcePort => [or(SrcPort)];
        183 tcpDestinationPort => [or(DstPort)];
        192 ipTTL => [or(IPTTL)];
        195 ipDiffServCodePoint => [or_with(IPTos, 1, Left(2))];
        200 mplsTopLabelTTL => [fill(MPLS1TTL)];
        225 postNATSourceIPv4Address => [with(PostNatSrcAddr, Address)];
        226 postNATDestinationIPv4Address => [with(PostNatDstAddr, Address)];
        227 postNAPTSourceTransportPort => [fill(PostNatSrcPort)];
        228 postNAPTDestinationTransportPort => [fill(PostNatDstPort)];
        230 natEvent => [fill(NatEvent)];
        231 initiatorOctets => [fill(Bytes)];
        232 responderOctets => [responder(Bytes)];
        234 ingressVRFID => [fill(IngressVrfID)];
        235 egressVRFID => [fill(EgressVrfID)];
        236 VRFname => [Use::VrfName];
        239 biflowDirection => [fill(BiFlowDirection)];
        243 dot1qVlanId => [or_with(VlanId, 1, Low(12)), or_with(SrcVlan, 1, Low(12))];
        252 ingressPhysicalInterface => [or(InIf)];
        253 egressPhysicalInterface => [or(OutIf)];
        254 postDot1qVlanId => [or_with(DstVlan, 1, Low(12))];
        256 ethernetType => [or(Etype)];
        281 postNATSourceIPv6Address => [with(PostNatSrcAddr, Address)];
        282 postNATDestinationIPv6Address => [with(PostNatDstAddr, Address)];
        298 initiatorPackets => [fill(Packets)];
        299 responderPackets => [responder(Packets)];
        302 selectorId => [Use::Sampler];
        305 samplingPacketInterval => [Use::Rate(RatePart::Interval)];
        306 samplingPacketSpace => [Use::Rate(RatePart::Space)];
        309 samplingSize => [Use::Rate(RatePart::Size)];
        310 samplingPopulation => [Use::Rate(RatePart::Population)];
        311 samplingProbability => [Use::Rate(RatePart::Probability)];
        // "Bytes = 312, else the IP total length": after every other counter of the record.
        312 dataLinkFrameSize => [or(Bytes)];
        313 ipHeaderPacketSection => [Use::Frame(Section::Ip)];
        314 mplsLabelStackPacketSection => [Use::Frame(Section::Mpls)];
        315 dataLinkFrameSection => [Use::Frame(Section::Ethernet)];
        371 userName => [with(UserName, Text)];
        // Cisco ASA before IANA gave numbers: NSEL guide, "NF_F_USERNAME" and "NF_F_XLATE_*".
        #true 40000 NF_F_USERNAME => [with(UserName, Text)];
        #true 40001 NF_F_XLATE_SRC_ADDR_IPV4 => [with(PostNatSrcAddr, Address)];
        #true 40002 NF_F_XLATE_DST_ADDR_IPV4 => [with(PostNatDstAddr, Address)];
        #true 40003 NF_F_XLATE_SRC_PORT => [fill(PostNatSrcPort)];
        #true 40004 NF_F_XLATE_DST_PORT => [fill(PostNatDstPort)];
    }
};

/// The line of an element without enterprise number.
pub(crate) fn element(id: u16) -> Option<&'static Element> {
    ELEMENTS.binary_search_by_key(&id, |element| element.id).ok().map(|at| &ELEMENTS[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_has_no_element_twice() {
        assert!(ELEMENTS.is_sorted_by(|one, next| one.id < next.id));
    }

    #[test]
    fn every_element_is_found_by_its_number() {
        for line in ELEMENTS {
            assert_eq!(element(line.id).map(|found| found.name), Some(line.name));
        }
        assert!(element(3).is_none(), "deltaFlowCount is not mapped");
        assert!(element(u16::MAX).is_none());
    }
}
