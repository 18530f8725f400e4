//! Flows on standard output, printed by a thread of their own.

use std::io::{self, Write};

use neckar_proto::Batch;

use super::text::Formatter;
use super::writer::{Destination, Writer};
use crate::config::FlowFormat;

struct Stdout<F> {
    formatter: Formatter,
    /// Called once, when nobody reads any more.
    broken: Option<F>,
}

/// Starts printing. `broken` is called once if standard output is closed.
///
/// # Errors
/// The system has no thread left.
pub fn print(format: FlowFormat, broken: impl FnOnce() + Send + 'static) -> io::Result<Writer> {
    let formatter = Formatter::new(format);
    Writer::start("stdout", Stdout { formatter, broken: Some(broken) })
}

impl<F: FnOnce() + Send> Destination for Stdout<F> {
    fn write(&mut self, batch: &Batch) -> usize {
        let text = self.formatter.format(batch);
        let mut out = io::stdout().lock();
        if out.write_all(text).and_then(|()| out.flush()).is_ok() {
            return batch.len();
        }
        if let Some(tell) = self.broken.take() {
            tell();
        }
        0
    }
}
