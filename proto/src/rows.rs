//! A reusable batch of rows, with the texts that they hold.

use crate::field::Field;
use crate::flow::{Flow, Presence, Span};

/// Longer texts are cut to this many bytes.
pub const TEXT_BYTES_MAX: usize = 255;

/// Rows in order, with their texts. Cleared and refilled; allocates only while it grows.
#[derive(Debug, Default)]
pub struct Rows {
    flows: Vec<Flow>,
    len: usize,
    texts: Vec<u8>,
}

impl Rows {
    /// Room for `capacity` rows without allocating.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let mut flows = Vec::new();
        flows.resize_with(capacity, Flow::default);
        Self { flows, len: 0, texts: Vec::with_capacity(capacity * 64) }
    }

    /// Forgets all rows; keeps the memory.
    #[inline]
    pub fn clear(&mut self) {
        self.len = 0;
        self.texts.clear();
    }

    /// How many rows there are.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Are there none?
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends `count` rows that have exactly the fields in `present`, with whatever values stood there before, and
    /// returns them to be filled.
    #[inline]
    pub fn extend(&mut self, count: usize, present: Presence) -> &mut [Flow] {
        let start = self.len;
        self.len += count;
        if self.len > self.flows.len() {
            self.flows.resize_with(self.len, Flow::default);
        }
        let added = &mut self.flows[start..self.len];
        for flow in &mut *added {
            flow.restart(present);
        }
        added
    }

    /// Appends one empty row.
    #[inline]
    pub fn push(&mut self) -> &mut Flow {
        &mut self.extend(1, Presence::default())[0]
    }

    /// Appends a copy of row `index`, sharing its texts.
    pub fn push_copy(&mut self, index: usize) -> &mut Flow {
        let copy = self.flows[index].clone();
        let row = self.push();
        *row = copy;
        row
    }

    /// Keeps the first `len` rows.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// The rows.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[Flow] {
        &self.flows[..self.len]
    }

    /// The rows, to change.
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [Flow] {
        &mut self.flows[..self.len]
    }

    /// The text, bytes or list in `field` of `flow`, one of these rows; `None` if absent.
    #[must_use]
    pub fn text(&self, flow: &Flow, field: Field) -> Option<&[u8]> {
        text_of(flow, field, &self.texts)
    }

    /// Sets a text, bytes or list field of row `index`, cut to [`TEXT_BYTES_MAX`]. The last value wins.
    pub fn set_text(&mut self, index: usize, field: Field, text: &[u8]) {
        let text = &text[..text.len().min(TEXT_BYTES_MAX)];
        // Offsets fit: a batch is at most some thousand rows of some dozen texts of 255 bytes.
        let span = Span { offset: self.texts.len() as u32, len: text.len() as u32 };
        self.texts.extend_from_slice(text);
        let flow = &mut self.flows[index];
        flow.texts[field.slot()] = span;
        flow.present.insert(field);
    }

    /// The bytes of all texts: what [`crate::encode`] needs beside a row.
    #[must_use]
    pub fn texts(&self) -> &[u8] {
        &self.texts
    }
}

/// The text in `field`, given the buffer it was put into.
#[inline]
pub(crate) fn text_of<'t>(flow: &Flow, field: Field, texts: &'t [u8]) -> Option<&'t [u8]> {
    debug_assert!(!field.is_word() && !field.is_address());
    if !flow.has(field) {
        return None;
    }
    let Span { offset, len } = flow.texts[field.slot()];
    texts.get(offset as usize..offset as usize + len as usize)
}
