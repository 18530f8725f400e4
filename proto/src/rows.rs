//! A reusable batch of rows, with the texts that they hold.

use crate::field::{Field, Kind};
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

    /// Appends `count` rows that have exactly the fields in `present`, with whatever values stood
    /// there before, and returns them to be filled.
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
    ///
    /// # Panics
    /// If there is no such row.
    pub fn push_copy(&mut self, index: usize) -> &mut Flow {
        let copy = self.as_slice()[index].clone();
        let row = self.push();
        *row = copy;
        row
    }

    /// Keeps the first `len` rows.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Keeps the first `len` rows, whose texts are the first `text_bytes` of all.
    pub(crate) fn rewind(&mut self, len: usize, text_bytes: usize) {
        self.truncate(len);
        self.texts.truncate(text_bytes);
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

    /// Sets a text, bytes or list field of row `index`, cut to [`TEXT_BYTES_MAX`]. The last value
    /// wins.
    ///
    /// Texts are made UTF-8, characters kept whole: protobuf readers refuse a message with a
    /// `string` that is not.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn set_text(&mut self, index: usize, field: Field, text: &[u8]) {
        let offset = self.texts.len();
        match field.info().kind {
            Kind::Text => push_utf8(&mut self.texts, text),
            Kind::U32List => {
                let len = text.len().min(TEXT_BYTES_MAX) / size_of::<u32>() * size_of::<u32>();
                self.texts.extend_from_slice(&text[..len]);
            }
            _ => self.texts.extend_from_slice(&text[..text.len().min(TEXT_BYTES_MAX)]),
        }
        // Offsets fit: a batch is at most some thousand rows of some dozen texts of 255 bytes.
        let span = Span { offset: offset as u32, len: (self.texts.len() - offset) as u32 };
        let flow = &mut self.as_mut_slice()[index];
        flow.texts[field.slot()] = span;
        flow.present.insert(field);
    }

    /// Appends a number to a list field of row `index`, unless the list is as long as may be.
    ///
    /// # Panics
    /// If there is no such row.
    pub(crate) fn push_item(&mut self, index: usize, field: Field, item: u32) {
        debug_assert!(field.info().kind == Kind::U32List);
        let end = self.texts.len();
        let flow = &mut self.flows[..self.len][index];
        let mut span = match flow.has(field) {
            true => flow.texts[field.slot()],
            false => Span { offset: end as u32, len: 0 },
        };
        if span.len as usize + size_of::<u32>() > TEXT_BYTES_MAX {
            return;
        }
        let list = span.offset as usize..(span.offset + span.len) as usize;
        if list.end != end {
            // Something stands behind the list: it grows at the end of all texts.
            self.texts.extend_from_within(list);
            span.offset = end as u32;
        }
        self.texts.extend_from_slice(&item.to_le_bytes());
        span.len += size_of::<u32>() as u32;
        flow.texts[field.slot()] = span;
        flow.present.insert(field);
    }

    /// The bytes of all texts: what [`crate::encode`] needs beside a row.
    #[must_use]
    pub fn texts(&self) -> &[u8] {
        &self.texts
    }
}

/// Appends at most [`TEXT_BYTES_MAX`] bytes of `text`, with U+FFFD in place of what is no UTF-8.
fn push_utf8(texts: &mut Vec<u8>, text: &[u8]) {
    let mut room = TEXT_BYTES_MAX;
    for chunk in text.utf8_chunks() {
        let replacement = if chunk.invalid().is_empty() { "" } else { "\u{fffd}" };
        for part in [chunk.valid(), replacement] {
            let len = part.floor_char_boundary(room);
            texts.extend_from_slice(&part.as_bytes()[..len]);
            if len < part.len() {
                return;
            }
            room -= len;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(field: Field, text: &[u8]) -> Vec<u8> {
        let mut rows = Rows::default();
        rows.push();
        rows.set_text(0, field, text);
        rows.text(&rows.as_slice()[0], field).expect("just set").to_vec()
    }

    #[test]
    fn texts_are_utf8_and_cut_between_characters() {
        assert_eq!(stored(Field::Note, "grün".as_bytes()), "grün".as_bytes());
        assert_eq!(stored(Field::Note, b"gr\xfcn"), "gr\u{fffd}n".as_bytes());
        let long = "ü".repeat(200);
        assert_eq!(stored(Field::Note, long.as_bytes()), "ü".repeat(127).as_bytes());
        let garbage = [0xff; 300];
        assert_eq!(stored(Field::Note, &garbage), "\u{fffd}".repeat(85).as_bytes());
    }

    #[test]
    fn bytes_are_kept_as_they_are_and_lists_cut_between_numbers() {
        assert_eq!(stored(Field::ApplicationId, &[0xff; 300]), [0xff; 255]);
        assert_eq!(stored(Field::ASPath, &[7; 300]), [7; 252]);
        assert_eq!(stored(Field::ASPath, &[7; 6]), [7; 4]);
    }

    #[test]
    #[should_panic(expected = "out of bounds")]
    fn a_forgotten_row_gets_no_text() {
        let mut rows = Rows::with_capacity(2);
        rows.push();
        rows.set_text(1, Field::Note, b"nobody's");
    }

    #[test]
    #[should_panic(expected = "out of bounds")]
    fn a_forgotten_row_is_not_copied() {
        let mut rows = Rows::with_capacity(2);
        rows.push();
        rows.push_copy(1);
    }

    #[test]
    fn lists_grow_around_texts_up_to_their_bound() {
        let mut rows = Rows::default();
        rows.push();
        for item in 0..100 {
            rows.push_item(0, Field::ASPath, item);
            rows.set_text(0, Field::Note, b"between");
        }
        let list: Vec<u8> = (0..63_u32).flat_map(u32::to_le_bytes).collect();
        assert_eq!(rows.text(&rows.as_slice()[0], Field::ASPath), Some(&list[..]));
        assert_eq!(rows.text(&rows.as_slice()[0], Field::Note), Some(&b"between"[..]));
    }

    #[test]
    fn the_last_text_wins() {
        let mut rows = Rows::default();
        rows.push();
        rows.set_text(0, Field::Note, b"first");
        rows.set_text(0, Field::Note, b"");
        assert_eq!(rows.text(&rows.as_slice()[0], Field::Note), Some(&b""[..]));
    }
}
