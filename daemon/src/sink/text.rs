//! A batch as lines, or as protobuf, each flow behind its length.

use std::borrow::Cow;

use neckar_proto::decode::decode;
use neckar_proto::{Batch, Rows, json, line};

use crate::config::FlowFormat;

/// Turns batches into bytes; keeps its buffers.
#[derive(Debug)]
pub(super) struct Formatter {
    format: FlowFormat,
    rows: Rows,
    text: Vec<u8>,
}

impl Formatter {
    pub(super) fn new(format: FlowFormat) -> Self {
        Self { format, rows: Rows::default(), text: Vec::new() }
    }

    /// All flows of the batch.
    pub(super) fn format<'a>(&'a mut self, batch: &'a Batch) -> &'a [u8] {
        self.rows.clear();
        self.text.clear();
        if self.format == FlowFormat::Protobuf {
            return match batch.delimited(0..batch.len()) {
                Cow::Borrowed(bytes) => bytes,
                Cow::Owned(bytes) => {
                    self.text = bytes;
                    &self.text
                }
            };
        }
        for flow in batch.flows() {
            decode(flow, &mut self.rows).expect("our own encoder's bytes");
        }
        for flow in self.rows.as_slice() {
            match self.format {
                FlowFormat::Line => line::write(&mut self.text, &self.rows, flow),
                FlowFormat::Json => json::write(&mut self.text, &self.rows, flow),
                FlowFormat::Protobuf => unreachable!("answered above"),
            }
        }
        &self.text
    }
}
