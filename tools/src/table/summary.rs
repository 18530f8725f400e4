//! What one file holds, as text and as JSON.

use std::fmt;
use std::path::{Path, PathBuf};

use neckar_enrich::sources::{Content, SourceKind};
use neckar_enrich::{LoadError, Sources, Tables};
use serde_json::{Map, Value, json};

/// One file, summed up.
pub(super) struct Summary {
    file: PathBuf,
    kind: SourceKind,
    counts: Counts,
    held: Held,
}

enum Counts {
    Prefixes(neckar_enrich::Summary),
    AsNames(usize),
    Interfaces { exporters: usize, interfaces: usize },
}

/// What tables take in a daemon.
#[derive(Clone, Copy)]
pub(super) struct Held {
    pub(super) sets: usize,
    pub(super) memory_bytes: usize,
}

impl fmt::Display for Held {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sets, memory_bytes } = *self;
        write!(
            out,
            "{sets} sets of labels, {:.1} MiB once flattened",
            memory_bytes as f64 / 1_048_576.0
        )
    }
}

impl Summary {
    /// Sums `content` up and builds a daemon's tables of it, to see what they take.
    pub(super) fn of(file: &Path, kind: SourceKind, content: &Content) -> Result<Self, LoadError> {
        let mut alone = Sources::default();
        let counts = match content {
            Content::Prefixes(source) => {
                let source = std::sync::Arc::new(source.clone());
                let summary = source.summary();
                alone.prefixes.push(source);
                Counts::Prefixes(summary)
            }
            Content::AsNames(names) => {
                alone.as_names = names.clone();
                Counts::AsNames(names.len())
            }
            Content::Interfaces(all) => {
                alone.interfaces = all.clone();
                let (exporters, interfaces) = all.counts();
                Counts::Interfaces { exporters, interfaces }
            }
        };
        let tables = Tables::build(&alone)?;
        let held = Held { sets: tables.label_sets(), memory_bytes: tables.memory_bytes() };
        Ok(Self { file: file.to_path_buf(), kind, counts, held })
    }

    pub(super) fn text(&self) -> String {
        let lines = match &self.counts {
            Counts::Prefixes(summary) => prefix_lines(summary),
            Counts::AsNames(names) => vec![("AS names", names.to_string())],
            Counts::Interfaces { exporters, interfaces } => {
                vec![("exporters", exporters.to_string()), ("interfaces", interfaces.to_string())]
            }
        };
        let mut text = format!("{}\n", self.file.display());
        let ends = [("kind", self.kind.to_string())].into_iter().chain(lines);
        for (name, value) in ends.chain([("tables", self.held.to_string())]) {
            text.push_str(&format!("  {name:<11} {value}\n"));
        }
        text
    }

    pub(super) fn json(&self) -> String {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| drop(object.insert(key.into(), value));
        put("file", self.file.to_string_lossy().into());
        put("kind", self.kind.name().into());
        match &self.counts {
            Counts::Prefixes(summary) => {
                put("prefixes_v4", summary.prefixes_v4.into());
                put("prefixes_v6", summary.prefixes_v6.into());
                put("nested", summary.nested.into());
                put("duplicates", summary.duplicates.into());
                put("values", summary.values.into());
                let kinds =
                    summary.kinds.iter().map(|(kind, count)| ((*kind).into(), json!(count)));
                put("labels", Value::Object(kinds.collect()));
            }
            Counts::AsNames(names) => put("as_names", (*names).into()),
            Counts::Interfaces { exporters, interfaces } => {
                put("exporters", (*exporters).into());
                put("interfaces", (*interfaces).into());
            }
        }
        put("label_sets", self.held.sets.into());
        put("memory_bytes", self.held.memory_bytes.into());
        format!("{}\n", Value::Object(object))
    }
}

fn prefix_lines(summary: &neckar_enrich::Summary) -> Vec<(&'static str, String)> {
    let labels: Vec<String> =
        summary.kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    vec![
        ("prefixes", format!("{} IPv4, {} IPv6", summary.prefixes_v4, summary.prefixes_v6)),
        ("nested", format!("{} lie inside another", summary.nested)),
        ("duplicates", format!("{} rows said what another had said", summary.duplicates)),
        ("values", format!("{} different", summary.values)),
        ("labels", if labels.is_empty() { "none".into() } else { labels.join(", ") }),
    ]
}
