//! What a file holds, told by its content where that can be.
//!
//! For people at a command line. A configuration says it by the key, and is never second-guessed.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::asn::AsNames;
use super::open::{open, unreadable};
use super::rows::{Row, each_row, network};
use super::{Source, asn, customers, interfaces, list, maxmind, mrt, networks};
use crate::error::LoadError;
use crate::interfaces::Interfaces;

/// Kinds of files that labels come from; named as the keys under `[enrich]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum SourceKind {
    Customers,
    Networks,
    List,
    AsPrefixes,
    Rib,
    Maxmind,
    AsNames,
    Interfaces,
}

/// What was read from a file.
pub enum Content {
    /// Labels by prefix.
    Prefixes(Source),
    /// Names by AS number.
    AsNames(AsNames),
    /// Interfaces by exporter.
    Interfaces(Interfaces),
}

/// The first bytes of a file that its kind is told by.
const HEAD_BYTES: u64 = 64 << 10;
/// A MaxMind DB has its metadata within the last 128 KiB, behind this mark.
const MAXMIND_TAIL_BYTES: u64 = 128 << 10;
const MAXMIND_MARK: &[u8] = b"\xab\xcd\xefMaxMind.com";

impl SourceKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Customers,
        Self::Networks,
        Self::List,
        Self::AsPrefixes,
        Self::Rib,
        Self::Maxmind,
        Self::AsNames,
        Self::Interfaces,
    ];

    /// Its name at a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Networks => "networks",
            Self::List => "list",
            Self::AsPrefixes => "as-prefixes",
            Self::Rib => "rib",
            Self::Maxmind => "maxmind",
            Self::AsNames => "as-names",
            Self::Interfaces => "interfaces",
        }
    }

    /// What `path` looks like; gzip and bzip2 are opened. `prefix,number` is taken for a customer
    /// list: such rows of AS numbers look the same, unless they are written `AS553` or named. And
    /// `prefix,number,text` is taken for AS numbers with names, though it may be customers with
    /// remarks: whoever asks has to show what was found.
    ///
    /// # Errors
    /// The file cannot be read, or looks like nothing that we know.
    pub fn of_file(path: &Path) -> Result<Self, LoadError> {
        let failed = |error| unreadable(path, &error);
        if is_maxmind(path).map_err(failed)? {
            return Ok(Self::Maxmind);
        }
        let mut head = Vec::new();
        open(path)?.take(HEAD_BYTES).read_to_end(&mut head).map_err(failed)?;
        Self::of_head(path, &head)
    }

    fn of_head(path: &Path, head: &[u8]) -> Result<Self, LoadError> {
        // RFC 6396, 2: time, type and subtype, each of two bytes of which the first is 0; in text
        // no byte is.
        if matches!(head, [_, _, _, _, 0, _, 0, _, ..]) {
            return Ok(Self::Rib);
        }
        // The last line may be cut.
        let whole = match head.iter().rposition(|byte| *byte == b'\n') {
            Some(end) if head.len() as u64 == HEAD_BYTES => &head[..end],
            _ => head,
        };
        let mut told = None;
        let mut first = None;
        // What is wrong with a later row, or is no UTF-8, is its reader's to say.
        let whole = String::from_utf8_lossy(whole);
        let _ = each_row(path, whole.as_bytes(), |row| {
            told = told.or_else(|| of_row(row));
            first.get_or_insert_with(|| row.error(path, UNKNOWN));
            Ok(())
        });
        told.ok_or_else(|| first.unwrap_or_else(|| LoadError::new(path, UNKNOWN)))
    }

    /// Reads a file of this kind. Addresses of a list get the name of the file, without its ending,
    /// as their label.
    ///
    /// # Errors
    /// It cannot be read, or is not all of this kind.
    pub fn read(self, path: &Path) -> Result<Content, LoadError> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        match self {
            Self::Customers => customers::read(path).map(Content::Prefixes),
            Self::Networks => networks::read(path).map(Content::Prefixes),
            Self::List => list::read(path, &name).map(Content::Prefixes),
            Self::AsPrefixes => asn::read(path).map(Content::Prefixes),
            Self::Rib => mrt::read(path).map(Content::Prefixes),
            Self::Maxmind => maxmind::read(path).map(Content::Prefixes),
            Self::AsNames => asn::read_names(path).map(Content::AsNames),
            Self::Interfaces => interfaces::read(path).map(Content::Interfaces),
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

const UNKNOWN: &str = "this looks like no source that neckar knows; say which with --kind";

fn is_maxmind(path: &Path) -> std::io::Result<bool> {
    let mut file = File::open(path)?;
    // A pipe has no end to look at.
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(false);
    }
    file.seek(SeekFrom::Start(metadata.len().saturating_sub(MAXMIND_TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.take(MAXMIND_TAIL_BYTES).read_to_end(&mut tail)?;
    Ok(tail.windows(MAXMIND_MARK.len()).any(|bytes| bytes == MAXMIND_MARK))
}

/// What a row says of its file, if it says something.
fn of_row(row: &Row) -> Option<SourceKind> {
    let is_name = |cell: &String| {
        !cell.bytes().any(|byte| byte.is_ascii_digit())
            || ["v4", "v6", "ipv4", "ipv6"].contains(&&*cell.to_ascii_lowercase())
    };
    if row.cells.iter().all(is_name) {
        return of_header(row);
    }
    let cells = row.cells.iter().filter(|cell| !cell.is_empty()).count();
    let is_address = |cell: usize| row.cell(cell).parse::<std::net::IpAddr>().is_ok();
    let is_number = |cell: usize| row.cell(cell).parse::<u32>().is_ok();
    let is_prefix =
        |cell: usize| row.cell(cell).split([' ', ';', '|']).all(|part| network(part).is_some());
    let is_as =
        |cell: usize| row.cell(cell).get(..2).is_some_and(|start| start.eq_ignore_ascii_case("as"));
    if is_prefix(0) {
        return Some(match cells {
            1 => SourceKind::List,
            _ if is_as(1) => SourceKind::AsPrefixes,
            4.. if is_address(0) && is_number(1) => SourceKind::Interfaces,
            3 if is_number(1) => SourceKind::AsPrefixes,
            _ => SourceKind::Customers,
        });
    }
    if is_prefix(1) || (row.cell(1).is_empty() && is_prefix(2)) {
        return Some(if is_as(0) { SourceKind::AsPrefixes } else { SourceKind::Customers });
    }
    // An entry of a list with a remark behind it.
    if row.cell(0).split([' ', '\t', ';']).next().is_some_and(|entry| network(entry).is_some()) {
        return Some(SourceKind::List);
    }
    ((is_number(0) || is_as(0)) && cells == 2).then_some(SourceKind::AsNames)
}

/// A row without numbers names columns, or is not one of ours.
fn of_header(row: &Row) -> Option<SourceKind> {
    let names: Vec<String> = row.cells.iter().map(|cell| cell.to_ascii_lowercase()).collect();
    let has = |wanted: &[&str]| names.iter().any(|name| wanted.contains(&name.as_str()));
    let prefix = has(&["prefix", "network", "cidr", "prefixes", "subnet"]);
    if has(&["exporter"]) {
        Some(SourceKind::Interfaces)
    } else if has(&["role", "site", "region", "tenant", "country", "city"]) && prefix {
        Some(SourceKind::Networks)
    } else if has(&["asn", "as"]) {
        Some(if prefix { SourceKind::AsPrefixes } else { SourceKind::AsNames })
    } else if has(&["cid", "id", "customer", "customer_id"]) {
        Some(SourceKind::Customers)
    } else if prefix && has(&["name"]) {
        Some(SourceKind::Networks)
    } else {
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use super::*;

    fn told(text: &[u8]) -> Option<SourceKind> {
        SourceKind::of_head(Path::new("x"), text).ok()
    }

    #[test]
    fn content_tells_the_kind() {
        use SourceKind as Kind;
        let cases: [(&str, Option<SourceKind>); 27] = [
            ("10.0.0.0/8,100\n", Some(Kind::Customers)),
            ("# old\n\n100,10.0.0.0/8\n", Some(Kind::Customers)),
            ("uni-ulm,10.0.0.0/8\n", Some(Kind::Customers)),
            ("100,,2001:db8::/32\n", Some(Kind::Customers)),
            ("100,10.0.0.0/8 10.1.0.0/16,2001:db8::/32\n", Some(Kind::Customers)),
            ("cid,v4,v6\n1,10.0.0.0/8,\n", Some(Kind::Customers)),
            ("prefix,cid\n", Some(Kind::Customers)),
            ("prefix,name,cid\n", Some(Kind::Customers)),
            ("cid,name,v4,v6\n", Some(Kind::Customers)),
            ("\u{feff}exporter,ifindex,name\n", Some(Kind::Interfaces)),
            ("prefix,name,site\n", Some(Kind::Networks)),
            ("cidr,name\n", Some(Kind::Networks)),
            ("network,asn,country\n", Some(Kind::Networks)),
            ("prefix,asn,name\n", Some(Kind::AsPrefixes)),
            ("192.0.2.0/24,AS553\n", Some(Kind::AsPrefixes)),
            ("AS553,192.0.2.0/24,BELWUE\n", Some(Kind::AsPrefixes)),
            ("192.0.2.0/24,553,BELWUE\n", Some(Kind::AsPrefixes)),
            ("asn,name\n", Some(Kind::AsNames)),
            ("553,BELWUE\n", Some(Kind::AsNames)),
            ("AS553,\"BELWUE, DE\"\n", Some(Kind::AsNames)),
            ("exporter,ifindex,name\n", Some(Kind::Interfaces)),
            ("192.0.2.1,7,xe-0/0/7,uplink\n", Some(Kind::Interfaces)),
            ("192.0.2.1\n", Some(Kind::List)),
            ("; Spamhaus\n192.0.2.0/24 ; SBL1\n", Some(Kind::List)),
            ("192.0.2.0/24 # bad\n", Some(Kind::List)),
            ("", None),
            ("Dear operator,\n", None),
        ];
        for (text, kind) in cases {
            assert_eq!(told(text.as_bytes()), kind, "{text}");
        }
        // Its reader says what is wrong with it, or, of a list's remark, that nothing is.
        assert_eq!(told(b"10.0.0.0/8,M\xfcller\n"), Some(Kind::Customers));
        assert_eq!(told(b"192.0.2.0/24 ; M\xfcller\n"), Some(Kind::List));
        assert_eq!(told(&[0x65, 0, 0, 0, 0, 13, 0, 1, 0, 0, 0, 8]), Some(Kind::Rib));
    }

    #[test]
    fn a_stranger_is_told_by_its_first_row() {
        let error = SourceKind::of_head(Path::new("x"), b"\nDear operator,\n").unwrap_err();
        assert_eq!((error.line, error.text.as_deref()), (Some(2), Some("Dear operator,")));
    }
}
