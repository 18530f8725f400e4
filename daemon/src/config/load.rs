//! Reading the file, merging `--set`, and finding the line a problem is on.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::IntoDeserializer;
use toml::de::{DeTable, DeValue};

use super::{Config, Problem};

/// Read when `--config` is not given and the file is there.
pub const DEFAULT_FILE: &str = "/etc/neckar/neckard.toml";

/// A validated configuration and where it came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The file, `None` for built-in defaults.
    pub file: Option<PathBuf>,
    text: String,
    overrides: Vec<String>,
}

impl Loaded {
    /// Finds the place of a problem that showed only later: a file that does not load, an address
    /// that is taken.
    #[must_use]
    pub fn place(&self, problem: Problem) -> Problem {
        let name = self.file.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        placed(problem, &self.text, &name, &self.overrides)
    }
}

/// Reads `file` (or the default one if it exists), applies `--set KEY=VALUE` in order, and
/// validates.
///
/// # Errors
/// The first [`Problem`], with its place.
pub fn load(file: Option<&Path>, overrides: &[String]) -> Result<Loaded, Problem> {
    let file = file
        .map(Path::to_path_buf)
        .or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()));
    let text = match &file {
        Some(path) => std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?,
        None => String::new(),
    };
    let name = file.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    // The file alone first: its errors have lines, those of the merged table have none.
    let mut config: Config =
        toml::from_str(&text).map_err(|error| from_toml(&error, &text, &name))?;
    if !overrides.is_empty() {
        config = merged(&text, overrides)?;
    }
    config.validate().map_err(|problem| placed(problem, &text, &name, overrides))?;
    Ok(Loaded { config, file, text, overrides: overrides.to_vec() })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    let fix = "give an existing file with --config, or none for the built-in defaults";
    Problem::new("--config", path.display(), error, fix)
}

fn merged(text: &str, overrides: &[String]) -> Result<Config, Problem> {
    let mut table: toml::Table = toml::from_str(text).expect("parsed as Config just before");
    let mut config = Config::default();
    for one in overrides {
        let mut as_text = table.clone();
        insert(&mut table, one, true)?;
        config = match Config::deserialize_table(table.clone()) {
            Ok(config) => config,
            Err(error) => {
                // `workers.cores=0` means the text "0": a shell would not keep the quotes.
                insert(&mut as_text, one, false)?;
                table = as_text;
                Config::deserialize_table(table.clone())
                    .map_err(|_| Problem::new("--set", one, error.message(), suggestion(&error)))?
            }
        };
    }
    Ok(config)
}

impl Config {
    fn deserialize_table(table: toml::Table) -> Result<Self, toml::de::Error> {
        serde::Deserialize::deserialize(toml::Value::Table(table).into_deserializer())
    }
}

/// `kafka.topic=x`: the value is TOML if it parses as that (and may be), else a string.
fn insert(table: &mut toml::Table, one: &str, typed: bool) -> Result<(), Problem> {
    let fix = "write it like --set kafka.topic=flows";
    let (path, value) =
        one.split_once('=').ok_or_else(|| Problem::new("--set", one, "no '=' in it", fix))?;
    let value = toml::from_str::<toml::Table>(&format!("value = {value}"))
        .ok()
        .filter(|_| typed)
        .and_then(|mut parsed| parsed.remove("value"))
        .unwrap_or_else(|| toml::Value::String(value.trim().into()));
    let mut at = table;
    let keys: Vec<&str> = path.trim().split('.').collect();
    // `kafka.properties` takes librdkafka's names, which have dots of their own.
    let (parents, last) = match keys.as_slice() {
        ["kafka", "properties", rest @ ..] if !rest.is_empty() => {
            (&keys[..2], path.trim()["kafka.properties.".len()..].to_string())
        }
        [parents @ .., last] => (parents, (*last).to_string()),
        [] => return Err(Problem::new("--set", one, "no key before '='", fix)),
    };
    for key in parents {
        let entry = at.entry(*key).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        at = entry
            .as_table_mut()
            .ok_or_else(|| Problem::new("--set", one, format!("{key} is no table"), fix))?;
    }
    at.insert(last, value);
    Ok(())
}

fn from_toml(error: &toml::de::Error, text: &str, name: &str) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let place = format!("{name}:{}", line_of(text, span.start));
    let key = path_at(text, span.start);
    let unknown = error.message().starts_with("unknown field");
    let value = if unknown || key.is_empty() { "" } else { text.get(span).unwrap_or_default() };
    let value = value.lines().next().unwrap_or_default();
    Problem { place, ..Problem::new(&key, value, error.message(), suggestion(error)) }
}

