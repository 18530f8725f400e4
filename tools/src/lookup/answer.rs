//! What is known of one address, as text and as JSON.

use std::net::IpAddr;

use neckar_enrich::{Explanation, Side, Sources, Tables};
use serde_json::{Map, Value, json};

/// One address, looked up.
pub(super) struct Answer {
    address: IpAddr,
    said: Vec<Explanation>,
    /// After precedence: fields of `flow.proto` without their `Src`.
    as_source: Map<String, Value>,
    /// Likewise, without their `Dst`.
    as_destination: Map<String, Value>,
}

impl Answer {
    /// Asks the sources what they say and the tables what comes of it.
    pub(super) fn of(sources: &Sources, tables: &Tables, address: IpAddr) -> Self {
        let [as_source, as_destination] = [Side::Src, Side::Dst].map(|end| {
            let labels = serde_json::from_slice(&tables.labels_json(address, end));
            labels.expect("it was just written")
        });
        Self { address, said: sources.explain(address), as_source, as_destination }
    }

    pub(super) fn text(&self) -> String {
        let mut rows = Vec::new();
        for one in &self.said {
            let (source, prefix) = (one.source.display().to_string(), place(one));
            let row = |kind: &str, value: String| {
                [source.clone(), prefix.clone(), kind.to_owned(), value]
            };
            rows.extend(one.labels.iter().map(|(kind, value)| row(kind, value.clone())));
            let overruled = one.overruled.iter();
            rows.extend(overruled.map(|(kind, value)| row(kind, format!("{value} (overruled)"))));
            if one.is_nothing() {
                rows.push(row("-", "nothing, and undoes the prefixes around it".into()));
            }
        }
        let mut text = format!("{}\n", self.address);
        push_columns(&mut text, &rows);
        let (as_source, as_destination) = (line(&self.as_source), line(&self.as_destination));
        if as_source == as_destination {
            text.push_str(&format!("  result: {as_source}\n"));
        } else {
            text.push_str(&format!("  as source:      {as_source}\n"));
            text.push_str(&format!("  as destination: {as_destination}\n"));
        }
        text
    }

    pub(super) fn json(&self) -> String {
        let said: Vec<Value> = self.said.iter().map(explanation).collect();
        let mut object = json!({
            "address": self.address.to_string(), "sources": said, "result": self.as_source,
        });
        if self.as_source != self.as_destination {
            object["result_as_destination"] = self.as_destination.clone().into();
        }
        format!("{object}\n")
    }
}

fn explanation(one: &Explanation) -> Value {
    let labels = |labels: &[(&'static str, String)]| -> Map<String, Value> {
        labels.iter().map(|(kind, value)| ((*kind).into(), value.clone().into())).collect()
    };
    let mut said = json!({
        "source": one.source.to_string_lossy(),
        "prefix": one.prefix.map(|prefix| prefix.to_string()),
        "labels": labels(&one.labels),
    });
    if !one.overruled.is_empty() {
        said["overruled"] = labels(&one.overruled).into();
    }
    said
}

/// Names of ASes go by the AS.
fn place(one: &Explanation) -> String {
    one.prefix.map_or("(its AS)".into(), |prefix| prefix.to_string())
}

fn line(labels: &Map<String, Value>) -> String {
    let labels: Vec<String> =
        labels.iter().map(|(key, value)| format!("{key}={}", shown(value))).collect();
    if labels.is_empty() { "no label".into() } else { labels.join(" ") }
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
