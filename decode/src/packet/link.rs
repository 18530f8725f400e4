//! Ethernet, VLAN tags, MPLS labels: everything in front of the IP header.

use neckar_proto::Field;

use super::{Headers, Out};

pub(super) const ETYPE_IPV4: u16 = 0x0800;
pub(super) const ETYPE_IPV6: u16 = 0x86dd;
pub(super) const ETYPE_MPLS: u16 = 0x8847;
const ETYPE_MPLS_UPSTREAM: u16 = 0x8848;
const ETYPE_8021Q: u16 = 0x8100;
const ETYPE_8021AD: u16 = 0x88a8;
/// Stacked tags of before 802.1ad.
const ETYPE_QINQ_OLD: u16 = 0x9100;
/// Smaller numbers are lengths (IEEE 802.3, 3.2.6).
const ETYPE_MIN: u16 = 0x0600;
/// LLC for "a SNAP header with an EtherType follows" (RFC 1042).
const SNAP: [u8; 6] = [0xaa, 0xaa, 0x03, 0, 0, 0];
/// Both addresses of an Ethernet header.
const MACS_BYTES: usize = 12;
const LABEL_BYTES: usize = 4;
const BOTTOM_OF_STACK: u8 = 1;

/// The VLAN tags of a frame: "any depth of 802.1Q / 802.1ad (innermost id in VlanId, outer kept)".
#[derive(Clone, Copy, Debug)]
pub(super) struct Tags {
    depth: u32,
    outermost: u16,
    innermost: u16,
}

impl Tags {
    pub(super) const NONE: Self = Self { depth: 0, outermost: 0, innermost: 0 };

    fn push(&mut self, tag: [u8; 2]) {
        // "Masked to 12 bits": priority and drop eligibility stand above the id.
        self.innermost = u16::from_be_bytes(tag) & 0x0fff;
        if self.depth == 0 {
            self.outermost = self.innermost;
        }
        self.depth += 1;
    }
}

const fn is_tag(etype: u16) -> bool {
    matches!(etype, ETYPE_8021Q | ETYPE_8021AD | ETYPE_QINQ_OLD)
}

impl<'b> Headers<'b> {
    /// `pseudowires`: the link of a frame that MPLS carries replaces the link that carries MPLS.
    #[inline]
    pub(super) fn read_ethernet(&mut self, bytes: &'b [u8], pseudowires: bool) {
        let Some((header, mut rest)) = bytes.split_first_chunk::<14>() else {
            self.macs = &bytes[..bytes.len().min(MACS_BYTES)];
            return;
        };
        self.macs = &header[..MACS_BYTES];
        self.etype = u16::from_be_bytes([header[12], header[13]]);
        while is_tag(self.etype) {
            let Some((tag, behind)) = rest.split_first_chunk::<4>() else {
                // Of a cut tag the id may be there, and what it tags is not.
                if let Some(id) = rest.first_chunk::<2>() {
                    self.tags.push(*id);
                }
                return;
            };
            self.tags.push([tag[0], tag[1]]);
            self.etype = u16::from_be_bytes([tag[2], tag[3]]);
            rest = behind;
        }
        if self.etype < ETYPE_MIN {
            rest = self.read_llc(rest);
        }
        match self.etype {
            ETYPE_MPLS | ETYPE_MPLS_UPSTREAM => self.read_labels(self.etype, rest, pseudowires),
            etype => self.read_network(etype, rest),
        }
    }

    /// "An Ethernet type field … less than 1501 is a length"; then LLC says what follows, if anything does.
    #[cold]
    fn read_llc(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        self.etype = 0;
        if let Some((header, rest)) = bytes.split_first_chunk::<8>()
            && header[..6] == SNAP
        {
            self.etype = u16::from_be_bytes([header[6], header[7]]);
            return rest;
        }
        &[]
    }

    /// "MPLS (0x8847, 0x8848) to the bottom of stack", then IP by its first nibble, or an Ethernet pseudowire.
    pub(super) fn read_labels(&mut self, etype: u16, bytes: &'b [u8], pseudowires: bool) {
        self.etype = etype;
        let mut rest = bytes;
        loop {
            let Some((entry, behind)) = rest.split_first_chunk::<LABEL_BYTES>() else {
                // The entry that is cut, if its label is there.
                self.labels =
                    if rest.len() == LABEL_BYTES - 1 { bytes } else { until(bytes, rest) };
                return;
            };
            rest = behind;
            if entry[2] & BOTTOM_OF_STACK != 0 {
                break;
            }
        }
        self.labels = until(bytes, rest);
        self.read_ip(rest);
        if !self.network.is_some() {
            self.read_pseudowire(rest, pseudowires);
        }
    }

