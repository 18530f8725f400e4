//! Ethernet, VLAN tags, MPLS labels: everything in front of the IP header.

use neckar_proto::{Field, Flow, Presence};

use super::{Link, fields};

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

/// Everything in front of the IP header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'b> {
    /// Destination, then source address; shorter if cut, empty if there is no link.
    pub(super) macs: &'b [u8],
    pub(super) tags: Tags,
    /// MPLS label stack entries, outermost first.
    pub(super) labels: &'b [u8],
    /// Of what is carried; 0 if nothing says so.
    pub(super) etype: u16,
    /// What follows.
    pub(super) carried: &'b [u8],
}

impl<'b> Frame<'b> {
    /// Without a link: `carried` is all there is.
    const fn bare(etype: u16, carried: &'b [u8]) -> Self {
        Self { macs: &[], tags: Tags::NONE, labels: &[], etype, carried }
    }

    /// `pseudowires`: the link of a frame that MPLS carries replaces the link that carries MPLS.
    #[inline(always)]
    pub(super) fn read(link: Link, bytes: &'b [u8], pseudowires: bool) -> Self {
        match link {
            Link::Ethernet => Self::read_ethernet(bytes, pseudowires),
            Link::Ipv4 => Self::bare(ETYPE_IPV4, bytes),
            Link::Ipv6 => Self::bare(ETYPE_IPV6, bytes),
            Link::Ip => Self::bare(etype_of_ip(bytes), bytes),
            Link::Mpls => Self::bare(ETYPE_MPLS, bytes).behind_labels(pseudowires),
        }
    }

    #[inline(always)]
    fn read_ethernet(bytes: &'b [u8], pseudowires: bool) -> Self {
        let Some((header, carried)) = bytes.split_first_chunk::<14>() else {
            return Self { macs: &bytes[..bytes.len().min(MACS_BYTES)], ..Self::bare(0, &[]) };
        };
        let (macs, _) = header.split_at(MACS_BYTES);
        let etype = u16::from_be_bytes([header[12], header[13]]);
        let mut frame = Self { macs, ..Self::bare(etype, carried) };
        while is_tag(frame.etype) {
            let Some((tag, behind)) = frame.carried.split_first_chunk::<4>() else {
                return frame.behind_cut_tag();
            };
            frame.tags.push([tag[0], tag[1]]);
            frame.etype = u16::from_be_bytes([tag[2], tag[3]]);
            frame.carried = behind;
        }
        match frame.etype {
            // In nearly all frames.
            ETYPE_IPV4 | ETYPE_IPV6 => frame,
            ETYPE_MPLS | ETYPE_MPLS_UPSTREAM => frame.behind_labels(pseudowires),
            ..ETYPE_MIN => frame.behind_llc(pseudowires),
            _ => frame,
        }
    }

    /// Of a cut tag the id may be there, and what it tags is not.
    #[cold]
    fn behind_cut_tag(mut self) -> Self {
        if let Some(id) = self.carried.first_chunk::<2>() {
            self.tags.push(*id);
        }
        self
    }

    /// A number in place of the type "is a length"; then LLC says what follows, if anything does.
    #[cold]
    fn behind_llc(mut self, pseudowires: bool) -> Self {
        let bytes = self.carried;
        (self.etype, self.carried) = (0, &[]);
        if let Some((header, behind)) = bytes.split_first_chunk::<8>()
            && header[..6] == SNAP
        {
            (self.etype, self.carried) = (u16::from_be_bytes([header[6], header[7]]), behind);
            if matches!(self.etype, ETYPE_MPLS | ETYPE_MPLS_UPSTREAM) {
                return self.behind_labels(pseudowires);
            }
        }
        self
    }

    /// "MPLS (0x8847, 0x8848) to the bottom of stack", then IP by its first nibble, or an Ethernet
    /// pseudowire.
    #[cold]
    fn behind_labels(mut self, pseudowires: bool) -> Self {
        let bytes = self.carried;
        loop {
            let Some((entry, behind)) = self.carried.split_first_chunk::<LABEL_BYTES>() else {
                // The entry that is cut counts if its label is there.
                let cut = self.carried.len();
                let missing = if cut == LABEL_BYTES - 1 { 0 } else { cut };
                self.labels = &bytes[..bytes.len() - missing];
                self.carried = &[];
                return self;
            };
            self.carried = behind;
            if entry[2] & BOTTOM_OF_STACK != 0 {
                break;
            }
        }
        self.labels = &bytes[..bytes.len() - self.carried.len()];
        match etype_of_ip(self.carried) {
            0 => self.behind_pseudowire(pseudowires),
            etype => Self { etype, ..self },
        }
    }

