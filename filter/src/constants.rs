//! Names for numbers, as registries have them, and as the suite had them where that differs.

/// A name for values.
pub(crate) struct Name {
    pub(crate) word: &'static str,
    pub(crate) test: NameTest,
    /// Where the suite had another meaning.
    pub(crate) legacy: Option<NameTest>,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameTest {
    /// From the first to the last, both included.
    Range(u64, u64),
    /// All these bits are set.
    Bits(u64),
}

const fn is(word: &'static str, value: u64) -> Name {
    Name { word, test: NameTest::Range(value, value), legacy: None }
}

const fn bits(word: &'static str, mask: u64) -> Name {
    Name { word, test: NameTest::Bits(mask), legacy: None }
}

const fn range(word: &'static str, low: u64, high: u64) -> Name {
    Name { word, test: NameTest::Range(low, high), legacy: None }
}

impl Name {
    const fn was(self, legacy: NameTest) -> Self {
        Self { legacy: Some(legacy), ..self }
    }

    /// The suite tested `(value & mask) = mask`, and so did `mask` match values of other names.
    const fn was_bits(self, mask: u64) -> Self {
        self.was(NameTest::Bits(mask))
    }
}

/// IE 89 (RFC 7270): the two top bits of the byte are the status, all of it is status and reason.
#[rustfmt::skip]
pub(crate) const STATUSES: &[Name] = &[
    range("forwarded", 64, 127).was_bits(64),
    range("dropped", 128, 191).was_bits(128),
    range("consumed", 192, 255).was_bits(192),
    range("unknown", 0, 63),
    is("acldeny", 129).was_bits(129), is("acldrop", 130).was_bits(130), is("unroutable", 131).was_bits(131),
    is("policerdrop", 138).was_bits(138),
    is("badttl", 137), is("rpf", 140),
];

/// Bits of the TCP header (RFC 9293, 3.1; 256 is NS of RFC 3540, now AE).
#[rustfmt::skip]
pub(crate) const FLAGS: &[Name] = &[
    bits("fin", 1), bits("syn", 2), bits("rst", 4), bits("psh", 8), bits("ack", 16), bits("urg", 32),
    bits("synack", 18), bits("finack", 17),
    // The suite had 256.
    bits("ece", 64).was_bits(256),
    bits("cwr", 128), bits("ns", 256),
];

#[rustfmt::skip]
pub(crate) const PROTOCOLS: &[Name] = &[
    is("icmp", 1), is("igmp", 2), is("tcp", 6), is("udp", 17), is("ipv6", 41), is("gre", 47), is("esp", 50), is("ah", 51),
    is("icmpv6", 58), is("eigrp", 88), is("ospf", 89), is("pim", 103), is("vrrp", 112), is("l2tp", 115), is("sctp", 132),
    is("udplite", 136),
    // IP in IP is 4 (RFC 2003). The suite had 94, KA9Q's.
    is("ipip", 4).was(NameTest::Range(94, 94)),
];

pub(crate) const ETYPES: &[Name] = &[
    is("ipv4", 0x0800),
    is("ipv6", 0x86dd),
    is("arp", 0x0806),
    is("vlan", 0x8100),
    is("mpls", 0x8847),
    is("lldp", 0x88cc),
];

/// RFC 2474, 2597, 3246, 8622.
#[rustfmt::skip]
pub(crate) const DSCPS: &[Name] = &[
    is("default", 0), is("besteffort", 0),
    is("cs0", 0), is("cs1", 8), is("cs2", 16), is("cs3", 24), is("cs4", 32), is("cs5", 40), is("cs6", 48), is("cs7", 56),
    is("af11", 10), is("af12", 12), is("af13", 14), is("af21", 18), is("af22", 20), is("af23", 22),
    is("af31", 26), is("af32", 28), is("af33", 30), is("af41", 34), is("af42", 36), is("af43", 38),
    is("ef", 46), is("le", 1),
];

/// RFC 3168, 5.
pub(crate) const ECNS: &[Name] = &[is("ce", 3), is("ect0", 2), is("ect1", 1), is("notect", 0)];

/// "ValidationStatus 0 unknown, 1 valid, 2 notfound, 3 invalid"
pub(crate) const VALIDITIES: &[Name] =
    &[is("valid", 1), is("invalid", 3), is("notfound", 2), is("unknown", 0)];

/// Values of `Type`.
pub(crate) const TYPES: &[Name] =
    &[is("sflow", 1), is("netflow5", 2), is("netflow9", 3), is("ipfix", 4), is("ebpf", 5)];

#[rustfmt::skip]
pub(crate) const PORTS: &[Name] = &[
    is("ftp", 21), is("ssh", 22), is("telnet", 23), is("smtp", 25), is("dns", 53), is("tftp", 69), is("http", 80),
    is("pop3", 110), is("ntp", 123), is("imap", 143), is("snmp", 161), is("bgp", 179), is("ldap", 389), is("https", 443),
    is("submission", 587), is("imaps", 993), is("mysql", 3306), is("rdp", 3389), is("memcached", 11_211),
];
