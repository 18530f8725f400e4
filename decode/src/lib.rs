//! Datagram bytes in, [`Flow`](neckar_proto::Flow) rows out: NetFlow v5, v9, IPFIX and sFlow v5.
//!
//! A [`Decoder`] belongs to one worker. It tells the protocols apart by content, so any of them may
//! come to any port, fills rows in place and lends them to a [`RowSink`] in chunks of at most
//! [`ROWS_MAX`] rows. What workers know together (templates, sampling tables, sequence numbers) is
//! in one [`Shared`].
//!
//! Deliberately absent: I/O, clocks (time is an argument), logging (every oddity is a counter),
//! allocation once warm, `unsafe`, and any knowledge of protobuf.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use neckar_proto::Rows;

mod bytes;
mod config;
mod counters;
mod decoder;
mod elements;
pub mod fields;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod hold;
mod interfaces;
mod local;
mod message;
mod netflow5;
mod packet;
mod persist;
mod plan;
mod sampling;
mod sequence;
mod sets;
mod sflow;
mod shared;
mod slab;
mod template;
mod text;
mod time;
mod totals;
mod view;

pub use config::Config;
pub use counters::{Cause, Counters};
pub use decoder::Decoder;
pub use interfaces::{ExporterNames, INTERFACE_BYTES_MAX, INTERFACES_MAX, InterfaceName};
pub use persist::{ImportError, Summary};
pub use shared::Shared;
pub use template::Protocol;
pub use totals::{Ages, Totals};
pub use view::{DomainView, ExporterAccount, ExporterView, FieldView, TemplateView};

/// Rows that a [`RowSink`] gets at most in one call: they stay in the first-level cache from
/// decoding to encoding.
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

/// How long the message at the start of `bytes` says it is: for files that hold several, one after
/// the other. `None` for NetFlow v9 and sFlow, whose messages do not say, and for anything else.
#[must_use]
pub fn message_length(bytes: &[u8]) -> Option<usize> {
    match bytes::u16_at(bytes, 0)? {
        5 => Some(netflow5::message_length(usize::from(bytes::u16_at(bytes, 2)?))),
        10 => bytes::u16_at(bytes, 2).map(usize::from),
        _ => None,
    }
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
