//! A synthetic exporter: one observation domain of one router, datagram by datagram.
//!
//! In: the time. Out: the bytes of the next UDP payload, and on request what all of them have said.
//! Cost: a copy of a body that was encoded ahead, and three stores a record: 40 to 65 ns a
//! datagram, 3 ns a flow (8 for sFlow's samples).

use std::net::IpAddr;
use std::sync::Arc;

use neckar_proto::{Field, Rows};

use crate::pool::{BLOCKS, Draft, Pool};
use crate::random::mix;
use crate::stream::{COUNTERS_MAX, Stream};
use crate::totals::Totals;
use crate::traffic::{CLIENT_PORT_FIRST, Client};
use crate::writer::Writer;
use crate::{DATAGRAM_BYTES_MAX, Protocol, netflow5, pool};

/// Templates, options and counters are sent again after this many datagrams…
const REFRESH_DATAGRAMS: u32 = 200;
/// … or after this time, whichever comes first.
const REFRESH_NS: u64 = 20_000_000_000;
/// Sampling rates in use; a router has one of them.
const RATES: [u32; 6] = [1, 100, 512, 1000, 1024, 4096];
const DAY_MS: u64 = 86_400_000;

/// What a datagram is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Length of the payload.
    pub bytes: usize,
    /// Flows in it; 0 if it holds templates or counters.
    pub flows: usize,
}

/// A router that exports by one protocol.
#[derive(Clone, Debug)]
pub struct Router {
    pool: Arc<Pool>,
    stream: Stream,
    refresh_datagrams: u32,
    refresh_ns: u64,
    refreshed_ns: Option<u64>,
    since_refresh: u32,
    refreshes: u64,
    refresh_bytes: u64,
    first_block: usize,
    /// Datagrams with flows so far.
    sent: u64,
    /// Time and sequence number of the last datagram with flows.
    last: Option<(u64, u32)>,
}

impl Router {
    /// Router `id` with traffic of its own. Encodes its pool, which takes some milliseconds; many
    /// routers share one in a [`Fleet`](crate::Fleet). The same arguments give the same
    /// datagrams, bit for bit.
    #[must_use]
    pub fn new(protocol: Protocol, id: u32, seed: u64) -> Self {
        Self::with_pool(Arc::new(Pool::new(protocol, seed)), id)
    }

    pub(crate) fn with_pool(pool: Arc<Pool>, id: u32) -> Self {
        let random = mix(u64::from(id) + 1);
        // Up for 1 to 48 days: a run of some days sees the counter of 32 bits wrap (49.7 days).
        let uptime_start_ms = DAY_MS + random % (47 * DAY_MS);
        Self {
            pool,
            stream: Stream::new(id, RATES[id as usize % RATES.len()], uptime_start_ms),
            refresh_datagrams: REFRESH_DATAGRAMS,
            refresh_ns: REFRESH_NS,
            refreshed_ns: None,
            since_refresh: 0,
            refreshes: 0,
            refresh_bytes: 0,
            first_block: (random >> 32) as usize % BLOCKS,
            sent: 0,
            last: None,
        }
    }

    /// Sends templates and options (NetFlow v9, IPFIX) or counters (sFlow) again after this many
    /// datagrams or nanoseconds, instead of 200 and 20 s.
    #[must_use]
    pub fn with_refresh(mut self, datagrams: u32, interval_ns: u64) -> Self {
        (self.refresh_datagrams, self.refresh_ns) = (datagrams, interval_ns);
        self
    }

    /// Samples one of `rate` packets, instead of a rate that depends on the id. At least 1; in
    /// NetFlow v5, which has 14 bits for it, at most [`netflow5::SAMPLING_RATE_MAX`].
    #[must_use]
    pub fn with_sampling_rate(mut self, rate: u32) -> Self {
        let rate_max = match self.protocol() {
            Protocol::V5 => netflow5::SAMPLING_RATE_MAX,
            _ => u32::MAX,
        };
        self.stream.sampling_rate = rate.clamp(1, rate_max);
        self
    }

