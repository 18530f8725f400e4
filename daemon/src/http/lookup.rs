//! Every label that an address has: what comes of it, and which source says what.

use std::net::IpAddr;

use neckar_enrich::{Explanation, Side, Tables};
use serde_json::{Map, Value, json};

use crate::tables::LabelSources;

/// Looks `address` up as for a flow from there and for one to there, which is only told apart where
/// it makes a difference; IPv4-mapped IPv6 as the IPv4 that it is.
pub(super) fn look_up(tables: &Tables, sources: &LabelSources, address: IpAddr) -> Value {
    let address = address.to_canonical();
    let labels = |end| -> Map<String, Value> {
        serde_json::from_slice(&tables.labels_json(address, end)).expect("it was just written")
    };
    let [as_source, as_destination] = [Side::Src, Side::Dst].map(labels);
    let mut found = json!({
        "address": address.to_string(),
        "sources": sources.explain(address).iter().map(said).collect::<Vec<_>>(),
    });
    if as_source != as_destination {
        found["labels_as_destination"] = as_destination.into();
    }
    found["labels"] = as_source.into();
    found
}

fn said(one: &Explanation) -> Value {
    let labels = |labels: &[(&'static str, String)]| -> Vec<Value> {
        labels.iter().map(|(kind, text)| json!({"kind": kind, "value": text})).collect()
    };
    json!({
        "source": one.source.to_string_lossy(),
        "prefix": one.prefix.map(|prefix| prefix.to_string()),
        "labels": labels(&one.labels),
        "overruled": labels(&one.overruled),
    })
}
