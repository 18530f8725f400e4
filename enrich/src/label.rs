//! Labelling: from the addresses of a decoded chunk to numbers in its rows and encoded texts beside
//! them.
//!
//! In passes over up to 64 rows: collect addresses, look them up, fetch the sets of labels, then
//! row by row write and copy. Each pass but the last is loads that do not depend on each other. No
//! allocation once the buffers have grown.

use std::net::IpAddr;

use neckar_proto::{Field, Flow, Presence, Rows};

use crate::arena::{Arena, Span};
use crate::interfaces::ExporterInterfaces;
use crate::labels::{CHUNK, Labels, Scratch};
use crate::normalize::normalize;
use crate::remote::{RemotePolicy, Side};
use crate::sets::LabelSet;
use crate::tables::{AsOrder, PrefixTables, Tables};

impl Tables {
    /// Labels the rows of one decoded chunk. Numbers go into the rows (`Cid`, `SrcCid`, `DstCid`,
    /// `RemoteAddr`, AS numbers, interface speeds, normalised counters); texts go into
    /// `labels`, encoded. What the tables do not say of an address is absent, whatever the row
    /// said before; but AS numbers follow [`AsOrder`], and interface names are only replaced.
    pub fn label(&self, rows: &mut Rows, labels: &mut Labels) {
        labels.restart(rows.len(), self.row_bytes_max);
        let mut exporter = Exporter::unknown(self);
        let mut at = 0;
        for chunk in rows.as_mut_slice().chunks_mut(CHUNK) {
            self.prefixes.find_sets(chunk, &mut labels.scratch);
            let Scratch { v4, v6, .. } = &*labels.scratch;
            labels.counts.addresses += (v4.len + v6.len) as u64;
            labels.counts.addresses_unknown += (v4.unknown() + v6.unknown()) as u64;
            for (row, flow) in chunk.iter_mut().enumerate() {
                exporter.follow(self, flow);
                at = self.label_flow(row, flow, &exporter, labels, at);
                labels.ends.push(at as u32);
            }
        }
    }

    /// Labels one flow, the chunk's `row`th; its texts go to `at` in the buffer. Returns where they
    /// end.
    #[inline]
    fn label_flow(
        &self,
        row: usize,
        flow: &mut Flow,
        exporter: &Exporter<'_>,
        labels: &mut Labels,
        at: usize,
    ) -> usize {
        let tables = &*self.prefixes;
        let Labels { bytes, counts, scratch, .. } = labels;
        let ends = [2 * row, 2 * row + 1].map(|end| &scratch.sets[end % (2 * CHUNK)]);
        flow.restart(without(flow.presence(), &tables.owned));
        let mut out = Out { arena: &tables.arena, bytes, at };
        let direction = flow.word(Field::FlowDirection);
        let remote = exporter.remote.remote(direction, ends[0].is_customer, ends[1].is_customer);
        label_customers(flow, ends, remote, &mut out);
        self.label_ends(flow, ends, remote, &mut out);
        let proto = flow.word(Field::Proto).filter(|proto| *proto < 256);
        out.put(proto.map_or(Span::default(), |proto| tables.protocols[proto as usize]));
        out.put(exporter.texts);
        let at = out.at;
        counts.rows += 1;
        counts.remote_unknown += u64::from(remote.is_none());
        if self.settings.normalize {
            counts.count(normalize(flow, exporter.sampling_rate));
        }
        match exporter.interfaces {
            Some(interfaces) => {
                let mut out = Out { arena: &self.interfaces.arena, bytes, at };
                counts.interface_unknown += label_interfaces(flow, interfaces, &mut out);
                out.at
            }
            None => at,
        }
    }

    /// AS numbers, and the texts of both ends.
    #[inline(always)]
    fn label_ends(
        &self,
        flow: &mut Flow,
        [src, dst]: [&LabelSet; 2],
        remote: Option<Side>,
        out: &mut Out<'_>,
    ) {
        let src_as = settle_as(flow, Field::SrcAS, self.settings.src_as, src.asn);
        let dst_as = settle_as(flow, Field::DstAS, self.settings.dst_as, dst.asn);
        out.put(src.texts(0, remote == Some(Side::Src), src_as == src.asn));
        out.put(dst.texts(1, remote == Some(Side::Dst), dst_as == dst.asn));
        let names = &self.prefixes.as_names;
        if names.is_empty() {
            return;
        }
        // The set brings the name of its own AS along; others are looked up.
        let next_as = flow.word_or_zero(Field::NextHopAS) as u32;
        let others = [(src_as, src.asn), (dst_as, dst.asn), (next_as, 0)];
        for (place, (asn, known)) in others.into_iter().enumerate() {
            if asn != known
                && let Some(name) = names.get(&asn)
            {
                out.put(name.texts[place]);
            }
        }
    }
}

/// Customers of both ends, which end is the far one, and whose the near one is. Without a branch:
/// one flow comes from far away, the next goes there.
#[inline(always)]
fn label_customers(
    flow: &mut Flow,
    [src, dst]: [&LabelSet; 2],
    remote: Option<Side>,
    out: &mut Out<'_>,
) {
    flow.set_unless_zero(Field::SrcCid, src.cid.into());
    flow.set_unless_zero(Field::DstCid, dst.cid.into());
    let (number, local) = match remote {
        None => (0, &LabelSet::NONE),
        Some(Side::Src) => (1, dst),
        Some(Side::Dst) => (2, src),
    };
    flow.set_unless_zero(Field::RemoteAddr, number);
    flow.set_unless_zero(Field::Cid, local.cid.into());
    out.put(local.cid_string());
}

