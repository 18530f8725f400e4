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
    add_entries(file, bytes, value, &mut builder)?;
    builder.finish()
}

fn add_entries(
    file: &Path,
    bytes: &[u8],
    value: Value,
    builder: &mut Builder,
) -> Result<(), LoadError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1..) {
        // Remarks may be in any encoding, since nobody takes them in.
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
    Ok(())
}

/// Addresses that no flow between networks should have: what IANA's special-purpose registries (RFC
/// 6890, RFC 8190) say is not globally reachable, but for [`REACHABLE`], and what is reserved.
/// Multicast is not among them: as a destination it is no mistake.
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
100:0:0:1::/64 # dummy (RFC 9780)
2001::/23 # protocol assignments (RFC 2928), benchmarking, ORCHID
2001:db8::/32 # documentation (RFC 3849)
3fff::/20 # documentation (RFC 9637)
5f00::/16 # segment routing (RFC 9602)
fc00::/7 # unique local (RFC 4193)
fe80::/10 # link local (RFC 4291)
fec0::/10 # site local (RFC 3879)
";

/// What the registries except from [`BOGONS`]: the more specific entries that are globally
/// reachable, or of which they leave it open (Teredo).
pub const REACHABLE: &str = "\
192.0.0.9/32 # Port Control Protocol (RFC 7723)
192.0.0.10/32 # TURN (RFC 8155)
64:ff9b::/96 # NAT64 (RFC 6052)
2001::/32 # Teredo (RFC 4380)
2001:1::1/128 # Port Control Protocol (RFC 7723)
2001:1::2/128 # TURN (RFC 8155)
2001:1::3/128 # service registration (RFC 9665)
2001:3::/32 # AMT (RFC 7450)
2001:4:112::/48 # AS112 (RFC 7535)
2001:20::/28 # ORCHIDv2 (RFC 7343)
2001:30::/28 # drone remote ID (RFC 9374)
";

/// The built-in list: [`BOGONS`] under the name `bogons`, [`REACHABLE`] without any: the longest
/// prefix wins.
///
/// # Panics
/// Never: a test loads it.
#[must_use]
pub fn bogons() -> Source {
    let file = Path::new("bogons (built in)");
    let mut builder = Builder::new(file);
    let listed = Value::default().with(Text::List, builder.text("bogons"));
    [(BOGONS, listed), (REACHABLE, Value::default())]
        .into_iter()
        .try_for_each(|(list, value)| add_entries(file, list.as_bytes(), value, &mut builder))
        .and_then(|()| builder.finish())
        .expect("our own lists")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;

    use super::*;
    use crate::flatten::flatten;
    use crate::ranges::find;

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
    fn a_mark_before_and_remarks_in_any_encoding_are_of_no_consequence() {
        let text = b"\xef\xbb\xbf192.0.2.0/24 ; M\xfcller\n; M\xf6ller\n";
        let source = parse(Path::new("drop.txt"), "drop", text).unwrap();
        assert_eq!(source.prefixes(), (1, 0));
        let error = parse(Path::new("drop.txt"), "drop", b"\xfc\n").unwrap_err();
        assert_eq!(error.to_string(), format!("drop.txt:1: `\u{fffd}`: {NETWORK_EXPECTED}"));
    }

    #[test]
    fn a_list_may_be_empty() {
        let source = parse(Path::new("drop.txt"), "drop", b"; nobody is bad today\n").unwrap();
        assert_eq!(source.prefixes(), (0, 0));
    }

    /// What the built-in list alone says of an address.
    fn said(address: &str) -> String {
        let flat = flatten(&[Arc::new(bogons())]).unwrap();
        let value = match address.parse().unwrap() {
            IpAddr::V4(address) => find(&flat.v4, address.into()),
            IpAddr::V6(address) => find(&flat.v6, address.into()),
        };
        flat.texts.text(flat.values[value as usize].texts[Text::List as usize]).to_owned()
    }

    #[test]
    fn bogons_are_what_is_not_globally_reachable() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "169.254.1.1",
            "192.0.0.8",
            "192.0.0.11",
            "192.0.0.170",
            "198.19.255.255",
            "255.255.255.255",
            "::",
            "::1",
            "64:ff9a:ffff::1",
            "64:ff9b::1:0:0",
            "64:ff9b:1::1",
            "100::1",
            "100:0:0:1::1",
            "2001:1::",
            "2001:1::4",
            "2001:2::1",
            "2001:4:111::1",
            "2001:4:113::1",
            "2001:10::1",
            "2001:1f:ffff::1",
            "2001:40::1",
            "2001:1ff::1",
            "2001:db8::1",
            "3fff::1",
            "5f00::1",
            "fd00::1",
            "fe80::1",
            "fec0::1",
        ] {
            assert_eq!(said(address), "bogons", "{address}");
        }
    }

    #[test]
    fn what_iana_marks_globally_reachable_is_no_bogon() {
        for address in [
            "192.0.0.9",
            "192.0.0.10",
            "192.31.196.1",
            "192.52.193.1",
            "192.88.99.1",
            "192.175.48.1",
            "64:ff9b::",
            "64:ff9b::808:808",
            "64:ff9b::ffff:ffff",
            "2001::1",
            "2001:0:ffff::1",
            "2001:1::1",
            "2001:1::2",
            "2001:1::3",
            "2001:3::1",
            "2001:3:ffff::1",
            "2001:4:112::1",
            "2001:20::1",
            "2001:2f:ffff::1",
            "2001:30::1",
            "2001:3f:ffff::1",
            "2001:200::1",
            "2002::1",
            "2620:4f:8000::1",
            "224.0.0.1",
            "ff02::1",
        ] {
            assert_eq!(said(address), "", "{address}");
        }
    }
}
