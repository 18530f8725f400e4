//! sFlow version 5 (sflow.org, July 2004): datagram bytes in, one row per flow sample out.
//!
//! [`decode`] takes a datagram whose first 32 bits are 5: reads the header, accounts it under its
//! agent and sub-agent ("datagrams, sequence gaps, reorders, resets"; the sequence counts
//! datagrams), and makes rows of its flow samples.
//!
//! Decisions that the specification leaves open:
//! * The exporter is the **agent**, not the UDP source: it is `SamplerAddress`, as consumers of the
//!   suite know it, so accounts, configured rates and prefixes go by it too. The source stands in
//!   where the agent says "unknown" or all zero.
//! * "Counter samples and discard notifications are counted, never an error; unknown samples and
//!   records are skipped by length." Every flow sample becomes a flow, with Packets 1, even if none
//!   of its records is of use.
//! * Raw headers are dissected of protocols 1, 11 and 12, and of 13 (MPLS); of others only their
//!   length counts.
//! * One sample is one packet: its raw header (record 1) beats the sampled Ethernet record (2),
//!   that the sampled IPv4 and IPv6 records (3, 4), in whatever order they come; of two of a kind
//!   the first counts. Bytes likewise.
//! * An interface is written only where the wire says one index: not for `0x3fffffff` (the device
//!   itself), several interfaces or a discard. A discarded packet has ForwardingStatus 128 instead
//!   (RFC 7270 section 4.12: dropped).
//! * Times are the receive time: sFlow has no clock. ObservationDomainID is absent.
//! * A sample that does not parse costs that sample (`record_sample_malformed`); a record that is
//!   shorter than its format costs that record ([`Counters::parts_malformed`]) and the flow does
//!   without it.
//!
//! No count in the bytes is believed: walking stops where the bytes do. Nothing allocates once the
//! rows have grown. Deliberately absent: interface and host counters as output, sFlow versions 2
//! and 4.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
#[cfg(test)]
mod properties;
mod record;
mod sample;
#[cfg(test)]
mod tests;
#[cfg(any(test, fuzzing))]
mod twin;
#[cfg(test)]
mod wire;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::counters::{Cause, Counters};
use crate::decoder::Decoder;
use crate::local::Local;
use crate::plan::Out;
use crate::template::Protocol;
use crate::{Datagram, ROWS_MAX, RowSink};

use sample::Common;

const VERSION: u32 = 5;

/// The header of a datagram: whom it is from and what its samples share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    /// The agent, IPv4-mapped IPv6 turned into IPv4; the UDP source if it does not say.
    agent: IpAddr,
    /// Part of an agent that counts its datagrams on its own.
    sub_agent: u32,
    /// Datagrams of this sub-agent so far.
    sequence: u32,
    /// Milliseconds since the sub-agent started.
    uptime_ms: u32,
    /// Samples that follow, as the datagram says.
    samples: u32,
}

impl Header {
    /// Reads the header; also gives the bytes of the samples behind it.
    fn read<'b>(datagram: &Datagram<'b>) -> Result<(Self, &'b [u8]), Cause> {
        let mut reader = Reader(datagram.bytes);
        match reader.word() {
            Some(VERSION) => {}
            Some(1..VERSION) => return Err(Cause::DatagramSflowVersion),
            Some(_) => return Err(Cause::DatagramVersionUnknown),
            None => return Err(Cause::DatagramTruncated),
        }
        // An address of a kind that nobody knows has a length that nobody knows.
        if reader.0.first_chunk().is_some_and(|kind| u32::from_be_bytes(*kind) > ADDRESS_IPV6) {
            return Err(Cause::DatagramVersionUnknown);
        }
        let header = Self::read_behind_version(&mut reader, datagram.exporter);
        header.map(|header| (header, reader.0)).ok_or(Cause::DatagramTruncated)
    }

    fn read_behind_version(reader: &mut Reader<'_>, source: IpAddr) -> Option<Self> {
        let agent = reader.address()?;
        let agent = if agent.is_nothing() { source } else { agent.typed() };
        let [sub_agent, sequence, uptime_ms, samples] = reader.words()?;
        Some(Self { agent, sub_agent, sequence, uptime_ms, samples })
    }

    /// About when the agent started, which is what tells a restart from a datagram that comes late:
    /// later after the one, the same for the other. Coarse, so that the time on the way makes
    /// no difference.
    fn boot_ns(&self, received_ns: u64) -> u64 {
        const COARSE_NS: u64 = 10_000_000_000;
        received_ns.saturating_sub(u64::from(self.uptime_ms) * 1_000_000) / COARSE_NS * COARSE_NS
    }
}

/// Decodes a datagram that starts like sFlow v5.
pub(crate) fn decode(decoder: &mut Decoder, datagram: &Datagram<'_>, sink: &mut dyn RowSink) {
    let (header, samples) = match Header::read(datagram) {
        Ok(read) => read,
        Err(cause) => return decoder.counters.drop(cause, 1),
    };
    let of_agent = Datagram { exporter: header.agent, ..*datagram };
    let domain = match decoder.local.enter(&of_agent, Protocol::Sflow, header.sub_agent) {
        Ok(domain) => domain,
        Err(cause) => return decoder.counters.drop(cause, 1),
    };
    let clock_ns = header.boot_ns(datagram.received_ns);
    decoder.local.observe(domain, header.sequence, Some(1), clock_ns, &mut decoder.counters);

    let common = Common::new(&header, decoder, domain, datagram.received_ns);
    let (local, mut out) = decoder.parts(sink);
    let mut tally = Tally::default();
    walk(&header, samples, &common, &mut tally, &mut out);
    out.flush();
    tally.settle(local, domain, out.counters);
}

