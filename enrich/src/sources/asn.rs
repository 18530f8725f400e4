//! Origin AS by prefix, and names of ASes, from CSV.
//!
//! Prefixes: `prefix,asn[,name]` or `asn,prefix[,name]`. Names: `asn,name`. A header says otherwise, and
//! may name columns that are of no use here. An AS number may be written `AS553` or `553`.

use std::path::Path;

use hashbrown::HashMap;

use super::rows::{NETWORK_EXPECTED, Row, each_row, network};
use super::{Builder, Source, read_file};
use crate::error::LoadError;
use crate::values::{Text, Value};

/// Names by AS number.
pub type AsNames = HashMap<u32, String>;

/// Reads prefixes with their origin AS.
///
/// # Errors
/// The file cannot be read, or a row is neither layout, or two rows disagree.
pub fn read(path: &Path) -> Result<Source, LoadError> {
    parse(path, &read_file(path)?)
}

/// Reads prefixes with their origin AS from memory; `file` is its name in messages.
///
/// # Errors
/// As [`read`].
pub fn parse(file: &Path, bytes: &[u8]) -> Result<Source, LoadError> {
    let mut builder = Builder::new(file);
    let mut first = true;
    let (mut prefix_at, mut asn_at, mut name_at) = (0, 1, Some(2));
    each_row(file, bytes, |row| {
        if std::mem::take(&mut first)
            && let (Some(prefix), Some(asn)) = (find(row, &PREFIX), find(row, &ASN))
        {
            // A name may stand behind a header of two, as it may behind none.
            let behind = (row.cells.len() == 2).then_some(2);
            (prefix_at, asn_at, name_at) = (prefix, asn, find(row, &NAME).or(behind));
            return Ok(());
        }
        let (net, asn) = match network(row.cell(prefix_at)) {
            Some(net) => (net, row.cell(asn_at)),
            None => match network(row.cell(asn_at)) {
                Some(net) => (net, row.cell(prefix_at)),
                None => return Err(row.error(file, NETWORK_EXPECTED)),
            },
        };
        let asn = as_number(asn).ok_or_else(|| row.error(file, AS_EXPECTED))?;
        let name = builder.text(name_at.map_or("", |at| row.cell(at)));
        builder.add(net, Value { asn, ..Value::default() }.with(Text::AsName, name), row.line)
    })?;
    builder.finish_filled()
}

/// Reads names of ASes.
///
/// # Errors
/// The file cannot be read, or a row is not `asn,name`, or two rows name an AS differently.
pub fn read_names(path: &Path) -> Result<AsNames, LoadError> {
    parse_names(path, &read_file(path)?)
}

/// Reads names of ASes from memory; `file` is its name in messages.
///
/// # Errors
/// As [`read_names`].
pub fn parse_names(file: &Path, bytes: &[u8]) -> Result<AsNames, LoadError> {
    let mut names = AsNames::new();
    let mut first = true;
    let (mut asn_at, mut name_at) = (0, 1);
    each_row(file, bytes, |row| {
        if std::mem::take(&mut first)
            && let (Some(asn), Some(name)) = (find(row, &ASN), find(row, &NAME))
        {
            (asn_at, name_at) = (asn, name);
            return Ok(());
        }
        let asn = as_number(row.cell(asn_at)).ok_or_else(|| row.error(file, AS_EXPECTED))?;
        let name = row.cell(name_at);
        if name.is_empty() {
            return Err(row.error(file, "a name behind the AS number was expected"));
        }
        match names.insert(asn, name.to_owned()) {
            Some(other) if other != name => Err(
                row.error(file, format!("another row calls AS{asn} `{other}`; remove one of them"))
            ),
            _ => Ok(()),
        }
    })?;
    Ok(names)
}

const AS_EXPECTED: &str = "an AS number such as 553 or AS553 was expected";
const PREFIX: [&str; 3] = ["prefix", "network", "cidr"];
const ASN: [&str; 4] = ["asn", "as", "as_number", "number"];
const NAME: [&str; 5] = ["name", "as_name", "as_organization", "organization", "org"];

