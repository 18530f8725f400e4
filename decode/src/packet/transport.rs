//! Ports, TCP flags, ICMP type and code.

use neckar_proto::{Field, Flow, Presence};

use super::fields;
use super::network::Packet;

pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMPV6: u8 = 58;
pub(super) const SCTP: u8 = 132;
/// Where TCP has its flags (RFC 9293 section 3.1).
const TCP_FLAGS_AT: usize = 13;

/// Stores what the transport header says; the caller marks it present.
#[inline(always)]
pub(super) fn write(packet: &Packet<'_>, row: &mut Flow) -> Presence {
    const PORTS: Presence = fields(&[Field::SrcPort, Field::DstPort]);
    const PORTS_AND_FLAGS: Presence = PORTS.union(fields(&[Field::TCPFlags]));
    let bytes = packet.transport;
    match packet.proto {
        // "TCP, UDP, SCTP ports from 4 bytes of L4".
        Some(proto @ (TCP | UDP | SCTP)) => {
            let Some([a, b, c, d]) = bytes.first_chunk() else { return Presence::default() };
            row.store_word(Field::SrcPort, u64::from(u16::from_be_bytes([*a, *b])));
            row.store_word(Field::DstPort, u64::from(u16::from_be_bytes([*c, *d])));
            if proto == TCP
                && let Some(flags) = bytes.get(TCP_FLAGS_AT)
            {
                row.store_word(Field::TCPFlags, u64::from(*flags));
                return PORTS_AND_FLAGS;
            }
            PORTS
        }
        Some(ICMP | ICMPV6) => write_icmp(bytes, row),
        _ => Presence::default(),
    }
}

fn write_icmp(bytes: &[u8], row: &mut Flow) -> Presence {
    let mut said = Presence::default();
    for (byte, field) in bytes.iter().zip([Field::IcmpType, Field::IcmpCode]) {
        row.store_word(field, u64::from(*byte));
        said.insert(field);
    }
    said
}
