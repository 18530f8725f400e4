//! The operator's own networks with what is to be said of them.
//!
//! CSV with a header that names the columns: `prefix` (or `network`, `cidr`) and any of `name`,
//! `role`, `site`, `region`, `tenant`, `country`, `city`, `asn`, `cid`. Networks nest: what a row
//! leaves empty is what the network around it says.

use std::path::Path;

use super::asn::as_number;
use super::rows::{NETWORK_EXPECTED, Row, each_row, network};
use super::{Builder, Source, read_file};
use crate::error::LoadError;
use crate::values::{Text, Value};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Prefix,
    Text(Text),
    Asn,
    Cid,
}

fn column(name: &str) -> Option<Column> {
    Some(match name {
        "prefix" | "network" | "cidr" => Column::Prefix,
        "name" => Column::Text(Text::NetName),
        "role" => Column::Text(Text::NetRole),
        "site" => Column::Text(Text::NetSite),
        "region" => Column::Text(Text::NetRegion),
        "tenant" => Column::Text(Text::NetTenant),
        "country" => Column::Text(Text::Country),
        "city" => Column::Text(Text::City),
        "asn" => Column::Asn,
        "cid" => Column::Cid,
        _ => return None,
    })
}

/// Reads a table of networks.
///
/// # Errors
/// The file cannot be read, lacks its header, or has a bad row, or two rows disagree.
pub fn read(path: &Path) -> Result<Source, LoadError> {
    parse(path, &read_file(path)?)
}

/// Reads a table of networks from memory; `file` is its name in messages.
///
/// # Errors
/// As [`read`].
pub fn parse(file: &Path, bytes: &[u8]) -> Result<Source, LoadError> {
    let mut builder = Builder::new(file);
    builder.inherits();
    let mut columns = Vec::new();
    each_row(file, bytes, |row| {
        if columns.is_empty() {
            columns = header(file, row)?;
            return Ok(());
        }
        add_row(file, row, &columns, &mut builder)
    })?;
    builder.finish_filled()
}

fn header(file: &Path, row: &Row) -> Result<Vec<Column>, LoadError> {
    const EXPECTED: &str = "a header was expected: prefix and any of name, role, site, region, tenant, country, city, asn, cid";
    let columns = row.cells.iter().map(|name| column(&name.to_ascii_lowercase()));
    let columns: Option<Vec<Column>> = columns.collect();
    columns
        .filter(|columns| columns.contains(&Column::Prefix))
        .ok_or_else(|| row.error(file, EXPECTED))
}

fn add_row(
    file: &Path,
    row: &Row,
    columns: &[Column],
    builder: &mut Builder,
) -> Result<(), LoadError> {
    if row.cells.len() > columns.len() {
        return Err(row.error(
            file,
            format!("at most {} cells were expected, as in the header", columns.len()),
        ));
    }
    let (mut net, mut value) = (None, Value::default());
    for (column, cell) in columns.iter().zip(&row.cells).filter(|(_, cell)| !cell.is_empty()) {
        match column {
            Column::Prefix => net = network(cell),
            Column::Text(text) => value = value.with(*text, builder.text(cell)),
            Column::Asn => {
                let expected = "an AS number such as 553 or AS553 was expected";
                value.asn = as_number(cell).ok_or_else(|| row.error(file, expected))?;
            }
            Column::Cid => {
                let expected = "a customer number was expected";
                value.cid = cell.parse().map_err(|_| row.error(file, expected))?;
            }
        }
    }
    builder.add(net.ok_or_else(|| row.error(file, NETWORK_EXPECTED))?, value, row.line)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use super::*;

    #[test]
    fn columns_are_told_by_the_header() {
        let text = "Network,site,role,ASN\n10.0.0.0/8,,core,\n10.1.0.0/16,Ulm,,AS553\n";
        let source = parse(Path::new("nets.csv"), text.as_bytes()).unwrap();
        let value = |number: u32| {
            let value = source.values.as_slice()[number as usize];
            let text = |kind: Text| source.texts.text(value.texts[kind as usize]);
            (text(Text::NetSite), text(Text::NetRole), value.asn)
        };
        assert_eq!(value(source.v4[0].value), ("", "core", 0));
        assert_eq!(value(source.v4[1].value), ("Ulm", "", 553));
        assert!(source.inherits);
    }

    #[test]
    fn a_header_alone_is_an_error() {
        let error = parse(Path::new("nets.csv"), b"prefix,site\n").unwrap_err().to_string();
        assert_eq!(error, "nets.csv: at least one prefix was expected in it");
    }

    #[test]
    fn bad_rows() {
        for (text, line, part) in [
            ("10.0.0.0/8,core\n", 1, "a header was expected"),
            ("prefix,colour\n", 1, "a header was expected"),
            ("prefix,site\n,Ulm\n", 2, "a prefix such as"),
            ("prefix,site\n10.0.0.0/8,Ulm,x\n", 2, "at most 2 cells"),
            ("prefix,asn\n10.0.0.0/8,x\n", 2, "an AS number"),
            ("prefix,cid\n10.0.0.0/8,x\n", 2, "a customer number"),
        ] {
            let error = parse(Path::new("nets.csv"), text.as_bytes()).unwrap_err();
            assert!(error.line == Some(line) && error.expected.contains(part), "{error}");
        }
    }
}
