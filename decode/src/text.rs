//! Texts of exporters, without what they are filled up with. [`Rows::set_text`] cuts them to what a row
//! keeps and makes them UTF-8, there as for every other text.

use neckar_proto::{Field, Kind, Rows};

/// Sets a text or bytes field of row `index`. "Zero never replaces": an empty value is none.
pub(crate) fn set(rows: &mut Rows, index: usize, field: Field, bytes: &[u8]) {
    if field.info().kind != Kind::Text {
        if !bytes.is_empty() {
            rows.set_text(index, field, bytes);
        }
        return;
    }
    // Fixed-length strings are filled up with zeros (RFC 7011 section 6.1.6 leaves the fill to the
    // exporter).
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let bytes = &bytes[..end];
    if bytes.is_empty() {
        return;
    }
    rows.set_text(index, field, bytes);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn kept(field: Field, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut rows = Rows::with_capacity(1);
        rows.push();
        set(&mut rows, 0, field, bytes);
        rows.text(&rows.as_slice()[0], field).map(<[u8]>::to_vec)
    }

    #[test]
    fn fill_is_no_text() {
        assert_eq!(kept(Field::UserName, b"jane\0\0\0"), Some(b"jane".to_vec()));
        assert_eq!(kept(Field::UserName, b"\0\0"), None);
        assert_eq!(kept(Field::UserName, b""), None);
        assert_eq!(kept(Field::ApplicationId, &[13, 0, 0, 1]), Some(vec![13, 0, 0, 1]));
    }

    #[test]
    fn texts_are_utf8_and_short() {
        assert_eq!(kept(Field::UserName, b"a\xffb"), Some("a\u{fffd}b".into()));
        let long = "ü".repeat(200);
        let text = kept(Field::UserName, long.as_bytes()).unwrap();
        assert_eq!(text, "ü".repeat(127).as_bytes(), "cut between characters, at 255 bytes");
    }
}
