//! The printers against serde_json, and against prost-reflect's messages of the same rows.

use std::fmt;

use proptest::prelude::*;
use prost_reflect::{DynamicMessage, Kind as ProtoKind, SerializeOptions, Value as ProtoValue};
use serde_json::{Value as Json, json};

use super::*;
use crate::column::Column;
use crate::field::Field;
use crate::twin::{any_row, flow_message, message};

fn printed(rows: &Rows, write: fn(&mut Vec<u8>, &Rows, &Flow)) -> String {
    let mut out = Vec::new();
    write(&mut out, rows, &rows.as_slice()[0]);
    String::from_utf8(out).expect("JSON is UTF-8")
}

fn golden_rows() -> Rows {
    let mut rows = Rows::default();
    let flow = rows.push();
    for (field, value) in [
        (Field::Type, 3),
        (Field::TimeReceivedNs, 1_700_000_004_123_456_789),
        (Field::TimeFlowStartNs, 1_700_000_000_000_000_001),
        (Field::TimeFlowEndNs, 1_700_000_003_999_999_999),
        (Field::SamplingRate, 1000),
        (Field::Bytes, u64::MAX),
        (Field::Packets, 0),
        (Field::SrcMac, 0x0200_5e00_530a),
        (Field::HasMPLS, 1),
        (Field::ObservationDomainID, 7),
        (Field::Cid, 101),
        (Field::Normalized, 1),
        (Field::RemoteAddr, 9),
        (Field::OuterVlanId, 4095),
    ] {
        flow.set(field, value);
    }
    flow.set_v4(Field::SrcAddr, [192, 0, 2, 1]);
    flow.set_v6(Field::DstAddr, [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    rows.set_text(0, Field::SrcIfDesc, "to \"Süd\"\n".as_bytes());
    rows.set_text(0, Field::ASPath, &[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    rows.set_text(0, Field::ApplicationId, &[3, 0, 0, 0x50]);
    rows
}

#[test]
fn plain_json_is_readable() {
    assert_eq!(
        printed(&golden_rows(), write),
        concat!(
            r#"{"Type":"NETFLOW_V9","TimeReceived":1700000004,"SamplingRate":1000,"#,
            r#""TimeFlowEnd":1700000003,"SrcAddr":"192.0.2.1","DstAddr":"2001:db8::1","#,
            r#""Bytes":18446744073709551615,"Packets":0,"SrcMac":"02:00:5e:00:53:0a","#,
            r#""TimeFlowStart":1700000000,"HasMPLS":true,"ObservationDomainID":7,"#,
            r#""TimeReceivedNs":1700000004123456789,"TimeFlowStartNs":1700000000000000001,"#,
            r#""TimeFlowEndNs":1700000003999999999,"Cid":101,"Normalized":"Yes","#,
            r#""SrcIfDesc":"to \"Süd\"\n","RemoteAddr":9,"ASPath":[1,4294967295],"#,
            r#""ApplicationId":"03000050","OuterVlanId":4095}"#,
            "\n"
        )
    );
}

#[test]
fn protojson_is_what_flowpipeline_reads() {
    assert_eq!(
        printed(&golden_rows(), write_protojson),
        concat!(
            r#"{"Type":"NETFLOW_V9","TimeReceived":"1700000004","SamplingRate":"1000","#,
            r#""TimeFlowEnd":"1700000003","SrcAddr":"wAACAQ==","#,
            r#""DstAddr":"IAENuAAAAAAAAAAAAAAAAQ==","Bytes":"18446744073709551615","#,
            r#""SrcMac":"2200600335114","TimeFlowStart":"1700000000","HasMPLS":true,"Cid":101,"#,
            r#""Normalized":"Yes","SrcIfDesc":"to \"Süd\"\n","RemoteAddr":9,"#,
            r#""ASPath":[1,4294967295]}"#,
            "\n"
        )
    );
}

#[test]
fn an_empty_row_is_an_empty_object() {
    let mut rows = Rows::default();
    rows.push();
    assert_eq!(printed(&rows, write), "{}\n");
    assert_eq!(printed(&rows, write_protojson), "{}\n");
}

/// The file itself says which columns there are, and in which order.
#[test]
fn columns_are_those_of_flow_proto() {
    let file = include_str!("../../flow.proto");
    let message = file.split_once("// What the exporter said.").expect("the fields begin there").1;
    let declared = message.lines().filter_map(|line| {
        let declaration = line.trim().split_once(" = ")?.0;
        Some(declaration.rsplit(' ').next()?.to_owned())
    });
    let columns = Column::all().iter().map(|column| column.name().to_owned());
    assert_eq!(declared.collect::<Vec<_>>(), columns.collect::<Vec<_>>());
}

/// Members in the order of the text.
struct Members(Vec<(String, Json)>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// What plain JSON must say of a value of the twin.
fn expected(name: &str, kind: &ProtoKind, value: &ProtoValue) -> Json {
    match value {
        ProtoValue::U64(mac) if name.ends_with("Mac") => {
            let hex = format!("{mac:012x}");
            let pairs: Vec<&str> = (0..6).map(|pair| &hex[2 * pair..2 * pair + 2]).collect();
            json!(pairs.join(":"))
        }
        ProtoValue::U64(number) => json!(number),
        ProtoValue::U32(number) => json!(number),
        ProtoValue::Bool(value) => json!(value),
        ProtoValue::String(text) => json!(text),
        ProtoValue::EnumNumber(number) => {
            let values = kind.as_enum().expect("an enum's value");
            values.get_value(*number).map_or(json!(number), |value| json!(value.name()))
        }
        ProtoValue::Bytes(bytes) if name == "ApplicationId" => {
            json!(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        }
        ProtoValue::Bytes(bytes) => match bytes.len() {
            4 => json!(
                std::net::Ipv4Addr::from(<[u8; 4]>::try_from(&**bytes).expect("4")).to_string()
            ),
            _ => json!(
                std::net::Ipv6Addr::from(<[u8; 16]>::try_from(&**bytes).expect("16")).to_string()
            ),
        },
        ProtoValue::List(items) => {
            json!(items.iter().map(|item| item.as_u32().expect("uint32")).collect::<Vec<_>>())
        }
        other => panic!("{name}: {other:?}"),
    }
}

/// Only the fields of flowpipeline v1's message.
fn v1_twin(rows: &Rows) -> DynamicMessage {
    let mut twin = message(rows, flow_message());
    for field in flow_message().fields() {
        if !matches!(field.number(), 1..=62 | 1000..=1295) {
            twin.clear_field(&field);
        }
    }
    twin
}

proptest! {
    #[test]
    fn plain_json_says_what_the_row_has(rows in any_row()) {
        let text = printed(&rows, write);
        prop_assert_eq!(text.matches('\n').count(), 1, "one line");
        let Members(members) = serde_json::from_str(&text).expect("JSON");
        let twin = message(&rows, flow_message());
        let flow = &rows.as_slice()[0];
        let present = flow_message().fields().filter(|field| {
            let source = Field::named(field.name())
                .or_else(|| Field::named(&format!("{}Ns", field.name())));
            flow.has(source.expect("a field of the row, or its nanoseconds"))
        });
        // Fields of a descriptor come by number, and so they stand in the file.
        let expected: Vec<(String, Json)> = present
            .map(|field| {
                let value = twin.get_field(&field);
                (field.name().to_owned(), expected(field.name(), &field.kind(), &value))
            })
            .collect();
        prop_assert_eq!(members, expected);
    }

    #[test]
    fn protojson_is_the_canonical_mapping(rows in any_row()) {
        let text = printed(&rows, write_protojson);
        let options = SerializeOptions::new().use_proto_field_name(true);
        let canonical = v1_twin(&rows)
            .serialize_with_options(serde_json::value::Serializer, &options)
            .expect("JSON");
        prop_assert_eq!(serde_json::from_str::<Json>(&text).expect("JSON"), canonical);
        // And it reads back as the message it was.
        let mut deserializer = serde_json::Deserializer::from_str(&text);
        let back = DynamicMessage::deserialize(flow_message().clone(), &mut deserializer)
            .expect("protojson");
        prop_assert_eq!(prost::Message::encode_to_vec(&back), prost::Message::encode_to_vec(&v1_twin(&rows)));
    }
}
