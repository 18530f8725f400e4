//! Datagram bodies encoded ahead, shared by all routers of a protocol.
//!
//! A pool is 256 bodies of nearly [`DATAGRAM_BYTES_MAX`], some 350 KB, read one after the other.
//! What differs from one sending to the next (times, client ports, sample sequences) is listed in
//! [`Slot`]s. The rows behind a body are not kept: each body has its own seed and is drawn again
//! when a test asks for them.

use neckar_proto::{Field, Flow};

use crate::random::Random;
use crate::template::{Clock, Template, Value};
use crate::totals::Totals;
use crate::traffic::{Client, Drawn, IPV4, IPV6, TCP, Traffic, UDP};
use crate::writer::Writer;
use crate::{DATAGRAM_BYTES_MAX, Protocol, frame, ipfix, netflow5, netflow9, sflow};

/// Bodies of a pool; a power of two.
pub(crate) const BLOCKS: usize = 256;

/// What is written over when a body is sent. Offsets count from the start of the datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    /// Start of the flow; of an sFlow sample, its [`sflow::SampleHeader`].
    pub(crate) first_at: u16,
    /// End of the flow; unused in sFlow.
    pub(crate) last_at: u16,
    /// The client's port; 0 if neither port is a client's.
    pub(crate) client_port_at: u16,
    /// Index of the ingress interface.
    pub(crate) interface: u16,
    pub(crate) age_ms: u32,
    pub(crate) duration_ms: u32,
}

/// One datagram's body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    start: u32,
    bytes: u16,
    pub(crate) flows: u16,
    slots_start: u32,
    seed: u64,
}

/// The bodies of one protocol.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) protocol: Protocol,
    traffic: Traffic,
    blocks: Vec<Block>,
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    /// What each block carries.
    totals: Vec<Totals>,
}

/// A row of a block, with what the row does not say.
pub(crate) struct Draft {
    pub(crate) flow: Flow,
    pub(crate) drawn: Drawn,
    /// Length of the sampled frame, for sFlow.
    frame_bytes: usize,
}

impl Pool {
    pub(crate) fn new(protocol: Protocol, seed: u64) -> Self {
        let mut pool = Self {
            protocol,
            traffic: Traffic::new(seed),
            blocks: Vec::with_capacity(BLOCKS),
            bytes: Vec::with_capacity(BLOCKS * DATAGRAM_BYTES_MAX),
            slots: Vec::new(),
            totals: Vec::with_capacity(BLOCKS),
        };
        let mut seeds = Random::new(seed ^ protocol.flow_type() << 56);
        for _ in 0..BLOCKS {
            pool.add_block(seeds.next());
        }
        pool
    }

    pub(crate) fn block(&self, index: usize) -> &Block {
        &self.blocks[index % BLOCKS]
    }

    pub(crate) fn body(&self, block: &Block) -> &[u8] {
        &self.bytes[block.start as usize..][..usize::from(block.bytes)]
    }

    pub(crate) fn slots(&self, block: &Block) -> &[Slot] {
        &self.slots[block.slots_start as usize..][..usize::from(block.flows)]
    }

    /// The rows of a block in wire order, as they were drawn.
    pub(crate) fn drafts(&self, block: &Block) -> Vec<Draft> {
        draw_block(self.protocol, &self.traffic, block.seed)
    }

    /// What `count` blocks carry, from block `start` on, round and round.
    pub(crate) fn totals(&self, start: usize, count: u64) -> Totals {
        let (turns, rest) = (count / BLOCKS as u64, (count % BLOCKS as u64) as usize);
        let mut totals = Totals::default();
        for index in 0..BLOCKS {
            let ahead = (index + BLOCKS - start % BLOCKS) % BLOCKS;
            totals += self.totals[index] * (turns + u64::from(ahead < rest));
        }
        totals
    }

    fn add_block(&mut self, seed: u64) {
        let drafts = draw_block(self.protocol, &self.traffic, seed);
        // Written where it will stand, so that slots hold offsets in the datagram.
        let header_bytes = header_bytes(self.protocol);
        let mut datagram = [0; DATAGRAM_BYTES_MAX];
        let mut out = Writer::new(&mut datagram);
        out.bytes(&[0; netflow5::HEADER_BYTES + 4][..header_bytes]);
        let (start, slots_start) = (self.bytes.len() as u32, self.slots.len() as u32);
        write_body(self.protocol, &drafts, &mut out, &mut self.slots);
        let end = out.len();
        self.bytes.extend_from_slice(&datagram[header_bytes..end]);

        let bytes = (end - header_bytes) as u16;
        self.blocks.push(Block { start, bytes, flows: drafts.len() as u16, slots_start, seed });
        let mut totals = Totals { datagrams: 1, datagram_bytes: end as u64, ..Totals::default() };
        for draft in &drafts {
            totals.count(&draft.flow, draft.drawn.customer);
        }
        self.totals.push(totals);
    }
}

