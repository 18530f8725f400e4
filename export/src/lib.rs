//! Flows in, NetFlow v5, v9, IPFIX and sFlow v5 datagrams out.
//!
//! * [`Router`] is a synthetic exporter: each call makes its next datagram, with templates, options
//!   data, counters and sequence numbers as a real one sends them, and it knows exactly what it has
//!   sent ([`Totals`]). [`Fleet`] is many of them in turn. They are the load source of `neckar
//!   generate`, `neckard demo`, tests and benches.
//! * [`netflow5`], [`netflow9`], [`ipfix`] and [`sflow`] are the wire forms below: headers,
//!   template sets, and records made of a [`Flow`](neckar_proto::Flow), whatever its source.
//!
//! Everything costly happens when a [`Router`] is made: bodies of some hundred datagrams are
//! encoded ahead, and a datagram is a copy of one with header, times and client ports written over
//! it (see `router.rs` for the figure).
//!
//! Deliberately absent: sockets, clocks (time is an argument), allocation once warm, `unsafe`.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test"))]

mod address_plan;
mod fleet;
mod frame;
pub mod ipfix;
pub mod netflow5;
pub mod netflow9;
mod pool;
mod random;
mod router;
pub mod sflow;
mod stream;
pub mod template;
mod totals;
mod traffic;
mod writer;

pub use address_plan::{CUSTOMERS, customer_of, customer_prefixes, customers_csv};
pub use fleet::Fleet;
pub use router::{Datagram, Router};
pub use totals::{Sum, Totals};
pub use writer::Writer;

/// A UDP payload is never longer than this: it crosses any path of 1,500 bytes, tunnels included,
/// in one piece.
pub const DATAGRAM_BYTES_MAX: usize = 1400;

/// What a router exports by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// NetFlow version 5: fixed records, IPv4 only.
    V5,
    /// NetFlow version 9 (RFC 3954).
    V9,
    /// IPFIX (RFC 7011).
    Ipfix,
    /// sFlow version 5: sampled packet headers.
    Sflow,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; 4] = [Self::V5, Self::V9, Self::Ipfix, Self::Sflow];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V5 => "v5",
            Self::V9 => "v9",
            Self::Ipfix => "ipfix",
            Self::Sflow => "sflow",
        }
    }

    /// The value of [`Field::Type`](neckar_proto::Field::Type) that its flows carry.
    #[must_use]
    pub const fn flow_type(self) -> u64 {
        match self {
            Self::V5 => neckar_proto::flow_type::NETFLOW_V5,
            Self::V9 => neckar_proto::flow_type::NETFLOW_V9,
            Self::Ipfix => neckar_proto::flow_type::IPFIX,
            Self::Sflow => neckar_proto::flow_type::SFLOW_5,
        }
    }
}