/// The column of a header that has one of these names.
fn find(header: &Row, names: &[&str]) -> Option<usize> {
    header.cells.iter().position(|cell| names.contains(&cell.to_ascii_lowercase().as_str()))
}

/// `553`, `AS553` or `as553`.
pub(crate) fn as_number(text: &str) -> Option<u32> {
    let digits = match text.split_at_checked(2) {
        Some((prefix, digits)) if prefix.eq_ignore_ascii_case("as") => digits,
        _ => text,
    };
    // `parse` would take a sign.
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use super::*;

    #[test]
    fn both_ways_round_with_names() {
        let text =
            "prefix,asn\n192.0.2.0/24,AS553,BelWue\n64512,2001:db8::/32\n198.51.100.0/24,0\n";
        let source = parse(Path::new("as.csv"), text.as_bytes()).unwrap();
        let value = |number: u32| {
            let value = source.values.as_slice()[number as usize];
            (value.asn, source.texts.text(value.texts[Text::AsName as usize]))
        };
        assert_eq!(value(source.v4[0].value), (553, "BelWue"));
        assert_eq!(value(source.v4[1].value), (0, ""));
        assert_eq!(value(source.v6[0].value), (64512, ""));
    }

    #[test]
    fn a_header_says_where_things_stand() {
        let text = "network,country,asn,as_name,domain\n192.0.2.0/24,DE,AS553,BelWue,belwue.de\n";
        let source = parse(Path::new("as.csv"), text.as_bytes()).unwrap();
        let value = source.values.as_slice()[source.v4[0].value as usize];
        assert_eq!(value.asn, 553);
        assert_eq!(source.texts.text(value.texts[Text::AsName as usize]), "BelWue");
        let names =
            parse_names(Path::new("names.csv"), b"asn,country,name\n553,DE,BelWue\n").unwrap();
        assert_eq!(names[&553], "BelWue");
        let no_name =
            parse(Path::new("as.csv"), b"prefix,asn,country\n192.0.2.0/24,553,DE\n").unwrap();
        let value = no_name.values.as_slice()[no_name.v4[0].value as usize];
        assert_eq!(no_name.texts.text(value.texts[Text::AsName as usize]), "", "no country's");
    }

    #[test]
    fn no_prefixes_are_an_error() {
        let error = parse(Path::new("as.csv"), b"prefix,asn\n").unwrap_err().to_string();
        assert_eq!(error, "as.csv: at least one prefix was expected in it");
    }

    #[test]
    fn names() {
        let text = "asn,name\nAS553,\"BelWue, Landeshochschulnetz\"\n3320,DTAG\n3320,DTAG\n";
        let names = parse_names(Path::new("names.csv"), text.as_bytes()).unwrap();
        assert_eq!(names[&553], "BelWue, Landeshochschulnetz");
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn bad_rows() {
        for (text, line, expected) in [
            ("192.0.2.0/24,ASX\n", 1, AS_EXPECTED),
            ("192.0.2.0/24,+5\n", 1, AS_EXPECTED),
            ("192.0.2.0/24,4294967296\n", 1, AS_EXPECTED),
            ("\n553,nonsense\n", 2, NETWORK_EXPECTED),
        ] {
            let error = parse(Path::new("as.csv"), text.as_bytes()).unwrap_err();
            assert_eq!((error.line, &*error.expected), (Some(line), expected), "{text}");
        }
        for (text, line, part) in [
            ("553\n", 1, "a name"),
            ("x,y\n", 1, "an AS number"),
            ("1,a\n1,b\n", 2, "another row calls AS1 `a`"),
        ] {
            let error = parse_names(Path::new("names.csv"), text.as_bytes()).unwrap_err();
            assert!(error.line == Some(line) && error.expected.contains(part), "{error}");
        }
    }
}
