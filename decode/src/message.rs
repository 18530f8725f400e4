//! The header of a message: what its records share.

use std::net::IpAddr;

use neckar_proto::flow_type;

use crate::Datagram;
use crate::bytes::{u16_at, u32_at};
use crate::template::Protocol;

/// Bytes of the header of a NetFlow v9 message (RFC 3954 section 5.1).
pub(crate) const V9_HEADER_BYTES: usize = 20;
/// Bytes of the header of an IPFIX message (RFC 7011 section 3.1).
pub(crate) const IPFIX_HEADER_BYTES: usize = 16;

/// A header, with where and when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) protocol: Protocol,
    /// The same as a value of `Field::Type`.
    pub(crate) flow_type: u64,
    /// Source id or observation domain.
    pub(crate) domain: u32,
    pub(crate) sequence: u32,
    /// The exporter's clock, Unix nanoseconds.
    pub(crate) export_ns: u64,
    /// Its uptime at that moment; IPFIX does not say.
    pub(crate) uptime_ms: Option<u32>,
    pub(crate) received_ns: u64,
    /// Its address, in the first `exporter_len` bytes.
    pub(crate) exporter: [u8; 16],
    pub(crate) exporter_len: u8,
}

/// An address as the row keeps it.
pub(crate) fn address(address: IpAddr) -> ([u8; 16], u8) {
    match address {
        IpAddr::V4(v4) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&v4.octets());
            (bytes, 4)
        }
        IpAddr::V6(v6) => (v6.octets(), 16),
    }
}

impl Message {
    /// Reads the header of a NetFlow v9 datagram. The `count` in it is wrong in the field and used
    /// for nothing.
    pub(crate) fn v9(datagram: &Datagram<'_>) -> Option<Self> {
        let bytes = datagram.bytes;
        let (exporter, exporter_len) = address(datagram.exporter);
        Some(Self {
            protocol: Protocol::NetflowV9,
            flow_type: flow_type::NETFLOW_V9,
            uptime_ms: Some(u32_at(bytes, 4)?),
            export_ns: u64::from(u32_at(bytes, 8)?) * 1_000_000_000,
            sequence: u32_at(bytes, 12)?,
            domain: u32_at(bytes, 16)?,
            received_ns: datagram.received_ns,
            exporter,
            exporter_len,
        })
    }

    /// Reads the header of an IPFIX message; also gives the length it claims.
    pub(crate) fn ipfix(datagram: &Datagram<'_>) -> Option<(Self, usize)> {
        let bytes = datagram.bytes;
        let (exporter, exporter_len) = address(datagram.exporter);
        let message = Self {
            protocol: Protocol::Ipfix,
            flow_type: flow_type::IPFIX,
            uptime_ms: None,
            export_ns: u64::from(u32_at(bytes, 4)?) * 1_000_000_000,
            sequence: u32_at(bytes, 8)?,
            domain: u32_at(bytes, 12)?,
            received_ns: datagram.received_ns,
            exporter,
            exporter_len,
        };
        Some((message, usize::from(u16_at(bytes, 2)?)))
    }
}
