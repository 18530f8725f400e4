//! A captured frame, down to its UDP payload; and what became of the frames that gave none.

use std::net::SocketAddr;

use super::found::Found;
use super::fragments::Fragments;
use super::ip::{self, Ends, Ip};
use super::link;

/// Frames taken apart, with the fragments that wait for others.
#[derive(Debug, Default)]
pub(super) struct Frames {
    fragments: Fragments,
    /// Every frame.
    pub(super) frames: u64,
    /// The last link type that we could not look into, and how many frames were of such.
    pub(super) link_unknown: Option<(i32, u64)>,
    /// Without IP in them, or with a malformed IP header.
    pub(super) not_ip: u64,
    /// Whole IP packets of something else.
    pub(super) not_udp: u64,
    /// UDP datagrams that the capture holds only the start of; they are handed on as they are.
    pub(super) cut: u64,
}

impl Frames {
    /// IP packets whose fragments were not all there, overlapped or were cut.
    pub(super) fn abandoned(&self) -> u64 {
        self.fragments.abandoned()
    }

    /// Puts the UDP datagram that this frame holds or completes into `found`, whose time is already
    /// set; `false` if there is none. What the capture cut off shows in the lengths that IP and
    /// UDP give.
    pub(super) fn find(&mut self, link: i32, frame: &[u8], found: &mut Found) -> bool {
        self.frames += 1;
        if !link::is_known(link) {
            self.link_unknown = Some((link, self.link_unknown.map_or(1, |(_, count)| count + 1)));
            return false;
        }
        match link::ip(link, frame).and_then(ip::parse) {
            Some(Ip::Whole { ends, next, bytes }) => self.udp(ends, next, bytes, found),
            Some(Ip::Fragment { key, piece }) => {
                match self.fragments.add(key, &piece, found.time_ns) {
                    Some(whole) => self.udp(key.ends, key.next, &whole, found),
                    None => false,
                }
            }
            None => {
                self.not_ip += 1;
                false
            }
        }
    }

    fn udp(&mut self, ends: Ends, next: u8, bytes: &[u8], found: &mut Found) -> bool {
        let Some(udp) = ip::udp(next, bytes) else {
            self.not_udp += 1;
            return false;
        };
        self.cut += u64::from(udp.cut);
        // IPv4-mapped addresses are IPv4 (semantics.md, section 2).
        found.source = SocketAddr::new(ends.source.to_canonical(), udp.source_port);
        found.destination = SocketAddr::new(ends.destination.to_canonical(), udp.destination_port);
        found.payload.clear();
        found.payload.extend_from_slice(udp.payload);
        true
    }
}
