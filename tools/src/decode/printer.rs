//! Rows as text on standard output.

use std::io::{self, IsTerminal, Write};

use neckar_decode::RowSink;
use neckar_proto::{Flow, Rows, csv, json, line};

use super::Format;
use crate::dump::flowdumper;
use crate::exit::{Failure, Written, written};

/// Text is written when there is this much of it.
const TEXT_BYTES: usize = 64 << 10;

/// Takes rows and prints them.
pub(crate) struct Printer {
    format: Format,
    columns: csv::Columns,
    text: Vec<u8>,
    /// Write after every datagram: somebody waits for it.
    at_once: bool,
    is_read: bool,
}

impl Printer {
    /// `live`: the input comes as it happens, so the output must.
    pub(crate) fn new(format: Format, live: bool) -> Self {
        let at_once = live || io::stdout().is_terminal();
        let columns = csv::Columns::default();
        let mut text = Vec::with_capacity(2 * TEXT_BYTES);
        if format == Format::Csv {
            columns.write_header(&mut text);
        }
        Self { format, columns, text, at_once, is_read: true }
    }

    /// Does anybody read what is printed? If nothing is to be printed, nobody can stop reading.
    pub(crate) fn is_read(&self) -> bool {
        self.is_read
    }

    /// Writes what has come together, if that is enough.
    pub(crate) fn flush_if_due(&mut self) -> Result<(), Failure> {
        if self.at_once || self.text.len() >= TEXT_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes what has come together.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        if self.text.is_empty() {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        let result = out.write_all(&self.text).and_then(|()| out.flush());
        self.text.clear();
        if written(result)? == Written::NobodyReads {
            self.is_read = false;
            self.format = Format::None;
        }
        Ok(())
    }
}

impl Printer {
    /// Prints `flow`, one of `rows`.
    pub(crate) fn print(&mut self, rows: &Rows, flow: &Flow) {
        let text = &mut self.text;
        match self.format {
            Format::Json => json::write(text, rows, flow),
            Format::Protojson => json::write_protojson(text, rows, flow),
            Format::Flowdumper => flowdumper::write(text, rows, flow),
            Format::Csv => self.columns.write(text, rows, flow),
            Format::Line => line::write(text, rows, flow),
            Format::None => {}
        }
    }
}

impl RowSink for Printer {
    fn rows(&mut self, rows: &mut Rows) {
        for flow in rows.as_slice() {
            self.print(rows, flow);
        }
    }
}
