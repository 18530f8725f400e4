//! For tests: random rows, and the same rows as dynamic messages, which prost-reflect builds from
//! `flow.proto` by the names of its fields. Slow, obvious, and without a line in common with the
//! encoder.

use std::sync::LazyLock;

use proptest::prelude::*;
use prost_reflect::{DescriptorPool, DynamicMessage, Kind as ProtoKind, MessageDescriptor, Value};

use crate::column::items;
use crate::field::{Field, Kind};
use crate::flow::Flow;
use crate::rows::Rows;

/// The message of a `.proto` file in this crate's folder.
pub(crate) fn descriptor(file: &str, message: &str) -> MessageDescriptor {
    let files = protox::compile([file], [env!("CARGO_MANIFEST_DIR")]).expect("the file compiles");
    let pool = DescriptorPool::from_file_descriptor_set(files).expect("and is complete");
    pool.get_message_by_name(message).expect("the message is in it")
}

/// `flow.proto`'s message.
pub(crate) fn flow_message() -> &'static MessageDescriptor {
    static MESSAGE: LazyLock<MessageDescriptor> =
        LazyLock::new(|| descriptor("flow.proto", "neckar.FlowMessage"));
    &MESSAGE
}

/// The first row as a message: a field of the message is the row's field of the same name, the
/// times in seconds are their nanoseconds divided.
pub(crate) fn message(rows: &Rows, descriptor: &MessageDescriptor) -> DynamicMessage {
    let flow = &rows.as_slice()[0];
    let mut message = DynamicMessage::new(descriptor.clone());
    for field in descriptor.fields() {
        let value = match Field::named(field.name()) {
            Some(source) => value(rows, flow, source, &field.kind()),
            None => {
                let source = Field::named(&format!("{}Ns", field.name())).expect("a time");
                flow.word(source).map(|nanoseconds| Value::U64(nanoseconds / 1_000_000_000))
            }
        };
        if let Some(value) = value {
            message.set_field(&field, value);
        }
    }
    message
}

/// What the row has in a field, as a value of the declared kind.
pub(crate) fn value(rows: &Rows, flow: &Flow, field: Field, kind: &ProtoKind) -> Option<Value> {
    if !flow.has(field) {
        return None;
    }
    let bytes = || rows.text(flow, field).unwrap_or_default();
    Some(match kind {
        ProtoKind::Uint64 => Value::U64(flow.word(field)?),
        ProtoKind::Uint32 if field.is_word() => Value::U32(flow.word(field)? as u32),
        ProtoKind::Uint32 => Value::List(items(bytes()).map(Value::U32).collect()),
        ProtoKind::Bool => Value::Bool(flow.word(field)? != 0),
        ProtoKind::Enum(_) => Value::EnumNumber(flow.word(field)? as i32),
        ProtoKind::Bytes if field.is_address() => {
            Value::Bytes(flow.address(field)?.to_vec().into())
        }
        ProtoKind::Bytes => Value::Bytes(bytes().to_vec().into()),
        ProtoKind::String => Value::String(String::from_utf8(bytes().to_vec()).expect("UTF-8")),
        other => panic!("{field:?}: {other:?} is no kind of flow.proto"),
    })
}

/// Rows of one flow: none to all of the fields, with values that like extremes.
pub(crate) fn any_row() -> impl Strategy<Value = Rows> {
    let count = Field::all().count();
    let some = proptest::collection::vec((0..count, any_number(), any_bytes()), 0..40);
    let all = proptest::collection::vec((any_number(), any_bytes()), count).prop_map(|values| {
        values
            .into_iter()
            .enumerate()
            .map(|(index, (number, bytes))| (index, number, bytes))
            .collect()
    });
    prop_oneof![3 => some, 1 => all].prop_map(|cells| {
        let mut rows = Rows::default();
        rows.push();
        for (index, number, bytes) in cells {
            let field = Field::all().nth(index).expect("below the count");
            set(&mut rows, field, number, &bytes);
        }
        rows
    })
}

fn set(rows: &mut Rows, field: Field, number: u64, bytes: &[u8]) {
    if field.is_word() {
        // Enums are signed in protobuf and have no negative values in ours.
        let bits = if field.info().kind == Kind::Enum { 31 } else { field.bits() };
        rows.as_mut_slice()[0].set(field, number & (u64::MAX >> (64 - bits)));
    } else if field.is_address() {
        let mut address = [0; 16];
        address[..8].copy_from_slice(&number.to_be_bytes());
        address[8..].copy_from_slice(&number.rotate_left(17).to_le_bytes());
        let flow = &mut rows.as_mut_slice()[0];
        match number % 2 {
            0 => flow.set_v4(field, [address[0], address[1], address[14], address[15]]),
            _ => flow.set_v6(field, address),
        }
    } else {
        rows.set_text(0, field, bytes);
    }
}

fn any_number() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(u64::MAX),
        0..4u64,
        // Both sides of every length of a varint.
        (0..64u32).prop_map(|bit| 1 << bit),
        (0..64u32).prop_map(|bit| (1 << bit) - 1),
        any::<u64>(),
    ]
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        ".{0,40}".prop_map(String::into_bytes),
        ".{200,300}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..300),
    ]
}
