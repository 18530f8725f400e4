//! ICMP and ICMPv6 types and codes: IANA's parameters, what is neither deprecated nor experimental,
//! in short form.

/// The name of an ICMP type (RFC 792 and others).
#[must_use]
pub const fn icmp(kind: u8) -> Option<&'static str> {
    Some(match kind {
        0 => "echo-reply",
        3 => "unreachable",
        4 => "source-quench",
        5 => "redirect",
        8 => "echo",
        9 => "router-advertisement",
        10 => "router-solicitation",
        11 => "time-exceeded",
        12 => "parameter-problem",
        13 => "timestamp",
        14 => "timestamp-reply",
        15 => "information",
        16 => "information-reply",
        17 => "mask",
        18 => "mask-reply",
        30 => "traceroute",
        40 => "photuris",
        42 => "extended-echo",
        43 => "extended-echo-reply",
        _ => return None,
    })
}

/// The name of a code of an ICMP type, where codes mean something.
#[must_use]
pub const fn icmp_code(kind: u8, code: u8) -> Option<&'static str> {
    Some(match (kind, code) {
        (3, 0) => "net",
        (3, 1) => "host",
        (3, 2) => "protocol",
        (3, 3) => "port",
        (3, 4) => "fragmentation-needed",
        (3, 5) => "source-route-failed",
        (3, 6) => "net-unknown",
        (3, 7) => "host-unknown",
        (3, 8) => "source-isolated",
        (3, 9) => "net-prohibited",
        (3, 10) => "host-prohibited",
        (3, 11) => "net-tos",
        (3, 12) => "host-tos",
        (3, 13) => "administratively-prohibited",
        (3, 14) => "host-precedence",
        (3, 15) => "precedence-cutoff",
        (5, 0) => "net",
        (5, 1) => "host",
        (5, 2) => "net-tos",
        (5, 3) => "host-tos",
        (11, 0) => "in-transit",
        (11, 1) => "reassembly",
        (12, 0) => "pointer",
        (12, 1) => "missing-option",
        (12, 2) => "bad-length",
        _ => return None,
    })
}

/// The name of an ICMPv6 type (RFC 4443 and others).
#[must_use]
pub const fn icmp6(kind: u8) -> Option<&'static str> {
    Some(match kind {
        1 => "unreachable",
        2 => "packet-too-big",
        3 => "time-exceeded",
        4 => "parameter-problem",
        128 => "echo",
        129 => "echo-reply",
        130 => "listener-query",
        131 => "listener-report",
        132 => "listener-done",
        133 => "router-solicitation",
        134 => "router-advertisement",
        135 => "neighbor-solicitation",
        136 => "neighbor-advertisement",
        137 => "redirect",
        138 => "router-renumbering",
        139 => "node-information",
        140 => "node-information-reply",
        141 => "inverse-solicitation",
        142 => "inverse-advertisement",
        143 => "listener-report-2",
        144 => "home-agent",
        145 => "home-agent-reply",
        146 => "prefix-solicitation",
        147 => "prefix-advertisement",
        148 => "path-solicitation",
        149 => "path-advertisement",
        151 => "multicast-router-advertisement",
        152 => "multicast-router-solicitation",
        153 => "multicast-router-termination",
        155 => "rpl",
        157 => "duplicate-request",
        158 => "duplicate-confirmation",
        160 => "extended-echo",
        161 => "extended-echo-reply",
        _ => return None,
    })
}

/// The name of a code of an ICMPv6 type, where codes mean something.
#[must_use]
pub const fn icmp6_code(kind: u8, code: u8) -> Option<&'static str> {
    Some(match (kind, code) {
        (1, 0) => "no-route",
        (1, 1) => "administratively-prohibited",
        (1, 2) => "beyond-scope",
        (1, 3) => "address",
        (1, 4) => "port",
        (1, 5) => "source-policy",
        (1, 6) => "reject-route",
        (3, 0) => "in-transit",
        (3, 1) => "reassembly",
        (4, 0) => "header-field",
        (4, 1) => "next-header",
        (4, 2) => "option",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families() {
        assert_eq!((icmp(8), icmp6(128)), (Some("echo"), Some("echo")));
        assert_eq!((icmp(3), icmp_code(3, 3)), (Some("unreachable"), Some("port")));
        assert_eq!((icmp6(1), icmp6_code(1, 4)), (Some("unreachable"), Some("port")));
        assert_eq!(
            (icmp(128), icmp6(8), icmp_code(8, 0), icmp6_code(135, 0)),
            (None, None, None, None)
        );
    }
}