/// Walks the samples. "Unknown samples … are skipped by length."
fn walk(header: &Header, samples: &[u8], common: &Common, tally: &mut Tally, out: &mut Out<'_>) {
    let mut reader = Reader(samples);
    for _ in 0..header.samples {
        let Some((format, body)) = reader.opaque() else {
            // What begins here is not whole, and what may follow it cannot be found.
            if reader.word().is_some_and(sample::is_flow) {
                tally.samples += 1;
                tally.malformed += 1;
            } else {
                tally.overruns += 1;
            }
            return;
        };
        sample::decode(format, body, common, tally, out.rows);
        if out.rows.len() == ROWS_MAX {
            out.flush();
        }
    }
}

/// What the samples of a datagram add to the counters, all at once.
#[derive(Debug, Default)]
struct Tally {
    /// Flow samples.
    samples: u64,
    /// The format of the last: agents keep to one form, so that it stands for all of a datagram.
    format: u32,
    /// Records in flow samples that are whole.
    records: u64,
    /// Those that do not parse.
    malformed: u64,
    /// Records shorter than their format.
    parts_malformed: u64,
    counter_samples: u64,
    discard_samples: u64,
    unknown_samples: u64,
    /// Samples that are not flow samples and overrun the datagram.
    overruns: u64,
    rate_unknown: u64,
}

impl Tally {
    fn settle(&self, local: &mut Local, domain: u32, counters: &mut Counters) {
        counters.records += self.samples;
        counters.parts_malformed += self.parts_malformed;
        counters.counter_samples += self.counter_samples;
        counters.discard_samples += self.discard_samples;
        counters.unknown_samples += self.unknown_samples;
        counters.rate_unknown += self.rate_unknown;
        let totals = &mut local.domain(domain).totals;
        totals.records += self.samples;
        totals.sample_records += self.records;
        if sample::is_expanded(self.format) {
            totals.expanded_samples += self.samples;
            totals.expanded_sample_records += self.records;
        }
        totals.counter_samples += self.counter_samples;
        if self.malformed > 0 {
            local.drop(domain, Cause::RecordSampleMalformed, self.malformed, counters);
        }
        if self.overruns > 0 {
            local.drop(domain, Cause::SetLengthInvalid, self.overruns, counters);
        }
    }
}

const ADDRESS_UNKNOWN: u32 = 0;
const ADDRESS_IPV4: u32 = 1;
const ADDRESS_IPV6: u32 = 2;

/// Reads XDR (RFC 4506) off the front of a slice. `None` leaves the slice as it was or shorter,
/// never longer.
#[derive(Clone, Copy, Debug)]
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    #[inline(always)]
    fn chunk<const N: usize>(&mut self) -> Option<&'b [u8; N]> {
        let (chunk, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(chunk)
    }

    #[inline(always)]
    fn word(&mut self) -> Option<u32> {
        self.chunk().map(|bytes| u32::from_be_bytes(*bytes))
    }

    /// Several words behind one compare.
    #[inline(always)]
    fn words<const N: usize>(&mut self) -> Option<[u32; N]> {
        let (words, _) = self.0.as_chunks::<4>();
        let words = words.first_chunk::<N>()?;
        self.0 = &self.0[N * 4..];
        Some(words.map(u32::from_be_bytes))
    }

    /// A format and as many bytes as the length behind it says: a sample or a record.
    #[inline(always)]
    fn opaque(&mut self) -> Option<(u32, &'b [u8])> {
        let mut reader = *self;
        let [format, length] = reader.words()?;
        let length = length as usize;
        let body = reader.0.get(..length)?;
        // "The n bytes are followed by enough residual zero bytes to make the total byte count a
        // multiple of four" (RFC 4506 section 4.10). The last ones may be missing.
        self.0 = reader.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((format, body))
    }

    /// An address with its kind in front.
    #[inline(always)]
    fn address(&mut self) -> Option<Address> {
        match self.word()? {
            ADDRESS_UNKNOWN => Some(Address { bytes: [0; 16], len: 0 }),
            ADDRESS_IPV4 => Some(Address::v4(*self.chunk()?)),
            // "v4-mapped IPv6 is IPv4".
            ADDRESS_IPV6 => Some(match *self.chunk()? {
                [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] => Address::v4([a, b, c, d]),
                bytes => Address { bytes, len: 16 },
            }),
            _ => None,
        }
    }
}

/// An address as the row keeps it: the first `len` bytes, the others zero; none of them where it is
/// unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Address {
    bytes: [u8; 16],
    len: u8,
}

impl Address {
    #[inline(always)]
    fn v4([a, b, c, d]: [u8; 4]) -> Self {
        Self { bytes: [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], len: 4 }
    }

    const fn is_known(self) -> bool {
        self.len > 0
    }

    /// Unknown, or nothing but zeros.
    #[inline(always)]
    fn is_nothing(self) -> bool {
        self.bytes == [0; 16]
    }

    fn typed(self) -> IpAddr {
        match self.bytes {
            [a, b, c, d, ..] if self.len == 4 => Ipv4Addr::new(a, b, c, d).into(),
            bytes => Ipv6Addr::from_octets(bytes).into(),
        }
    }
}
