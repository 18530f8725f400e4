//! How many records an IPFIX message holds, for whoever keeps its sequence numbers.

use neckar_decode::Decoder;

use crate::capture::Packet;

/// Counts by decoding: nothing less knows where a record ends.
pub(crate) struct RecordCount(Decoder);

impl RecordCount {
    pub(crate) fn new() -> Self {
        Self(super::new_decoder().0)
    }

    /// Data and options records in this message. Those of sets whose template has not come yet
    /// count when it comes.
    pub(crate) fn of(&mut self, packet: &Packet<'_>) -> u32 {
        let before = self.records();
        self.0.decode(super::datagram(packet), &mut |_: &mut neckar_proto::Rows| {});
        (self.records() - before) as u32
    }

    fn records(&self) -> u64 {
        let counters = self.0.counters();
        counters.records + counters.options_records
    }
}
