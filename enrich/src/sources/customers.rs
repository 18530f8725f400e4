//! Customer lists: which prefixes belong to whom.
//!
//! Three layouts, told apart row by row: `prefix,cid`, `cid,prefix`, and `cid,v4,v6` with either
//! prefix left out. In the last two a cell may hold several prefixes, separated by blanks, `;` or
//! `|`. Remarks may follow, but no more prefixes: whoever writes one there means it. A first row
//! without a prefix whose cells are known column names is a header.
//!
//! A cid that is a number fills the numeric fields, any other the string ones. The number 0 is no
//! customer: a prefix with it undoes a shorter one.

use std::path::Path;

use ipnet::IpNet;

use super::rows::{NETWORK_EXPECTED, Row, each_row, network};
use super::{Builder, Source, read_file};
use crate::error::LoadError;
use crate::values::{Text, Value};

const COLUMNS: [&str; 14] = [
    "cid",
    "id",
    "customer",
    "customer_id",
    "name",
    "prefix",
    "prefixes",
    "network",
    "subnet",
    "cidr",
    "v4",
    "v6",
    "ipv4",
    "ipv6",
];

/// Reads a customer list.
///
/// # Errors
/// The file cannot be read, or a row of it is none of the layouts, or two rows disagree.
pub fn read(path: &Path) -> Result<Source, LoadError> {
    parse(path, &read_file(path)?)
}

/// Reads a customer list from memory; `file` is its name in messages.
///
/// # Errors
/// As [`read`].
pub fn parse(file: &Path, bytes: &[u8]) -> Result<Source, LoadError> {
    let mut builder = Builder::new(file);
    let mut first = true;
    each_row(file, bytes, |row| {
        if !(std::mem::take(&mut first) && is_header(row)) {
            add_row(file, row, &mut builder)?;
        }
        Ok(())
    })?;
    builder.finish_filled()
}

fn is_header(row: &Row) -> bool {
    row.cells.iter().take(2).all(|cell| COLUMNS.contains(&cell.to_ascii_lowercase().as_str()))
}

fn add_row(file: &Path, row: &Row, builder: &mut Builder) -> Result<(), LoadError> {
    if let Some(net) = network(row.cell(0)) {
        refuse_prefixes(file, row, 1)?;
        let value = customer(file, row, row.cell(1), builder)?;
        return builder.add(net, value, row.line);
    }
    // `cid,prefix` or `cid,v4,v6`.
    refuse_prefixes(file, row, 3)?;
    let nets: Vec<IpNet> = row.cells[1..row.cells.len().min(3)]
        .iter()
        .flat_map(|cell| parts(cell))
        .map(|part| network(part).ok_or_else(|| row.error(file, expected(part))))
        .collect::<Result<_, _>>()?;
    if nets.is_empty() {
        return Err(row.error(file, expected(row.cell(0))));
    }
    let value = customer(file, row, row.cell(0), builder)?;
    nets.into_iter().try_for_each(|net| builder.add(net, value, row.line))
}

fn parts(cell: &str) -> impl Iterator<Item = &str> {
    cell.split([' ', ';', '|']).filter(|part| !part.is_empty())
}

/// No cell from `first` on may be made of prefixes: they would be dropped without a word.
fn refuse_prefixes(file: &Path, row: &Row, first: usize) -> Result<(), LoadError> {
    let is_prefixes = |cell: &&String| {
        parts(cell).next().is_some() && parts(cell).all(|part| network(part).is_some())
    };
    match row.cells.iter().skip(first).find(is_prefixes) {
        Some(cell) => {
            let expected = format!(
                "no prefix was expected where `{cell}` stands (rows are prefix,cid or cid,prefix \
                 or cid,v4,v6; give each prefix a row)"
            );
            Err(row.error(file, expected))
        }
        None => Ok(()),
    }
}

fn expected(found: &str) -> String {
    format!(
        "{NETWORK_EXPECTED} instead of `{found}` (rows are prefix,cid or cid,prefix or cid,v4,v6)"
    )
}

