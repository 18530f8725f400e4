//! Dumps written by hand from RFC 6396.

#![allow(clippy::unwrap_used, reason = "a panic is what a test is for")]

use proptest::prelude::*;

use super::*;

fn record(subtype: u16, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0x65, 0, 0, 0];
    out.extend(TABLE_DUMP_V2.to_be_bytes());
    out.extend(subtype.to_be_bytes());
    out.extend((body.len() as u32).to_be_bytes());
    out.extend(body);
    out
}

/// Two peers: AS 64500 over IPv4 with a short number, AS 4200000000 over IPv6.
fn peers() -> Vec<u8> {
    let mut body = vec![192, 0, 2, 1, 0, 4];
    body.extend(b"view");
    body.extend([0, 2]);
    body.extend([0, 192, 0, 2, 2, 192, 0, 2, 2, 0xfb, 0xf4]);
    body.extend([3, 192, 0, 2, 3]);
    body.extend([0x20; 16]);
    body.extend(4_200_000_000_u32.to_be_bytes());
    record(PEER_INDEX_TABLE, &body)
}

fn segment(kind: u8, numbers: &[u32]) -> Vec<u8> {
    let mut out = vec![kind, numbers.len() as u8];
    out.extend(numbers.iter().flat_map(|asn| asn.to_be_bytes()));
    out
}

/// A route with these paths, seen by peer 0, 1, 0, ….
fn route(subtype: u16, len: u8, prefix: &[u8], paths: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 9, len];
    body.extend(prefix);
    body.extend((paths.len() as u16).to_be_bytes());
    for (index, path) in paths.iter().enumerate() {
        body.extend([0, index as u8 & 1, 1, 2, 3, 4]);
        if subtype >= RIB_IPV4_UNICAST_ADDPATH {
            body.extend([0, 0, 0, 7]);
        }
        // ORIGIN, then AS_PATH with a long length.
        let mut attributes = vec![0x40, 1, 1, 0, 0x50, 2];
        attributes.extend((path.len() as u16).to_be_bytes());
        attributes.extend(path);
        body.extend((attributes.len() as u16).to_be_bytes());
        body.extend(attributes);
    }
    record(subtype, &body)
}

fn routes(dump: &[u8]) -> Result<Vec<(String, u32)>, LoadError> {
    let source = parse(Path::new("rib"), dump)?;
    let asn = |number: u32| source.values.as_slice()[number as usize].asn;
    let v4 = source.v4.iter().map(|prefix| {
        (format!("{}/{}", std::net::Ipv4Addr::from(prefix.start), prefix.len), asn(prefix.value))
    });
    let v6 = source.v6.iter().map(|prefix| {
        (format!("{}/{}", std::net::Ipv6Addr::from(prefix.start), prefix.len), asn(prefix.value))
    });
    Ok(v4.chain(v6).collect())
}

fn whole_dump() -> Vec<u8> {
    let path = |numbers: &[u32]| segment(2, numbers);
    let with_set = |set: &[u32]| [segment(2, &[64500, 64501]), segment(1, set)].concat();
    [
        peers(),
        route(2, 24, &[192, 0, 2], &[path(&[64500, 553]), path(&[4_200_000_000, 65550])]),
        route(2, 16, &[198, 51], &[path(&[1, 7]), path(&[1, 8]), path(&[2, 8])]),
        route(2, 8, &[10], &[vec![]]),
        route(2, 9, &[11, 0], &[with_set(&[5, 6])]),
        route(2, 10, &[12, 0], &[with_set(&[5])]),
        route(2, 11, &[13, 0], &[segment(1, &[5, 6])]),
        route(2, 12, &[14, 0], &[[segment(3, &[65001]), path(&[9])].concat()]),
        route(2, 0, &[], &[path(&[64500])]),
        route(3, 24, &[224, 0, 1], &[path(&[64500])]),
        route(8, 25, &[203, 0, 113, 128], &[path(&[64500, 99])]),
        route(4, 32, &[0x20, 1, 0x0d, 0xb8], &[vec![], vec![], path(&[3])]),
    ]
    .concat()
}

#[test]
fn origins_by_prefix() {
    let expected = [
        // No equal is preferred but by its number; the empty path is the peer's.
        ("10.0.0.0/8", 64500),
        ("11.0.0.0/9", 64501),
        ("12.0.0.0/10", 5),
        ("14.0.0.0/12", 9),
        ("192.0.2.0/24", 553),
        ("198.51.0.0/16", 8),
        ("203.0.113.128/25", 99),
        ("2001:db8::/32", 3),
    ];
    let expected: Vec<_> = expected.map(|(net, asn)| (net.to_owned(), asn)).into();
    assert_eq!(routes(&whole_dump()).unwrap(), expected);
}

/// Two peers see AS 7 in the plain record, one sees AS 8 there and two with add-path.
#[test]
fn a_prefix_in_several_records_is_what_most_peers_see_in_all_of_them() {
    let path = |asn: u32| segment(2, &[64500, asn]);
    let mut odd = route(8, 24, &[192, 0, 2], &[path(8), path(8)]);
    let dump = [
        peers(),
        route(2, 24, &[192, 0, 2], &[path(7), path(7), path(8)]),
        route(2, 20, &[192, 0, 0x20], &[path(9)]),
        odd.clone(),
        // The same prefix with bits behind it.
        route(2, 20, &[192, 0, 0x2f], &[path(9)]),
    ];
    let expected = [("192.0.2.0/24".to_owned(), 8), ("192.0.32.0/20".to_owned(), 9)];
    assert_eq!(routes(&dump.concat()).unwrap(), expected);
    odd.truncate(odd.len() - 1);
    let error = routes(&[peers(), odd].concat()).unwrap_err();
    assert!(error.to_string().starts_with("rib: record 2: "), "{error}");
}

#[test]
fn a_dump_without_routes_is_an_error() {
    for dump in [Vec::new(), peers(), [peers(), route(2, 0, &[], &[segment(2, &[7])])].concat()] {
        let error = routes(&dump).unwrap_err();
        assert_eq!(error.to_string(), "rib: at least one prefix was expected in it");
    }
}

#[test]
fn other_files_and_cut_ones_are_errors() {
    let mut updates = peers();
    updates[5] = 16;
    let cut = &whole_dump()[..whole_dump().len() - 1];
    let mut long = peers();
    long[8] = 0xff;
    for (dump, part) in [
        (
            &b"prefix,asn\n192.0.2.0/24,553\n"[..],
            "record 1: a RIB dump (TABLE_DUMP_V2) instead of type",
        ),
        (&updates, "instead of type 16"),
        (cut, "record 12: more of the file"),
        (&peers()[..7], "record 1: more of the file"),
        (&long, "record 1: a RIB dump"),
        (&record(2, &[0, 0, 0, 0, 33, 1, 2, 3, 4, 5, 0, 0]), "record 1: a route"),
        (&record(2, &[0, 0, 0, 0, 8, 1, 0, 1]), "record 1: a route"),
    ] {
        let error = routes(dump).unwrap_err();
        assert!(
            error.to_string().starts_with("rib: ") && error.to_string().contains(part),
            "{error}"
        );
    }
}

proptest! {
    #[test]
    fn any_change_is_read_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut dump = whole_dump();
        let at = at.index(dump.len());
        dump[at] = byte;
        drop(routes(&dump));
    }
}
