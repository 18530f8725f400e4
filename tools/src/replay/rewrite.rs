//! Header clocks set to now, and sequence numbers that go on from one round to the next.
//!
//! The first round is sent with its own sequence numbers, and what each stream (an exporter's
//! domain) comes to in it is its span; in every later round the stream's numbers are higher by one
//! more span. So a collector sees the gaps that the capture has, and none between rounds.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::capture::Packet;

/// Streams that are followed; others keep their numbers.
const STREAMS_MAX: usize = 100_000;

/// Rewrites one packet after another.
pub(super) struct Rewrite {
    /// 1 in the first round.
    round: u32,
    streams: HashMap<StreamKey, Stream>,
    buffer: Vec<u8>,
}

/// What has one sequence of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct StreamKey {
    exporter: IpAddr,
    version: u16,
    /// Engine (v5), source id (v9), observation domain (IPFIX), agent and sub-agent (sFlow).
    domain: [u8; 20],
}

#[derive(Clone, Copy, Debug)]
struct Stream {
    first: u32,
    /// What the number after the last would be.
    next: u32,
}

/// Where a header keeps what is rewritten.
struct Layout {
    version: u16,
    domain: std::ops::Range<usize>,
    sequence: usize,
    seconds: Option<usize>,
    nanoseconds: Option<usize>,
}

impl Layout {
    /// Of a header that is all there; `None` for anything else, which is sent as it is.
    fn of(payload: &[u8]) -> Option<Self> {
        let version = u16::from_be_bytes(*payload.first_chunk()?);
        let (domain, sequence, seconds, nanoseconds) = match version {
            5 => (20..22, 16, Some(8), Some(12)),
            9 => (16..20, 12, Some(8), None),
            10 => (12..16, 8, Some(4), None),
            // sFlow's version has 32 bits, and its agent is an address of either length, then a
            // sub-agent.
            0 if payload.starts_with(&[0, 0, 0, 5, 0, 0, 0, 1]) => (8..16, 16, None, None),
            0 if payload.starts_with(&[0, 0, 0, 5, 0, 0, 0, 2]) => (8..28, 28, None, None),
            _ => return None,
        };
        let end = [sequence, domain.end - 4, nanoseconds.unwrap_or(0)].into_iter().max()? + 4;
        let layout = Self { version, domain, sequence, seconds, nanoseconds };
        (payload.len() >= end).then_some(layout)
    }

    fn key(&self, packet: &Packet<'_>) -> StreamKey {
        let mut domain = [0; 20];
        let bytes = &packet.payload[self.domain.clone()];
        domain[..bytes.len()].copy_from_slice(bytes);
        StreamKey { exporter: packet.source.ip(), version: self.version, domain }
    }

    fn sequence(&self, payload: &[u8]) -> u32 {
        payload[self.sequence..].first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
    }
}

impl Rewrite {
    pub(super) fn new() -> Self {
        Self { round: 0, streams: HashMap::new(), buffer: Vec::new() }
    }

    /// The files are read from the start (again).
    pub(super) fn start_round(&mut self) {
        self.round += 1;
    }

