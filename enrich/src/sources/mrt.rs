//! Origin AS by prefix, from RIB dumps in MRT format (RFC 6396), as route servers and collectors
//! publish them.
//!
//! TABLE_DUMP_V2 only, read as a stream, gzip and bzip2 opened. Peers see a prefix with different
//! origins now and then: the one most of them see is taken, of several equals the lowest. A default
//! route says nothing of an origin and is skipped.

use std::io::Read;
use std::path::Path;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::open::open;
use super::{Builder, Source};
use crate::error::LoadError;
use crate::values::Value;

/// A RIB record of a prefix seen by a thousand peers with long paths is a tenth of this.
const RECORD_BYTES_MAX: usize = 16 << 20;

/// RFC 6396, 4: type of all records of a dump.
const TABLE_DUMP_V2: u16 = 13;
/// RFC 6396, 4.3: subtypes; those with add-path are of RFC 8050.
const PEER_INDEX_TABLE: u16 = 1;
const RIB_IPV4_UNICAST: u16 = 2;
const RIB_IPV6_UNICAST: u16 = 4;
const RIB_IPV4_UNICAST_ADDPATH: u16 = 8;
const RIB_IPV6_UNICAST_ADDPATH: u16 = 10;

/// Reads a dump.
///
/// # Errors
/// The file cannot be read, is no TABLE_DUMP_V2, or breaks off.
pub fn read(path: &Path) -> Result<Source, LoadError> {
    parse(path, open(path)?)
}

/// Reads a dump from anywhere, unpacked; `file` is its name in messages.
///
/// # Errors
/// As [`read`].
pub fn parse(file: &Path, mut dump: impl Read) -> Result<Source, LoadError> {
    let mut builder = Builder::new(file);
    let mut peers = Vec::new();
    let mut body = Vec::new();
    for record in 1.. {
        let broken =
            |what: &str| LoadError::new(file, format!("record {record}: {what} was expected"));
        let unread = |error: std::io::Error| broken(&format!("more of the file ({error})"));
        let mut header = [0; 12];
        if !read_header(&mut dump, &mut header).map_err(unread)? {
            break;
        }
        let [_, _, _, _, kind @ .., l0, l1, l2, l3] = header;
        let len = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let [kind, subtype] = [[kind[0], kind[1]], [kind[2], kind[3]]].map(u16::from_be_bytes);
        if kind != TABLE_DUMP_V2 || len > RECORD_BYTES_MAX {
            return Err(broken(&format!(
                "a RIB dump (TABLE_DUMP_V2) instead of type {kind}, {len} bytes"
            )));
        }
        body.resize(len, 0);
        dump.read_exact(&mut body).map_err(unread)?;
        let mut rest = Cursor(&body);
        match subtype {
            PEER_INDEX_TABLE => {
                peers = read_peers(&mut rest).ok_or_else(|| broken("a table of peers"))?
            }
            RIB_IPV4_UNICAST
            | RIB_IPV6_UNICAST
            | RIB_IPV4_UNICAST_ADDPATH
            | RIB_IPV6_UNICAST_ADDPATH => {
                let route =
                    read_route(&mut rest, subtype, &peers).ok_or_else(|| broken("a route"))?;
                if let (net, Some(asn)) = route
                    && net.prefix_len() > 0
                {
                    builder.add(net, Value { asn, ..Value::default() }, record)?;
                }
            }
            // Multicast and other families.
            _ => {}
        }
    }
    builder.finish()
}

