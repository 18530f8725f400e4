//! The narrow type behind which batches leave: a batch of encoded flows in, counted reports out.

use std::sync::Arc;
use std::time::Instant;

use neckar_proto::Batch;

mod files;
mod kafka;
mod stdout;
mod text;
mod whole;
mod writer;

pub use files::{FileCounts, write_files};
pub use kafka::KafkaSink;
pub use stdout::print;
pub use writer::{Writer, WriterCounts, WriterSink};

/// Where one worker's batches go. It belongs to the worker's thread and never waits,
/// [`Sink::finish`] apart.
pub trait Sink: Send {
    /// Takes the batch; what the output has no room for waits here, bounded by the worker's pool of
    /// batches, of which few are left if `is_short`.
    fn submit(&mut self, batch: Arc<Batch>, is_short: bool) -> Route;

    /// Tries again to place what waits.
    fn tend(&mut self);

    /// Batches that wait.
    fn backlog(&self) -> usize;

    /// Places what waits, until `deadline`, and keeps the rest over the end of the process, until
    /// `keep_until`, if the output can; what is left then is counted as lost.
    fn finish(&mut self, deadline: Instant, keep_until: Instant);

    /// Flows that the output has taken and not acknowledged, if it can keep their batches over the
    /// end of the process, by [`Sink::keep`].
    fn unacknowledged(&self) -> Option<u64> {
        None
    }

    /// Keeps a batch of which some flows are not acknowledged, if that can be done by `deadline`.
    fn keep(&mut self, _batch: Arc<Batch>, _deadline: Instant) {}
}

/// Where a batch goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To the output.
    Output,
    /// To disk first; whoever brings it to the output shows it to others, too.
    Spool,
}
