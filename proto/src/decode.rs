//! Protobuf back into a row: for output other than Kafka, for tools and for consumers.
//!
//! Reads the bwNetFlow numbers (the profile that [`crate::encode::BWNETFLOW`] writes). Fields that
//! the row does not know are skipped by their wire type. Malformed bytes give an error and leave no
//! row behind.

use crate::field::{Field, Kind, TABLE};
use crate::rows::Rows;

/// The bytes are no protobuf message, or one with a field of the wrong wire type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where in the message, in bytes.
    pub offset: usize,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "not a flow message at byte {}", self.offset)
    }
}

impl std::error::Error for Malformed {}

const SECOND_NS: u64 = 1_000_000_000;

enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Skipped,
}

/// Appends the flow in `message` to `rows`.
///
/// # Errors
/// [`Malformed`], with `rows` as before.
pub fn decode(message: &[u8], rows: &mut Rows) -> Result<(), Malformed> {
    let index = rows.len();
    rows.push();
    let mut rest = message;
    while !rest.is_empty() {
        let at = message.len() - rest.len();
        let field = read_field(&mut rest);
        if field.is_none_or(|(number, value)| store(rows, index, number, &value).is_none()) {
            rows.truncate(index);
            return Err(Malformed { offset: at });
        }
    }
    Ok(())
}

fn read_field<'a>(rest: &mut &'a [u8]) -> Option<(u32, Value<'a>)> {
    let key = varint(rest)?;
    let number = u32::try_from(key >> 3).ok().filter(|number| *number != 0)?;
    let value = match key & 7 {
        0 => Value::Varint(varint(rest)?),
        1 => skip(rest, 8)?,
        2 => {
            let len = usize::try_from(varint(rest)?).ok()?;
            let (bytes, after) = rest.split_at_checked(len)?;
            *rest = after;
            Value::Bytes(bytes)
        }
        5 => skip(rest, 4)?,
        _ => return None,
    };
    Some((number, value))
}

fn skip<'a>(rest: &mut &'a [u8], len: usize) -> Option<Value<'a>> {
    *rest = rest.split_at_checked(len)?.1;
    Some(Value::Skipped)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for (index, byte) in rest.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            *rest = &rest[index + 1..];
            return Some(value);
        }
    }
    None
}

fn store(rows: &mut Rows, index: usize, number: u32, value: &Value<'_>) -> Option<()> {
    let (field, unit) = match number {
        2 => (Field::TimeReceivedNs, SECOND_NS),
        5 => (Field::TimeFlowEndNs, SECOND_NS),
        38 => (Field::TimeFlowStartNs, SECOND_NS),
        other => match field_of(other) {
            Some(field) => (field, 1),
            None => return Some(()),
        },
    };
    match value {
        Value::Varint(word) if field.is_word() => {
            // Whole seconds do not replace nanoseconds that came before them.
            if unit == 1 || !rows.as_slice()[index].has(field) {
                rows.as_mut_slice()[index].set(field, word.saturating_mul(unit));
            }
        }
        Value::Bytes(bytes) if field.is_address() => {
            let flow = &mut rows.as_mut_slice()[index];
            match bytes.len() {
                0 => {}
                4 => flow.set_v4(field, <[u8; 4]>::try_from(*bytes).ok()?),
                16 => flow.set_v6(field, <[u8; 16]>::try_from(*bytes).ok()?),
                _ => return None,
            }
        }
        Value::Bytes(bytes) if field.info().kind == Kind::U32List => {
            let mut list = Vec::new();
            let mut rest = *bytes;
            while !rest.is_empty() {
                list.extend_from_slice(&(varint(&mut rest)? as u32).to_le_bytes());
            }
            rows.set_text(index, field, &list);
        }
        Value::Bytes(bytes) if !field.is_word() => rows.set_text(index, field, bytes),
        // A number of another schema generation under this number: not ours to read.
        _ => return None,
    }
    Some(())
}

/// The row's field of this protobuf number.
fn field_of(number: u32) -> Option<Field> {
    TABLE.iter().find(|info| info.number == number).map(|info| info.field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::{BWNETFLOW, ROW_BYTES_MAX, encode};

    #[test]
    fn what_was_encoded_comes_back() {
        let mut rows = Rows::with_capacity(1);
        let flow = rows.push();
        flow.set(Field::Bytes, u64::MAX);
        flow.set(Field::Proto, 17);
        flow.set(Field::TimeReceivedNs, 1_700_000_000_123_456_789);
        flow.set_v4(Field::SrcAddr, [192, 0, 2, 1]);
        flow.set_v6(Field::DstAddr, [0x20; 16]);
        rows.set_text(0, Field::SrcIfName, b"xe-0/0/1");
        rows.set_text(0, Field::ASPath, &[1, 0, 0, 0, 0, 0xfc, 0, 0]);
        let mut out = vec![0; ROW_BYTES_MAX];
        let len = encode(&BWNETFLOW, &rows.as_slice()[0], rows.texts(), &[], &mut out);

        let mut back = Rows::default();
        decode(&out[..len], &mut back).expect("our own bytes");
        let flow = &back.as_slice()[0];
        assert_eq!(flow.word(Field::Bytes), Some(u64::MAX));
        assert_eq!(flow.word(Field::Proto), Some(17));
        assert_eq!(flow.word(Field::TimeReceivedNs), Some(1_700_000_000_000_000_000));
        assert_eq!(flow.address(Field::SrcAddr), Some(&[192, 0, 2, 1][..]));
        assert_eq!(flow.address(Field::DstAddr), Some(&[0x20; 16][..]));
        assert_eq!(back.text(flow, Field::SrcIfName), Some(&b"xe-0/0/1"[..]));
        assert_eq!(back.text(flow, Field::ASPath), Some(&[1, 0, 0, 0, 0, 0xfc, 0, 0][..]));
        assert_eq!(flow.word(Field::Packets), None);
    }

    #[test]
    fn malformed_bytes_leave_no_row() {
        let cases: [&[u8]; 6] =
            [&[0x48], &[0x48, 0x80], &[0x4a, 1, 0], &[0x32, 3, 1, 2, 3], &[0x32, 9, 1], &[7, 0]];
        for bytes in cases {
            let mut rows = Rows::default();
            assert_eq!(decode(bytes, &mut rows), Err(Malformed { offset: 0 }), "{bytes:x?}");
            assert!(rows.is_empty());
        }
    }

    #[test]
    fn unknown_fields_are_skipped() {
        // Number 900 in each wire type, then Proto.
        let bytes = [
            0xa0, 0x38, 1, 0xa1, 0x38, 0, 0, 0, 0, 0, 0, 0, 0, 0xa2, 0x38, 2, 9, 9, 0xa5, 0x38, 0,
            0, 0, 0, 0xa0, 0x01, 6,
        ];
        let mut rows = Rows::default();
        decode(&bytes, &mut rows).expect("well-formed");
        assert_eq!(rows.as_slice()[0].word(Field::Proto), Some(6));
    }
}
