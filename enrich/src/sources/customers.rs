//! Customer lists: which prefixes belong to whom.
//!
//! Three layouts, told apart row by row: `prefix,cid`, `cid,prefix`, and `cid,v4,v6` with either
//! prefix left out. In the last two a cell may hold several prefixes, separated by blanks, `;` or
//! `|`. Remarks may follow, but no more prefixes: whoever writes one there means it.
//!
//! A first row that names a column of prefixes is a header, and says what stands where. Where it
//! names only one, a row may have cid and prefix the other way round all the same.
//!
//! A cid that is a number fills the numeric fields, any other the string ones. The number 0 is no
//! customer: a prefix with it undoes a shorter one.

use std::path::Path;

use super::rows::{NETWORK_EXPECTED, Row, each_row, network};
use super::{Builder, Source, read_file};
use crate::error::LoadError;
use crate::values::{Text, Value};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Cid,
    Prefixes,
    Remark,
}
use Column::{Cid, Prefixes, Remark};

const PREFIXES: [&str; 9] =
    ["prefix", "prefixes", "network", "subnet", "cidr", "v4", "v6", "ipv4", "ipv6"];
/// The first of these that a header has is the cid; the others are remarks then.
const CIDS: [&str; 5] = ["cid", "customer_id", "id", "customer", "name"];
const REMARKS: [&str; 3] = ["remark", "comment", "description"];

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
    let mut layouts = Layouts::default();
    let mut first = true;
    each_row(file, bytes, |row| {
        if std::mem::take(&mut first) && is_header(row) {
            layouts = Layouts::of_header(file, row)?;
            return Ok(());
        }
        add_row(file, row, layouts.of_row(row), &mut builder)
    })?;
    builder.finish_filled()
}

fn is_header(row: &Row) -> bool {
    let names_prefixes = |cell: &String| PREFIXES.contains(&&*cell.to_ascii_lowercase());
    // `network,192.0.2.0/24` is a customer's with a strange name.
    row.cells.iter().any(names_prefixes) && !row.cells.iter().any(|cell| is_prefixes(cell))
}

/// What stands where: rows either way round. The first is that of rows with a prefix in its first
/// column of prefixes, the second that of all others.
struct Layouts([Vec<Column>; 2]);

impl Default for Layouts {
    fn default() -> Self {
        Self([vec![Prefixes, Cid], vec![Cid, Prefixes, Prefixes]])
    }
}

impl Layouts {
    fn of_header(file: &Path, row: &Row) -> Result<Self, LoadError> {
        const EXPECTED: &str = "a header was expected: prefix (or v4, v6) with a cid and any of name, remark, comment, description";
        let known = || PREFIXES.into_iter().chain(CIDS).chain(REMARKS);
        let names = row.columns(file, |name| known().find(|known| *known == name), EXPECTED)?;
        let column = |name: &&str| if PREFIXES.contains(name) { Prefixes } else { Remark };
        let mut columns: Vec<Column> = names.iter().map(column).collect();
        let cid = CIDS.iter().find_map(|cid| names.iter().position(|name| name == cid));
        let cid = cid.ok_or_else(|| row.error(file, EXPECTED))?;
        columns[cid] = Cid;
        let mut mirrored = columns.clone();
        let prefixes: Vec<usize> =
            (0..columns.len()).filter(|index| columns[*index] == Prefixes).collect();
        if let [prefix] = prefixes[..] {
            mirrored.swap(cid, prefix);
        }
        Ok(Self([mirrored, columns]))
    }

    fn of_row(&self, row: &Row) -> &[Column] {
        let [first, second] = &self.0;
        let prefixes = first.iter().position(|column| *column == Prefixes);
        let is_first = prefixes.is_some_and(|index| network(row.cell(index)).is_some());
        if is_first { first } else { second }
    }
}

