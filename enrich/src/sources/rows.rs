//! Lines and cells of the text formats: what all of them have in common.
//!
//! CSV with `,`, quoted where need be (RFC 4180, but a cell ends with its line); `#` begins a
//! comment line; blank lines, blanks around cells, CRLF, commas at the end and a byte order mark
//! are of no consequence. A first line that names columns is a header.

use std::borrow::Cow;
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;

use super::{PREFIXES_MAX, unmapped};
use crate::error::LoadError;

/// A row that is neither blank nor a comment.
pub(crate) struct Row {
    /// Its line in the file, from 1 on.
    pub(crate) line: u64,
    /// Its cells, trimmed.
    pub(crate) cells: Vec<String>,
}

impl Row {
    /// Cell `index`; empty if there is none.
    pub(crate) fn cell(&self, index: usize) -> &str {
        self.cells.get(index).map_or("", String::as_str)
    }

    /// The columns that this row, a header, names. `expected` lists those that `column` knows: a
    /// name of nobody's is a typing error more often than a remark, and would cost a whole column.
    pub(crate) fn columns<C: PartialEq>(
        &self,
        file: &Path,
        column: impl Fn(&str) -> Option<C>,
        expected: &str,
    ) -> Result<Vec<C>, LoadError> {
        let mut columns = Vec::new();
        for name in self.filled() {
            let wrong = |how| self.error(file, format!("{expected}; `{name}` {how}"));
            let known = column(&name.to_ascii_lowercase());
            let known = known.ok_or_else(|| wrong("is none of them"))?;
            if columns.contains(&known) {
                return Err(wrong("repeats one of them"));
            }
            columns.push(known);
        }
        Ok(columns)
    }

    /// Refuses cells behind the last of a header's `columns`: nobody can say what they mean.
    pub(crate) fn fits(&self, file: &Path, columns: usize) -> Result<(), LoadError> {
        if self.filled().len() <= columns {
            return Ok(());
        }
        Err(self.error(file, format!("at most {columns} cells were expected, as in the header")))
    }

    /// The cells without the empty ones at the end, which spreadsheets add.
    fn filled(&self) -> &[String] {
        let last = self.cells.iter().rposition(|cell| !cell.is_empty());
        &self.cells[..last.map_or(0, |last| last + 1)]
    }

    /// The error that this row is.
    pub(crate) fn error(&self, file: &Path, expected: impl Into<String>) -> LoadError {
        LoadError::at(file, self.line, &self.cells.join(","), expected)
    }
}

/// Calls `each` for the rows of `bytes` in order, [`PREFIXES_MAX`] of them at most.
pub(crate) fn each_row(
    file: &Path,
    bytes: &[u8],
    each: impl FnMut(&Row) -> Result<(), LoadError>,
) -> Result<(), LoadError> {
    each_row_of(file, bytes, PREFIXES_MAX, each)
}

fn each_row_of(
    file: &Path,
    bytes: &[u8],
    rows_max: usize,
    mut each: impl FnMut(&Row) -> Result<(), LoadError>,
) -> Result<(), LoadError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut row = Row { line: 0, cells: Vec::new() };
    let mut rows = 0;
    for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1..) {
        row.line = number;
        let text = String::from_utf8_lossy(line);
        let line = text.trim();
        if line.starts_with('#') {
            continue;
        }
        let wrong = |expected| LoadError::at(file, number, line, expected);
        // Owned: something was replaced. Different names would become the same.
        if let Cow::Owned(_) = text {
            return Err(wrong(UTF8_EXPECTED));
        }
        if !split_cells(line, &mut row.cells) {
            return Err(wrong("a closing `\"` before `,` or the end of the line was expected"));
        }
        if row.cells.iter().any(|cell| !cell.is_empty()) {
            rows += 1;
            if rows > rows_max {
                return Err(row.error(file, format!("at most {rows_max} rows were expected")));
            }
            each(&row)?;
        }
    }
    Ok(())
}

const UTF8_EXPECTED: &str =
    "UTF-8 was expected; convert the file, as in `iconv -f LATIN1 -t UTF-8`";

/// Splits a line at its commas. `false` if a quoted cell does not end as it should.
fn split_cells(line: &str, cells: &mut Vec<String>) -> bool {
    let mut rest = line;
    for count in 0.. {
        if cells.len() == count {
            cells.push(String::new());
        }
        let cell = &mut cells[count];
        cell.clear();
        let after = match rest.trim_start().strip_prefix('"') {
            Some(quoted) => match take_quoted(quoted, cell) {
                Some(after) => after.trim_start(),
                None => return false,
            },
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                cell.push_str(rest[..end].trim());
                &rest[end..]
            }
        };
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => {
                cells.truncate(count + 1);
                return after.is_empty();
            }
        }
    }
    false
}

