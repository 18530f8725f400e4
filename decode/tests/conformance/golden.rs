//! Carriers' captures against golden files that another decoder made: every value of every record.
//!
//! The golden files name elements and values in wire order; the twin makes rows of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;

use neckar_decode::fields;
use neckar_proto::{Field, Rows};
use serde_json::Value as Json;

use crate::random::said;
use crate::twin::{Around, Item, Row, rows};
use crate::wire::{Header, Wire, spec};
use crate::{Bench, pcap, shared_folder};

/// Captures with a golden file, and how many data records they have.
const CASES: [(&str, &str, usize); 6] = [
    ("100-IPFIXv10-CISCO", "traffic-00", 12),
    ("101-NFv9-CISCO-cust_primitives", "traffic-00", 51),
    ("102-NFv9-CISCO-f2rd-pretag-sampling-reload", "traffic-00", 35),
    ("104-IPFIXv10-IPv6-CISCO-sampling_option", "traffic-00", 3),
    ("111-IPFIXv10-NFv9-IPv6-IPv4-mix_sources", "traffic-00", 11),
    ("111-IPFIXv10-NFv9-IPv6-IPv4-mix_sources", "traffic-01", 13),
];

/// Seconds since 1970 and nanoseconds of "2023-02-28T09:46:01.088Z".
fn instant(text: &str) -> (u64, u64) {
    let number = |range: Range<usize>| text[range].parse::<u64>().unwrap();
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    // Days since 1970 of the proleptic Gregorian calendar, March first.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    let seconds = ((days * 24 + number(11..13)) * 60 + number(14..16)) * 60 + number(17..19);
    let fraction = text[19..].trim_end_matches('Z').trim_start_matches('.');
    (seconds, format!("{fraction:0<9}").parse().unwrap())
}

/// The bytes of a value; `None` for names of numbers that we do not keep here.
fn bytes(name: &str, value: &Json) -> Option<Vec<u8>> {
    let number = match (name, value) {
        (_, Json::Number(number)) => number.as_u64()?,
        (_, Json::Array(bytes)) => {
            return bytes.iter().map(|byte| Some(byte.as_u64()? as u8)).collect();
        }
        ("protocolIdentifier", Json::String(protocol)) => match &**protocol {
            "ICMP" => 1,
            "TCP" => 6,
            "UDP" => 17,
            "IPv6ICMP" => 58,
            "PIM" => 103,
            "VRRP" => 112,
            other => panic!("protocol {other}"),
        },
        ("flowDirection", Json::String(direction)) => u64::from(direction == "egress"),
        ("flowDirection", other) => other["Unassigned"].as_u64()?,
        ("flowEndReason", Json::String(reason)) => {
            let reasons = ["", "idletimeout", "activetimeout", "endofFlowdetected"];
            reasons.iter().position(|known| known == reason)? as u64
        }
        ("tcpControlBits", Json::Object(flags)) => {
            let order = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
            order.iter().enumerate().map(|(bit, flag)| u64::from(flags[*flag] == true) << bit).sum()
        }
        (_, Json::String(text)) => match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(v4)) => return Some(v4.octets().to_vec()),
            Ok(IpAddr::V6(v6)) => return Some(v6.octets().to_vec()),
            Err(_) if text.ends_with('Z') => {
                let (seconds, nanoseconds) = instant(text);
                seconds * 1000 + nanoseconds / 1_000_000
            }
            Err(_) => return None,
        },
        _ => return None,
    };
    Some(number.to_be_bytes().to_vec())
}

/// A record of the golden file in the words of the twin, and the fields that it cannot tell.
fn items(record: &Json, elements: &HashMap<&str, u16>) -> (Vec<Item>, Vec<Field>) {
    let mut items = Vec::new();
    let mut untold = vec![Field::SamplingRate];
    for field in record["fields"].as_array().unwrap() {
        let (name, value) = field.as_object().unwrap().iter().next().unwrap();
        let Some(element) = elements.get(&**name) else { continue };
        match bytes(name, value) {
            Some(bytes) => {
                items.push(Item { spec: spec(*element, bytes.len() as u16), bytes });
            }
            None => {
                let filled = fields::sources().filter(|source| source.name == name);
                untold.extend(filled.map(|source| source.field));
            }
        }
    }
    (items, untold)
}

/// The rows that the twin makes of one line of a golden file, and what it cannot tell of each.
fn expected(line: &str, elements: &HashMap<&str, u16>) -> Vec<(Row, Vec<Field>)> {
    let datagram: Json = serde_json::from_str(line).unwrap();
    let (wire, message, time) = match &datagram["IPFIX"] {
        Json::Null => (Wire::V9, &datagram["NetFlowV9"], "unix_time"),
        message => (Wire::Ipfix, message, "export_time"),
    };
    let header = Header {
        uptime_ms: message["sys_up_time"].as_u64().unwrap_or(0) as u32,
        export_s: instant(message[time].as_str().unwrap()).0 as u32,
        sequence: message["sequence_number"].as_u64().unwrap() as u32,
        domain: 0,
    };
    let around = Around { wire, header, received_ns: 0 };
    let sets = message["sets"].as_array().unwrap().iter();
    let records = sets.filter_map(|set| set["Data"]["records"].as_array()).flatten();
    records
        // Options records have a scope.
        .filter(|record| record["scope_fields"].as_array().is_none_or(Vec::is_empty))
        .flat_map(|record| {
            let (items, untold) = items(record, elements);
            rows(&items, around).into_iter().map(move |row| (row, untold.clone()))
        })
        .collect()
}

#[test]
fn every_value_is_the_golden_one() {
    let Some(folder) = shared_folder("captures") else { return };
    let elements: HashMap<&str, u16> =
        fields::sources().filter_map(|source| Some((source.name, source.element?))).collect();
    for (test, traffic, records) in CASES {
        let golden = folder.join(format!("expected/netgauze/{test}/{traffic}-flow.json"));
        let golden = std::fs::read_to_string(golden).unwrap();
        let capture = folder.join(format!("pmacct-pmacct/tests/{test}/{traffic}.pcap"));
        let mut bench = Bench::new();
        let mut compared = 0;
        let datagrams = pcap::payloads(&capture);
        assert_eq!(golden.lines().count(), datagrams.len());
        for (line, datagram) in golden.lines().zip(datagrams) {
            let mut got = Vec::new();
            bench.feed_rows(&datagram, &mut |lent: &mut Rows| {
                got.extend(lent.as_slice().iter().map(|flow| said(lent, flow)));
            });
            let expected = expected(line, &elements);
            assert_eq!(got.len(), expected.len(), "{test}");
            for (mut got, (mut expected, untold)) in got.into_iter().zip(expected) {
                for field in untold {
                    got.remove(&field);
                    expected.remove(&field);
                }
                assert_eq!(got, expected, "{test}");
                compared += 1;
            }
        }
        assert_eq!(compared, records, "{test}");
    }
}

/// Options 302, 305, 309, 310 of a router: one of 256, and its flows name that selector.
#[test]
fn the_selector_of_a_real_router_gives_its_rate() {
    let Some(folder) = shared_folder("captures") else { return };
    let capture = "pmacct-pmacct/tests/104-IPFIXv10-IPv6-CISCO-sampling_option/traffic-00.pcap";
    let mut bench = Bench::new();
    let mut rates = Vec::new();
    for datagram in pcap::payloads(&folder.join(capture)) {
        bench.feed_rows(&datagram, &mut |rows: &mut Rows| {
            rates.extend(rows.as_slice().iter().map(|row| row.word(Field::SamplingRate)));
        });
    }
    assert_eq!(rates, [Some(256); 3]);
}
