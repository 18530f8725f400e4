//! Reading captures: every link type, byte order, packing and kind of damage.

mod damage;
mod fragments;
mod links;
mod messages;
mod orders;

use std::net::SocketAddr;
use std::path::PathBuf;

use neckar::capture::{CaptureError, Captures, Notes};

use crate::scratch::Scratch;

/// A datagram, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) time_ns: u64,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) payload: Vec<u8>,
}

/// Everything that files hold, up to the first error.
pub(crate) fn read_files(files: &[PathBuf]) -> (Vec<Seen>, Notes, Option<CaptureError>) {
    let mut captures = Captures::open(files).unwrap();
    let mut seen = Vec::new();
    let error = loop {
        match captures.next() {
            Ok(Some(packet)) => seen.push(Seen {
                time_ns: packet.time_ns,
                source: packet.source,
                destination: packet.destination,
                payload: packet.payload.to_vec(),
            }),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    (seen, captures.notes(), error)
}

/// Everything that a file of these bytes holds.
pub(crate) fn read(bytes: &[u8]) -> (Vec<Seen>, Notes, Option<CaptureError>) {
    let scratch = Scratch::new();
    read_files(&[scratch.file("flows", bytes)])
}

/// The payloads in a file without faults.
pub(crate) fn payloads(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (seen, _, error) = read(bytes);
    assert!(error.is_none(), "{}", error.unwrap());
    seen.into_iter().map(|seen| seen.payload).collect()
}
