//! Rows as JSON, one object a line.
//!
//! [`write()`] is for people and scripts: what the row has, readable. [`write_protojson`] is what
//! flowpipeline's JSON consumers read: the protobuf JSON mapping of its version 1 message. Neither
//! allocates beyond the caller's buffer, except for texts that are no UTF-8.

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::column::{Column, Value, items, push_address, push_decimal, push_hex, push_mac};
use crate::flow::Flow;
use crate::rows::{Rows, TEXT_BYTES_MAX};

/// Numbers of flowpipeline v1's message. What lies between is ours or goflow2's.
const V1_NUMBERS: [RangeInclusive<u32>; 2] = [1..=62, 1000..=1295];

/// Appends `flow`, one of `rows`, to `out`, with a newline.
///
/// Keys are the names of `flow.proto`, in its order; absent fields are left out, zeros that the
/// exporter said are not. Numbers are numbers, addresses text, MACs `aa:bb:cc:dd:ee:ff`, enums
/// names, bytes hexadecimal; times stand both in whole seconds and in nanoseconds.
pub fn write(out: &mut Vec<u8>, rows: &Rows, flow: &Flow) {
    write_named(out, rows, flow, Some);
}

/// As [`write()`], but only the fields that `named` gives a name, by that name.
pub fn write_named(
    out: &mut Vec<u8>,
    rows: &Rows,
    flow: &Flow,
    named: impl Fn(&'static str) -> Option<&'static str>,
) {
    let columns = Column::all().iter();
    let members =
        columns.filter_map(|column| Some((named(column.name)?, column.value(rows, flow)?)));
    write_object(out, members, plain);
}

/// Appends `flow`, one of `rows`, to `out`, with a newline, as protojson of flowpipeline's version
/// 1 message.
///
/// Names as in the schema, zero values left out, 64-bit integers as strings, bytes in base64, enums
/// by name.
pub fn write_protojson(out: &mut Vec<u8>, rows: &Rows, flow: &Flow) {
    let columns = Column::all()
        .iter()
        .filter(|column| V1_NUMBERS.iter().any(|range| range.contains(&column.number)));
    let values = columns.filter_map(|column| Some((column.name, column.value(rows, flow)?)));
    write_object(out, values.filter(|(_, value)| !is_zero(value)), protojson);
}

fn write_object<'a>(
    out: &mut Vec<u8>,
    members: impl Iterator<Item = (&'static str, Value<'a>)>,
    write_value: impl Fn(&mut Vec<u8>, Value<'a>),
) {
    let mut separator: &[u8] = b"{\"";
    for (name, value) in members {
        out.extend_from_slice(separator);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        write_value(out, value);
        separator = b",\"";
    }
    let empty = separator == b"{\"";
    out.extend_from_slice(if empty { b"{}\n" } else { b"}\n" });
}

fn plain(out: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Number(number) | Value::Long(number) => push_decimal(out, number),
        Value::Mac(mac) => quoted(out, |out| push_mac(out, mac)),
        Value::Address(address) => quoted(out, |out| push_address(out, address)),
        Value::Bytes(bytes) => quoted(out, |out| push_hex(out, bytes, b"")),
        other => shared(out, other),
    }
}

fn protojson(out: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Number(number) => push_decimal(out, number),
        Value::Long(number) | Value::Mac(number) => quoted(out, |out| push_decimal(out, number)),
        Value::Address(bytes) | Value::Bytes(bytes) => quoted(out, |out| push_base64(out, bytes)),
        other => shared(out, other),
    }
}

/// What looks the same in both.
fn shared(out: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Enum(_, Some(name)) => quoted(out, |out| out.extend_from_slice(name.as_bytes())),
        // The protobuf JSON mapping, too, writes values without a name as numbers.
        Value::Enum(number, None) => push_decimal(out, number),
        Value::Text(text) => push_text(out, text),
        Value::List(list) => {
            out.push(b'[');
            for (index, item) in items(list).enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                push_decimal(out, u64::from(item));
            }
            out.push(b']');
        }
        Value::Number(_) | Value::Long(_) | Value::Mac(_) | Value::Address(_) | Value::Bytes(_) => {
            unreachable!("each format writes these in its own way")
        }
    }
}

fn is_zero(value: &Value<'_>) -> bool {
    match value {
        Value::Number(number)
        | Value::Long(number)
        | Value::Mac(number)
        | Value::Enum(number, _) => *number == 0,
        Value::Bool(value) => !value,
        Value::Address(bytes) | Value::Text(bytes) | Value::Bytes(bytes) => bytes.is_empty(),
        Value::List(list) => items(list).next().is_none(),
    }
}

/// For what needs no escapes.
fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}

fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    serde_json::to_writer(out, text.as_ref()).expect("a Vec takes every string");
}

fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut text = [0; TEXT_BYTES_MAX.div_ceil(3) * 4];
    let len = BASE64.encode_slice(bytes, &mut text).expect("no field is longer than a text");
    out.extend_from_slice(&text[..len]);
}

#[cfg(test)]
mod tests;
