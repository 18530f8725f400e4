//! A sending socket for every exporter of the capture, times the copies that are sent.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use crate::exit::Failure;
use crate::outlet::{Outlet, Tally};
use crate::stop::Stop;
use crate::target::{self, allow_many_sockets};

/// Senders at most; a capture with more exporters lets some of them share.
const SENDERS_MAX: usize = 60_000;

/// Sockets, opened when their exporter first sends.
pub(super) struct Senders {
    target: SocketAddr,
    copies: usize,
    outlets: Vec<Outlet>,
    /// Index in `outlets`.
    by_exporter: HashMap<(usize, IpAddr), usize>,
    tally: Tally,
}

impl Senders {
    pub(super) fn new(target: SocketAddr, copies: usize) -> Self {
        allow_many_sockets();
        let (outlets, by_exporter) = (Vec::new(), HashMap::new());
        Self { target, copies, outlets, by_exporter, tally: Tally::default() }
    }

    /// How often every datagram is sent.
    pub(super) fn copies(&self) -> usize {
        self.copies
    }

    /// Sends a datagram of `exporter` as copy number `copy`.
    pub(super) fn send(
        &mut self,
        copy: usize,
        exporter: IpAddr,
        payload: &[u8],
        stop: &Stop,
    ) -> Result<(), Failure> {
        let index = match self.by_exporter.get(&(copy, exporter)) {
            Some(index) => *index,
            None => self.add(copy, exporter)?,
        };
        self.outlets[index].send(payload, &mut self.tally, stop).map(|_| ())
    }

    fn add(&mut self, copy: usize, exporter: IpAddr) -> Result<usize, Failure> {
        let count = self.outlets.len();
        if count >= SENDERS_MAX {
            // Not remembered: a capture with forged sources would fill the table.
            return Ok(copy % SENDERS_MAX);
        }
        self.outlets.push(target::outlet(self.target, count)?);
        self.by_exporter.insert((copy, exporter), count);
        Ok(count)
    }

    /// What was sent, with the answers that came in the end.
    pub(super) fn settle(&mut self) -> Tally {
        for outlet in &self.outlets {
            outlet.settle(&mut self.tally);
        }
        self.tally
    }
}