    /// The protocol that it exports by.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.pool.protocol
    }

    /// Its number: source id (NetFlow v9), observation domain (IPFIX), engine (v5, 16 bits),
    /// sub-agent (sFlow).
    #[must_use]
    pub fn id(&self) -> u32 {
        self.stream.id
    }

    /// 1 of how many packets it looks at.
    #[must_use]
    pub fn sampling_rate(&self) -> u32 {
        self.stream.sampling_rate
    }

    /// Its own address, which sFlow carries as the agent: one of 198.18.0.0/15 (RFC 2544), by id.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.stream.address()
    }

    /// Makes the next datagram at `now_ns` (Unix), at the front of `out`.
    ///
    /// # Panics
    /// If `out` is shorter than [`DATAGRAM_BYTES_MAX`].
    pub fn datagram(&mut self, now_ns: u64, out: &mut [u8]) -> Datagram {
        let out = &mut out[..DATAGRAM_BYTES_MAX];
        if self.is_refresh_due(now_ns) {
            self.refresh(now_ns, out)
        } else {
            self.flows(now_ns, out)
        }
    }

    /// What has been sent so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = self.pool.totals(self.first_block, self.sent);
        totals.datagrams += self.refreshes;
        totals.datagram_bytes += self.refresh_bytes;
        match self.protocol() {
            Protocol::V5 => {}
            Protocol::V9 | Protocol::Ipfix => {
                totals.templates = 2 * self.refreshes;
                totals.options_templates = self.refreshes;
                totals.options_records = self.refreshes;
            }
            Protocol::Sflow => totals.counter_samples = self.refreshes * COUNTERS_MAX as u64,
        }
        totals
    }

    /// Appends the flows of the last datagram that had some, in wire order, with what that datagram
    /// says of them, as `semantics.md` reads it. Receive time and, except for sFlow, the
    /// exporter's address are not in the datagram. Draws the rows anew, which takes some
    /// microseconds a row: for tests.
    pub fn last_rows(&self, rows: &mut Rows) {
        let Some((now_ns, sequence)) = self.last else { return };
        let turn = self.sent - 1;
        let shift = self.port_shift(turn);
        for draft in self.pool.drafts(self.pool.block(self.block_index(turn))) {
            let row = rows.push();
            row.clone_from(&draft.flow);
            row.set(Field::SequenceNum, u64::from(sequence));
            row.set(Field::SamplingRate, u64::from(self.sampling_rate()));
            let client_port = match draft.drawn.client {
                Client::Source => Some(Field::SrcPort),
                Client::Destination => Some(Field::DstPort),
                Client::Nobody => None,
            };
            if let Some(field) = client_port {
                let port = moved_port(row.word_or_zero(field) as u16, shift);
                row.set(field, u64::from(port));
            }
            if let Some((start_ns, end_ns)) = self.times_ns(now_ns, &draft) {
                row.set(Field::TimeFlowStartNs, start_ns);
                row.set(Field::TimeFlowEndNs, end_ns);
            }
            match self.protocol() {
                Protocol::V5 => {}
                Protocol::V9 | Protocol::Ipfix => {
                    row.set(Field::ObservationDomainID, u64::from(self.id()));
                }
                Protocol::Sflow => row.set_ip(Field::SamplerAddress, self.address()),
            }
        }
    }

    /// The instants that a reader makes of start and end of a flow.
    fn times_ns(&self, now_ns: u64, draft: &Draft) -> Option<(u64, u64)> {
        // Header clocks: NetFlow v5's is exact, v9's has whole seconds; IPFIX says the time itself,
        // in milliseconds.
        let tick_ns = match self.protocol() {
            Protocol::V5 => 1,
            Protocol::V9 => 1_000_000_000,
            Protocol::Ipfix => 1_000_000,
            Protocol::Sflow => return None,
        };
        let ns = |ms| u64::from(ms) * 1_000_000;
        let end_ns = (now_ns - now_ns % tick_ns).saturating_sub(ns(draft.drawn.age_ms));
        Some((end_ns.saturating_sub(ns(draft.drawn.duration_ms)), end_ns))
    }

    /// Is it time for templates or counters? NetFlow v5 has neither.
    fn is_refresh_due(&self, now_ns: u64) -> bool {
        if self.protocol() == Protocol::V5 {
            return false;
        }
        self.refreshed_ns.is_none_or(|refreshed_ns| {
            self.since_refresh >= self.refresh_datagrams
                || now_ns.saturating_sub(refreshed_ns) >= self.refresh_ns
        })
    }

    fn block_index(&self, turn: u64) -> usize {
        (self.first_block + turn as usize) % BLOCKS
    }

    /// How far client ports have moved: another step each time round, so that conversations do not
    /// repeat.
    fn port_shift(&self, turn: u64) -> u16 {
        ((turn / BLOCKS as u64) as u16).wrapping_mul(7919).wrapping_add(self.id() as u16)
    }

    /// A datagram with flows.
    fn flows(&mut self, now_ns: u64, out: &mut [u8]) -> Datagram {
        let shift = self.port_shift(self.sent);
        let block = self.pool.block(self.block_index(self.sent));
        let body = self.pool.body(block);
        let header_bytes = pool::header_bytes(self.pool.protocol);
        let datagram = &mut out[..header_bytes + body.len()];
        datagram[header_bytes..].copy_from_slice(body);

        let slots = self.pool.slots(block);
        for slot in slots.iter().filter(|slot| slot.client_port_at != 0) {
            move_port(datagram, usize::from(slot.client_port_at), shift);
        }
        let sequence = self.stream.finish(self.pool.protocol, now_ns, slots, datagram);
        self.last = Some((now_ns, sequence));
        self.sent += 1;
        self.since_refresh += 1;
        Datagram { bytes: datagram.len(), flows: slots.len() }
    }

    /// A datagram of templates and options data, or of counters.
    fn refresh(&mut self, now_ns: u64, out: &mut [u8]) -> Datagram {
        let protocol = self.protocol();
        let header_bytes = pool::header_bytes(protocol);
        let mut body = Writer::new(&mut out[header_bytes..]);
        self.stream.write_announcement(protocol, &mut body);
        let bytes = header_bytes + body.len();
        self.stream.finish_announcement(protocol, now_ns, &mut out[..bytes]);
        (self.refreshed_ns, self.since_refresh) = (Some(now_ns), 0);
        self.refreshes += 1;
        self.refresh_bytes += bytes as u64;
        Datagram { bytes, flows: 0 }
    }
}

fn move_port(datagram: &mut [u8], at: usize, shift: u16) {
    let port = u16::from_be_bytes([datagram[at], datagram[at + 1]]);
    datagram[at..at + 2].copy_from_slice(&moved_port(port, shift).to_be_bytes());
}

/// Another port among those of clients.
fn moved_port(port: u16, shift: u16) -> u16 {
    CLIENT_PORT_FIRST | port.wrapping_add(shift) & !CLIENT_PORT_FIRST
}