fn customer(file: &Path, row: &Row, cid: &str, builder: &mut Builder) -> Result<Value, LoadError> {
    if cid.is_empty() {
        return Err(row.error(file, "a customer id beside the prefix was expected"));
    }
    if !cid.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = builder.text(cid);
        return Ok(Value::default().with(Text::CidString, number));
    }
    match cid.parse() {
        Ok(cid) => Ok(Value { cid, ..Value::default() }),
        Err(_) => {
            Err(row.error(file, format!("a customer number up to {} was expected", u32::MAX)))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use super::*;

    /// (prefix, cid or name) in the order of the table.
    fn rows(text: &str) -> Result<Vec<(String, String)>, LoadError> {
        let source = parse(Path::new("list.csv"), text.as_bytes())?;
        let show = |value: u32| {
            let value = source.values.as_slice()[value as usize];
            match value.texts[Text::CidString as usize] {
                0 => value.cid.to_string(),
                name => source.texts.text(name).to_owned(),
            }
        };
        let v4 = source.v4.iter().map(|prefix| {
            (
                format!("{}/{}", std::net::Ipv4Addr::from(prefix.start), prefix.len),
                show(prefix.value),
            )
        });
        let v6 = source.v6.iter().map(|prefix| {
            (
                format!("{}/{}", std::net::Ipv6Addr::from(prefix.start), prefix.len),
                show(prefix.value),
            )
        });
        Ok(v4.chain(v6).collect())
    }

    #[track_caller]
    fn assert_rows(text: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> =
            expected.iter().map(|(net, cid)| ((*net).to_owned(), (*cid).to_owned())).collect();
        assert_eq!(rows(text).unwrap(), expected);
    }

    #[test]
    fn both_ways_round_with_all_that_files_contain() {
        assert_rows(
            "\u{feff}# our customers\r\nprefix,cid\r\n\r\n 192.0.2.0/24 , 100 , Example Ltd,;\r\n101,198.51.100.0/24\r\n\
             \"2001:db8::/32\",\"100\"\r\n  # end\r\n,,\r\n203.0.113.7,4294967295",
            &[
                ("192.0.2.0/24", "100"),
                ("198.51.100.0/24", "101"),
                ("203.0.113.7/32", "4294967295"),
                ("2001:db8::/32", "100"),
            ],
        );
    }

    #[test]
    fn the_sample_layout() {
        assert_rows(
            "cid,v4,v6\n1,192.0.2.0/25,2001:db8:1::/48\n2,,2001:db8:2::/48\n3,192.0.2.128/25,\n4,\"10.0.0.0/8 172.16.0.0/12\"\n",
            &[
                ("10.0.0.0/8", "4"),
                ("172.16.0.0/12", "4"),
                ("192.0.2.0/25", "1"),
                ("192.0.2.128/25", "3"),
                ("2001:db8:1::/48", "1"),
                ("2001:db8:2::/48", "2"),
            ],
        );
    }

    #[test]
    fn names_host_bits_mapped_addresses_and_repetitions() {
        assert_rows(
            "192.0.2.77/24,uni-ulm\n192.0.2.0/24,uni-ulm\n::ffff:198.51.100.0/120,0\n::/0,7\n0.0.0.0/0,8\n",
            &[
                ("0.0.0.0/0", "8"),
                ("192.0.2.0/24", "uni-ulm"),
                ("198.51.100.0/24", "0"),
                ("::/0", "7"),
            ],
        );
    }

    #[test]
    fn bad_rows_name_line_text_and_what_was_expected() {
        let cases = [
            ("192.0.2.0/24,1\n10.0.0/8,7\n", 2, "10.0.0/8,7", "instead of `7`"),
            ("1,192.0.2.0/33\n", 1, "1,192.0.2.0/33", "instead of `192.0.2.0/33`"),
            ("1,,\n", 1, "1,,", "a prefix such as"),
            ("1\n", 1, "1", "a prefix such as"),
            ("#\n\n192.0.2.0/24\n", 3, "192.0.2.0/24", "a customer id"),
            ("192.0.2.0/24,4294967296\n", 1, "192.0.2.0/24,4294967296", "up to 4294967295"),
            (
                "1,192.0.2.0/24,2001:db8::/129\n",
                1,
                "1,192.0.2.0/24,2001:db8::/129",
                "2001:db8::/129",
            ),
            ("prefix,cid\nprefix,cid\n", 2, "prefix,cid", "a prefix such as"),
            (
                "192.0.2.0/24,1,2001:db8::/32\n",
                1,
                "192.0.2.0/24,1,2001:db8::/32",
                "no prefix was expected where `2001:db8::/32` stands",
            ),
            ("192.0.2.0/24,192.0.3.0/24\n", 1, "192.0.2.0/24,192.0.3.0/24", "no prefix was"),
            ("1,10.0.0.0/8,,10.1.0.1\n", 1, "1,10.0.0.0/8,,10.1.0.1", "where `10.1.0.1` stands"),
            ("192.0.2.0/24,1\n\n192.0.2.9/24,2\n", 3, "192.0.2.0/24", "line 1 says something else"),
        ];
        for (text, line, shown, expected) in cases {
            let error = rows(text).unwrap_err();
            assert_eq!((error.line, error.text.as_deref()), (Some(line), Some(shown)), "{text:?}");
            assert!(error.expected.contains(expected), "{text:?}: {}", error.expected);
            assert!(
                error.to_string().starts_with(&format!("list.csv:{line}: `{shown}`: ")),
                "{error}"
            );
        }
    }

    #[test]
    fn an_empty_list_is_an_error() {
        for text in ["", "prefix,cid\n", "# nobody yet\n\n"] {
            let error = rows(text).unwrap_err().to_string();
            assert_eq!(error, "list.csv: at least one prefix was expected in it", "{text:?}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read(Path::new("/nonexistent/list.csv")).unwrap_err();
        assert!(error.to_string().starts_with("/nonexistent/list.csv: a readable file"), "{error}");
    }
}
