//! Datagram bytes in, [`Flow`](neckar_proto::Flow) rows out: NetFlow v5, v9, IPFIX and sFlow v5.
//!
//! A `Decoder` belongs to one worker. It tells the protocols apart by content, so any of them may come to any port,
//! fills rows in place and lends them to a [`RowSink`] in chunks of at most [`ROWS_MAX`] rows.
//!
//! Deliberately absent: I/O, clocks (time is an argument), logging (every oddity is a counter), allocation once warm,
//! `unsafe`, and any knowledge of protobuf.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use neckar_proto::Rows;

mod counters;

pub use counters::{Cause, Counters};

/// Rows that a [`RowSink`] gets at most in one call: they stay in the first-level cache from decoding to encoding.
pub const ROWS_MAX: usize = 64;

/// One UDP payload and where it came from.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Source address, IPv4-mapped IPv6 already turned into IPv4 (`IpAddr::to_canonical`).
    pub exporter: IpAddr,
    /// UDP source port; no part of any key unless configured.
    pub port: u16,
    /// Unix nanoseconds when it was received.
    pub received_ns: u64,
    /// The payload.
    pub bytes: &'a [u8],
}

/// Takes decoded rows. They are lent: after the call the decoder clears and refills them.
pub trait RowSink {
    /// Rows of one datagram, in wire order, at most [`ROWS_MAX`] and never none.
    fn rows(&mut self, rows: &mut Rows);
}

impl<F: FnMut(&mut Rows)> RowSink for F {
    fn rows(&mut self, rows: &mut Rows) {
        self(rows);
    }
}
