//! EtherTypes: IEEE's numbers that flows are met with.

/// The name of an EtherType.
#[must_use]
pub const fn ethertype(number: u16) -> Option<&'static str> {
    Some(match number {
        0x0800 => "IPv4",
        0x0806 => "ARP",
        0x0842 => "WoL",
        0x22f0 => "AVTP",
        0x22f3 => "TRILL",
        0x6558 => "TEB",
        0x8035 => "RARP",
        0x809b => "AppleTalk",
        0x80f3 => "AARP",
        0x8100 => "802.1Q",
        0x8137 => "IPX",
        0x86dd => "IPv6",
        0x8808 => "FlowControl",
        0x8809 => "Slow",
        0x8847 => "MPLS",
        0x8848 => "MPLS-multicast",
        0x8863 => "PPPoE-discovery",
        0x8864 => "PPPoE",
        0x8870 => "Jumbo",
        0x888e => "EAPOL",
        0x8892 => "PROFINET",
        0x88a2 => "AoE",
        0x88a4 => "EtherCAT",
        0x88a8 => "802.1ad",
        0x88b8 => "GOOSE",
        0x88cc => "LLDP",
        0x88e1 => "HomePlug",
        0x88e5 => "MACsec",
        0x88e7 => "PBB",
        0x88f7 => "PTP",
        0x8902 => "CFM",
        0x8906 => "FCoE",
        0x8914 => "FIP",
        0x894f => "NSH",
        0x9000 => "Loopback",
        0xf1c1 => "R-TAG",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_numbers() {
        for (number, name) in [
            (0x0800, "IPv4"),
            (0x86dd, "IPv6"),
            (0x0806, "ARP"),
            (0x88a8, "802.1ad"),
            (0x8847, "MPLS"),
        ] {
            assert_eq!(ethertype(number), Some(name));
        }
        assert_eq!(ethertype(0), None);
    }
}
