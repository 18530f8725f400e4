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
    /// batches.
    fn submit(&mut self, batch: Arc<Batch>);

    /// Tries again to place what waits.
    fn tend(&mut self);

    /// Batches that wait.
    fn backlog(&self) -> usize;

    /// Places what waits, until `deadline`; what is left then is counted as lost.
    fn finish(&mut self, deadline: Instant);
}
