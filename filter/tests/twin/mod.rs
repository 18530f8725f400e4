//! The slow obvious twin: trees of its own, written out as text in many ways ([`write`]), and asked
//! by walking them, term by term as the reference documents it. It shares nothing with the crate
//! but the row.

mod write;

use std::net::IpAddr;

use neckar_filter::{AbsentDirection, Meaning, Options};
use neckar_proto::{Field, Flow, Rows};

pub(crate) use write::write;

#[derive(Clone, Debug)]
pub(crate) enum Tree {
    All,
    Term(Term),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Either,
    Src,
    Dst,
}

#[derive(Clone, Debug)]
pub(crate) enum Term {
    /// `incoming` and its like.
    Is(&'static str),
    Number(Side, &'static str, Vec<Number>),
    Address(Side, &'static str, Vec<(IpAddr, u8)>),
    Mac(Side, Vec<(u64, u8)>),
    Text(Side, &'static str, Vec<String>),
    Path(Vec<Vec<u32>>),
}

#[derive(Clone, Debug)]
pub(crate) enum Number {
    Is(u64),
    Between(u64, u64),
    Compared(&'static str, u64),
    Name(&'static str),
}

/// Numbers without sides, with their field and what they cannot exceed.
pub(crate) const PLAIN: &[(&str, &str, u64)] = &[
    ("nexthopasn", "NextHopAS", u32::MAX as u64),
    ("bytes", "Bytes", u64::MAX),
    ("packets", "Packets", u64::MAX),
    ("samplingrate", "SamplingRate", u64::MAX),
    ("iptos", "IPTos", 255),
    ("med", "Med", u32::MAX as u64),
    ("localpref", "LocalPref", u32::MAX as u64),
    ("etype", "Etype", 65_535),
    ("proto", "Proto", 255),
    ("status", "ForwardingStatus", u32::MAX as u64),
    ("tcpflags", "TCPFlags", 65_535),
    ("rpki", "ValidationStatus", 3),
    ("ttl", "IPTTL", 255),
    ("mpls count", "MPLSCount", u32::MAX as u64),
    ("type", "Type", u32::MAX as u64),
    ("flowlabel", "IPv6FlowLabel", 0xf_ffff),
    ("domain", "ObservationDomainID", u32::MAX as u64),
];

/// Numbers without sides that are worked out.
pub(crate) const DERIVED: &[(&str, u64)] = &[
    ("duration", 1 << 32),
    ("bps", u64::MAX),
    ("pps", u64::MAX),
    ("dscp", 63),
    ("ecn", 3),
    ("icmp type", 255),
    ("icmp code", 255),
    ("mpls label", 0xf_ffff),
    ("mpls ttl", 255),
    ("flowstart", 1 << 32),
    ("flowend", 1 << 32),
    ("received", 1 << 32),
];

/// Numbers with sides: both fields, and those that only count without a side.
pub(crate) const SIDED: &[(&str, [&str; 2], &[&str], u64)] = &[
    ("port", ["SrcPort", "DstPort"], &[], 65_535),
    ("natport", ["PostNatSrcPort", "PostNatDstPort"], &[], 65_535),
    ("asn", ["SrcAS", "DstAS"], &[], u32::MAX as u64),
    ("netsize", ["SrcNet", "DstNet"], &[], 128),
    ("vrf", ["IngressVrfID", "EgressVrfID"], &[], u32::MAX as u64),
    ("vlan", ["SrcVlan", "DstVlan"], &["VlanId", "OuterVlanId"], 4095),
    ("cid", ["SrcCid", "DstCid"], &["Cid"], u32::MAX as u64),
    ("iface", ["InIf", "OutIf"], &[], u32::MAX as u64),
    ("iface id", ["InIf", "OutIf"], &[], u32::MAX as u64),
    ("iface speed", ["SrcIfSpeed", "DstIfSpeed"], &[], u32::MAX as u64),
];

pub(crate) const ADDRESSES: &[(&str, &[&str])] = &[
    ("address", &["SrcAddr", "DstAddr"]),
    ("nataddress", &["PostNatSrcAddr", "PostNatDstAddr"]),
    ("router", &["SamplerAddress"]),
    ("nexthop", &["NextHop"]),
    ("bgpnexthop", &["BgpNextHop"]),
];

/// A keyword, the fields of the sides if there are any, and those without a side.
pub(crate) type TextRow = (&'static str, Option<[&'static str; 2]>, &'static [&'static str]);

pub(crate) const TEXTS: &[TextRow] = &[
    ("iface name", Some(["SrcIfName", "DstIfName"]), &["SrcIfName", "DstIfName"]),
    ("iface desc", Some(["SrcIfDesc", "DstIfDesc"]), &["SrcIfDesc", "DstIfDesc"]),
    ("country", Some(["SrcCountry", "DstCountry"]), &["RemoteCountry"]),
    ("cid", Some(["SrcCidString", "DstCidString"]), &["CidString", "SrcCidString", "DstCidString"]),
    ("host", Some(["SrcHostName", "DstHostName"]), &["SrcHostName", "DstHostName"]),
    ("asname", Some(["SrcASName", "DstASName"]), &["SrcASName", "DstASName"]),
    ("city", Some(["SrcCity", "DstCity"]), &["SrcCity", "DstCity"]),
    ("netname", Some(["SrcNetName", "DstNetName"]), &["SrcNetName", "DstNetName"]),
    ("list", Some(["SrcList", "DstList"]), &["SrcList", "DstList"]),
    ("note", None, &["Note"]),
    ("tenant", None, &["Tenant"]),
    ("user", None, &["UserName"]),
];

pub(crate) const FACTS: &[&str] = &["incoming", "outgoing", "normalized", "fragment", "mpls"];

/// Names and their keyword.
pub(crate) const NAMES: &[(&str, &[&str])] = &[
    ("proto", &["tcp", "udp", "icmp", "icmpv6", "ipip", "vrrp"]),
    ("etype", &["ipv4", "ipv6", "arp"]),
    (
        "status",
        &["forwarded", "dropped", "acldeny", "acldrop", "unroutable", "consumed", "policerdrop"],
    ),
    ("tcpflags", &["fin", "syn", "rst", "psh", "ack", "urg", "synack", "cwr", "ece", "finack"]),
    ("dscp", &["default", "besteffort"]),
    ("ecn", &["ce", "ect0", "ect1"]),
    ("rpki", &["valid", "invalid", "notfound", "unknown"]),
];

/// A row's fields by name, as a consumer of the message sees them.
struct View<'r> {
    flow: &'r Flow,
    rows: &'r Rows,
    options: Options,
}

/// Does the row match? A walk over the tree, without any shortcut.
pub(crate) fn matches(tree: &Tree, rows: &Rows, options: &Options) -> bool {
    View { flow: &rows.as_slice()[0], rows, options: *options }.holds(tree)
}

impl View<'_> {
    fn field(name: &str) -> Field {
        Field::named(name).unwrap_or_else(|| panic!("{name}: no field"))
    }

    fn word(&self, name: &str) -> u64 {
        self.flow.word(Self::field(name)).unwrap_or(0)
    }

    fn text(&self, name: &str) -> String {
        let bytes = self.rows.text(self.flow, Self::field(name)).unwrap_or_default();
        String::from_utf8(bytes.to_vec()).expect("rows hold UTF-8")
    }

    fn holds(&self, tree: &Tree) -> bool {
        match tree {
            Tree::All => true,
            Tree::Term(term) => self.holds_term(term),
            Tree::Not(inner) => !self.holds(inner),
            Tree::And(left, right) => self.holds(left) & self.holds(right),
            Tree::Or(left, right) => self.holds(left) | self.holds(right),
        }
    }

    fn legacy(&self) -> bool {
        self.options.meaning == Meaning::Legacy
    }

    fn holds_term(&self, term: &Term) -> bool {
        match term {
            Term::Is("incoming") => {
                let absent = self.flow.word(Field::FlowDirection).is_none();
                let unknown = self.options.absent_direction == AbsentDirection::Unknown;
                self.word("FlowDirection") == 0 && !(absent && unknown)
            }
            Term::Is("outgoing") => self.word("FlowDirection") == 1,
            Term::Is("normalized") => self.word("Normalized") == 1,
            Term::Is("fragment") => self.word("FragmentOffset") != 0,
            Term::Is("mpls") => self.word("HasMPLS") != 0 || self.word("MPLSCount") != 0,
            Term::Is(other) => panic!("{other}"),
            Term::Number(side, keyword, numbers) => {
                let values = self.values(*side, keyword);
                values.iter().any(|value| numbers.iter().any(|one| self.is(keyword, one, *value)))
            }
            Term::Address(side, keyword, prefixes) => self.holds_address(*side, keyword, prefixes),
            Term::Mac(side, macs) => {
                let fields = picked(*side, ["SrcMac", "DstMac"], &[]);
                fields.iter().any(|field| {
                    let begins = |(mac, len): &(u64, u8)| {
                        (0..*len).all(|bit| (self.word(field) ^ mac) >> (47 - bit) & 1 == 0)
                    };
                    macs.iter().any(begins)
                })
            }
            Term::Text(side, keyword, texts) => self.holds_text(*side, keyword, texts),
            Term::Path(paths) => {
                let bytes = self.rows.text(self.flow, Field::ASPath).unwrap_or_default();
                let path: Vec<u32> = bytes
                    .chunks(4)
                    .map(|item| u32::from_le_bytes(item.try_into().expect("four bytes")))
                    .collect();
                let passes =
                    |through: &Vec<u32>| path.windows(through.len()).any(|part| part == through);
                paths.iter().any(passes)
            }
        }
    }

    /// What the term looks at: none if the flow is none of its kind.
    fn values(&self, side: Side, keyword: &str) -> Vec<u64> {
        let word = |name: &str| self.word(name);
        let second = |name: &str| word(name) / 1_000_000_000;
        let duration = second("TimeFlowEndNs").saturating_sub(second("TimeFlowStartNs"));
        let icmp = match (self.legacy(), word("Proto"), word("IcmpType"), word("IcmpCode")) {
            (true, 1, ..) | (false, 1 | 58, 0, 0) => {
                vec![word("DstPort") / 256, word("DstPort") % 256]
            }
            (false, 1 | 58, of_type, code) => vec![of_type, code],
            _ => vec![],
        };
        let stack = |names: [&str; 4]| {
            names.iter().take(word("MPLSCount") as usize).map(|name| word(name)).collect()
        };
        match keyword {
            "duration" => vec![duration],
            "bps" => vec![word("Bytes").saturating_mul(8) / duration.max(1)],
            "pps" => vec![word("Packets") / duration.max(1)],
            "flowstart" => vec![second("TimeFlowStartNs")],
            "flowend" => vec![second("TimeFlowEndNs")],
            "received" => vec![second("TimeReceivedNs")],
            "dscp" => vec![word("IPTos") >> 2],
            "ecn" => vec![word("IPTos") & 3],
            "icmp type" => icmp.into_iter().take(1).collect(),
            "icmp code" => icmp.into_iter().skip(1).collect(),
            "mpls label" => stack(["MPLS1Label", "MPLS2Label", "MPLS3Label", "MPLSLastLabel"]),
            "mpls ttl" => stack(["MPLS1TTL", "MPLS2TTL", "MPLS3TTL", "MPLSLastTTL"]),
            "tcpflags" if word("Proto") != 6 => vec![],
            "iface speed" => {
                let fields = picked(side, ["SrcIfSpeed", "DstIfSpeed"], &[]);
                fields.iter().map(|field| word(field) / 1000).collect()
            }
            _ => match PLAIN.iter().find(|(plain, ..)| *plain == keyword) {
                Some((_, field, _)) => vec![word(field)],
                None => {
                    let sided = SIDED.iter().find(|(sided, ..)| *sided == keyword);
                    let (_, sides, others, _) = sided.unwrap_or_else(|| panic!("{keyword}"));
                    picked(side, *sides, others).iter().map(|field| word(field)).collect()
                }
            },
        }
    }

    fn is(&self, keyword: &str, number: &Number, value: u64) -> bool {
        match *number {
            Number::Is(wanted) => value == wanted,
            Number::Between(low, high) => low <= value && value <= high,
            Number::Compared("<", bound) => value < bound,
            Number::Compared(">", bound) => value > bound,
            Number::Compared("<=", bound) => value <= bound,
            Number::Compared(">=", bound) => value >= bound,
            Number::Compared(other, _) => panic!("{other}"),
            Number::Name(name) => self.is_named(keyword, name, value),
        }
    }

    fn is_named(&self, keyword: &str, name: &str, value: u64) -> bool {
        let masked = |mask: u64| value & mask == mask;
        match (keyword, name, self.legacy()) {
            ("status", "forwarded", false) => value >> 6 == 1,
            ("status", "dropped", false) => value >> 6 == 2,
            ("status", "consumed", false) => value >> 6 == 3,
            ("status", _, legacy) => {
                let number = match name {
                    "forwarded" => 64,
                    "dropped" => 128,
                    "acldeny" => 129,
                    "acldrop" => 130,
                    "unroutable" => 131,
                    "policerdrop" => 138,
                    "consumed" => 192,
                    other => panic!("{other}"),
                };
                if legacy { masked(number) } else { value == number }
            }
            ("tcpflags", _, legacy) => masked(match name {
                "fin" => 1,
                "syn" => 2,
                "rst" => 4,
                "psh" => 8,
                "ack" => 16,
                "urg" => 32,
                "synack" => 18,
                "finack" => 17,
                "cwr" => 128,
                "ece" if legacy => 256,
                "ece" => 64,
                other => panic!("{other}"),
            }),
            ("proto", "ipip", true) => value == 94,
            _ => value == NUMBERS.iter().find(|(one, _)| *one == name).expect(name).1,
        }
    }

    fn holds_address(&self, side: Side, keyword: &str, prefixes: &[(IpAddr, u8)]) -> bool {
        let (_, fields) = ADDRESSES.iter().find(|(one, _)| *one == keyword).expect(keyword);
        let fields = match (side, fields) {
            (Side::Src, [src, _]) => vec![*src],
            (Side::Dst, [_, dst]) => vec![*dst],
            _ => fields.to_vec(),
        };
        fields.iter().filter_map(|name| self.flow.ip(Self::field(name))).any(|address| {
            prefixes.iter().any(|(prefix, len)| {
                // A mapped prefix is IPv4 if it is long enough to be all mapped.
                let (prefix, len) = match (prefix.to_canonical(), len.checked_sub(96)) {
                    (IpAddr::V4(v4), Some(rest)) if prefix.is_ipv6() => (IpAddr::V4(v4), rest),
                    _ => (*prefix, *len),
                };
                let (one, other) = (bits(address.to_canonical()), bits(prefix));
                one.len() == other.len() && one[..usize::from(len)] == other[..usize::from(len)]
            })
        })
    }

    fn holds_text(&self, side: Side, keyword: &str, texts: &[String]) -> bool {
        let (_, sides, others) = TEXTS.iter().find(|(one, ..)| *one == keyword).expect(keyword);
        let fields = match (side, sides) {
            (Side::Src, Some([src, _])) => vec![*src],
            (Side::Dst, Some([_, dst])) => vec![*dst],
            _ => others.to_vec(),
        };
        let lower = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<String>();
        fields.iter().map(|name| self.text(name)).any(|found| {
            texts.iter().any(|text| match keyword {
                "country" => found.contains(&text.to_uppercase()),
                "cid" => found == *text,
                _ => lower(&found).contains(&lower(text)),
            })
        })
    }
}

const NUMBERS: &[(&str, u64)] = &[
    ("tcp", 6),
    ("udp", 17),
    ("icmp", 1),
    ("icmpv6", 58),
    ("ipip", 4),
    ("vrrp", 112),
    ("ipv4", 0x0800),
    ("ipv6", 0x86dd),
    ("arp", 0x0806),
    ("default", 0),
    ("besteffort", 0),
    ("ce", 0b11),
    ("ect0", 0b10),
    ("ect1", 0b01),
    ("unknown", 0),
    ("valid", 1),
    ("notfound", 2),
    ("invalid", 3),
];

fn picked<'n>(side: Side, [src, dst]: [&'n str; 2], others: &[&'n str]) -> Vec<&'n str> {
    match side {
        Side::Src => vec![src],
        Side::Dst => vec![dst],
        Side::Either => [src, dst].into_iter().chain(others.iter().copied()).collect(),
    }
}

/// An address, bit by bit.
fn bits(address: IpAddr) -> Vec<bool> {
    let octets = match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    octets.iter().flat_map(|octet| (0..8).map(move |bit| octet >> (7 - bit) & 1 == 1)).collect()
}
