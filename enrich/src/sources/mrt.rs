//! Origin AS by prefix, from RIB dumps in MRT format (RFC 6396), as route servers and collectors
//! publish them.
//!
//! TABLE_DUMP_V2 only, read as a stream, gzip and bzip2 opened. Peers see a prefix with different
//! origins now and then: the one most of them see is taken, of several equals the lowest. A prefix
//! may stand in several records, plain and with add-path: what peers see in all of them counts. A
//! default route says nothing of an origin and is skipped.

use std::io::Read;
use std::path::Path;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::open::open;
use super::{Builder, PREFIXES_MAX, Source, unmapped};
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
    let mut origins = Vec::new();
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
                read_route(&mut rest, subtype, &peers, &mut origins)
                    .ok_or_else(|| broken("a route"))?;
                if origins.len() > PREFIXES_MAX {
                    return Err(broken(&format!("at most {PREFIXES_MAX} prefixes and origins")));
                }
            }
            // Multicast and other families.
            _ => {}
        }
    }
    settle(file, origins)
}

/// An origin of a prefix, and how many peers see it in one record.
struct Origin {
    net: IpNet,
    asn: u32,
    peers: u32,
}

/// Decides for each prefix between its origins.
fn settle(file: &Path, mut origins: Vec<Origin>) -> Result<Source, LoadError> {
    origins.sort_unstable_by_key(|origin| (origin.net, origin.asn));
    origins.dedup_by(|next, origin| {
        let is_same = (next.net, next.asn) == (origin.net, origin.asn);
        if is_same {
            origin.peers = origin.peers.saturating_add(next.peers);
        }
        is_same
    });
    let mut builder = Builder::new(file);
    for of_net in origins.chunk_by(|one, other| one.net == other.net) {
        let most = of_net.iter().max_by_key(|one| (one.peers, std::cmp::Reverse(one.asn)));
        if let Some(Origin { net, asn, .. }) = most {
            // A record's number would say nothing here: a prefix stands here once.
            builder.add(*net, Value { asn: *asn, ..Value::default() }, 0)?;
        }
    }
    builder.finish_filled()
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

/// RFC 6396, 4.3.2: a prefix, and with what origin peers see it; adds to `origins`.
fn read_route(
    rest: &mut Cursor<'_>,
    subtype: u16,
    peers: &[u32],
    origins: &mut Vec<Origin>,
) -> Option<()> {
    rest.take(4)?;
    let net = read_net(rest, matches!(subtype, RIB_IPV6_UNICAST | RIB_IPV6_UNICAST_ADDPATH))?;
    let entries = rest.u16()?;
    // Those of this record; nearly always one or two.
    let first = origins.len();
    for _ in 0..entries {
        let peer = rest.u16()?;
        rest.take(4)?;
        if subtype >= RIB_IPV4_UNICAST_ADDPATH {
            rest.take(4)?;
        }
        let attributes_len = rest.u16()?;
        let attributes = Cursor(rest.take(attributes_len.into())?);
        let asn = match read_origin(attributes)? {
            PathOrigin::As(asn) => asn,
            // An empty path is the peer's own AS.
            PathOrigin::Peer => match peers.get(usize::from(peer)) {
                Some(asn) => *asn,
                None => continue,
            },
            PathOrigin::Unknown => continue,
        };
        match origins[first..].iter_mut().find(|origin| origin.asn == asn) {
            Some(origin) => origin.peers += 1,
            None if net.prefix_len() == 0 => {}
            None => origins.push(Origin { net, asn, peers: 1 }),
        }
    }
    Some(())
}

fn read_net(rest: &mut Cursor<'_>, v6: bool) -> Option<IpNet> {
    let len = rest.u8()?;
    let bytes = rest.take(usize::from(len).div_ceil(8))?;
    let mut address = [0; 16];
    address.get_mut(..bytes.len())?.copy_from_slice(bytes);
    let net = if v6 {
        IpNet::V6(Ipv6Net::new(address.into(), len).ok()?)
    } else {
        let [a, b, c, d, ..] = address;
        IpNet::V4(Ipv4Net::new([a, b, c, d].into(), len).ok()?)
    };
    // Bits behind the prefix may be anything.
    Some(unmapped(net).trunc())
}

enum PathOrigin {
    As(u32),
    Peer,
    Unknown,
}

/// RFC 4271, 4.3: finds AS_PATH (type 2) among the attributes; in TABLE_DUMP_V2 its numbers have
/// four bytes.
fn read_origin(mut attributes: Cursor<'_>) -> Option<PathOrigin> {
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
    Some(PathOrigin::Unknown)
}

/// The last AS of the last sequence. A set of several behind it is what an aggregator has put
/// together: its own number comes before.
fn origin_of_path(mut path: Cursor<'_>) -> Option<PathOrigin> {
    const AS_SET: u8 = 1;
    const AS_SEQUENCE: u8 = 2;
    let mut origin = PathOrigin::Peer;
    while !path.0.is_empty() {
        let (kind, count) = (path.u8()?, path.u8()?);
        let numbers = path.take(4 * usize::from(count))?;
        let last = numbers.last_chunk().map(|last| u32::from_be_bytes(*last));
        match (kind, last) {
            (AS_SEQUENCE, Some(asn)) => origin = PathOrigin::As(asn),
            (AS_SET, Some(asn)) if count == 1 => origin = PathOrigin::As(asn),
            (AS_SET, _) if matches!(origin, PathOrigin::Peer) => origin = PathOrigin::Unknown,
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
