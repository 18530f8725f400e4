//! The section `[enrich]` of the daemon's configuration, and `--set` over it.
//!
//! The other sections are the daemon's business: whether they are right is `neckard check`'s to
//! say.

use std::path::Path;

use neckar_enrich::config::Enrich;
use serde::Deserialize;

use crate::exit::Failure;

/// Where the daemon looks when nobody says where.
const DEFAULT_FILE: &str = "/etc/neckar/neckard.toml";

/// All of a configuration that is read here.
#[derive(Default, Deserialize)]
struct Sections {
    #[serde(default)]
    enrich: Enrich,
}

/// Reads the section from `file`, or from the default one, and sets `overrides` over it.
///
/// # Errors
/// One line with place, reason and fix.
pub(super) fn enrich(file: Option<&Path>, overrides: &[String]) -> Result<Enrich, Failure> {
    let default = Path::new(DEFAULT_FILE);
    let file = file.or_else(|| Some(default).filter(|file| file.exists()));
    let Some(file) = file else {
        if overrides.is_empty() {
            return Err(Failure::usage(format!(
                "{DEFAULT_FILE} is not there; name a configuration with --config, or files of labels with --source"
            )));
        }
        return merged("", overrides);
    };
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(format!(
            "{}: cannot be read: {error}; name another with --config",
            file.display()
        ))
    })?;
    // The file alone first: its errors have lines, those of what is merged have none.
    let sections: Sections = toml::from_str(&text).map_err(|error| {
        let before = &text[..error.span().map_or(0, |span| span.start)];
        let line = 1 + before.matches('\n').count();
        Failure::usage(format!("{}:{line}: {}", file.display(), one_line(error.message())))
    })?;
    if overrides.is_empty() { Ok(sections.enrich) } else { merged(&text, overrides) }
}

/// As the daemon's `--set`: the value is TOML where that fits, else a text.
fn merged(text: &str, overrides: &[String]) -> Result<Enrich, Failure> {
    let mut table: toml::Table = toml::from_str(text).expect("it was parsed just before");
    let mut enrich = Enrich::default();
    for one in overrides {
        let mut as_text = table.clone();
        insert(&mut table, one, true)?;
        enrich = match sections(&table) {
            Ok(sections) => sections.enrich,
            Err(error) => {
                insert(&mut as_text, one, false)?;
                table = as_text;
                let typed =
                    |_| Failure::usage(format!("--set {one}: {}", one_line(error.message())));
                sections(&table).map_err(typed)?.enrich
            }
        };
    }
    Ok(enrich)
}

fn sections(table: &toml::Table) -> Result<Sections, toml::de::Error> {
    toml::Value::Table(table.clone()).try_into()
}

fn insert(table: &mut toml::Table, one: &str, typed: bool) -> Result<(), Failure> {
    let wrong =
        |why| Failure::usage(format!("--set {one}: {why}; write it like --set enrich.bogons=true"));
    let (path, value) = one.split_once('=').ok_or_else(|| wrong("no '=' in it"))?;
    let keys: Vec<&str> = path.trim().split('.').collect();
    let ["enrich", parents @ .., last] = &keys[..] else {
        return Err(wrong("only keys under `enrich` say what an address gets"));
    };
    let parsed = toml::from_str::<toml::Table>(&format!("value = {value}"));
    let value = parsed.ok().filter(|_| typed).and_then(|mut parsed| parsed.remove("value"));
    let value = value.unwrap_or_else(|| toml::Value::String(one[path.len() + 1..].trim().into()));
    let mut at = table;
    for key in std::iter::once(&"enrich").chain(parents) {
        let entry = at.entry(*key).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        at = entry.as_table_mut().ok_or_else(|| wrong("a key on the way is no table"))?;
    }
    at.insert((*last).into(), value);
    Ok(())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn set(overrides: &[&str]) -> Result<Enrich, String> {
        let overrides: Vec<String> = overrides.iter().map(|one| (*one).into()).collect();
        merged("[enrich]\nbogons = true\n", &overrides).map_err(|failure| failure.message)
    }

    #[test]
    fn overrides_are_typed_where_that_fits() {
        let enrich =
            set(&["enrich.customers=7", "enrich.bogons=false", "enrich.lists.a=x"]).unwrap();
        assert_eq!((enrich.customers, enrich.bogons), (PathBuf::from("7"), false));
        assert_eq!(enrich.lists["a"], PathBuf::from("x"));
        assert!(set(&["enrich.normalize=true"]).unwrap().bogons);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = set(&["enrich.bogons=maybe"]).unwrap_err();
        assert!(error.starts_with("--set enrich.bogons=maybe: "), "{error}");
        let error = set(&["enrich.bogon=true"]).unwrap_err();
        assert!(error.contains("unknown field `bogon`"), "{error}");
        assert!(set(&["kafka.topic=x"]).unwrap_err().contains("only keys under `enrich`"));
        assert!(set(&["enrich.bogons"]).unwrap_err().contains("no '='"));
    }
}
