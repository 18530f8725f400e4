//! Every label that an address has: what comes of it, and which source says what.

use std::net::IpAddr;

use neckar_enrich::{Explanation, Tables};
use serde_json::{Map, Value, json};

use crate::tables::LabelSources;

/// Looks `address` up as for a flow from there; IPv4-mapped IPv6 as the IPv4 that it is.
pub(super) fn look_up(tables: &Tables, sources: &LabelSources, address: IpAddr) -> Value {
    let address = address.to_canonical();
    let said = sources.explain(address);
    let said = said.iter().map(|Explanation { source, prefix, labels }| {
        let labels = labels.iter().map(|(kind, text)| json!({"kind": kind, "value": text}));
        json!({
            "source": source.to_string_lossy(), "prefix": prefix.to_string(),
            "labels": labels.collect::<Vec<_>>(),
        })
    });
    let labels: Map<String, Value> =
        serde_json::from_slice(&tables.labels_json(address)).expect("it was just written");
    json!({
        "address": address.to_string(),
        "labels": labels,
        "sources": said.collect::<Vec<_>>(),
    })
}
