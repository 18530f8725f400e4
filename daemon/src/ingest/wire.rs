//! What the kernel writes beside a payload: the sender's address and control messages. Read as
//! bytes, without unsafe.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// Room for the longest address, `sockaddr_in6`.
pub(super) const NAME_BYTES: usize = size_of::<libc::sockaddr_in6>();
/// Room for the control messages that we ask for: `UDP_GRO` (one int), with alignment to spare.
pub(super) const CONTROL_BYTES: usize = 64;

const UDP_GRO: i32 = 104;
/// `struct cmsghdr`: length, level, type.
const HEADER_BYTES: usize = size_of::<libc::cmsghdr>();

/// The address in a `sockaddr_in` or `sockaddr_in6`.
#[inline]
pub(super) fn source(name: &[u8]) -> Option<SocketAddr> {
    let (family, rest) = name.split_first_chunk::<2>()?;
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let port = u16::from_be_bytes(*port);
    match i32::from(u16::from_ne_bytes(*family)) {
        libc::AF_INET => Some((Ipv4Addr::from(*rest.first_chunk::<4>()?), port).into()),
        // Behind the port of an IPv6 address stands the flow label.
        libc::AF_INET6 => Some((Ipv6Addr::from(*rest.get(4..)?.first_chunk::<16>()?), port).into()),
        _ => None,
    }
}

/// The segment size, if the kernel put several datagrams together (`UDP_GRO`).
#[inline]
pub(super) fn segment_bytes(mut control: &[u8]) -> Option<usize> {
    while control.len() >= HEADER_BYTES {
        let len = usize::from_ne_bytes(*control.first_chunk()?);
        let level = i32::from_ne_bytes(*control.get(8..)?.first_chunk()?);
        let kind = i32::from_ne_bytes(*control.get(12..)?.first_chunk()?);
        if level == libc::SOL_UDP && kind == UDP_GRO {
            let segment = i32::from_ne_bytes(*control.get(HEADER_BYTES..)?.first_chunk()?);
            return usize::try_from(segment).ok();
        }
        if len < HEADER_BYTES {
            return None;
        }
        control = control.get(len.next_multiple_of(align_of::<usize>())..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_families() {
        let mut v4 = vec![0; 16];
        v4[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
        v4[2..8].copy_from_slice(&[8, 7, 192, 0, 2, 1]);
        assert_eq!(source(&v4), Some("192.0.2.1:2055".parse().expect("an address")));
        let mut v6 = vec![0; 28];
        v6[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
        v6[2..4].copy_from_slice(&[8, 7]);
        v6[23] = 1;
        assert_eq!(source(&v6), Some("[::1]:2055".parse().expect("an address")));
        assert_eq!(source(&v6[..20]), None);
        assert_eq!(source(&[]), None);
    }

    #[test]
    fn the_segment_size_behind_another_message() {
        let mut control = Vec::new();
        for (level, kind, value) in [(libc::SOL_SOCKET, 40, 7i32), (libc::SOL_UDP, UDP_GRO, 1400)] {
            control.extend((HEADER_BYTES + 4).to_ne_bytes());
            control.extend(level.to_ne_bytes());
            control.extend(kind.to_ne_bytes());
            control.extend(value.to_ne_bytes());
            control.extend([0; 4]);
        }
        assert_eq!(segment_bytes(&control), Some(1400));
        assert_eq!(segment_bytes(&control[..24]), None);
        // A length that leads nowhere ends the walk.
        assert_eq!(segment_bytes(&[0; 64]), None);
    }
}