    /// An Ethernet frame behind the labels (RFC 4448), with a control word or without: nothing in the packet tells, so
    /// it is taken for one only where an IP packet comes to light. What carries MPLS stays the link of the flow unless
    /// tunnels are to be opened.
    #[cold]
    fn read_pseudowire(&mut self, bytes: &'b [u8], replaces_link: bool) {
        // "The first nibble of the control word is 0" (RFC 4385 section 3).
        let with_control_word = match bytes.split_first_chunk::<4>() {
            Some((word, rest)) if word[0] >> 4 == 0 => Some(rest),
            _ => None,
        };
        for frame in with_control_word.into_iter().chain([bytes]) {
            let mut inner = Headers::NONE;
            // Not a stack of stacks: labels inside are not looked behind.
            inner.read_ethernet_of_ip(frame);
            if !inner.network.is_some() {
                continue;
            }
            inner.labels = self.labels;
            if !replaces_link {
                (inner.macs, inner.tags) = (self.macs, self.tags);
            }
            *self = inner;
            return;
        }
    }

    /// An Ethernet frame, if tags apart it carries IP.
    fn read_ethernet_of_ip(&mut self, bytes: &'b [u8]) {
        let Some((macs, mut rest)) = bytes.split_first_chunk::<MACS_BYTES>() else { return };
        self.macs = macs;
        while let Some((etype, behind)) = rest.split_first_chunk::<2>() {
            let etype = u16::from_be_bytes(*etype);
            if !is_tag(etype) {
                return self.read_network(etype, behind);
            }
            let Some((id, behind)) = behind.split_first_chunk::<2>() else { return };
            self.tags.push(*id);
            rest = behind;
        }
    }
}

/// The part of `bytes` in front of its tail `rest`.
fn until<'b>(bytes: &'b [u8], rest: &[u8]) -> &'b [u8] {
    &bytes[..bytes.len() - rest.len()]
}

#[inline]
pub(super) fn write(headers: &Headers<'_>, out: &mut Out<'_>) {
    if let Some(macs) = headers.macs.first_chunk::<MACS_BYTES>() {
        // Two loads of eight bytes: each address is in one half of one of them.
        let [a, b, c, d, e, f, g, h, ..] = *macs;
        let first = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let [.., a, b, c, d, e, f, g, h] = *macs;
        let last = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        out.put(Field::DstMac, first >> 16);
        out.put(Field::SrcMac, last & 0xffff_ffff_ffff);
    } else if let Some(mac) = headers.macs.first_chunk::<6>() {
        out.put(Field::DstMac, mac.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)));
    }
    if headers.etype != 0 {
        out.put(Field::Etype, u64::from(headers.etype));
    }
    if headers.tags.depth > 0 {
        out.put(Field::VlanId, u64::from(headers.tags.innermost));
        if headers.tags.depth > 1 {
            out.put(Field::OuterVlanId, u64::from(headers.tags.outermost));
        }
    }
    if !headers.labels.is_empty() {
        write_labels(headers.labels, out);
    }
}

/// "4 slots: first three and last; MPLSCount = entries present". As everywhere in this message, the last has a slot of
/// its own only from the fourth entry on.
#[cold]
fn write_labels(stack: &[u8], out: &mut Out<'_>) {
    const LAST: (Field, Field) = (Field::MPLSLastLabel, Field::MPLSLastTTL);
    const FIRST: [(Field, Field); 3] = [
        (Field::MPLS1Label, Field::MPLS1TTL),
        (Field::MPLS2Label, Field::MPLS2TTL),
        (Field::MPLS3Label, Field::MPLS3TTL),
    ];
    let entries = stack.chunks(LABEL_BYTES);
    out.put(Field::HasMPLS, 1);
    out.put(Field::MPLSCount, entries.len() as u64);
    for (depth, entry) in entries.enumerate() {
        let (label, ttl) = FIRST.get(depth).copied().unwrap_or(LAST);
        if let [a, b, c, rest @ ..] = entry {
            out.put(label, u64::from(u32::from_be_bytes([0, *a, *b, *c]) >> 4));
            match rest {
                [hops] => out.put(ttl, u64::from(*hops)),
                // Not the one of an entry above.
                _ => out.present.remove(ttl),
            }
        }
    }
}
