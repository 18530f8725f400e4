//! Records in, matching flows out.

use std::ops::ControlFlow;

use neckar_filter::Filter;
use neckar_kafka::{FlowReader, Framing, Record};
use neckar_proto::Rows;

use super::stats::Counts;
use crate::decode::Printer;
use crate::exit::Failure;
use crate::stop::Stop;

/// Everything between a record and its text.
pub(super) struct Reading {
    reader: FlowReader,
    rows: Rows,
    filter: Filter,
    printer: Printer,
    /// Flows that may still be printed.
    left: u64,
    pub(super) counts: Counts,
    /// Writing failed: told by the next flush.
    failed: Option<Failure>,
}

impl Reading {
    pub(super) fn new(
        filter: Filter,
        framing: Option<Framing>,
        printer: Printer,
        count: Option<u64>,
    ) -> Self {
        Self {
            reader: FlowReader::new(framing),
            rows: Rows::default(),
            filter,
            printer,
            left: count.unwrap_or(u64::MAX),
            counts: Counts::default(),
            failed: None,
        }
    }

    /// Prints what matches of `record`. Breaks when there is no point in going on.
    pub(super) fn record(&mut self, record: &Record<'_>, stop: &Stop) -> ControlFlow<()> {
        self.counts.records += 1;
        self.rows.clear();
        match self.reader.read(record.payload(), &mut self.rows) {
            Ok(flows) => self.counts.flows += flows as u64,
            Err(error) => {
                let (partition, offset) = record.place();
                self.counts.malformed(partition, offset, error.offset);
            }
        }
        self.print();
        if let Err(failure) = self.printer.flush_if_due() {
            self.failed = Some(failure);
        }
        let go_on = self.left > 0 && self.printer.is_read() && self.failed.is_none();
        if go_on && !stop.is_asked() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    fn print(&mut self) {
        let rows = &self.rows;
        for flow in rows.as_slice() {
            if !self.filter.matches(flow, rows) {
                self.counts.filtered += 1;
            } else if self.left == 0 {
                self.counts.beyond += 1;
            } else {
                self.printer.print(rows, flow);
                self.counts.printed += 1;
                self.left -= 1;
            }
        }
    }

    /// Writes what is waiting; `false` if nobody reads it.
    pub(super) fn flush(&mut self) -> Result<bool, Failure> {
        if let Some(failure) = self.failed.take() {
            return Err(failure);
        }
        self.printer.flush()?;
        Ok(self.printer.is_read())
    }
}
