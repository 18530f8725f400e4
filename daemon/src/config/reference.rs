//! Every key with type, default and meaning, made from the types' own documentation.

use std::fmt::Write as _;

use schemars::Schema;
use serde_json::Value;

use super::Config;

struct Key {
    path: String,
    kind: String,
    default: String,
    meaning: String,
}

impl Key {
    fn table(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(table, _)| table)
    }
}

/// `neckard config`: a complete file, every key commented out at its default.
#[must_use]
pub fn toml_reference() -> String {
    let mut out = String::from("# neckard.toml: every key, at its default.\n");
    let mut section = String::new();
    let mut keys = keys();
    // A table's own keys before the tables in it: TOML has no way back to a table.
    keys.sort_by(|one, other| one.table().cmp(other.table()));
    for key in keys {
        let (table, name) = key.path.rsplit_once('.').unwrap_or(("", &key.path));
        if table != section {
            section = table.to_string();
            let header = match table.strip_suffix("[]") {
                Some(array) => format!("# [[{array}]]"),
                None if table.contains("[]") => format!("# [{}]", table.replace("[]", "")),
                None => format!("[{table}]"),
            };
            let _ = write!(out, "\n{header}\n");
        }
        let _ = writeln!(out, "# {}\n# {name} = {}", key.meaning, key.default);
    }
    out
}

/// `neckard config --markdown`: the body of `docs/config.md`.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::from(
        "# Configuration\n\nMade by `neckard config --markdown`; the source is `daemon/src/config`. \
         The file is TOML and strict: an unknown key is an error. `--set KEY=VALUE` overrides one key.\n\
         Units are the end of a name: `_ms`, `_s`, `_us`, `_bytes`; everything else is a count.\n\n\
         | key | type | default | meaning |\n| --- | --- | --- | --- |\n",
    );
    for key in keys() {
        let meaning = key.meaning.replace('|', "\\|");
        let _ = writeln!(out, "| `{}` | {} | `{}` | {meaning} |", key.path, key.kind, key.default);
    }
    out
}

fn keys() -> Vec<Key> {
    let schema = schemars::schema_for!(Config);
    let defaults = serde_json::to_value(Config::default()).expect("a configuration is plain data");
    let mut keys = Vec::new();
    walk(schema.as_value(), &schema, &defaults, "", &mut keys);
    keys
}

fn walk(node: &Value, root: &Schema, defaults: &Value, path: &str, keys: &mut Vec<Key>) {
    let Some(properties) = resolve(node, root)["properties"].as_object() else { return };
    for (name, property) in properties {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let target = resolve(property, root);
        // A table that is not there by default still has defaults of its own.
        let default = if defaults[name].is_null() { &property["default"] } else { &defaults[name] };
        if target["properties"].is_object() {
            walk(target, root, default, &path, keys);
        } else if resolve(&target["items"], root)["properties"].is_object() {
            // An array of tables: its keys are those of one entry; the default is the first entry,
            // if any.
            walk(&target["items"], root, &default[0], &format!("{path}[]"), keys);
        } else {
            keys.push(Key {
                path,
                kind: kind(target),
                default: toml_value(default),
                meaning: meaning(property).unwrap_or_else(|| meaning(target).unwrap_or_default()),
            });
        }
    }
}

fn resolve<'a>(node: &'a Value, root: &'a Schema) -> &'a Value {
    // An optional table is one or null.
    let node = node["anyOf"].get(0).unwrap_or(node);
    match node["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        Some(name) => &root.as_value()["$defs"][name],
        None => node,
    }
}

fn meaning(node: &Value) -> Option<String> {
    Some(node["description"].as_str()?.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn kind(node: &Value) -> String {
    if let Some(values) = node["enum"].as_array() {
        return values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
    }
    // Values with a documentation of their own, each.
    if let Some(values) = node["oneOf"].as_array() {
        let values = values.iter().filter_map(|value| value["const"].as_str());
        return values.collect::<Vec<_>>().join(", ");
    }
    match &node["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).next().unwrap_or("").into(),
        Value::String(kind) if kind == "array" => {
            format!("list of {}", node["items"]["type"].as_str().unwrap_or("tables"))
        }
        Value::String(kind) if kind == "object" => "table of strings".into(),
        Value::String(kind) => kind.clone(),
        _ => String::new(),
    }
}

fn toml_value(value: &Value) -> String {
    match value {
        Value::Null => "unset".into(),
        Value::Object(table) => {
            let pairs = table.iter().map(|(key, value)| format!("{key} = {}", toml_value(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}
