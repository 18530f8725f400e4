//! Makes the field table and the prost message from `flow.proto`, the single source of names and
//! numbers.
//!
//! Two files in `OUT_DIR`: `fields.rs` (the [`Field`] enum and its table, used by the row) and
//! `neckar.rs` (prost's message, the independent twin of our encoder and what consumers in Rust may
//! use).

use std::fmt::Write as _;
use std::{env, fs, path::Path};

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto};

/// How a field is kept in the row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Store {
    Word,
    Address,
    Text,
}

/// Words that nearly every flow has. They come first, so that a usual row touches four cache lines
/// of words and the encoder two blocks of them.
const COMMON: [&str; 32] = [
    "Type",
    "TimeReceivedNs",
    "TimeFlowStartNs",
    "TimeFlowEndNs",
    "SamplingRate",
    "SequenceNum",
    "ObservationDomainID",
    "Bytes",
    "Packets",
    "Etype",
    "Proto",
    "SrcPort",
    "DstPort",
    "IPTos",
    "TCPFlags",
    "InIf",
    "OutIf",
    "SrcAS",
    "DstAS",
    "SrcNet",
    "DstNet",
    "FlowDirection",
    "ForwardingStatus",
    "IngressVrfID",
    "EgressVrfID",
    "Cid",
    "SrcCid",
    "DstCid",
    "Normalized",
    "RemoteAddr",
    "NextHopAS",
    "IPTTL",
];

struct Entry<'a> {
    field: &'a FieldDescriptorProto,
    store: Store,
    kind: &'static str,
}

fn main() {
    println!("cargo::rerun-if-changed=flow.proto");
    let descriptors = protox::compile(["flow.proto"], ["."]).expect("flow.proto is valid");
    prost_build::Config::new().compile_fds(descriptors.clone()).expect("OUT_DIR is writable");
    let message = &descriptors.file[0].message_type[0];
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join("fields.rs");
    fs::write(out, field_table(message)).expect("OUT_DIR is writable");
}

/// Seconds (`TimeReceived`) are written from nanoseconds (`TimeReceivedNs`) and have no place in
/// the row.
fn is_derived(message: &DescriptorProto, field: &FieldDescriptorProto) -> bool {
    let nanoseconds = format!("{}Ns", field.name());
    message.field.iter().any(|other| other.name() == nanoseconds)
}

fn entry(field: &FieldDescriptorProto) -> Entry<'_> {
    let name = field.name();
    let (store, kind) = match (field.r#type(), field.label()) {
        (Type::Uint32, Label::Repeated) => (Store::Text, "U32List"),
        (Type::Uint64, _) if name.ends_with("Ns") => (Store::Word, "Nanoseconds"),
        (Type::Uint64, _) if name.ends_with("Mac") => (Store::Word, "Mac"),
        (Type::Uint64, _) => (Store::Word, "U64"),
        (Type::Uint32, _) => (Store::Word, "U32"),
        (Type::Bool, _) => (Store::Word, "Bool"),
        (Type::Enum, _) => (Store::Word, "Enum"),
        (Type::Bytes, _) if ["Addr", "Address", "Hop"].iter().any(|end| name.ends_with(end)) => {
            (Store::Address, "Address")
        }
        (Type::Bytes, _) => (Store::Text, "Bytes"),
        (Type::String, _) => (Store::Text, "Text"),
        other => panic!("{name}: the row has no place for {other:?}"),
    };
    Entry { field, store, kind }
}

fn field_table(message: &DescriptorProto) -> String {
    let in_file: Vec<Entry<'_>> =
        message.field.iter().filter(|field| !is_derived(message, field)).map(entry).collect();
    let mut slots: Vec<&Entry<'_>> = in_file.iter().collect();
    // Stable: within a store the common ones, then the order of the file.
    let rank = |entry: &Entry<'_>| {
        COMMON.iter().position(|name| *name == entry.field.name()).unwrap_or(COMMON.len())
    };
    slots.sort_by_key(|entry| (entry.store, rank(entry)));

    let mut out = String::from(
        "/// A field of the row, named as in `flow.proto`. Words come first, then addresses, then texts;\n\
         /// within its store a field's slot is its place in this order.\n\
         #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]\n#[repr(u8)]\npub enum Field {\n",
    );
    for (slot, entry) in slots.iter().enumerate() {
        let _ = writeln!(
            out,
            "    /// Number {}.\n    {} = {slot},",
            entry.field.number(),
            entry.field.name()
        );
    }
    out.push_str("}\n");
    for (name, store) in
        [("WORDS", Store::Word), ("ADDRESSES", Store::Address), ("TEXTS", Store::Text)]
    {
        let count = slots.iter().filter(|entry| entry.store == store).count();
        let _ = writeln!(
            out,
            "/// How many fields of this store the row has.\npub const {name}: usize = {count};"
        );
    }
    let _ = writeln!(out, "pub(crate) const TABLE: [FieldInfo; {}] = [", slots.len());
    for entry in &slots {
        let (name, number) = (entry.field.name(), entry.field.number());
        let seconds = message.field.iter().find(|other| format!("{}Ns", other.name()) == name);
        let seconds = match seconds {
            Some(seconds) => format!("Some(({:?}, {}))", seconds.name(), seconds.number()),
            None => "None".into(),
        };
        let _ = writeln!(
            out,
            "    FieldInfo {{ field: Field::{name}, name: {name:?}, number: {number}, kind: Kind::{}, \
             seconds: {seconds}, values: &{:?} }},",
            entry.kind,
            enum_names(message, entry.field),
        );
    }
    out.push_str("];\n");
    let _ = writeln!(out, "pub(crate) const IN_FILE_ORDER: [Field; {}] = [", in_file.len());
    for entry in &in_file {
        let _ = writeln!(out, "    Field::{},", entry.field.name());
    }
    out.push_str("];\n");
    out.push_str(&column_table(message));
    out
}

/// Every field of the message in the order of the file, the derived ones with the field that they
/// are read from.
fn column_table(message: &DescriptorProto) -> String {
    let count = message.field.len();
    let mut out = format!("pub(crate) static COLUMNS: [Column; {count}] = [\n");
    for field in &message.field {
        let (name, seconds) = (field.name(), is_derived(message, field));
        let source = if seconds { format!("{name}Ns") } else { name.into() };
        let _ = writeln!(
            out,
            "    Column {{ name: {name:?}, number: {}, field: Field::{source}, seconds: {seconds} }},",
            field.number(),
        );
    }
    out.push_str("];\n");
    out
}

/// The names of an enum field's values; index is value.
fn enum_names<'a>(message: &'a DescriptorProto, field: &FieldDescriptorProto) -> Vec<&'a str> {
    let type_name = field.type_name().rsplit('.').next().unwrap_or_default();
    let found =
        message.enum_type.iter().find(|one| one.name() == type_name && !type_name.is_empty());
    found.map(|one| one.value.iter().map(|value| value.name()).collect()).unwrap_or_default()
}
