//! Where a flow's texts are found, and how they are compared.

use neckar_proto::{Field, Flow, Rows};

/// Finds the texts of a flow. A row has its texts outside of itself, and not always in the same
/// place.
pub trait Texts {
    /// The text, bytes or list in `field` of `flow`; `None` if absent.
    fn text<'a>(&'a self, flow: &'a Flow, field: Field) -> Option<&'a [u8]>;
}

/// The rows that the flow is one of.
impl Texts for Rows {
    fn text<'a>(&'a self, flow: &'a Flow, field: Field) -> Option<&'a [u8]> {
        Self::text(self, flow, field)
    }
}

/// No texts.
impl Texts for () {
    fn text<'a>(&'a self, _: &'a Flow, _: Field) -> Option<&'a [u8]> {
        None
    }
}

/// A flow's own texts, and those that enrichment keeps ready as encoded fields for the encoder. The
/// labels win, as they do when a message is read in which they stand behind the rest.
///
/// Only for labels encoded for [`neckar_proto::encode::BWNETFLOW`]; other profiles number them
/// differently, or leave them out.
#[derive(Clone, Copy, Debug)]
pub struct Labelled<'r> {
    /// The rows that the flow is one of.
    pub rows: &'r Rows,
    /// The flow's encoded labels: text fields only.
    pub labels: &'r [u8],
}

impl Texts for Labelled<'_> {
    fn text<'a>(&'a self, flow: &'a Flow, field: Field) -> Option<&'a [u8]> {
        let number = field.info().number;
        let mut found = None;
        let mut rest = self.labels;
        while let Some((label, text, after)) = split_label(rest) {
            if label == number {
                found = Some(text);
            }
            rest = after;
        }
        found.or_else(|| self.rows.text(flow, field))
    }
}

/// The first label: its number, its text, and what follows. `None` at the end, and at what is no
/// label.
fn split_label(bytes: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    const WIRE_LEN: u32 = 2;
    let (key, rest) = split_varint(bytes)?;
    let (len, rest) = split_varint(rest)?;
    let (text, rest) = rest.split_at_checked(len as usize)?;
    (key & 7 == WIRE_LEN).then_some((key >> 3, text, rest))
}

fn split_varint(bytes: &[u8]) -> Option<(u32, &[u8])> {
    const BYTES_MAX: usize = 4;
    let len = bytes.iter().take(BYTES_MAX).position(|byte| byte & 0x80 == 0)? + 1;
    let (varint, rest) = bytes.split_at(len);
    Some((varint.iter().rev().fold(0, |value, byte| value << 7 | u32::from(byte & 0x7f)), rest))
}

/// A text to look for, whatever the case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Needle {
    folded: Box<str>,
}

impl Needle {
    pub(crate) fn new(text: &str) -> Self {
        Self { folded: text.chars().flat_map(char::to_lowercase).collect() }
    }

    /// "case-insensitive substring". The empty text is in every text.
    pub(crate) fn is_in(&self, text: &[u8]) -> bool {
        let needle = self.folded.as_bytes();
        if needle.is_empty() {
            return true;
        }
        if text.is_ascii() {
            // Nearly always. What is not ASCII when folded is not in here.
            return text.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle));
        }
        let mut rest = folded(text);
        loop {
            let mut from_here = rest.clone();
            if self.folded.chars().all(|c| from_here.next() == Some(c)) {
                return true;
            }
            if rest.next().is_none() {
                return false;
            }
        }
    }
}

/// The characters in lower case; U+FFFD for what is no UTF-8.
fn folded(text: &[u8]) -> impl Iterator<Item = char> + Clone {
    text.utf8_chunks()
        .flat_map(|chunk| {
            let invalid = (!chunk.invalid().is_empty()).then_some(char::REPLACEMENT_CHARACTER);
            chunk.valid().chars().chain(invalid)
        })
        .flat_map(char::to_lowercase)
}

/// Is `part` in `text`, byte by byte? The empty one is in every text.
pub(crate) fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}

/// Is `part` in `list`, both little-endian 32-bit numbers?
pub(crate) fn contains_numbers(list: &[u8], part: &[u8]) -> bool {
    const NUMBER_BYTES: usize = size_of::<u32>();
    part.is_empty() || list.windows(part.len()).step_by(NUMBER_BYTES).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_are_compared_whatever_the_case() {
        let cases: [(&str, &[u8], bool); 12] = [
            ("de-cix", b"Uplink to DE-CIX Frankfurt", true),
            ("DE-CIX", b"de-cix", true),
            ("de-cixx", b"de-cix", false),
            ("", b"", true),
            ("x", b"", false),
            ("ÜBER", "übertragung".as_bytes(), true),
            ("über", "ÜBERTRAGUNG".as_bytes(), true),
            ("ber", "ÜBERTRAGUNG".as_bytes(), true),
            ("ü", b"u", false),
            ("k", "\u{212a}".as_bytes(), true),
            ("a\u{fffd}b", b"A\xffB", true),
            ("b", b"\xff\xfe", false),
        ];
        for (needle, text, expected) in cases {
            assert_eq!(Needle::new(needle).is_in(text), expected, "{needle} in {text:?}");
        }
    }

    #[test]
    fn numbers_are_found_at_their_places_only() {
        let list = [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0];
        assert!(contains_numbers(&list, &[2, 0, 0, 0, 3, 0, 0, 0]));
        assert!(!contains_numbers(&list, &[0, 0, 0, 2]));
        assert!(!contains_numbers(&list[..4], &[1, 0, 0, 0, 2, 0, 0, 0]));
        assert!(!contains_numbers(&[], &[1, 0, 0, 0]));
    }

    #[test]
    fn labels_win_over_the_rows_texts() {
        use neckar_proto::encode::{BWNETFLOW, encode_text};
        let mut rows = Rows::default();
        rows.push();
        rows.set_text(0, Field::SrcIfName, b"old");
        rows.set_text(0, Field::Note, b"note");
        let mut labels = Vec::new();
        encode_text(&BWNETFLOW, Field::SrcIfDesc, &"x".repeat(200), &mut labels);
        encode_text(&BWNETFLOW, Field::SrcIfName, "new", &mut labels);
        let (flow, texts) = (&rows.as_slice()[0], Labelled { rows: &rows, labels: &labels });
        assert_eq!(texts.text(flow, Field::SrcIfName), Some(&b"new"[..]));
        assert_eq!(texts.text(flow, Field::SrcIfDesc), Some(&[b'x'; 200][..]));
        assert_eq!(texts.text(flow, Field::Note), Some(&b"note"[..]));
        assert_eq!(texts.text(flow, Field::SrcCity), None);
    }

    proptest! {
        #[test]
        fn searching_equals_lowering_both(needle in "[aAbBüÜk\u{212a}İ]{0,3}", text in "[aAbBüÜk\u{212a}İ]{0,8}") {
            let lower = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<String>();
            prop_assert_eq!(Needle::new(&needle).is_in(text.as_bytes()), lower(&text).contains(&lower(&needle)));
        }

        #[test]
        fn labels_of_any_bytes_do_no_harm(labels in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut rows = Rows::default();
            rows.push();
            let _ = Labelled { rows: &rows, labels: &labels }.text(&rows.as_slice()[0], Field::Note);
        }
    }
}
