//! The decoder of one worker: tells protocols apart and leads each datagram through its own.

use std::sync::Arc;

use neckar_proto::{Flow, Rows};

use crate::bytes::{u16_at, u32_at};
use crate::config::Config;
use crate::counters::{Cause, Counters};
use crate::hold::Budget;
use crate::local::Local;
use crate::message::{IPFIX_HEADER_BYTES, Message, V9_HEADER_BYTES};
use crate::plan::{Anchors, Out};
use crate::shared::Shared;
use crate::template::Protocol;
use crate::{Datagram, ROWS_MAX, RowSink, netflow5, sets, sflow};

/// Decodes datagrams into rows. One per worker; what workers share is in [`Shared`].
#[derive(Debug)]
pub struct Decoder {
    pub(crate) config: Config,
    pub(crate) shared: Arc<Shared>,
    pub(crate) local: Local,
    pub(crate) counters: Counters,
    pub(crate) memory: Memory,
    forgotten_seen: u64,
    revision_seen: u64,
}

/// What is filled and emptied with every datagram, and only ever grows.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) rows: Rows,
    pub(crate) anchors: Anchors,
    pub(crate) frame: Flow,
    pub(crate) common: Flow,
    pub(crate) facts: Vec<crate::sampling::Fact>,
}

impl Decoder {
    /// A decoder that shares templates with all others of `shared`.
    #[must_use]
    pub fn new(config: Config, shared: Arc<Shared>) -> Self {
        let budget = Budget {
            exporter_bytes: config.hold_bytes,
            total_bytes: config.hold_total_bytes,
            used: 0,
        };
        Self {
            local: Local::new(Arc::clone(&shared), budget),
            forgotten_seen: shared.forgotten(),
            revision_seen: shared.revision(),
            config,
            shared,
            counters: Counters::default(),
            memory: Memory {
                rows: Rows::with_capacity(ROWS_MAX),
                anchors: Anchors::default(),
                frame: Flow::default(),
                common: Flow::default(),
                facts: Vec::new(),
            },
        }
    }

    /// What was counted since the decoder was made.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Bytes of data sets that wait for their templates, of this decoder.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.local.budget.used
    }

    /// Decodes one datagram and lends its rows to `sink`. Never fails: what does not become a row
    /// is counted.
    #[inline]
    pub fn decode<S: RowSink>(&mut self, datagram: Datagram<'_>, sink: &mut S) {
        // One copy of the decoder, made in this crate, whatever the sink is: the call through it is
        // one per 64 rows.
        self.decode_any(&datagram, sink);
    }

    fn decode_any(&mut self, datagram: &Datagram<'_>, sink: &mut dyn RowSink) {
        self.counters.datagrams += 1;
        self.counters.bytes += datagram.bytes.len() as u64;
        // "Classified by content": any protocol on any port.
        match u16_at(datagram.bytes, 0) {
            Some(9) => self.v9(datagram, sink),
            Some(10) => self.ipfix(datagram, sink),
            Some(5) => {
                self.counters.protocols[Protocol::NetflowV5 as usize] += 1;
                netflow5::decode(self, datagram, sink);
            }
            Some(1) => self.counters.drop(Cause::DatagramNetflowV1, 1),
            Some(7) => self.counters.drop(Cause::DatagramNetflowV7, 1),
            Some(8) => self.counters.drop(Cause::DatagramNetflowV8, 1),
            // sFlow counts its version in 32 bits.
            Some(0) => match u32_at(datagram.bytes, 0) {
                Some(5) => {
                    self.counters.protocols[Protocol::Sflow as usize] += 1;
                    sflow::decode(self, datagram, sink);
                }
                Some(2 | 4) => self.counters.drop(Cause::DatagramSflowVersion, 1),
                Some(_) => self.counters.drop(Cause::DatagramVersionUnknown, 1),
                None => self.counters.drop(Cause::DatagramTruncated, 1),
            },
            Some(_) => self.counters.drop(Cause::DatagramVersionUnknown, 1),
            None => self.counters.drop(Cause::DatagramTruncated, 1),
        }
    }

    fn v9(&mut self, datagram: &Datagram<'_>, sink: &mut dyn RowSink) {
        self.counters.protocols[Protocol::NetflowV9 as usize] += 1;
        let Some(message) = Message::v9(datagram) else {
            return self.counters.drop(Cause::DatagramTruncated, 1);
        };
        let body = (V9_HEADER_BYTES, datagram.bytes.len());
        sets::decode(self, datagram, &message, body, sink);
    }

    fn ipfix(&mut self, datagram: &Datagram<'_>, sink: &mut dyn RowSink) {
        self.counters.protocols[Protocol::Ipfix as usize] += 1;
        let Some((message, length)) = Message::ipfix(datagram) else {
            return self.counters.drop(Cause::DatagramTruncated, 1);
        };
        if length < IPFIX_HEADER_BYTES {
            return self.counters.drop(Cause::DatagramLengthInvalid, 1);
        }
        // "IPFIX message length shorter than the datagram (honoured)"; a longer one means the
        // datagram was cut.
        let body = (IPFIX_HEADER_BYTES, length.min(datagram.bytes.len()));
        sets::decode(self, datagram, &message, body, sink);
    }

    /// To be called about once a second: gives up what was held too long, decodes what was held
    /// until another worker learnt its template, forgets templates past their lifetime, and
    /// reports accounts to [`Shared`]. `u64::MAX` gives up everything that is held.
    pub fn expire<S: RowSink>(&mut self, now_ns: u64, sink: &mut S) {
        self.expire_any(now_ns, sink);
    }

    fn expire_any(&mut self, now_ns: u64, sink: &mut dyn RowSink) {
        let forgotten = self.shared.forgotten();
        if forgotten != self.forgotten_seen {
            self.forgotten_seen = forgotten;
            for at in self.local.all() {
                if self.local.domain(at).is_gone() {
                    self.local.forget(at, &mut self.counters);
                }
            }
        }
        if self.config.template_lifetime_ns > 0 && now_ns != u64::MAX {
            let oldest_ns = now_ns.saturating_sub(self.config.template_lifetime_ns);
            for at in self.local.all() {
                self.local.remove(at, |template| template.refreshed_before(oldest_ns));
            }
        }
        // What nobody has learnt anything for waits on.
        let revision = self.shared.revision();
        let waiting =
            if revision == self.revision_seen { Vec::new() } else { self.local.waiting() };
        self.revision_seen = revision;
        for at in waiting {
            if self.local.is_stale(at) && self.local.refresh(at) {
                sets::release(self, at, sink);
            }
        }
        let before_ns = now_ns.saturating_sub(self.config.hold_ns);
        let before_ns = if now_ns == u64::MAX { u64::MAX } else { before_ns };
        let given_up = self.local.expire_held(before_ns);
        self.counters.drop(Cause::SetTemplateMissing, given_up);
        self.local.report(now_ns == u64::MAX);
    }

    /// Everything that making rows needs, apart from the tables.
    pub(crate) fn parts<'a>(&'a mut self, sink: &'a mut dyn RowSink) -> (&'a mut Local, Out<'a>) {
        let Memory { rows, anchors, frame, common, .. } = &mut self.memory;
        (&mut self.local, Out { rows, counters: &mut self.counters, anchors, frame, common, sink })
    }
}
