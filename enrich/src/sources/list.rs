//! Lists of prefixes or addresses: blacklists, command-and-control addresses, bogons. An address on
//! a list gets the list's name.
//!
//! One entry a line; what follows it after a blank, `,`, `;` or `#` is a remark, as is a line that
//! begins with `#`, `;` or `//`.

use std::path::Path;

use super::rows::{NETWORK_EXPECTED, network};
use super::{Builder, Source, read_file};
use crate::error::LoadError;
use crate::values::{Text, Value};

/// Reads a list; `name` is what its addresses get.
///
/// # Errors
/// The file cannot be read, or a line is neither entry nor remark.
pub fn read(path: &Path, name: &str) -> Result<Source, LoadError> {
    parse(path, name, &read_file(path)?)
}

/// Reads a list from memory; `file` is its name in messages.
///
/// # Errors
/// As [`read`].
pub fn parse(file: &Path, name: &str, bytes: &[u8]) -> Result<Source, LoadError> {
    let mut builder = Builder::new(file);
    let value = Value::default().with(Text::List, builder.text(name));
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1..) {
        let line = String::from_utf8_lossy(line);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) || line.starts_with("//") {
            continue;
        }
        let entry = line.split([' ', '\t', ',', ';', '#']).next().unwrap_or_default();
        let net =
            network(entry).ok_or_else(|| LoadError::at(file, number, line, NETWORK_EXPECTED))?;
        builder.add(net, value, number)?;
    }
    builder.finish()
}

/// Addresses that no flow between networks should have: IANA's special-purpose registries (RFC
/// 6890), what is not globally reachable. Multicast is not among them: as a destination it is no
/// mistake.
pub const BOGONS: &str = "\
0.0.0.0/8 # this network (RFC 791)
10.0.0.0/8 # private (RFC 1918)
100.64.0.0/10 # shared (RFC 6598)
127.0.0.0/8 # loopback
169.254.0.0/16 # link local (RFC 3927)
172.16.0.0/12 # private (RFC 1918)
192.0.0.0/24 # protocol assignments (RFC 6890)
192.0.2.0/24 # documentation (RFC 5737)
192.168.0.0/16 # private (RFC 1918)
198.18.0.0/15 # benchmarking (RFC 2544)
198.51.100.0/24 # documentation (RFC 5737)
203.0.113.0/24 # documentation (RFC 5737)
240.0.0.0/4 # reserved (RFC 1112), broadcast
::/8 # unspecified, loopback, reserved (RFC 4291)
100::/64 # discard (RFC 6666)
2001:2::/48 # benchmarking (RFC 5180)
2001:10::/28 # ORCHID (RFC 4843)
2001:db8::/32 # documentation (RFC 3849)
3fff::/20 # documentation (RFC 9637)
5f00::/16 # segment routing (RFC 9602)
fc00::/7 # unique local (RFC 4193)
fe80::/10 # link local (RFC 4291)
fec0::/10 # site local (RFC 3879)
";

/// The built-in list of [`BOGONS`], under the name `bogons`.
///
/// # Panics
/// Never: a test loads it.
#[must_use]
pub fn bogons() -> Source {
    parse(Path::new("bogons (built in)"), "bogons", BOGONS.as_bytes()).expect("our own list")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use super::*;

    #[test]
    fn the_formats_in_use() {
        let text = "; Spamhaus DROP\r\n192.0.2.0/24 ; SBL1\r\n# comment\r\n\r\n198.51.100.7\n2001:db8::/32,hosting\n192.0.2.0/24\n//x\n";
        let source = parse(Path::new("drop.txt"), "drop", text.as_bytes()).unwrap();
        assert_eq!(source.prefixes(), (2, 1));
        assert_eq!(source.duplicates, 1);
        let error = parse(Path::new("drop.txt"), "drop", b"\nexample.org\n").unwrap_err();
        assert_eq!(error.to_string(), format!("drop.txt:2: `example.org`: {NETWORK_EXPECTED}"));
    }

    #[test]
    fn a_list_may_be_empty() {
        let source = parse(Path::new("drop.txt"), "drop", b"; nobody is bad today\n").unwrap();
        assert_eq!(source.prefixes(), (0, 0));
    }

    #[test]
    fn the_built_in_list_loads() {
        assert_eq!(bogons().prefixes(), (13, 10));
    }
}
