//! Traffic classes: what attacks on a target are told apart by.
//!
//! Targets are counted by class already ([`crate::Dimension::Target`]); detection comes to this seam.

use neckar_proto::FlowView;

/// Kinds of traffic towards a target, the first that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    /// TCP flows of which only a SYN was seen.
    TcpSyn,
    /// TCP.
    Tcp,
    /// UDP from a port of services that answer more than they are asked.
    UdpAmplified,
    /// UDP.
    Udp,
    /// ICMP and ICMPv6.
    Icmp,
    /// Everything else.
    Other,
}

/// Services that have been used to amplify: chargen, DNS, NTP, SNMP, CLDAP, SSDP, memcached and others.
const AMPLIFIERS: [u32; 12] = [17, 19, 53, 111, 123, 137, 161, 389, 520, 1900, 3702, 11211];

const SYN: u32 = 0x02;
const ACK: u32 = 0x10;

impl Class {
    /// Every class, by its number.
    pub const ALL: [Self; 6] =
        [Self::TcpSyn, Self::Tcp, Self::UdpAmplified, Self::Udp, Self::Icmp, Self::Other];

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TcpSyn => "tcp_syn",
            Self::Tcp => "tcp",
            Self::UdpAmplified => "udp_amplified",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
            Self::Other => "other",
        }
    }

    /// The class of a flow.
    #[must_use]
    pub fn of(view: &FlowView<'_>) -> Self {
        match view.proto {
            6 if view.tcp_flags & (SYN | ACK) == SYN => Self::TcpSyn,
            6 => Self::Tcp,
            17 if AMPLIFIERS.contains(&view.src_port) => Self::UdpAmplified,
            17 => Self::Udp,
            1 | 58 => Self::Icmp,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_fits() {
        let class = |proto, src_port, tcp_flags| {
            Class::of(&FlowView { proto, src_port, tcp_flags, ..FlowView::default() })
        };
        assert_eq!(class(6, 123, SYN), Class::TcpSyn);
        assert_eq!(class(6, 123, SYN | ACK), Class::Tcp);
        assert_eq!(class(17, 123, 0), Class::UdpAmplified);
        assert_eq!(class(17, 50_000, SYN), Class::Udp);
        assert_eq!((class(58, 0, 0), class(47, 0, 0)), (Class::Icmp, Class::Other));
        for (number, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, number);
        }
    }
}
