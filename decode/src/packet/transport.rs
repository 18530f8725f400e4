//! Ports, TCP flags, ICMP type and code.

use neckar_proto::Field;

use super::{Headers, Out};

pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMPV6: u8 = 58;
pub(super) const SCTP: u8 = 132;
/// Where TCP has its flags (RFC 9293 section 3.1).
const TCP_FLAGS_AT: usize = 13;

#[inline]
pub(super) fn write(headers: &Headers<'_>, out: &mut Out<'_>) {
    let bytes = headers.transport;
    match headers.proto {
        // "TCP, UDP, SCTP ports from 4 bytes of L4".
        Some(proto @ (TCP | UDP | SCTP)) => {
            let Some([a, b, c, d]) = bytes.first_chunk() else { return };
            out.put(Field::SrcPort, u64::from(u16::from_be_bytes([*a, *b])));
            out.put(Field::DstPort, u64::from(u16::from_be_bytes([*c, *d])));
            if proto == TCP
                && let Some(flags) = bytes.get(TCP_FLAGS_AT)
            {
                out.put(Field::TCPFlags, u64::from(*flags));
            }
        }
        Some(ICMP | ICMPV6) => {
            if let [kind, rest @ ..] = bytes {
                out.put(Field::IcmpType, u64::from(*kind));
                if let [code, ..] = rest {
                    out.put(Field::IcmpCode, u64::from(*code));
                }
            }
        }
        _ => {}
    }
}
