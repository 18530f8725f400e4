//! The operator's own networks with what is to be said of them.
//!
//! CSV with a header that names the columns: `prefix` (or `network`, `cidr`) and any of `name`,
//! `role`, `site`, `region`, `tenant`, `country`, `city`, `asn`, `cid`. Networks nest: what a row
//! leaves empty is what the network around it says. A country is its code of two letters, which is
//! what everybody downstream compares with.

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
    let columns = row.columns(file, column, EXPECTED)?;
    if !columns.contains(&Column::Prefix) {
        return Err(row.error(file, EXPECTED));
    }
    Ok(columns)
}

fn add_row(
    file: &Path,
    row: &Row,
    columns: &[Column],
    builder: &mut Builder,
) -> Result<(), LoadError> {
    row.fits(file, columns.len())?;
    let (mut net, mut value) = (None, Value::default());
    for (column, cell) in columns.iter().zip(&row.cells).filter(|(_, cell)| !cell.is_empty()) {
        match column {
            Column::Prefix => net = network(cell),
            Column::Text(Text::Country) => {
                let expected = || format!("{COUNTRY_EXPECTED} instead of `{cell}`");
                let code = country_code(cell).ok_or_else(|| row.error(file, expected()))?;
                value = value.with(Text::Country, builder.text(&code));
            }
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

/// A country's ISO 3166 code of two letters, in upper case. Whether it is assigned is not asked.
pub(crate) fn country_code(text: &str) -> Option<String> {
    let is_code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_code.then(|| text.to_ascii_uppercase())
}

const COUNTRY_EXPECTED: &str = "a country code of two letters (ISO 3166) such as DE was expected";

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
    fn a_country_is_two_letters_upper_case() {
        let text = "prefix,country\n10.0.0.0/8,de\n10.1.0.0/16,Fr\n10.2.0.0/16,AT\n";
        let source = parse(Path::new("nets.csv"), text.as_bytes()).unwrap();
        let country = |number: u32| {
            let value = source.values.as_slice()[number as usize];
            source.texts.text(value.texts[Text::Country as usize])
        };
        let found: Vec<_> = source.v4.iter().map(|prefix| country(prefix.value)).collect();
        assert_eq!(found, ["DE", "FR", "AT"]);
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
            ("prefix,colour\n", 1, "`colour` is none of them"),
            ("prefix,site\n,Ulm\n", 2, "a prefix such as"),
            ("prefix,site\n10.0.0.0/8,Ulm,x\n", 2, "at most 2 cells"),
            ("prefix,asn\n10.0.0.0/8,x\n", 2, "an AS number"),
            ("prefix,cid\n10.0.0.0/8,x\n", 2, "a customer number"),
            (
                "prefix,country\n10.0.0.0/8,Germany\n",
                2,
                "such as DE was expected instead of `Germany`",
            ),
            ("prefix,country\n10.0.0.0/8,DEU\n", 2, "ISO 3166"),
            ("prefix,country\n10.0.0.0/8,A1\n", 2, "ISO 3166"),
            ("prefix,country\n10.0.0.0/8,ß\n", 2, "ISO 3166"),
            ("prefix,name,name\n10.0.0.0/8,a,b\n", 1, "`name` repeats one of them"),
            ("prefix,cidr\n10.0.0.0/8,10.0.0.0/8\n", 1, "`cidr` repeats one of them"),
        ] {
            let error = parse(Path::new("nets.csv"), text.as_bytes()).unwrap_err();
            assert!(error.line == Some(line) && error.expected.contains(part), "{error}");
        }
    }
}
