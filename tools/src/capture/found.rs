//! What the readers of this room fill in, and what they say when they cannot go on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// No address is known: a file of bare messages does not say who sent them.
pub(super) const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// The datagram found last.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) time_ns: u64,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) payload: Vec<u8>,
}

impl Default for Found {
    fn default() -> Self {
        Self { time_ns: 0, source: NOWHERE, destination: NOWHERE, payload: Vec::new() }
    }
}

/// What is wrong with a file, and where in its (unpacked) bytes.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) offset: Option<u64>,
    pub(super) what: String,
}

impl Fault {
    pub(super) fn at(offset: u64, what: impl Into<String>) -> Self {
        Self { offset: Some(offset), what: what.into() }
    }

    pub(super) fn of(what: impl Into<String>) -> Self {
        Self { offset: None, what: what.into() }
    }
}

/// One sentence for a read that failed.
pub(super) fn read_failed(error: Option<&std::io::Error>) -> String {
    error.map_or_else(|| "cannot be read".into(), |error| format!("cannot be read: {error}"))
}