/// Names and speeds of the interfaces. Returns how many are not known.
#[inline]
fn label_interfaces(flow: &mut Flow, interfaces: &ExporterInterfaces, out: &mut Out<'_>) -> u64 {
    let mut unknown = 0;
    for (direction, (index, speed)) in INTERFACES.into_iter().enumerate() {
        // ifIndex 0 is "none": a flow from or to the router itself.
        let Some(if_index) = flow.word(index).filter(|index| *index != 0) else { continue };
        match interfaces.find(if_index as u32) {
            Some(interface) => {
                out.put(interface.texts[direction]);
                flow.set_unless_zero(speed, interface.speed_mbps.into());
            }
            None => unknown += 1,
        }
    }
    unknown
}

const INTERFACES: [(Field, Field); 2] =
    [(Field::InIf, Field::SrcIfSpeed), (Field::OutIf, Field::DstIfSpeed)];

/// Where encoded texts go.
struct Out<'a> {
    arena: &'a Arena,
    bytes: &'a mut [u8],
    at: usize,
}

impl Out<'_> {
    #[inline(always)]
    fn put(&mut self, span: Span) {
        self.at = self.arena.copy(span, self.bytes, self.at);
    }
}

/// What is known of the exporter of the rows at hand: looked up when it changes.
struct Exporter<'a> {
    address: Option<IpAddr>,
    remote: RemotePolicy,
    sampling_rate: Option<u64>,
    texts: Span,
    interfaces: Option<&'a ExporterInterfaces>,
}

impl<'a> Exporter<'a> {
    fn unknown(tables: &Tables) -> Self {
        Self {
            address: None,
            remote: tables.settings.remote,
            sampling_rate: None,
            texts: Span::default(),
            interfaces: None,
        }
    }

    #[inline]
    fn follow(&mut self, tables: &'a Tables, flow: &Flow) {
        if tables.prefixes.exporters.is_empty() && tables.interfaces.is_empty() {
            return;
        }
        let address = flow.ip(Field::SamplerAddress);
        if address != self.address {
            *self = Self { address, ..Self::unknown(tables) };
            if let Some(address) = address {
                self.look_up(tables, address);
            }
        }
    }

    fn look_up(&mut self, tables: &'a Tables, address: IpAddr) {
        let address = address.to_canonical();
        let number = tables.prefixes.exporters.rule(address);
        let rule = &tables.prefixes.exporters.resolved[number];
        self.remote = rule.remote.unwrap_or(tables.settings.remote);
        self.sampling_rate = rule.sampling_rate.filter(|rate| *rate != 0);
        self.texts = tables.prefixes.exporter_texts[number];
        self.interfaces = tables.interfaces.of(address);
    }
}

impl PrefixTables {
    /// Fetches the label sets of both ends of up to [`CHUNK`] flows.
    fn find_sets(&self, flows: &[Flow], scratch: &mut Scratch) {
        let Scratch { v4, v6, sets, touched } = scratch;
        (v4.len, v6.len) = (0, 0);
        for (row, flow) in flows.iter().enumerate() {
            for (side, field) in [Field::SrcAddr, Field::DstAddr].into_iter().enumerate() {
                let end = 2 * row + side;
                let address = flow.address(field).unwrap_or_default();
                if let Ok(address) = <[u8; 4]>::try_from(address) {
                    v4.push(u32::from_be_bytes(address), end);
                } else if let Ok(address) = <[u8; 16]>::try_from(address) {
                    let address = u128::from_be_bytes(address);
                    // IPv4-mapped, as some exporters write IPv4 (RFC 4291, 2.5.5.2): the tables
                    // have it as IPv4.
                    match address >> 32 {
                        0xffff => v4.push(address as u32, end),
                        _ => v6.push(address, end),
                    }
                } else {
                    sets[end] = LabelSet::default();
                }
            }
        }
        self.v4.look_up_all(&v4.addresses[..v4.len], &mut v4.found[..v4.len]);
        self.v6.look_up_all(&v6.addresses[..v6.len], &mut v6.found[..v6.len]);
        for (end, found) in v4.ends[..v4.len].iter().zip(&v4.found) {
            sets[usize::from(*end) % (2 * CHUNK)] = self.sets[*found as usize];
        }
        for (end, found) in v6.ends[..v6.len].iter().zip(&v6.found) {
            sets[usize::from(*end) % (2 * CHUNK)] = self.sets[*found as usize];
        }
        // The texts are about to be copied one flow at a time; here their cache lines are asked for
        // all at once.
        for (end, set) in sets[..2 * flows.len()].iter().enumerate() {
            *touched ^= self.arena.touch(set.texts(end, true, true));
        }
    }
}

#[inline(always)]
fn without(present: &Presence, gone: &Presence) -> Presence {
    Presence {
        words: present.words & !gone.words,
        addresses: present.addresses & !gone.addresses,
        texts: present.texts & !gone.texts,
    }
}

/// Decides between the record's AS number and the table's, writes it, and returns it; 0 if there is
/// none.
#[inline(always)]
fn settle_as(flow: &mut Flow, field: Field, order: AsOrder, table: u32) -> u32 {
    let record = flow.word_or_zero(field) as u32;
    let settled = match order {
        AsOrder::RecordFirst if record == 0 => table,
        AsOrder::RecordFirst | AsOrder::RecordOnly => record,
        AsOrder::TableFirst if table == 0 => record,
        AsOrder::TableFirst => table,
        AsOrder::TableOnly => {
            flow.remove(field);
            table
        }
    };
    flow.set_unless_zero(field, settled.into());
    settled
}