    /// The packet's payload as it is to be sent at `now_ns`. `records`: how many units of the
    /// sequence an IPFIX message takes; asked in the first round only.
    pub(super) fn payload(
        &mut self,
        packet: &Packet<'_>,
        now_ns: u64,
        records: impl FnOnce(&Packet<'_>) -> u32,
    ) -> &[u8] {
        self.buffer.clear();
        self.buffer.extend_from_slice(packet.payload);
        if let Some(layout) = Layout::of(packet.payload) {
            let sequence = self.sequence(&layout, packet, records);
            self.put(layout.sequence, sequence);
            if let Some(at) = layout.seconds {
                self.put(at, (now_ns / 1_000_000_000) as u32);
            }
            if let Some(at) = layout.nanoseconds {
                self.put(at, (now_ns % 1_000_000_000) as u32);
            }
        }
        &self.buffer
    }

    /// What [`Rewrite::payload`] gave last.
    pub(super) fn last(&self) -> &[u8] {
        &self.buffer
    }

    fn put(&mut self, at: usize, value: u32) {
        self.buffer[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }

    fn sequence(
        &mut self,
        layout: &Layout,
        packet: &Packet<'_>,
        records: impl FnOnce(&Packet<'_>) -> u32,
    ) -> u32 {
        let key = layout.key(packet);
        let sequence = layout.sequence(packet.payload);
        if self.round > 1 {
            let span = self.streams.get(&key).map_or(0, |one| one.next.wrapping_sub(one.first));
            return sequence.wrapping_add(span.wrapping_mul(self.round - 1));
        }
        let units = match layout.version {
            // NetFlow v5 counts flows, v9 and sFlow datagrams, IPFIX records.
            5 => u32::from(u16::from_be_bytes([packet.payload[2], packet.payload[3]])),
            10 => records(packet),
            _ => 1,
        };
        let next = sequence.wrapping_add(units);
        if let Some(stream) = self.streams.get_mut(&key) {
            // Reordered datagrams do not take it back. The difference is signed, since numbers
            // wrap.
            if next.wrapping_sub(stream.next).cast_signed() > 0 {
                stream.next = next;
            }
        } else if self.streams.len() < STREAMS_MAX {
            self.streams.insert(key, Stream { first: sequence, next });
        }
        sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_NS: u64 = 1_800_000_000_123_456_789;

    /// A header of `bytes` bytes, 0xee where nothing else is put.
    fn header(start: &[u8], bytes: usize, puts: &[(usize, u32)]) -> Vec<u8> {
        let mut out = start.to_vec();
        out.resize(bytes, 0xee);
        for (at, value) in puts {
            out[*at..at + 4].copy_from_slice(&value.to_be_bytes());
        }
        out
    }

    fn u32_at(payload: &[u8], at: usize) -> u32 {
        u32::from_be_bytes(payload[at..at + 4].try_into().unwrap())
    }

    fn packet(payload: &[u8]) -> Packet<'_> {
        let source = "192.0.2.1:2055".parse().unwrap();
        Packet { time_ns: 0, source, destination: source, file: 1, payload }
    }

    /// Numbers at `at` that two rounds of these datagrams are sent with; an IPFIX message here has
    /// 10 records.
    fn rounds(payloads: &[Vec<u8>], at: usize) -> Vec<u32> {
        let mut rewrite = Rewrite::new();
        let mut sent = Vec::new();
        for _ in 0..3 {
            rewrite.start_round();
            for payload in payloads {
                sent.push(u32_at(rewrite.payload(&packet(payload), NOW_NS, |_| 10), at));
            }
        }
        sent
    }

    #[test]
    fn sequences_go_on_by_what_each_protocol_counts() {
        let v5 = |sequence| header(&[0, 5, 0, 30], 24, &[(16, sequence)]);
        assert_eq!(rounds(&[v5(100), v5(130)], 16), [100, 130, 160, 190, 220, 250]);
        let v9 = |sequence| header(&[0, 9], 20, &[(12, sequence)]);
        assert_eq!(rounds(&[v9(7), v9(8)], 12), [7, 8, 9, 10, 11, 12]);
        let ipfix = |sequence| header(&[0, 10], 16, &[(8, sequence)]);
        assert_eq!(rounds(&[ipfix(0), ipfix(10)], 8), [0, 10, 20, 30, 40, 50]);
        for (family, at) in [(1, 16), (2, 28)] {
            let sflow = |sequence| header(&[0, 0, 0, 5, 0, 0, 0, family], 40, &[(at, sequence)]);
            assert_eq!(rounds(&[sflow(5), sflow(6)], at), [5, 6, 7, 8, 9, 10]);
        }
    }

    #[test]
    fn gaps_reorders_and_wraps_stay() {
        let v9 = |sequence| header(&[0, 9], 20, &[(12, sequence)]);
        assert_eq!(rounds(&[v9(7), v9(20), v9(19)], 12), [7, 20, 19, 21, 34, 33, 35, 48, 47]);
        let sent = rounds(&[v9(u32::MAX), v9(0)], 12);
        assert_eq!(sent, [u32::MAX, 0, 1, 2, 3, 4]);
    }

    #[test]
    fn domains_have_sequences_of_their_own() {
        let v9 = |domain, sequence| header(&[0, 9], 20, &[(12, sequence), (16, domain)]);
        let sent = rounds(&[v9(1, 100), v9(2, 5), v9(2, 6)], 12);
        assert_eq!(sent, [100, 5, 6, 101, 7, 8, 102, 9, 10]);
    }

    #[test]
    fn clocks_are_now_and_the_rest_stays() {
        let mut rewrite = Rewrite::new();
        rewrite.start_round();
        let cases: [(&[u8], usize, &[usize]); 3] =
            [(&[0, 5, 0, 1], 72, &[8, 12]), (&[0, 9], 40, &[8]), (&[0, 10], 40, &[4])];
        for (start, bytes, clocks) in cases {
            let before = header(start, bytes, &[]);
            let after = rewrite.payload(&packet(&before), NOW_NS, |_| 0).to_vec();
            let clock = [1_800_000_000_u32, 123_456_789];
            let mut expected = before;
            for (at, value) in clocks.iter().zip(clock) {
                expected[*at..at + 4].copy_from_slice(&value.to_be_bytes());
            }
            assert_eq!(after, expected);
            assert_eq!(rewrite.last(), expected);
        }
    }

    #[test]
    fn what_is_no_header_is_sent_as_it_is() {
        let mut rewrite = Rewrite::new();
        rewrite.start_round();
        let whole = header(&[0, 5, 0, 1], 24, &[]);
        for payload in [&[][..], &[0], &[0, 7, 0, 0], b"GET / HTTP/1.1", &whole[..19]] {
            assert_eq!(rewrite.payload(&packet(payload), NOW_NS, |_| 0), payload);
        }
    }
}
