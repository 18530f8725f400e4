//! What is known of one address, as text and as JSON.

use std::net::IpAddr;

use neckar_enrich::{Explanation, Sources, Tables};
use serde_json::{Map, Value, json};

/// One address, looked up.
pub(super) struct Answer {
    address: IpAddr,
    said: Vec<Explanation>,
    /// After precedence: fields of `flow.proto` without their `Src`.
    result: Map<String, Value>,
}

impl Answer {
    /// Asks the sources what they say and the tables what comes of it.
    pub(super) fn of(sources: &Sources, tables: &Tables, address: IpAddr) -> Self {
        let result = serde_json::from_slice(&tables.labels_json(address));
        let result = result.expect("it was just written");
        Self { address, said: sources.explain(address), result }
    }

    pub(super) fn text(&self) -> String {
        let mut rows = Vec::new();
        for Explanation { source, prefix, labels } in &self.said {
            let place = |kind: &str, value: &str| {
                [source.display().to_string(), prefix.to_string(), kind.into(), value.into()]
            };
            rows.extend(labels.iter().map(|(kind, value)| place(kind, value)));
            if labels.is_empty() {
                rows.push(place("-", "nothing, and undoes the prefixes around it"));
            }
        }
        let result = self.result.iter().map(|(key, value)| format!("{key}={}", shown(value)));
        let result: Vec<String> = result.collect();
        let result = if result.is_empty() { "no label".into() } else { result.join(" ") };
        let mut text = format!("{}\n", self.address);
        push_columns(&mut text, &rows);
        text.push_str(&format!("  result: {result}\n"));
        text
    }

    pub(super) fn json(&self) -> String {
        let said = self.said.iter().map(|Explanation { source, prefix, labels }| {
            let labels = labels.iter().map(|(kind, value)| ((*kind).into(), value.clone().into()));
            json!({
                "source": source.to_string_lossy(),
                "prefix": prefix.to_string(),
                "labels": Value::Object(labels.collect()),
            })
        });
        let said: Vec<Value> = said.collect();
        let object = json!({
            "address": self.address.to_string(), "sources": said, "result": self.result,
        });
        format!("{object}\n")
    }
}

fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if text.contains(char::is_whitespace) { format!("{text:?}") } else { text }
}

/// Aligned columns under a heading; nothing without rows.
fn push_columns(text: &mut String, rows: &[[String; 4]]) {
    const HEADING: [&str; 4] = ["SOURCE", "PREFIX", "LABEL", "VALUE"];
    if rows.is_empty() {
        return;
    }
    let heading = HEADING.map(str::to_owned);
    let all = || std::iter::once(&heading).chain(rows);
    let width =
        |column: usize| all().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let [source, prefix, label] = [0, 1, 2].map(width);
    for [a, b, c, d] in all() {
        text.push_str(&format!("  {a:<source$}  {b:<prefix$}  {c:<label$}  {d}\n"));
    }
}
