//! Protobuf back into a row: for output other than Kafka, for tools and for consumers.
//!
//! Reads the bwNetFlow numbers (the profile that [`crate::encode::BWNETFLOW`] writes). Fields that
//! the row does not know are skipped by their wire type. Malformed bytes give an error and leave
//! neither row nor text behind. What is malformed and what wins where a field comes twice is as
//! prost has it, but for what the row is stricter or laxer about: an address has 0, 4 or 16 bytes, a
//! text that is no UTF-8 is mended, texts and lists are cut to the row's bounds.

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

/// Groups within groups that are skipped: as many as prost follows.
const GROUP_DEPTH_MAX: usize = 100;

enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Skipped,
}

/// Times in whole seconds, each with its field of the row, until all of the message is read.
type Seconds = [(Field, Option<u64>); 3];

/// Appends the flow in `message` to `rows`.
///
/// # Errors
/// [`Malformed`], with `rows` as before.
pub fn decode(message: &[u8], rows: &mut Rows) -> Result<(), Malformed> {
    let (index, text_bytes) = (rows.len(), rows.texts().len());
    rows.push();
    let mut seconds: Seconds = [
        (Field::TimeReceivedNs, None),
        (Field::TimeFlowStartNs, None),
        (Field::TimeFlowEndNs, None),
    ];
    let mut rest = message;
    while !rest.is_empty() {
        let at = message.len() - rest.len();
        let stored = read_field(&mut rest)
            .and_then(|(number, value)| store(rows, index, &mut seconds, number, &value));
        if stored.is_none() {
            rows.rewind(index, text_bytes);
            return Err(Malformed { offset: at });
        }
    }
    let flow = &mut rows.as_mut_slice()[index];
    for (field, time) in seconds {
        // Nanoseconds know better, wherever in the message they stand.
        if let Some(time) = time.filter(|_| flow.word_or_zero(field) == 0) {
            flow.set(field, time.saturating_mul(SECOND_NS));
        }
    }
    Ok(())
}

fn read_field<'a>(rest: &mut &'a [u8]) -> Option<(u32, Value<'a>)> {
    let (number, wire_type) = read_key(rest)?;
    let value = match wire_type {
        0 => Value::Varint(varint(rest)?),
        1 => skip(rest, 8)?,
        2 => {
            let len = usize::try_from(varint(rest)?).ok()?;
            let (bytes, after) = rest.split_at_checked(len)?;
            *rest = after;
            Value::Bytes(bytes)
        }
        3 => skip_group(rest, number)?,
        5 => skip(rest, 4)?,
        _ => return None,
    };
    Some((number, value))
}

/// Number and wire type of the field that follows.
fn read_key(rest: &mut &[u8]) -> Option<(u32, u32)> {
    let key = u32::try_from(varint(rest)?).ok()?;
    (key >> 3 != 0).then_some((key >> 3, key & 7))
}

fn skip<'a>(rest: &mut &'a [u8], len: usize) -> Option<Value<'a>> {
    *rest = rest.split_at_checked(len)?.1;
    Some(Value::Skipped)
}

/// Skips what is left of group `number`, groups within it included. No schema of flows has one, but
/// a reader does not choke on it.
fn skip_group<'a>(rest: &mut &'a [u8], number: u32) -> Option<Value<'a>> {
    let mut open = [0; GROUP_DEPTH_MAX];
    open[0] = number;
    let mut depth = 1;
    while depth > 0 {
        let (number, wire_type) = read_key(rest)?;
        match wire_type {
            4 if open[depth - 1] == number => depth -= 1,
            // prost counts the fields of a group as one level more.
            _ if depth == GROUP_DEPTH_MAX => return None,
            0 => drop(varint(rest)?),
            1 => {
                skip(rest, 8)?;
            }
            2 => {
                let len = usize::try_from(varint(rest)?).ok()?;
                skip(rest, len)?;
            }
            3 => {
                open[depth] = number;
                depth += 1;
            }
            5 => {
                skip(rest, 4)?;
            }
            _ => return None,
        }
    }
    Some(Value::Skipped)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for (index, byte) in rest.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            *rest = &rest[index + 1..];
            // The tenth byte has room for one bit.
            return (index < 9 || *byte < 2).then_some(value);
        }
    }
    None
}

fn store(
    rows: &mut Rows,
    index: usize,
    seconds: &mut Seconds,
    number: u32,
    value: &Value<'_>,
) -> Option<()> {
    if let Some(place) = [2, 38, 5].iter().position(|time| *time == number) {
        let Value::Varint(time) = *value else { return None };
        seconds[place].1 = Some(time);
        return Some(());
    }
    let Some(field) = field_of(number) else { return Some(()) };
    let kind = field.info().kind;
    match value {
        Value::Varint(word) if field.is_word() => {
            let word = match kind {
                Kind::Bool => u64::from(*word != 0),
                Kind::U32 | Kind::Enum => u64::from(*word as u32),
                _ => *word,
            };
            rows.as_mut_slice()[index].set(field, word);
        }
        Value::Bytes(bytes) if field.is_address() => {
            let flow = &mut rows.as_mut_slice()[index];
            match bytes.len() {
                // The last value wins, the empty one too.
                0 => flow.remove(field),
                4 => flow.set_v4(field, <[u8; 4]>::try_from(*bytes).ok()?),
                16 => flow.set_v6(field, <[u8; 16]>::try_from(*bytes).ok()?),
                _ => return None,
            }
        }
        // Packed or not, in one piece or in several: a list is all of its numbers in order.
        Value::Varint(item) if kind == Kind::U32List => rows.push_item(index, field, *item as u32),
        Value::Bytes(bytes) if kind == Kind::U32List => {
            let mut rest = *bytes;
            while !rest.is_empty() {
                rows.push_item(index, field, varint(&mut rest)? as u32);
            }
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
mod tests;