/// Length of what stands before the body.
pub(crate) const fn header_bytes(protocol: Protocol) -> usize {
    match protocol {
        Protocol::V5 => netflow5::HEADER_BYTES,
        Protocol::V9 => netflow9::HEADER_BYTES,
        Protocol::Ipfix => ipfix::HEADER_BYTES,
        Protocol::Sflow => sflow::HEADER_IPV4_BYTES,
    }
}

/// The layouts for IPv4 and IPv6.
pub(crate) const fn templates(protocol: Protocol) -> [Template; 2] {
    match protocol {
        Protocol::Ipfix => [ipfix::IPV4, ipfix::IPV6],
        _ => [netflow9::IPV4, netflow9::IPV6],
    }
}

/// As many rows as a datagram holds, IPv4 first.
fn draw_block(protocol: Protocol, traffic: &Traffic, seed: u64) -> Vec<Draft> {
    let mut random = Random::new(seed);
    let mut drafts: Vec<Draft> = Vec::new();
    loop {
        let mut flow = Flow::default();
        let drawn = traffic.draw(&mut random, protocol != Protocol::V5, &mut flow);
        let frame_bytes = limit_to(protocol, &mut flow, &mut random);
        drafts.push(Draft { flow, drawn, frame_bytes });
        if header_bytes(protocol) + body_bytes(protocol, &drafts) > DATAGRAM_BYTES_MAX {
            drafts.pop();
            // Stable: sFlow and NetFlow v5 have no sets and keep the order in which flows came.
            if matches!(protocol, Protocol::V9 | Protocol::Ipfix) {
                drafts.sort_by_key(|draft| is_ipv6(&draft.flow));
            }
            return drafts;
        }
    }
}

fn is_ipv6(flow: &Flow) -> bool {
    flow.word_or_zero(Field::Etype) == IPV6
}

/// Length of the body that these rows make.
fn body_bytes(protocol: Protocol, drafts: &[Draft]) -> usize {
    match protocol {
        Protocol::V5 => drafts.len() * netflow5::RECORD_BYTES,
        Protocol::V9 | Protocol::Ipfix => {
            let ipv6 = drafts.iter().filter(|draft| is_ipv6(&draft.flow)).count();
            let set = |template: Template, records: usize| match records {
                0 => 0,
                _ => (netflow9::SET_HEADER_BYTES + records * template.record_bytes())
                    .next_multiple_of(4),
            };
            let [v4, v6] = templates(protocol);
            set(v4, drafts.len() - ipv6) + set(v6, ipv6)
        }
        Protocol::Sflow => drafts
            .iter()
            .map(|draft| sflow::flow_sample_bytes(&draft.flow, draft.frame_bytes))
            .sum(),
    }
}

/// Makes of a drawn flow what the protocol can say of it; for sFlow, one packet of it. Returns that
/// packet's length.
fn limit_to(protocol: Protocol, flow: &mut Flow, random: &mut Random) -> usize {
    flow.set(Field::Type, protocol.flow_type());
    match protocol {
        Protocol::V5 => limit_to_netflow5(flow),
        Protocol::V9 | Protocol::Ipfix => flow.remove(Field::IPTTL),
        Protocol::Sflow => return limit_to_packet(flow, random),
    }
    0
}

fn limit_to_netflow5(flow: &mut Flow) {
    for field in [
        Field::BgpNextHop,
        Field::FlowDirection,
        Field::ForwardingStatus,
        Field::IngressVrfID,
        Field::EgressVrfID,
        Field::IPTTL,
    ] {
        flow.remove(field);
    }
    for field in [Field::SrcAS, Field::DstAS] {
        let number = flow.word_or_zero(field);
        flow.set(field, number.min(u64::from(u16::MAX)));
        if number > u64::from(u16::MAX) {
            flow.set(field, u64::from(netflow5::AS_TRANS));
        }
    }
}