/// `false` at the end of the file.
fn read_header(dump: &mut impl Read, header: &mut [u8; 12]) -> std::io::Result<bool> {
    let mut filled = 0;
    while filled < header.len() {
        match dump.read(&mut header[filled..])? {
            0 if filled == 0 => return Ok(false),
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    Ok(true)
}

/// RFC 6396, 4.3.1: the peers' AS numbers, by index.
fn read_peers(rest: &mut Cursor<'_>) -> Option<Vec<u32>> {
    rest.take(4)?;
    let name_len = rest.u16()?;
    rest.take(name_len.into())?;
    let count = rest.u16()?;
    let mut peers = Vec::with_capacity(count.into());
    for _ in 0..count {
        let kind = rest.u8()?;
        rest.take(4)?;
        rest.take(if kind & 1 == 0 { 4 } else { 16 })?;
        peers.push(if kind & 2 == 0 { rest.u16()?.into() } else { rest.u32()? });
    }
    Some(peers)
}

/// RFC 6396, 4.3.2: a prefix and the origin that most peers see.
fn read_route(rest: &mut Cursor<'_>, subtype: u16, peers: &[u32]) -> Option<(IpNet, Option<u32>)> {
    rest.take(4)?;
    let net = read_net(rest, matches!(subtype, RIB_IPV6_UNICAST | RIB_IPV6_UNICAST_ADDPATH))?;
    let entries = rest.u16()?;
    // Origins with how many peers see them; nearly always one or two.
    let mut origins: Vec<(u32, u32)> = Vec::new();
    for _ in 0..entries {
        let peer = rest.u16()?;
        rest.take(4)?;
        if subtype >= RIB_IPV4_UNICAST_ADDPATH {
            rest.take(4)?;
        }
        let attributes_len = rest.u16()?;
        let attributes = Cursor(rest.take(attributes_len.into())?);
        let origin = match read_origin(attributes)? {
            Origin::As(asn) => asn,
            // An empty path is the peer's own AS.
            Origin::Peer => match peers.get(usize::from(peer)) {
                Some(asn) => *asn,
                None => continue,
            },
            Origin::Unknown => continue,
        };
        match origins.iter_mut().find(|(asn, _)| *asn == origin) {
            Some((_, seen)) => *seen += 1,
            None => origins.push((origin, 1)),
        }
    }
    let most = origins.iter().max_by_key(|(asn, seen)| (*seen, std::cmp::Reverse(*asn)));
    Some((net, most.map(|(asn, _)| *asn)))
}

fn read_net(rest: &mut Cursor<'_>, v6: bool) -> Option<IpNet> {
    let len = rest.u8()?;
    let bytes = rest.take(usize::from(len).div_ceil(8))?;
    let mut address = [0; 16];
    address.get_mut(..bytes.len())?.copy_from_slice(bytes);
    if v6 {
        Some(IpNet::V6(Ipv6Net::new(address.into(), len).ok()?))
    } else {
        let [a, b, c, d, ..] = address;
        Some(IpNet::V4(Ipv4Net::new([a, b, c, d].into(), len).ok()?))
    }
}

enum Origin {
    As(u32),
    Peer,
    Unknown,
}

/// RFC 4271, 4.3: finds AS_PATH (type 2) among the attributes; in TABLE_DUMP_V2 its numbers have
/// four bytes.
fn read_origin(mut attributes: Cursor<'_>) -> Option<Origin> {
    const EXTENDED_LENGTH: u8 = 0x10;
    while !attributes.0.is_empty() {
        let (flags, kind) = (attributes.u8()?, attributes.u8()?);
        let len = if flags & EXTENDED_LENGTH == 0 {
            attributes.u8()?.into()
        } else {
            attributes.u16()?
        };
        let value = Cursor(attributes.take(len.into())?);
        if kind == 2 {
            return origin_of_path(value);
        }
    }
    Some(Origin::Unknown)
}

/// The last AS of the last sequence. A set of several behind it is what an aggregator has put
/// together: its own number comes before.
fn origin_of_path(mut path: Cursor<'_>) -> Option<Origin> {
    const AS_SET: u8 = 1;
    const AS_SEQUENCE: u8 = 2;
    let mut origin = Origin::Peer;
    while !path.0.is_empty() {
        let (kind, count) = (path.u8()?, path.u8()?);
        let numbers = path.take(4 * usize::from(count))?;
        let last = numbers.last_chunk().map(|last| u32::from_be_bytes(*last));
        match (kind, last) {
            (AS_SEQUENCE, Some(asn)) => origin = Origin::As(asn),
            (AS_SET, Some(asn)) if count == 1 => origin = Origin::As(asn),
            (AS_SET, _) if matches!(origin, Origin::Peer) => origin = Origin::Unknown,
            // Confederation segments are the peer's inner affairs (RFC 5065).
            _ => {}
        }
    }
    Some(origin)
}

/// Bytes consumed from the front.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }
}

#[cfg(test)]
mod tests;
