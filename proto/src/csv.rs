//! Rows as comma-separated values (RFC 4180, lines ending in a newline alone), with a header.

use crate::column::{Column, Value, items, push_address, push_decimal, push_hex, push_mac};
use crate::flow::Flow;
use crate::rows::Rows;

/// Which columns a file has, in which order.
#[derive(Clone, Debug)]
pub struct Columns(Vec<&'static Column>);

/// No field of `flow.proto` has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownColumn(pub String);

impl std::fmt::Display for UnknownColumn {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "no field is called {:?}", self.0)
    }
}

impl std::error::Error for UnknownColumn {}

impl Default for Columns {
    /// Every field of `flow.proto`, in its order.
    fn default() -> Self {
        Self(Column::all().iter().collect())
    }
}

impl Columns {
    /// These columns, in this order.
    ///
    /// # Errors
    /// [`UnknownColumn`] names the first that is no field.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownColumn> {
        let column = |name| Column::named(name).ok_or_else(|| UnknownColumn(String::from(name)));
        names.into_iter().map(column).collect::<Result<_, _>>().map(Self)
    }

    /// Appends the header line.
    pub fn write_header(&self, out: &mut Vec<u8>) {
        self.write_line(out, |out, column| out.extend_from_slice(column.name.as_bytes()));
    }

    /// Appends the line of `flow`, one of `rows`. Absent fields are empty, lists have blanks
    /// between their numbers.
    pub fn write(&self, out: &mut Vec<u8>, rows: &Rows, flow: &Flow) {
        self.write_line(out, |out, column| {
            if let Some(value) = column.value(rows, flow) {
                write_value(out, value);
            }
        });
    }

    fn write_line(&self, out: &mut Vec<u8>, write: impl Fn(&mut Vec<u8>, &Column)) {
        for (index, column) in self.0.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write(out, column);
        }
        out.push(b'\n');
    }
}

fn write_value(out: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Number(number) | Value::Long(number) | Value::Enum(number, None) => {
            push_decimal(out, number);
        }
        Value::Enum(_, Some(name)) => out.extend_from_slice(name.as_bytes()),
        Value::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Value::Mac(mac) => push_mac(out, mac),
        Value::Address(address) => push_address(out, address),
        Value::Text(text) => push_text(out, text),
        Value::Bytes(bytes) => push_hex(out, bytes, b""),
        Value::List(list) => {
            for (index, item) in items(list).enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                push_decimal(out, u64::from(item));
            }
        }
    }
}

/// "Fields containing line breaks (CRLF), double quotes, and commas should be enclosed in
/// double-quotes"; a quote inside is "escaped by preceding it with another double quote" (RFC 4180,
/// 2).
fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    if !text.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for byte in text {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::Field;

    fn line(columns: &Columns, rows: &Rows) -> String {
        let mut out = Vec::new();
        columns.write(&mut out, rows, &rows.as_slice()[0]);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn every_field_has_a_column() {
        let mut out = Vec::new();
        Columns::default().write_header(&mut out);
        let header = String::from_utf8(out).expect("UTF-8");
        assert!(
            header.starts_with("Type,TimeReceived,SamplingRate,SequenceNum,TimeFlowEnd,SrcAddr,")
        );
        assert!(header.ends_with(",SrcList,DstList,Tenant\n"));
        let mut rows = Rows::default();
        rows.push();
        let commas = header.matches(',').count();
        assert_eq!(line(&Columns::default(), &rows), ",".repeat(commas) + "\n");
    }

    #[test]
    fn values_are_text() {
        let names = [
            "DstAddr",
            "SrcAddr",
            "TimeFlowEnd",
            "TimeFlowEndNs",
            "Type",
            "Normalized",
            "HasMPLS",
            "SrcMac",
            "Bytes",
            "Packets",
            "ASPath",
            "ApplicationId",
            "SrcIfDesc",
            "Note",
            "Proto",
        ];
        let columns = Columns::named(names).expect("fields");
        let mut rows = Rows::default();
        let flow = rows.push();
        flow.set_v4(Field::SrcAddr, [192, 0, 2, 1]);
        flow.set_v6(Field::DstAddr, [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        flow.set(Field::TimeFlowEndNs, 1_700_000_000_999_999_999);
        flow.set(Field::Type, 4);
        flow.set(Field::Normalized, 7);
        flow.set(Field::HasMPLS, 1);
        flow.set(Field::SrcMac, 0x0200_5e00_530a);
        flow.set(Field::Bytes, u64::MAX);
        flow.set(Field::Packets, 0);
        rows.set_text(0, Field::ASPath, &[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        rows.set_text(0, Field::ApplicationId, &[3, 0, 0x50]);
        rows.set_text(0, Field::SrcIfDesc, b"to \"core\", 100G");
        rows.set_text(0, Field::Note, b"plain");
        assert_eq!(
            line(&columns, &rows),
            "2001:db8::1,192.0.2.1,1700000000,1700000000999999999,IPFIX,7,true,02:00:5e:00:53:0a,\
             18446744073709551615,0,1 4294967295,030050,\"to \"\"core\"\", 100G\",plain,\n"
        );
    }

    #[test]
    fn unknown_columns_are_named() {
        let error = Columns::named(["Bytes", "Byets"]).expect_err("no such field");
        assert_eq!(error.to_string(), "no field is called \"Byets\"");
    }
}
