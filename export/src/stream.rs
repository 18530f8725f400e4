//! The state of one export stream and the headers that it writes: sequence numbers, uptime, sample
//! counts.
//!
//! Apart from `router.rs` so that the shared pool can be read while this is written to, without
//! touching the pool's reference count: routers of several threads share it.

use std::net::{IpAddr, Ipv4Addr};

use crate::pool::Slot;
use crate::traffic::{INTERFACES, if_index};
use crate::writer::Writer;
use crate::{Protocol, ipfix, netflow5, netflow9, sflow};

/// Interfaces in a datagram of counters.
pub(crate) const COUNTERS_MAX: usize = 8;

/// What a router remembers from one datagram to the next.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) id: u32,
    pub(crate) sampling_rate: u32,
    /// Uptime at `started_ns`.
    uptime_start_ms: u64,
    started_ns: Option<u64>,
    /// By protocol: flows (v5), datagrams (v9, sFlow) or data records (IPFIX) so far.
    pub(crate) sequence: u32,
    /// sFlow: samples of each interface so far.
    samples: [u32; INTERFACES],
    /// sFlow: counter samples of each interface so far, and the interface whose turn is next.
    counters: [u32; INTERFACES],
    counters_next: usize,
}

impl Stream {
    pub(crate) fn new(id: u32, sampling_rate: u32, uptime_start_ms: u64) -> Self {
        Self {
            id,
            sampling_rate,
            uptime_start_ms,
            started_ns: None,
            sequence: 0,
            samples: [0; INTERFACES],
            counters: [0; INTERFACES],
            counters_next: 0,
        }
    }

    pub(crate) fn address(&self) -> IpAddr {
        Ipv4Addr::from_bits(0xc612_0000 | self.id & 0x0001_ffff).into()
    }

    fn uptime_ms(&mut self, now_ns: u64) -> u32 {
        let started_ns = *self.started_ns.get_or_insert(now_ns);
        (self.uptime_start_ms + now_ns.saturating_sub(started_ns) / 1_000_000) as u32
    }

    /// Writes header, times and sequences over a body with flows. Returns the header's sequence
    /// number.
    pub(crate) fn finish(
        &mut self,
        protocol: Protocol,
        now_ns: u64,
        slots: &[Slot],
        datagram: &mut [u8],
    ) -> u32 {
        let count = slots.len() as u32;
        match protocol {
            Protocol::V5 => {
                let (sequence, uptime_ms) = self.write_netflow5_header(now_ns, count, datagram);
                set_uptimes(slots, uptime_ms, datagram);
                sequence
            }
            Protocol::V9 => {
                let (sequence, uptime_ms) = self.write_netflow9_header(now_ns, count, datagram);
                set_uptimes(slots, uptime_ms, datagram);
                sequence
            }
            Protocol::Ipfix => {
                set_milliseconds(slots, now_ns / 1_000_000, datagram);
                self.write_ipfix_header(now_ns, count, datagram)
            }
            Protocol::Sflow => {
                self.set_samples(slots, datagram);
                self.write_sflow_header(now_ns, count, datagram)
            }
        }
    }

    fn write_netflow5_header(&mut self, now_ns: u64, count: u32, out: &mut [u8]) -> (u32, u32) {
        let (sequence, uptime_ms) = (self.sequence, self.uptime_ms(now_ns));
        let header = netflow5::Header {
            count: count as u16,
            uptime_ms,
            unix_ns: now_ns,
            sequence,
            engine: self.id as u16,
            sampling_rate: self.sampling_rate,
        };
        header.write(&mut Writer::new(out));
        // "Sequence counter of total flows seen."
        self.sequence = sequence.wrapping_add(count);
        (sequence, uptime_ms)
    }

    fn write_netflow9_header(&mut self, now_ns: u64, count: u32, out: &mut [u8]) -> (u32, u32) {
        let (sequence, uptime_ms) = (self.sequence, self.uptime_ms(now_ns));
        let header = netflow9::Header {
            count: count as u16,
            uptime_ms,
            unix_s: (now_ns / 1_000_000_000) as u32,
            sequence,
            source_id: self.id,
        };
        header.write(&mut Writer::new(out));
        // "Incremental sequence counter of all Export Packets" (RFC 3954, 5.1).
        self.sequence = sequence.wrapping_add(1);
        (sequence, uptime_ms)
    }

    fn write_ipfix_header(&mut self, now_ns: u64, records: u32, out: &mut [u8]) -> u32 {
        let sequence = self.sequence;
        let header = ipfix::Header {
            bytes: out.len() as u16,
            unix_s: (now_ns / 1_000_000_000) as u32,
            sequence,
            domain: self.id,
        };
        header.write(&mut Writer::new(out));
        // "Incremental sequence counter modulo 2^32 of all IPFIX Data Records" (RFC 7011, 3.1),
        // options data included.
        self.sequence = sequence.wrapping_add(records);
        sequence
    }