/// For an unknown key or variant: the expected one that looks most like it.
fn suggestion(error: &toml::de::Error) -> String {
    let mut quoted = error.message().split('`').skip(1).step_by(2);
    let Some(given) = quoted.next().filter(|_| error.message().starts_with("unknown")) else {
        return String::new();
    };
    quoted
        .map(|expected| (strsim::damerau_levenshtein(given, expected), expected))
        .min()
        .filter(|(distance, expected)| *distance <= expected.len().max(3) / 2)
        .map(|(_, expected)| format!("did you mean `{expected}`?"))
        .unwrap_or_default()
}

/// Fills in file and line, or says that the value came by `--set`.
fn placed(mut problem: Problem, text: &str, name: &str, overrides: &[String]) -> Problem {
    let start = format!("{}=", problem.key);
    if overrides.iter().any(|one| one.replace(' ', "").starts_with(&start)) {
        problem.place = "--set".into();
    } else if let Some(span) = span_of(text, &problem.key) {
        problem.place = format!("{name}:{}", line_of(text, span.start));
    }
    problem
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// The dotted path of the innermost key whose key or value covers `offset`; empty if none does.
fn path_at(text: &str, offset: usize) -> String {
    let mut path = String::new();
    let Ok(table) = DeTable::parse(text) else { return path };
    let mut found = descend(table.get_ref(), offset, &mut path);
    while let Some(table) = found {
        found = descend(table, offset, &mut path);
    }
    path
}

fn descend<'a, 't>(
    table: &'a DeTable<'t>,
    offset: usize,
    path: &mut String,
) -> Option<&'a DeTable<'t>> {
    for (key, value) in table {
        let name: &str = key.get_ref();
        if key.span().contains(&offset) || value.span().contains(&offset) {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(name);
            return inner_table(value.get_ref(), offset, path);
        }
        // A `[section]`'s own span is its header; its keys lie beyond.
        if let DeValue::Table(inner) = value.get_ref()
            && covers(inner, offset)
        {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(name);
            return Some(inner);
        }
    }
    None
}

fn covers(table: &DeTable<'_>, offset: usize) -> bool {
    table.iter().any(|(key, value)| {
        key.span().contains(&offset)
            || value.span().contains(&offset)
            || matches!(value.get_ref(), DeValue::Table(inner) if covers(inner, offset))
    })
}

fn inner_table<'a, 't>(
    value: &'a DeValue<'t>,
    offset: usize,
    path: &mut String,
) -> Option<&'a DeTable<'t>> {
    match value {
        DeValue::Table(inner) => Some(inner),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                if let DeValue::Table(inner) = item.get_ref()
                    && covers(inner, offset)
                {
                    path.push_str(&format!("[{index}]"));
                    return Some(inner);
                }
            }
            None
        }
        _ => None,
    }
}

/// Where the value of a dotted path like `listen[1].address` stands in the file; if a key is missing,
/// where the section does that it belongs to.
fn span_of(text: &str, path: &str) -> Option<Range<usize>> {
    let parsed = DeTable::parse(text).ok()?;
    let mut table = parsed.get_ref();
    let mut span = None;
    // librdkafka's names have dots of their own.
    let mut parts: Vec<&str> = match path.strip_prefix("kafka.properties.") {
        Some(property) => vec!["kafka", "properties", property],
        None => path.split('.').collect(),
    };
    parts.reverse();
    while let Some(part) = parts.pop() {
        let (name, index) = match part.split_once('[') {
            Some((name, index)) => (name, index.trim_end_matches(']').parse::<usize>().ok()),
            None => (part, None),
        };
        let found = table.iter().find(|(key, _)| {
            let key: &str = key.get_ref();
            key == name
        });
        let Some((key, mut value)) = found else { break };
        if let (Some(index), DeValue::Array(items)) = (index, value.get_ref()) {
            value = items.get(index)?;
        }
        span = Some(if key.span().is_empty() { value.span() } else { key.span() });
        if index.is_some() {
            span = Some(value.span());
        }
        match value.get_ref() {
            DeValue::Table(inner) if !parts.is_empty() => table = inner,
            _ => break,
        }
    }
    span
}

#[cfg(test)]
mod tests;
