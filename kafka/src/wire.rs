//! Protobuf's wire format, as far as one has to know it to tell messages apart and to renumber
//! their fields.

/// What stands behind a field's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// Of fixed width: no flow schema has such.
    Fixed,
}

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) number: u32,
    pub(crate) value: Value<'a>,
    /// Key and value as they stand there.
    pub(crate) raw: &'a [u8],
}

/// The fields of a message; the last one is `Err` with its offset if the message is malformed.
pub(crate) struct Fields<'a> {
    message: &'a [u8],
    at: usize,
}

pub(crate) fn fields(message: &[u8]) -> Fields<'_> {
    Fields { message, at: 0 }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, usize>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        let mut rest = self.message.get(start..).filter(|rest| !rest.is_empty())?;
        let found = field(&mut rest);
        self.at = if found.is_some() { self.message.len() - rest.len() } else { usize::MAX };
        Some(match found {
            Some((number, value)) => {
                Ok(Field { number, value, raw: &self.message[start..self.at] })
            }
            None => Err(start),
        })
    }
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<(u32, Value<'a>)> {
    let key = varint(rest)?;
    let number = u32::try_from(key >> 3).ok().filter(|number| *number != 0)?;
    let value = match key & 7 {
        0 => Value::Varint(varint(rest)?),
        1 => take(rest, 8).map(|_| Value::Fixed)?,
        2 => Value::Bytes(delimited(rest)?),
        5 => take(rest, 4).map(|_| Value::Fixed)?,
        _ => return None,
    };
    Some((number, value))
}

/// Takes a length and as many bytes.
pub(crate) fn delimited<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(varint(rest)?).ok()?;
    take(rest, len)
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(taken)
}

/// Takes a number of at most ten bytes.
pub(crate) fn varint(rest: &mut &[u8]) -> Option<u64> {
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

/// Appends a number.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a field.
pub(crate) fn put(out: &mut Vec<u8>, number: u32, value: Value<'_>) {
    match value {
        Value::Varint(word) => {
            put_varint(out, u64::from(number) << 3);
            put_varint(out, word);
        }
        Value::Bytes(bytes) => {
            put_varint(out, u64::from(number) << 3 | 2);
            put_varint(out, bytes.len() as u64);
            out.extend_from_slice(bytes);
        }
        // What no schema has is nobody's loss.
        Value::Fixed => {}
    }
}
