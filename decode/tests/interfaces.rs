//! Interface names in options data, as exporters of each kind send them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]

use std::net::IpAddr;
use std::sync::Arc;

use neckar_decode::{Config, Datagram, Decoder, InterfaceName, Shared};
use neckar_proto::Rows;

const EXPORTER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn set(id: u16, body: &[u8]) -> Vec<u8> {
    [words(&[id, 4 + body.len() as u16]), body.to_vec()].concat()
}

/// NetFlow v9: header of 20 bytes, count not looked at.
fn v9(sets: &[Vec<u8>]) -> Vec<u8> {
    let header = [words(&[9, 2]), vec![0; 4], words(&[0x6553, 0xf100]), vec![0; 8]];
    [header.concat(), sets.concat()].concat()
}

fn ipfix(sets: &[Vec<u8>]) -> Vec<u8> {
    let sets = sets.concat();
    let header = [words(&[10, 16 + sets.len() as u16, 0x6553, 0xf100]), vec![0; 8]];
    [header.concat(), sets].concat()
}

/// What is known after these datagrams: ifIndex, name, description.
fn learnt(datagrams: &[Vec<u8>]) -> Vec<(u32, String, String)> {
    let config = Config::default();
    let shared = Arc::new(Shared::new(config.clone()));
    let mut decoder = Decoder::new(config, Arc::clone(&shared));
    for bytes in datagrams {
        let received_ns = 1_700_000_000_000_000_000;
        let datagram = Datagram { exporter: EXPORTER, port: 1, received_ns, bytes };
        decoder.decode(datagram, &mut |_: &mut Rows| {});
    }
    let mut all = shared.interface_names();
    let own = all.remove(&EXPORTER).unwrap_or_default();
    own.iter()
        .map(|(index, InterfaceName { name, description })| {
            (*index, name.clone(), description.clone())
        })
        .collect()
}

/// Cisco's `option interface-table`: scope system, then ifIndex, name and description.
#[test]
fn netflow9_with_the_index_as_a_field() {
    let template = set(1, &words(&[256, 4, 12, 1, 4, 10, 2, 82, 8, 83, 8, 0]));
    let mut records = Vec::new();
    for (index, text) in [(7, b"Gi0/7\0\0\0uplink\0\0"), (8, b"Gi0/8\0\0\0\0\0\0\0\0\0\0\0")] {
        records.extend([192, 0, 2, 1]);
        records.extend(words(&[index]));
        records.extend(text);
    }
    let expected = [(7, "Gi0/7".into(), "uplink".into()), (8, "Gi0/8".into(), String::new())];
    assert_eq!(learnt(&[v9(&[template, set(256, &records)])]), expected);
}

/// RFC 3954 section 6.1: the scope "interface" is the index.
#[test]
fn netflow9_with_the_index_as_scope() {
    let template = set(1, &words(&[256, 4, 4, 2, 4, 82, 8, 0]));
    let record = [&[0, 0, 0, 9][..], b"ge-0/0/9"].concat();
    let expected = [(9, "ge-0/0/9".into(), String::new())];
    assert_eq!(learnt(&[v9(&[template, set(256, &record)])]), expected);
}

#[test]
fn ipfix_with_texts_of_any_length_and_later_changes() {
    let template = set(3, &words(&[256, 2, 1, 14, 4, 82, 65535, 0]));
    let record =
        |name: &str| set(256, &[&[0, 0, 0, 3, name.len() as u8][..], name.as_bytes()].concat());
    let first = ipfix(&[template, record("old")]);
    assert_eq!(learnt(std::slice::from_ref(&first)), [(3, "old".into(), String::new())]);
    let second = ipfix(&[record("newer")]);
    assert_eq!(learnt(&[first, second]), [(3, "newer".into(), String::new())]);
}

/// Names without an index are nobody's; an index without names says nothing.
#[test]
fn half_of_it_is_nothing() {
    let nameless = ipfix(&[set(3, &words(&[256, 2, 1, 10, 4, 41, 4, 0])), set(256, &[1; 8])]);
    let homeless = ipfix(&[set(3, &words(&[257, 2, 1, 149, 4, 82, 4, 0])), set(257, &[65; 8])]);
    assert!(learnt(&[nameless, homeless]).is_empty());
}
