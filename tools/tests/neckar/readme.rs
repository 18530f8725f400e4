//! The tables in `captures/README.md`, read as data: which files, and what they hold.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::shared::files;

/// One row: files in order (none if one of them is missing), and what is said of them by column.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) files: Vec<PathBuf>,
    cells: BTreeMap<String, String>,
}

impl Row {
    /// The number in a column; `None` if the table has no such column, or it says something else.
    pub(crate) fn number(&self, column: &str) -> Option<u64> {
        self.cells.get(column)?.replace(' ', "").parse().ok()
    }

    /// The text in a column; empty if the table has no such column.
    pub(crate) fn text(&self, column: &str) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }
}

/// Every row about files, in the order of the page.
pub(crate) fn rows(captures: &Path) -> Vec<Row> {
    let page = std::fs::read_to_string(captures.join("README.md")).unwrap();
    let files = files(captures);
    let mut rows = Vec::new();
    let mut columns: Vec<String> = Vec::new();
    for line in page.lines() {
        if !line.starts_with('|') {
            columns.clear();
            continue;
        }
        let cells: Vec<String> =
            line.trim_matches('|').split('|').map(|cell| cell.trim().to_string()).collect();
        if columns.is_empty() {
            columns = cells;
        } else if !cells[0].starts_with("---") {
            let cells = columns.iter().cloned().zip(cells).collect();
            rows.push(row(cells, &files));
        }
    }
    rows
}

fn row(cells: BTreeMap<String, String>, files: &[PathBuf]) -> Row {
    let bytes = cells["bytes"].parse().unwrap();
    let of = |start: &str| cells.iter().find(|(name, _)| name.starts_with(start));
    let (name, found) = if let Some((_, context)) = of("context") {
        let (_, names) = of("files (spec").unwrap();
        (context.clone(), codec_files(context, names, files))
    } else if let Some((_, names)) = of("group") {
        (names.clone(), group_files(names, files))
    } else if let Some((_, case)) = of("case") {
        (case.clone(), case_files(case, files))
    } else {
        (cells["file"].clone(), file(&cells["file"], bytes, files))
    };
    // Some rows describe files that were left out of the folder.
    let total: u64 = found.iter().map(|file| file.metadata().unwrap().len()).sum();
    assert!(found.is_empty() || total == bytes, "{name}: {found:?} have {total} bytes");
    Row { name, files: found, cells }
}

/// Section 1: names without prefix and suffix; the context says which prefix.
fn codec_files(context: &str, names: &str, files: &[PathBuf]) -> Vec<PathBuf> {
    let prefix = match context {
        _ if context.starts_with("IPFIX") => "ipfix",
        _ if context.starts_with("NetFlow 9") => "netflow9",
        _ => "netflow5",
    };
    let find = |name: &str| {
        let full = ["_test_", "_", ""].map(|middle| match middle {
            "" => format!("{name}.dat"),
            _ => format!("{prefix}{middle}{name}.dat"),
        });
        let found = files.iter().find(|file| {
            let own = file.file_name().unwrap().to_str().unwrap();
            full.iter().any(|full| full == own)
        });
        found.cloned()
    };
    names.split(',').map(|name| find(name.trim())).collect::<Option<_>>().unwrap_or_default()
}

/// Section 3: names in backticks, without suffix.
fn group_files(names: &str, files: &[PathBuf]) -> Vec<PathBuf> {
    let find = |name: &str| {
        let end = format!("netflow/testdata/{name}.pcap");
        files.iter().find(|file| file.to_str().unwrap().ends_with(&end)).cloned()
    };
    let names = names.split(',').map(|name| name.trim().trim_matches('`'));
    names.map(find).collect::<Option<_>>().unwrap_or_default()
}

/// Section 6: everything in the case's folder.
fn case_files(case: &str, files: &[PathBuf]) -> Vec<PathBuf> {
    let folder = case.trim_matches('`');
    let within = |file: &&PathBuf| {
        let parent = file.parent().unwrap();
        parent.file_name().unwrap() == folder && parent.to_str().unwrap().contains("testcases")
    };
    files.iter().filter(within).cloned().collect()
}

/// The file whose path ends like this and that is this long.
fn file(name: &str, bytes: u64, files: &[PathBuf]) -> Vec<PathBuf> {
    let end = name.trim_matches('`');
    let matching = |file: &&PathBuf| {
        file.to_str().unwrap().ends_with(end) && file.metadata().unwrap().len() == bytes
    };
    let found = files.iter().find(matching);
    found.cloned().into_iter().collect()
}
