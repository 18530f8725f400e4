//! Rows as text: `Name=value` in the order of `flow.proto`, present fields only.

use neckar_proto::{Field, Flow, Kind, Rows};

/// Every present field.
pub(crate) fn row(rows: &Rows, flow: &Flow) -> String {
    let parts: Vec<String> = Field::in_file_order()
        .iter()
        .filter_map(|field| Some(format!("{}={}", field.name(), value(rows, flow, *field)?)))
        .collect();
    parts.join(" ")
}

/// The same without what every row of a message has.
pub(crate) fn body(rows: &Rows, flow: &Flow) -> String {
    let mut flow = flow.clone();
    for field in [
        Field::Type,
        Field::TimeReceivedNs,
        Field::SequenceNum,
        Field::SamplerAddress,
        Field::ObservationDomainID,
    ] {
        flow.remove(field);
    }
    row(rows, &flow)
}

/// One field as text; `None` if absent.
pub(crate) fn value(rows: &Rows, flow: &Flow, field: Field) -> Option<String> {
    if field.is_address() {
        return flow.ip(field).map(|address| address.to_string());
    }
    if !field.is_word() {
        let bytes = rows.text(flow, field)?;
        return Some(match field.info().kind {
            Kind::Text => format!("{:?}", String::from_utf8(bytes.to_vec()).unwrap()),
            _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        });
    }
    let word = flow.word(field)?;
    Some(match field.info().kind {
        Kind::Mac => format!("{word:012x}"),
        _ if field == Field::Etype => format!("{word:04x}"),
        _ => word.to_string(),
    })
}