    fn write_sflow_header(&mut self, now_ns: u64, samples: u32, out: &mut [u8]) -> u32 {
        // "Incremented with each sample datagram": the first is 1.
        self.sequence = self.sequence.wrapping_add(1);
        let header = sflow::Header {
            agent: self.address(),
            sub_agent: self.id,
            sequence: self.sequence,
            uptime_ms: self.uptime_ms(now_ns),
            samples,
        };
        header.write(&mut Writer::new(out));
        self.sequence
    }

    fn set_samples(&mut self, slots: &[Slot], out: &mut [u8]) {
        for slot in slots {
            let interface = usize::from(slot.interface) % INTERFACES;
            self.samples[interface] = self.samples[interface].wrapping_add(1);
            let sequence = self.samples[interface];
            let header = sflow::SampleHeader {
                sequence,
                source: if_index(interface),
                rate: self.sampling_rate,
                pool: sequence.wrapping_mul(self.sampling_rate),
            };
            header.write(&mut Writer::new(&mut out[usize::from(slot.first_at)..]));
        }
    }

    /// Writes the header over a datagram that holds what [`Stream::write_announcement`] wrote.
    pub(crate) fn finish_announcement(
        &mut self,
        protocol: Protocol,
        now_ns: u64,
        datagram: &mut [u8],
    ) {
        match protocol {
            Protocol::V5 => {}
            Protocol::V9 => {
                let records = 2 + netflow9::SAMPLING_RECORDS;
                self.write_netflow9_header(now_ns, u32::from(records), datagram);
            }
            Protocol::Ipfix => {
                self.write_ipfix_header(now_ns, ipfix::SAMPLING_RECORDS, datagram);
            }
            Protocol::Sflow => {
                self.write_sflow_header(now_ns, COUNTERS_MAX as u32, datagram);
            }
        }
    }

    /// The body that carries no flows: templates and options data, or counters of some interfaces.
    pub(crate) fn write_announcement(&mut self, protocol: Protocol, out: &mut Writer<'_>) {
        match protocol {
            Protocol::V5 => {}
            Protocol::V9 => {
                netflow9::write_template_set(&[netflow9::IPV4, netflow9::IPV6], out);
                netflow9::write_sampling(self.sampling_rate, out);
            }
            Protocol::Ipfix => {
                ipfix::write_template_set(&[ipfix::IPV4, ipfix::IPV6], out);
                ipfix::write_sampling(self.sampling_rate, out);
            }
            Protocol::Sflow => self.write_counters(out),
        }
    }

    fn write_counters(&mut self, out: &mut Writer<'_>) {
        const SPEED_BPS: u64 = 100_000_000_000;
        const PACKET_BYTES: u64 = 800;
        for _ in 0..COUNTERS_MAX {
            let interface = self.counters_next;
            self.counters_next = (interface + 1) % INTERFACES;
            self.counters[interface] = self.counters[interface].wrapping_add(1);
            let packets = self.samples[interface].wrapping_mul(self.sampling_rate);
            let counters = sflow::InterfaceCounters {
                if_index: if_index(interface),
                speed_bps: SPEED_BPS,
                octets: u64::from(packets) * PACKET_BYTES,
                packets,
            };
            sflow::write_counter_sample(self.counters[interface], &counters, out);
        }
    }
}

fn set_uptimes(slots: &[Slot], uptime_ms: u32, out: &mut [u8]) {
    for slot in slots {
        let end_ms = uptime_ms.wrapping_sub(slot.age_ms);
        let start_ms = end_ms.wrapping_sub(slot.duration_ms);
        let (first_at, last_at) = (usize::from(slot.first_at), usize::from(slot.last_at));
        out[first_at..first_at + 4].copy_from_slice(&start_ms.to_be_bytes());
        out[last_at..last_at + 4].copy_from_slice(&end_ms.to_be_bytes());
    }
}

fn set_milliseconds(slots: &[Slot], now_ms: u64, out: &mut [u8]) {
    for slot in slots {
        let end_ms = now_ms.saturating_sub(u64::from(slot.age_ms));
        let start_ms = end_ms.saturating_sub(u64::from(slot.duration_ms));
        let (first_at, last_at) = (usize::from(slot.first_at), usize::from(slot.last_at));
        out[first_at..first_at + 8].copy_from_slice(&start_ms.to_be_bytes());
        out[last_at..last_at + 8].copy_from_slice(&end_ms.to_be_bytes());
    }
}
