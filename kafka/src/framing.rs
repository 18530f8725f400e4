//! How flows lie in a record, and how they are told apart.
//!
//! `bare` is one message (bwNetFlow, flowpipeline v1, goflow); `delimited` is one message behind
//! its length (goflow2, flowpipeline v2, goflow with `-proto.fixedlen`); `packed` is several of
//! those.

use crate::wire::{Value, delimited, fields};

/// How flows lie in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One message.
    Bare,
    /// One message behind its length, a varint.
    Delimited,
    /// Several messages, each behind its length.
    Packed,
}

impl Framing {
    /// What `payload` looks like. Lengths are believed only if they add up to the whole and every
    /// part is a flow: a bare message begins with a field's key, which as a length leads to bytes
    /// that are none.
    #[must_use]
    pub fn of(payload: &[u8]) -> Self {
        let mut parts = 0;
        let mut rest = payload;
        while !rest.is_empty() {
            match delimited(&mut rest) {
                Some(part) if is_flow(part) => parts += 1,
                _ => return Self::Bare,
            }
        }
        match parts {
            0 => Self::Bare,
            1 => Self::Delimited,
            _ => Self::Packed,
        }
    }
}

/// The messages of a record with their offsets; the last is `Err` with an offset if what is left is
/// not framed so.
pub(crate) fn messages(
    payload: &[u8],
    framing: Framing,
) -> impl Iterator<Item = Result<(usize, &[u8]), usize>> {
    let mut rest = Some(payload);
    std::iter::from_fn(move || {
        let mut left = rest.take()?;
        if framing == Framing::Bare {
            return Some(Ok((0, left)));
        }
        let at = payload.len() - left.len();
        if left.is_empty() {
            return None;
        }
        let message = delimited(&mut left);
        // Behind a single message nothing may follow.
        let alone = framing == Framing::Packed || left.is_empty();
        Some(match message.filter(|_| alone) {
            Some(message) => {
                rest = Some(left);
                Ok((payload.len() - left.len() - message.len(), message))
            }
            None => Err(at),
        })
    })
}

/// Is it a message, and are the fields that all schemas have in common of their types?
fn is_flow(message: &[u8]) -> bool {
    const ADDRESSES: [u32; 4] = [6, 7, 11, 12];
    const COMMON_MAX: u32 = 42;
    !message.is_empty()
        && fields(message).all(|field| {
            field.is_ok_and(|field| match field.value {
                Value::Bytes(_) => field.number > COMMON_MAX || ADDRESSES.contains(&field.number),
                Value::Varint(_) => !ADDRESSES.contains(&field.number),
                Value::Fixed => false,
            })
        })
}