    /// An Ethernet frame behind the labels (RFC 4448), with a control word or without: nothing in
    /// the packet tells, so it is taken for one only where an IP packet comes to light. What
    /// carries MPLS stays the link of the flow unless tunnels are to be opened.
    fn behind_pseudowire(self, replaces_link: bool) -> Self {
        // "The first nibble of the control word is 0" (RFC 4385 section 3).
        let with_control_word = match self.carried.split_first_chunk::<4>() {
            Some((word, behind)) if word[0] >> 4 == 0 => Some(behind),
            _ => None,
        };
        let mut candidates = with_control_word.into_iter().chain([self.carried]);
        // Not a stack of stacks: labels inside are not looked behind.
        match candidates.find_map(Self::read_ethernet_of_ip) {
            Some(inner) if replaces_link => Self { labels: self.labels, ..inner },
            Some(inner) => Self { etype: inner.etype, carried: inner.carried, ..self },
            None => self,
        }
    }

    /// An Ethernet frame that carries IP behind its tags, or behind LLC.
    fn read_ethernet_of_ip(bytes: &'b [u8]) -> Option<Self> {
        let (macs, mut rest) = bytes.split_first_chunk::<MACS_BYTES>()?;
        let mut tags = Tags::NONE;
        loop {
            let (etype, carried) = rest.split_first_chunk()?;
            let etype = u16::from_be_bytes(*etype);
            if !is_tag(etype) {
                let (etype, carried) = match carried.split_first_chunk::<8>() {
                    Some((header, behind)) if etype < ETYPE_MIN && header[..6] == SNAP => {
                        (u16::from_be_bytes([header[6], header[7]]), behind)
                    }
                    _ => (etype, carried),
                };
                let is_ip = etype != 0 && etype == etype_of_ip(carried);
                return is_ip.then_some(Self { macs, tags, ..Self::bare(etype, carried) });
            }
            let (id, behind) = carried.split_first_chunk()?;
            tags.push(*id);
            rest = behind;
        }
    }

    /// Stores what the frame says; the caller marks it present.
    #[inline(always)]
    pub(super) fn write(&self, row: &mut Flow) -> Presence {
        const MACS: Presence = fields(&[Field::SrcMac, Field::DstMac]);
        let mut said = Presence::default();
        if let Some(macs) = self.macs.first_chunk::<MACS_BYTES>() {
            // Two loads of eight bytes: each address is in one half of one of them.
            let [a, b, c, d, e, f, g, h, ..] = *macs;
            row.store_word(Field::DstMac, u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 16);
            let [.., a, b, c, d, e, f, g, h] = *macs;
            let last = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
            row.store_word(Field::SrcMac, last & 0xffff_ffff_ffff);
            said = MACS;
        } else if !self.macs.is_empty() {
            said = self.write_cut_macs(row);
        }
        if self.etype != 0 {
            row.store_word(Field::Etype, u64::from(self.etype));
            said.insert(Field::Etype);
        }
        if self.tags.depth > 0 {
            row.store_word(Field::VlanId, u64::from(self.tags.innermost));
            said.insert(Field::VlanId);
            if self.tags.depth > 1 {
                row.store_word(Field::OuterVlanId, u64::from(self.tags.outermost));
                said.insert(Field::OuterVlanId);
            }
        }
        if !self.labels.is_empty() {
            said = said.union(write_labels(self.labels, row));
        }
        said
    }

    #[cold]
    fn write_cut_macs(&self, row: &mut Flow) -> Presence {
        const DESTINATION: Presence = fields(&[Field::DstMac]);
        match self.macs.first_chunk() {
            Some([a, b, c, d, e, f]) => {
                let mac = u64::from_be_bytes([0, 0, *a, *b, *c, *d, *e, *f]);
                row.store_word(Field::DstMac, mac);
                DESTINATION
            }
            None => Presence::default(),
        }
    }
}

/// The EtherType of a packet that says its version itself; 0 for anything else.
#[inline(always)]
fn etype_of_ip(bytes: &[u8]) -> u16 {
    match bytes.first().map(|first| first >> 4) {
        Some(4) => ETYPE_IPV4,
        Some(6) => ETYPE_IPV6,
        _ => 0,
    }
}

/// "4 slots: first three and last; MPLSCount = entries present". As everywhere in this message, the
/// last has a slot of its own only from the fourth entry on.
#[cold]
fn write_labels(stack: &[u8], row: &mut Flow) -> Presence {
    const LAST: (Field, Field) = (Field::MPLSLastLabel, Field::MPLSLastTTL);
    const FIRST: [(Field, Field); 3] = [
        (Field::MPLS1Label, Field::MPLS1TTL),
        (Field::MPLS2Label, Field::MPLS2TTL),
        (Field::MPLS3Label, Field::MPLS3TTL),
    ];
    let entries = stack.chunks(LABEL_BYTES);
    let mut said = fields(&[Field::HasMPLS, Field::MPLSCount]);
    row.store_word(Field::HasMPLS, 1);
    row.store_word(Field::MPLSCount, entries.len() as u64);
    for (depth, entry) in entries.enumerate() {
        let (label, ttl) = FIRST.get(depth).copied().unwrap_or(LAST);
        if let [a, b, c, rest @ ..] = entry {
            row.store_word(label, u64::from(u32::from_be_bytes([0, *a, *b, *c]) >> 4));
            said.insert(label);
            // That of an entry above is not this one's.
            said.remove(ttl);
            if let [hops] = rest {
                row.store_word(ttl, u64::from(*hops));
                said.insert(ttl);
            }
        }
    }
    said
}
