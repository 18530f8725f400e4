//! Databases written by hand from the format's specification (MaxMind DB 2.0), read by ours.

#![allow(clippy::unwrap_used, reason = "a panic is what a test is for")]

use super::*;

enum Data {
    Text(&'static str),
    Number(u32),
    Short(u16),
    Long(u64),
    Map(Vec<(&'static str, Data)>),
}
use Data::{Long, Map, Number as Int, Short, Text as Str};

fn control(kind: u8, size: usize, out: &mut Vec<u8>) {
    match size {
        ..29 => out.push(kind << 5 | size as u8),
        _ => out.extend([kind << 5 | 29, (size - 29) as u8]),
    }
}

fn encode(data: &Data, out: &mut Vec<u8>) {
    match data {
        Str(text) => {
            control(2, text.len(), out);
            out.extend(text.as_bytes());
        }
        Int(number) => {
            control(6, 4, out);
            out.extend(number.to_be_bytes());
        }
        Short(number) => {
            control(5, 2, out);
            out.extend(number.to_be_bytes());
        }
        // Types from 8 on are extended: type 0, size, then the type less 7.
        Long(number) => {
            out.extend([8, 2]);
            out.extend(number.to_be_bytes());
        }
        Map(entries) => {
            control(7, entries.len(), out);
            for (key, value) in entries {
                encode(&Str(key), out);
                encode(value, out);
            }
        }
    }
}

/// A database of both families with 24-bit records: one data record per network.
fn database(kind: &'static str, rows: &[(&str, Data)]) -> Vec<u8> {
    let mut nodes = vec![[None::<u32>; 2]];
    let mut leaves = Vec::new();
    let mut data = Vec::new();
    for (net, record) in rows {
        let net: IpNet = net.parse().unwrap();
        let (bits, len) = match net {
            IpNet::V4(net) => (u128::from(u32::from(net.network())), net.prefix_len() + 96),
            IpNet::V6(net) => (u128::from(net.network()), net.prefix_len()),
        };
        let mut node = 0;
        for depth in 0..len - 1 {
            let side = (bits >> (127 - depth) & 1) as usize;
            node = match nodes[node][side] {
                Some(next) => next as usize,
                None => {
                    nodes.push([None; 2]);
                    nodes[node][side] = Some(nodes.len() as u32 - 1);
                    nodes.len() - 1
                }
            };
        }
        leaves.push((node, (bits >> (128 - len) & 1) as usize, data.len() as u32));
        encode(record, &mut data);
    }
    let count = nodes.len() as u32;
    let mut records: Vec<[u32; 2]> =
        nodes.iter().map(|node| node.map(|next| next.unwrap_or(count))).collect();
    for (node, side, offset) in leaves {
        records[node][side] = count + 16 + offset;
    }
    let mut out: Vec<u8> =
        records.iter().flatten().flat_map(|record| record.to_be_bytes()[1..].to_vec()).collect();
    out.extend([0; 16]);
    out.extend(data);
    out.extend(b"\xab\xcd\xefMaxMind.com");
    let metadata = Map(vec![
        ("binary_format_major_version", Short(2)),
        ("binary_format_minor_version", Short(0)),
        ("build_epoch", Long(1_700_000_000)),
        ("database_type", Str(kind)),
        ("description", Map(vec![])),
        ("ip_version", Short(6)),
        ("node_count", Int(count)),
        ("record_size", Short(24)),
    ]);
    encode(&metadata, &mut out);
    // `languages`, an empty array (extended type 11), appended to the map by hand.
    let map_at = out.windows(11).rposition(|bytes| bytes == b"MaxMind.com").unwrap() + 11;
    out[map_at] += 1;
    encode(&Str("languages"), &mut out);
    out.extend([0, 4]);
    out
}

/// (network, country, city, AS number, AS name).
type Found = (String, String, String, u32, String);

fn found(rows: &[(&str, Data)]) -> Vec<Found> {
    let source = parse(Path::new("test.mmdb"), database("Test", rows)).unwrap();
    let show = |net: String, number: u32| {
        let value = source.values.as_slice()[number as usize];
        let text = |kind: Text| source.texts.text(value.texts[kind as usize]).to_owned();
        (net, text(Text::Country), text(Text::City), value.asn, text(Text::AsName))
    };
    let v4 = source.v4.iter().map(|prefix| {
        show(format!("{}/{}", std::net::Ipv4Addr::from(prefix.start), prefix.len), prefix.value)
    });
    let v6 = source.v6.iter().map(|prefix| {
        show(format!("{}/{}", std::net::Ipv6Addr::from(prefix.start), prefix.len), prefix.value)
    });
    v4.chain(v6).collect()
}

fn expect(net: &str, country: &str, city: &str, asn: u32, as_name: &str) -> Found {
    (net.into(), country.into(), city.into(), asn, as_name.into())
}

#[test]
fn maxmind_and_db_ip_layouts() {
    let country = || Map(vec![("iso_code", Str("DE")), ("geoname_id", Int(2_921_044))]);
    let found = found(&[
        ("192.0.2.0/24", Map(vec![("country", country())])),
        (
            "198.51.100.128/25",
            Map(vec![
                (
                    "city",
                    Map(vec![("names", Map(vec![("de", Str("Köln")), ("en", Str("Cologne"))]))]),
                ),
                ("country", country()),
            ]),
        ),
        // Known to the database, but not in which country: absent, not the one before.
        ("203.0.113.0/24", Map(vec![("continent", Map(vec![("code", Str("EU"))]))])),
        (
            "2001:db8::/32",
            Map(vec![
                ("autonomous_system_number", Int(553)),
                ("autonomous_system_organization", Str("Universitaet Stuttgart, BelWue")),
            ]),
        ),
    ]);
    let expected = [
        expect("192.0.2.0/24", "DE", "", 0, ""),
        expect("198.51.100.128/25", "DE", "Cologne", 0, ""),
        expect("203.0.113.0/24", "", "", 0, ""),
        expect("2001:db8::/32", "", "", 553, "Universitaet Stuttgart, BelWue"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn ipinfo_layouts() {
    let found = found(&[
        (
            "192.0.2.0/24",
            Map(vec![
                ("asn", Str("AS15169")),
                ("as_name", Str("Google LLC")),
                ("country", Str("United States")),
                ("country_code", Str("US")),
            ]),
        ),
        (
            "198.51.100.0/24",
            Map(vec![("country", Str("FR")), ("city", Str("Paris")), ("name", Str("no AS"))]),
        ),
        ("203.0.113.0/24", Map(vec![("asn", Str("AS64512")), ("name", Str("Private"))])),
        ("2001:db8::/32", Map(vec![("country", Str("Germany"))])),
    ]);
    let expected = [
        expect("192.0.2.0/24", "US", "", 15169, "Google LLC"),
        expect("198.51.100.0/24", "FR", "Paris", 0, ""),
        expect("203.0.113.0/24", "", "", 64512, "Private"),
        expect("2001:db8::/32", "", "", 0, ""),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_country_is_two_letters_upper_case_or_absent() {
    let code = |code: &'static str| Map(vec![("country", Map(vec![("iso_code", Str(code))]))]);
    let found = found(&[
        ("192.0.2.0/24", code("de")),
        ("198.51.100.0/24", code("A1")),
        ("203.0.113.0/26", code("DEU")),
        ("203.0.113.64/26", code("")),
        // A second name for it counts where the first says nothing of use.
        ("203.0.113.128/26", Map(vec![("country_code", Str("")), ("country", Str("fr"))])),
    ]);
    let expected = [
        expect("192.0.2.0/24", "DE", "", 0, ""),
        expect("198.51.100.0/24", "", "", 0, ""),
        expect("203.0.113.0/26", "", "", 0, ""),
        expect("203.0.113.64/26", "", "", 0, ""),
        expect("203.0.113.128/26", "FR", "", 0, ""),
    ];
    assert_eq!(found, expected);
}

#[test]
fn other_files_are_refused() {
    for (bytes, part) in [
        (b"prefix,cid\n".to_vec(), "a MaxMind DB was expected"),
        (
            database("Anonymous-IP", &[("192.0.2.0/24", Map(vec![("is_hosting", Int(1))]))]),
            "type `Anonymous-IP`",
        ),
    ] {
        let error = parse(Path::new("x.mmdb"), bytes).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn broken_databases_are_errors_and_never_panics() {
    let whole = database("Test", &[("192.0.2.0/24", Map(vec![("country_code", Str("DE"))]))]);
    for at in 0..whole.len() {
        drop(parse(Path::new("x.mmdb"), whole[..at].to_vec()));
        let mut flipped = whole.clone();
        flipped[at] ^= 0xff;
        drop(parse(Path::new("x.mmdb"), flipped));
    }
}
