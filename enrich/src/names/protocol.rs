//! IP protocol numbers: the keywords of IANA's "Assigned Internet Protocol Numbers". Numbers that
//! the registry describes without a keyword (61, 63, 68, 99, 114, 253, 254) or has not assigned
//! have no name.

/// The keyword of `number`.
#[must_use]
pub fn protocol(number: u8) -> Option<&'static str> {
    KEYWORDS.get(usize::from(number)).copied().filter(|name| !name.is_empty())
}

/// By number.
#[rustfmt::skip]
const KEYWORDS: [&str; 148] = [
    // 0
    "HOPOPT", "ICMP", "IGMP", "GGP", "IPv4", "ST", "TCP", "CBT", "EGP", "IGP",
    // 10
    "BBN-RCC-MON", "NVP-II", "PUP", "ARGUS", "EMCON", "XNET", "CHAOS", "UDP", "MUX", "DCN-MEAS",
    // 20
    "HMP", "PRM", "XNS-IDP", "TRUNK-1", "TRUNK-2", "LEAF-1", "LEAF-2", "RDP", "IRTP", "ISO-TP4",
    // 30
    "NETBLT", "MFE-NSP", "MERIT-INP", "DCCP", "3PC", "IDPR", "XTP", "DDP", "IDPR-CMTP", "TP++",
    // 40
    "IL", "IPv6", "SDRP", "IPv6-Route", "IPv6-Frag", "IDRP", "RSVP", "GRE", "DSR", "BNA",
    // 50
    "ESP", "AH", "I-NLSP", "SWIPE", "NARP", "Min-IPv4", "TLSP", "SKIP", "IPv6-ICMP", "IPv6-NoNxt",
    // 60
    "IPv6-Opts", "", "CFTP", "", "SAT-EXPAK", "KRYPTOLAN", "RVD", "IPPC", "", "SAT-MON",
    // 70
    "VISA", "IPCV", "CPNX", "CPHB", "WSN", "PVP", "BR-SAT-MON", "SUN-ND", "WB-MON", "WB-EXPAK",
    // 80
    "ISO-IP", "VMTP", "SECURE-VMTP", "VINES", "IPTM", "NSFNET-IGP", "DGP", "TCF", "EIGRP", "OSPFIGP",
    // 90
    "Sprite-RPC", "LARP", "MTP", "AX.25", "IPIP", "MICP", "SCC-SP", "ETHERIP", "ENCAP", "",
    // 100
    "GMTP", "IFMP", "PNNI", "PIM", "ARIS", "SCPS", "QNX", "A/N", "IPComp", "SNP",
    // 110
    "Compaq-Peer", "IPX-in-IP", "VRRP", "PGM", "", "L2TP", "DDX", "IATP", "STP", "SRP",
    // 120
    "UTI", "SMP", "SM", "PTP", "ISIS over IPv4", "FIRE", "CRTP", "CRUDP", "SSCOPMCE", "IPLT",
    // 130
    "SPS", "PIPE", "SCTP", "FC", "RSVP-E2E-IGNORE", "Mobility Header", "UDPLite", "MPLS-in-IP", "manet", "HIP",
    // 140
    "Shim6", "WESP", "ROHC", "Ethernet", "AGGFRAG", "NSH", "Homa", "BIT-EMU",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_numbers_keep_their_places() {
        for (number, name) in [
            (0, "HOPOPT"),
            (1, "ICMP"),
            (4, "IPv4"),
            (6, "TCP"),
            (17, "UDP"),
            (41, "IPv6"),
            (47, "GRE"),
            (50, "ESP"),
            (51, "AH"),
            (58, "IPv6-ICMP"),
            (62, "CFTP"),
            (89, "OSPFIGP"),
            (94, "IPIP"),
            (103, "PIM"),
            (112, "VRRP"),
            (115, "L2TP"),
            (132, "SCTP"),
            (136, "UDPLite"),
            (140, "Shim6"),
            (143, "Ethernet"),
            (147, "BIT-EMU"),
        ] {
            assert_eq!(protocol(number), Some(name));
        }
    }

    #[test]
    fn numbers_without_keyword_have_no_name() {
        for number in [61, 63, 68, 99, 114, 148, 200, 253, 254, 255] {
            assert_eq!(protocol(number), None, "{number}");
        }
    }
}