/// Reads a cell up to its closing quote; `""` stands for one quote. Returns what follows; `None` if
/// it does not close.
fn take_quoted<'a>(mut rest: &'a str, cell: &mut String) -> Option<&'a str> {
    loop {
        let (text, after) = rest.split_once('"')?;
        cell.push_str(text);
        match after.strip_prefix('"') {
            Some(more) => {
                cell.push('"');
                rest = more;
            }
            None => return Some(after),
        }
    }
}

/// A prefix (`192.0.2.0/24`, `2001:db8::/32`) or an address, which is a prefix of its full length.
/// Those of IPv4-mapped IPv6 addresses are IPv4.
#[must_use]
pub fn network(text: &str) -> Option<IpNet> {
    let net = match text.split_once('/') {
        Some(_) => text.parse().ok(),
        None => text.parse::<IpAddr>().ok().map(IpNet::from),
    };
    net.map(unmapped)
}

/// What is expected where [`network`] finds nothing.
pub(crate) const NETWORK_EXPECTED: &str =
    "a prefix such as 192.0.2.0/24 or 2001:db8::/32 was expected";

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(line: &str) -> Option<Vec<String>> {
        let mut cells = vec!["left over".to_owned(); 9];
        split_cells(line, &mut cells).then_some(cells)
    }

    #[test]
    fn rows_are_bounded() {
        let read = |text: &str| {
            let mut lines = Vec::new();
            let each = |row: &Row| {
                lines.push(row.line);
                Ok(())
            };
            let result = each_row_of(Path::new("names.csv"), text.as_bytes(), 2, each);
            (lines, result.err().map(|error| error.to_string()))
        };
        assert_eq!(read("1,a\n\n# x\n2,b\n"), (vec![1, 4], None));
        let error = "names.csv:3: `3,c`: at most 2 rows were expected".to_owned();
        assert_eq!(read("1,a\n2,b\n3,c\n"), (vec![1, 2], Some(error)));
    }

    #[test]
    fn what_is_no_utf8_is_a_bad_row() {
        let read = |bytes: &[u8]| {
            let mut cells = Vec::new();
            let each = |row: &Row| {
                cells.push(row.cells.join("|"));
                Ok(())
            };
            each_row(Path::new("list.csv"), bytes, each).map_err(|error| error.to_string())?;
            Ok::<_, String>(cells)
        };
        // Latin-1: both names would become the same.
        let error = read(b"10.0.0.0/8,a\n10.1.0.0/16,M\xfcller\n10.2.0.0/16,M\xf6ller\n");
        assert_eq!(
            error,
            Err("list.csv:2: `10.1.0.0/16,M\u{fffd}ller`: UTF-8 was expected; convert the file, as \
                 in `iconv -f LATIN1 -t UTF-8`"
                .to_owned())
        );
        // Nobody reads a comment.
        assert_eq!(read(b"# f\xfcr M\xfcller\n1,a\n"), Ok(vec!["1|a".to_owned()]));
        // Excel begins with a byte order mark: the first name is a name all the same.
        let marked = "\u{feff}prefix,cid\n10.1.0.0/16,Müller\n";
        let expected = ["prefix|cid", "10.1.0.0/16|Müller"].map(str::to_owned);
        assert_eq!(read(marked.as_bytes()), Ok(expected.to_vec()));
    }

    #[test]
    fn mapped_networks_are_ipv4() {
        for (text, expected) in [
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("::ffff:192.0.2.1", "192.0.2.1/32"),
            ("::ffff:0:0/95", "::ffff:0:0/95"),
            ("2001:db8::/32", "2001:db8::/32"),
        ] {
            assert_eq!(network(text), expected.parse().ok(), "{text}");
        }
        assert_eq!(network("192.0.2.0/33"), None);
    }

    #[test]
    fn cells_are_split_trimmed_and_unquoted() {
        for (line, expected) in [
            ("", Some(vec![""])),
            ("a", Some(vec!["a"])),
            (" a , b c ,", Some(vec!["a", "b c", ""])),
            ("\"a,b\" , \"say \"\"x\"\"\",\"\"", Some(vec!["a,b", "say \"x\"", ""])),
            ("5\" disk,x", Some(vec!["5\" disk", "x"])),
            ("\"open,x", None),
            ("\"a\"b,x", None),
        ] {
            let expected = expected.map(|cells| cells.into_iter().map(str::to_owned).collect());
            assert_eq!(cells(line), expected, "{line}");
        }
    }
}