fn add_row(
    file: &Path,
    row: &Row,
    columns: &[Column],
    builder: &mut Builder,
) -> Result<(), LoadError> {
    let (mut nets, mut cid) = (Vec::new(), "");
    for (index, cell) in row.cells.iter().enumerate() {
        match columns.get(index).unwrap_or(&Remark) {
            Prefixes => {
                for part in parts(cell) {
                    nets.push(network(part).ok_or_else(|| row.error(file, expected(part)))?);
                }
            }
            // They would be dropped without a word.
            _ if is_prefixes(cell) => return Err(row.error(file, unexpected(cell))),
            Cid => cid = cell,
            Remark => {}
        }
    }
    if nets.is_empty() {
        return Err(row.error(file, format!("{NETWORK_EXPECTED} {ROWS}")));
    }
    let value = customer(file, row, cid, builder)?;
    nets.into_iter().try_for_each(|net| builder.add(net, value, row.line))
}

fn parts(cell: &str) -> impl Iterator<Item = &str> {
    cell.split([' ', ';', '|']).filter(|part| !part.is_empty())
}

/// Is a cell made of prefixes?
fn is_prefixes(cell: &str) -> bool {
    parts(cell).next().is_some() && parts(cell).all(|part| network(part).is_some())
}

const ROWS: &str = "(rows are prefix,cid or cid,prefix or cid,v4,v6, or as a header says)";

fn expected(found: &str) -> String {
    format!("{NETWORK_EXPECTED} instead of `{found}` {ROWS}")
}

fn unexpected(cell: &str) -> String {
    format!("no prefix was expected where `{cell}` stands; give each prefix a row {ROWS}")
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
    fn a_header_says_where_things_stand() {
        for (text, expected) in [
            ("prefix,name,cid\n10.0.0.0/8,Uni Ulm,100\n", [("10.0.0.0/8", "100")].as_slice()),
            ("Name,CID,Prefix\nUni Ulm,100,10.0.0.0/8\n", &[("10.0.0.0/8", "100")]),
            // What is not the id is a remark, in whatever place; without another id the name is it.
            ("cid,customer,network\n7,Uni Ulm,10.0.0.0/8\n", &[("10.0.0.0/8", "7")]),
            ("prefix,name\n10.0.0.0/8,Uni Ulm\n", &[("10.0.0.0/8", "Uni Ulm")]),
            ("remark,name,subnet,\n1,Uni Ulm,10.0.0.0/8,\n", &[("10.0.0.0/8", "Uni Ulm")]),
            (
                "v6,name,cid,v4\n2001:db8::/32,Uni,9,10.0.0.0/8;10.1.0.0/16\n,TH,8,10.2.0.0/16,by mail\n",
                &[
                    ("10.0.0.0/8", "9"),
                    ("10.1.0.0/16", "9"),
                    ("10.2.0.0/16", "8"),
                    ("2001:db8::/32", "9"),
                ],
            ),
            // Rows may stand the other way round, as they may without header.
            ("prefix,cid\n7,10.0.0.0/8\n", &[("10.0.0.0/8", "7")]),
        ] {
            assert_rows(text, expected);
        }
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
            (
                "prefix,owner,cid\n10.0.0.0/8,a,1\n",
                1,
                "prefix,owner,cid",
                "`owner` is none of them",
            ),
            ("prefix,cid,cid\n10.0.0.0/8,1,2\n", 1, "prefix,cid,cid", "`cid` repeats one of them"),
            ("prefix,remark\n10.0.0.0/8,1\n", 1, "prefix,remark", "with a cid"),
            ("prefix,name,cid\n10.0.0.0/8,a,\n", 2, "10.0.0.0/8,a,", "a customer id"),
            ("prefix,name,cid\n,a,1\n", 2, ",a,1", "a prefix such as"),
            (
                "prefix,name,cid\n10.0.0.0/8,10.1.0.0/16,1\n",
                2,
                "10.0.0.0/8,10.1.0.0/16,1",
                "where `10.1.0.0/16` stands",
            ),
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
