//! Every label that an address has: what comes of it, and which source says what.

use std::net::IpAddr;

use neckar_enrich::{Explanation, Tables};
use neckar_proto::json;
use serde_json::{Map, Value, json};

use crate::tables::LabelSources;

/// Looks `address` up as for a flow from there.
    let address = address.to_canonical();
pub(super) fn look_up(tables: &Tables, sources: &LabelSources, address: IpAddr) -> Value {
    let said = sources.explain(address);
    let said = said.iter().map(|Explanation { source, prefix, labels }| {
        let labels = labels.iter().map(|(kind, text)| json!({"kind": kind, "value": text}));
        json!({
            "source": source.to_string_lossy(), "prefix": prefix.to_string(),
            "labels": labels.collect::<Vec<_>>(),
        })
    });
    json!({
        "address": address.to_string(),
        "labels": labels_of(tables, address),
        "sources": said.collect::<Vec<_>>(),
    })
}

/// What labelling makes of a flow's source, by the names of `flow.proto` without their `Src`.
fn labels_of(tables: &Tables, address: IpAddr) -> Map<String, Value> {
    let rows = tables.labelled(address);
    let mut text = Vec::new();
    json::write(&mut text, &rows, &rows.as_slice()[0]);
    let object: Map<String, Value> = serde_json::from_slice(&text).unwrap_or_default();
    let labels = object.into_iter().filter(|(key, _)| key != "SrcAddr");
    labels.filter_map(|(key, value)| Some((key.strip_prefix("Src")?.to_owned(), value))).collect()
}
