//! Flows of every schema generation as rows: bwNetFlow's and flowpipeline v1's as they are,
//! goflow's, goflow2's and flowpipeline v2's renumbered.
//!
//! What collides is told by wire types and by values that can only mean one thing. Cost: a message
//! of our own numbers is looked through once more than decoding takes; others are copied too.

use neckar_proto::Rows;
use neckar_proto::decode::{Malformed, decode};

use crate::framing::{Framing, messages};
use crate::wire::{Field, Value, fields, put, varint};

/// Reads records of any framing and generation.
#[derive(Clone, Debug, Default)]
pub struct FlowReader {
    /// How flows lie in records; `None` to tell from each record.
    framing: Option<Framing>,
    renumbered: Vec<u8>,
}

impl FlowReader {
    /// Takes every record to be framed so, or tells each by its content.
    #[must_use]
    pub fn new(framing: Option<Framing>) -> Self {
        Self { framing, renumbered: Vec::new() }
    }

    /// Appends the flows of `payload` to `rows` and answers how many there are.
    ///
    /// # Errors
    /// It is no record of flows, or part of it is none: `rows` is as before.
    pub fn read(&mut self, payload: &[u8], rows: &mut Rows) -> Result<usize, Malformed> {
        let before = rows.len();
        let framing = self.framing.unwrap_or_else(|| Framing::of(payload));
        for message in messages(payload, framing) {
            let read = message
                .and_then(|(at, message)| self.read_one(message, rows).map_err(|off| at + off));
            if let Err(offset) = read {
                rows.truncate(before);
                return Err(Malformed { offset });
            }
        }
        Ok(rows.len() - before)
    }

    fn read_one(&mut self, message: &[u8], rows: &mut Rows) -> Result<(), usize> {
        let generation = Generation::of(message)?;
        if !generation.is_foreign {
            return decode(message, rows).map_err(|error| error.offset);
        }
        self.renumbered.clear();
        for field in fields(message) {
            generation.renumber(&field?, &mut self.renumbered);
        }
        // Where in the original it went wrong is not known any more.
        decode(&self.renumbered, rows).map_err(|_| 0)
    }
}

/// What a look through a message's keys shows.
#[derive(Clone, Copy, Debug, Default)]
struct Generation {
    /// flowpipeline v2: its labels stand 1000 higher.
    is_v2: bool,
    /// Some field is not where our decoder expects it.
    is_foreign: bool,
}

/// Below this, number 38 is goflow2 v2's `ip_flags` and no time: it would be the first day of 1970.
const TIME_S_MIN: u64 = 1 << 16;
/// From here on, numbers 63 and 64 are milliseconds and not goflow's PPP fields.
const TIME_MS_MIN: u64 = 1 << 32;
const MS_NS: u64 = 1_000_000;

impl Generation {
    fn of(message: &[u8]) -> Result<Self, usize> {
        let mut found = Self::default();
        for field in fields(message) {
            let field = field?;
            found.is_v2 |= is_only_in_v2(&field);
            found.is_foreign |= found.is_v2 || !is_ours(&field);
        }
        Ok(found)
    }

    /// Appends the field as our decoder expects it, unless nothing of ours corresponds to it.
    fn renumber(self, field: &Field<'_>, out: &mut Vec<u8>) {
        let value = field.value;
        match (field.number, value) {
            (63, Value::Varint(ms)) if ms >= TIME_MS_MIN => put_time(out, 111, ms),
            (64, Value::Varint(ms)) if ms >= TIME_MS_MIN => put_time(out, 112, ms),
            (80, Value::Bytes(list)) => put_mpls(out, list, [55, 57, 59, 61]),
            (81, Value::Bytes(list)) => {
                put_mpls(out, list, [56, 58, 60, 62]);
            }
            (102, Value::Bytes(_)) => put(out, 1171, value),
            (1000..=2999, _) if self.is_v2 => {
                if let Some(number) = of_v2(field.number, value) {
                    put(out, number, value);
                }
            }
            _ if is_ours(field) => out.extend_from_slice(field.raw),
            _ => {}
        }
    }
}

/// flowpipeline v2 has texts where v1 has `Cid`, and numbers that nobody else uses.
fn is_only_in_v2(field: &Field<'_>) -> bool {
    matches!((field.number, field.value), (1000, Value::Bytes(_)) | (2000..=2999, _))
}

/// Can our decoder take the field as it stands there?
fn is_ours(field: &Field<'_>) -> bool {
    match (field.number, field.value) {
        (38, Value::Varint(seconds)) => seconds >= TIME_S_MIN,
        (63 | 64 | 80 | 81 | 102, _) => false,
        // goflow2 v1.1 has "custom" fields here, of other types than bwNetFlow's.
        (1000 | 1002 | 1005 | 1008 | 1011..=1013, value) => matches!(value, Value::Varint(_)),
        (1001 | 1003 | 1004 | 1006 | 1007 | 1009 | 1010 | 1014..=1016, value) => {
            matches!(value, Value::Bytes(_))
        }
        _ => true,
    }
}

/// Where a label of flowpipeline v2 stands with us.
fn of_v2(number: u32, value: Value<'_>) -> Option<u32> {
    // The first of them are countries twice over: an empty one does not undo the other.
    if value == Value::Bytes(&[]) {
        return None;
    }
    Some(match number {
        1000 => 1014,
        1001 => 1015,
        2000..=2016 | 2100..=2165 | 2172..=2186 | 2290..=2295 => number - 1000,
        // "NetId" is a customer by number or by name.
        2017 => 1000,
        2018 => 1001,
        2019 => 1012,
        2020 => 3020,
        2021 => 1013,
        2022 => 3021,
        2302 => 1171,
        2538..=2540 => number - 2500,
        _ => return None,
    })
}

fn put_time(out: &mut Vec<u8>, number: u32, ms: u64) {
    put(out, number, Value::Varint(ms.saturating_mul(MS_NS)));
}

/// A stack as a list becomes its first three entries and its last, and how many there are.
fn put_mpls(out: &mut Vec<u8>, list: &[u8], numbers: [u32; 4]) {
    let mut rest = list;
    let mut entries = Vec::new();
    while let Some(entry) = varint(&mut rest) {
        entries.push(entry);
    }
    let Some(last) = entries.last() else { return };
    for (number, entry) in numbers.into_iter().zip(entries.iter().take(3)) {
        put(out, number, Value::Varint(*entry));
    }
    put(out, numbers[3], Value::Varint(*last));
    put(out, 53, Value::Varint(1));
    put(out, 54, Value::Varint(entries.len() as u64));
}

#[cfg(test)]
mod tests;