fn limit_to_packet(flow: &mut Flow, random: &mut Random) -> usize {
    let packet_bytes = flow.word_or_zero(Field::Bytes) / flow.word_or_zero(Field::Packets).max(1);
    for field in [
        Field::BgpNextHop,
        Field::FlowDirection,
        Field::ForwardingStatus,
        Field::IngressVrfID,
        Field::EgressVrfID,
        Field::SrcAS,
        Field::DstAS,
    ] {
        flow.remove(field);
    }
    let proto = flow.word_or_zero(Field::Proto);
    if proto != TCP {
        flow.remove(Field::TCPFlags);
    }
    if proto != TCP && proto != UDP {
        flow.remove(Field::SrcPort);
        flow.remove(Field::DstPort);
    }
    let mac = |if_index: u64| 0x0200_5e00_0000 | if_index;
    flow.set(Field::SrcMac, mac(flow.word_or_zero(Field::InIf)));
    flow.set(Field::DstMac, mac(flow.word_or_zero(Field::OutIf)));
    let vlan = 100 + random.below(16);
    if random.percent(25) {
        flow.set(Field::VlanId, vlan);
    }
    flow.set(Field::SrcVlan, vlan);
    flow.set(Field::DstVlan, vlan + 100);
    if flow.word_or_zero(Field::Etype) == IPV4 {
        flow.set(Field::FragmentId, random.below(1 << 16));
    }
    let frame_bytes = frame::frame_bytes(flow, packet_bytes);
    flow.set(Field::Packets, 1);
    flow.set(Field::Bytes, frame_bytes as u64);
    frame_bytes
}

fn write_body(protocol: Protocol, drafts: &[Draft], out: &mut Writer<'_>, slots: &mut Vec<Slot>) {
    match protocol {
        Protocol::V5 => {
            for draft in drafts {
                slots.push(netflow5_slot(draft, out.len()));
                netflow5::write_record(&draft.flow, &Clock::default(), out);
            }
        }
        Protocol::V9 | Protocol::Ipfix => {
            let ipv4 = drafts.partition_point(|draft| !is_ipv6(&draft.flow));
            let [v4, v6] = templates(protocol);
            write_set(&v4, &drafts[..ipv4], out, slots);
            write_set(&v6, &drafts[ipv4..], out, slots);
        }
        Protocol::Sflow => {
            for draft in drafts {
                slots.push(sflow_slot(draft, out.len()));
                let header = sflow::SampleHeader::default();
                sflow::write_flow_sample(&draft.flow, &header, draft.frame_bytes, out);
            }
        }
    }
}

fn write_set(template: &Template, drafts: &[Draft], out: &mut Writer<'_>, slots: &mut Vec<Slot>) {
    if drafts.is_empty() {
        return;
    }
    netflow9::write_data_set(template.id, out, |out| {
        for draft in drafts {
            slots.push(template_slot(template, draft, out.len()));
            template.write_record(&draft.flow, &Clock::default(), out);
        }
    });
}

fn netflow5_slot(draft: &Draft, at: usize) -> Slot {
    let ports = at + netflow5::SRC_PORT_OFFSET;
    slot(draft, at + netflow5::FIRST_OFFSET, at + netflow5::LAST_OFFSET, [ports, ports + 2])
}

fn template_slot(template: &Template, draft: &Draft, at: usize) -> Slot {
    let offset = |values: [Value; 2]| {
        let found = values.into_iter().find_map(|value| template.offset_of_value(value));
        at + found.expect("both layouts have times and ports")
    };
    let one = |value| offset([value, value]);
    slot(
        draft,
        offset([Value::FirstUptime, Value::FirstMs]),
        offset([Value::LastUptime, Value::LastMs]),
        [one(Value::Word(Field::SrcPort)), one(Value::Word(Field::DstPort))],
    )
}

fn sflow_slot(draft: &Draft, at: usize) -> Slot {
    let ports = at + sflow::sampled_frame_offset() + frame::ports_offset(&draft.flow);
    slot(draft, at + sflow::SAMPLE_HEADER_OFFSET, at, [ports, ports + 2])
}

fn slot(draft: &Draft, first_at: usize, last_at: usize, ports_at: [usize; 2]) -> Slot {
    Slot {
        first_at: first_at as u16,
        last_at: last_at as u16,
        client_port_at: match draft.drawn.client {
            Client::Source => ports_at[0] as u16,
            Client::Destination => ports_at[1] as u16,
            Client::Nobody => 0,
        },
        interface: draft.drawn.interface as u16,
        age_ms: draft.drawn.age_ms,
        duration_ms: draft.drawn.duration_ms,
    }
}
