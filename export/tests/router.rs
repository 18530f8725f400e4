//! What a router sends, read by the rules of each protocol's header, and what it says it has sent.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]

use std::collections::HashMap;

use neckar_export::{
    CUSTOMERS, DATAGRAM_BYTES_MAX, Datagram, Fleet, Protocol, Router, Sum, Totals, customer_of,
};
use neckar_proto::{Field, Flow, Rows};

const NOW_NS: u64 = 1_700_000_000_123_456_789;
const STEP_NS: u64 = 10_000_000;

/// Calls `each` with every one of the next `count` datagrams.
fn run(router: &mut Router, count: u64, mut each: impl FnMut(&Router, Datagram, &[u8])) {
    let mut out = [0; DATAGRAM_BYTES_MAX];
    for step in 0..count {
        let datagram = router.datagram(NOW_NS + step * STEP_NS, &mut out);
        each(router, datagram, &out[..datagram.bytes]);
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

#[test]
fn netflow5_counts_flows() {
    let mut router = Router::new(Protocol::V5, 7, 1);
    let mut flows = 0;
    run(&mut router, 600, |_, datagram, bytes| {
        assert_eq!((u16_at(bytes, 0), u16_at(bytes, 20)), (5, 7));
        assert_eq!(usize::from(u16_at(bytes, 2)), datagram.flows);
        assert_eq!(bytes.len(), 24 + 48 * datagram.flows);
        assert_eq!(u32_at(bytes, 16), flows);
        // Mode 1, packet interval, and the rate of router 7.
        assert_eq!(u16_at(bytes, 22), 1 << 14 | 100);
        flows += datagram.flows as u32;
    });
    assert_eq!(flows, 600 * 28);
}

#[test]
fn netflow9_counts_datagrams_and_its_header_counts_records() {
    let mut router = Router::new(Protocol::V9, 7, 1);
    let mut sequence = 0;
    run(&mut router, 600, |_, datagram, bytes| {
        assert_eq!((u16_at(bytes, 0), u32_at(bytes, 12), u32_at(bytes, 16)), (9, sequence, 7));
        let records = if datagram.flows == 0 { 4 } else { datagram.flows };
        assert_eq!(usize::from(u16_at(bytes, 2)), records);
        assert_eq!(sets(&bytes[20..]).iter().map(|(_, len)| len).sum::<usize>(), bytes.len() - 20);
        sequence += 1;
    });
}

#[test]
fn ipfix_counts_data_records_options_included() {
    let mut router = Router::new(Protocol::Ipfix, 7, 1);
    let (mut sequence, mut announcements) = (0, 0);
    run(&mut router, 600, |_, datagram, bytes| {
        assert_eq!((u16_at(bytes, 0), usize::from(u16_at(bytes, 2))), (10, bytes.len()));
        assert_eq!((u32_at(bytes, 8), u32_at(bytes, 12)), (sequence, 7));
        announcements += u64::from(datagram.flows == 0);
        sequence += datagram.flows.max(1) as u32;
    });
    assert_eq!(announcements, 3);
    assert_eq!(u64::from(sequence), router.totals().all.flows + announcements);
}

/// Id and length of the sets of a NetFlow v9 or IPFIX body.
fn sets(mut body: &[u8]) -> Vec<(u16, usize)> {
    let mut sets = Vec::new();
    while !body.is_empty() {
        let len = usize::from(u16_at(body, 2));
        assert_eq!(len % 4, 0, "sets are padded to four bytes");
        sets.push((u16_at(body, 0), len));
        body = &body[len..];
    }
    sets
}

#[test]
fn sflow_counts_datagrams_and_samples_of_each_source() {
    let mut router = Router::new(Protocol::Sflow, 7, 1);
    let mut sequence = 0;
    let mut samples: HashMap<(u32, u32), u32> = HashMap::new();
    run(&mut router, 600, |router, datagram, bytes| {
        sequence += 1;
        assert_eq!((u32_at(bytes, 0), u32_at(bytes, 12), u32_at(bytes, 16)), (5, 7, sequence));
        let mut at = 28;
        for _ in 0..u32_at(bytes, 24) {
            let kind = u32_at(bytes, at);
            assert_eq!(kind, if datagram.flows == 0 { 2 } else { 1 });
            let expected = samples.entry((kind, u32_at(bytes, at + 12))).or_default();
            *expected += 1;
            assert_eq!(u32_at(bytes, at + 8), *expected);
            if kind == 1 {
                assert_eq!(u32_at(bytes, at + 16), router.sampling_rate());
                assert_eq!(u32_at(bytes, at + 20), *expected * router.sampling_rate());
            }
            at += 8 + u32_at(bytes, at + 4) as usize;
        }
        assert_eq!(at, bytes.len());
    });
    let flow_samples: u32 =
        samples.iter().filter(|(key, _)| key.0 == 1).map(|(_, count)| count).sum();
    assert_eq!(u64::from(flow_samples), router.totals().all.flows);
}

#[test]
fn announcements_come_first_and_again_by_count_and_by_time() {
    for protocol in [Protocol::V9, Protocol::Ipfix, Protocol::Sflow] {
        let mut by_count = Router::new(protocol, 1, 1).with_refresh(10, u64::MAX);
        let mut flows = Vec::new();
        run(&mut by_count, 23, |_, datagram, _| flows.push(datagram.flows));
        let silent: Vec<usize> = (0..flows.len()).filter(|index| flows[*index] == 0).collect();
        assert_eq!(silent, [0, 11, 22], "{protocol:?}");

        let mut by_time = Router::new(protocol, 1, 1).with_refresh(u32::MAX, 5 * STEP_NS);
        let mut flows = Vec::new();
        run(&mut by_time, 12, |_, datagram, _| flows.push(datagram.flows));
        let silent: Vec<usize> = (0..flows.len()).filter(|index| flows[*index] == 0).collect();
        assert_eq!(silent, [0, 5, 10], "{protocol:?}");
    }
}

/// Benches and documents quote these figures: a change of the traffic model must be meant.
#[test]
fn the_traffic_of_a_seed_never_changes() {
    let golden = [
        (Protocol::V5, Sum { flows: 8400, bytes: 27_058_322, packets: 55_906 }),
        (Protocol::V9, Sum { flows: 4983, bytes: 35_783_646, packets: 51_689 }),
        (Protocol::Ipfix, Sum { flows: 4511, bytes: 16_484_215, packets: 33_535 }),
        (Protocol::Sflow, Sum { flows: 1532, bytes: 748_967, packets: 1532 }),
    ];
    for (protocol, sum) in golden {
        let mut router = Router::new(protocol, 1, 1);
        run(&mut router, 300, |_, _, _| {});
        assert_eq!(router.totals().all, sum, "{protocol:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_gives_others() {
    for protocol in Protocol::ALL {
        let bytes = |id, seed| {
            let mut all = Vec::new();
            run(&mut Router::new(protocol, id, seed), 300, |_, _, bytes| {
                all.extend_from_slice(bytes);
            });
            all
        };
        assert!(bytes(1, 1) == bytes(1, 1), "{protocol:?}");
        assert!(bytes(1, 1) != bytes(1, 2), "{protocol:?}");
        assert!(bytes(1, 1) != bytes(2, 1), "{protocol:?}");
    }
}

/// Totals by adding up rows.
fn add_up(rows: &Rows) -> Totals {
    let mut totals = Totals::default();
    for flow in rows.as_slice() {
        let word = |field| flow.word(field).unwrap();
        let sum = Sum { flows: 1, bytes: word(Field::Bytes), packets: word(Field::Packets) };
        totals.all += sum;
        match word(Field::Proto) {
            6 => totals.tcp += sum,
            17 => totals.udp += sum,
            1 | 58 => totals.icmp += sum,
            47 | 50 => {}
            other => panic!("protocol {other}"),
        }
        if flow.ip(Field::SrcAddr).unwrap().is_ipv6() {
            totals.ipv6 += sum;
        }
        if let Some(index) = customer(flow) {
            totals.customers[index] += sum;
        }
    }
    totals
}

fn customer(flow: &Flow) -> Option<usize> {
    let cids = [Field::SrcAddr, Field::DstAddr].map(|field| customer_of(flow.ip(field).unwrap()));
    match cids {
        [0, 0] => None,
        [cid, 0] | [0, cid] => Some(cid as usize - 101),
        both => panic!("a flow between customers: {both:?}"),
    }
}

#[test]
fn totals_are_the_sum_of_what_was_sent() {
    for protocol in Protocol::ALL {
        let mut router = Router::new(protocol, 3, 5);
        let mut rows = Rows::default();
        let (mut datagrams, mut datagram_bytes) = (0, 0);
        // More than one turn of the pool, and not a whole number of them.
        run(&mut router, 300, |router, datagram, bytes| {
            datagrams += 1;
            datagram_bytes += bytes.len() as u64;
            let before = rows.len();
            if datagram.flows > 0 {
                router.last_rows(&mut rows);
            }
            assert_eq!(rows.len() - before, datagram.flows);
        });
        let mut expected = add_up(&rows);
        (expected.datagrams, expected.datagram_bytes) = (datagrams, datagram_bytes);
        match protocol {
            Protocol::V5 => {}
            Protocol::V9 | Protocol::Ipfix => {
                expected.templates = 4;
                (expected.options_templates, expected.options_records) = (2, 2);
            }
            Protocol::Sflow => expected.counter_samples = 16,
        }
        assert_eq!(router.totals(), expected, "{protocol:?}");
    }
}

#[test]
fn traffic_is_spread_as_on_a_real_border() {
    let mut router = Router::new(Protocol::V9, 3, 5);
    let mut rows = Rows::default();
    run(&mut router, 257, |router, datagram, _| {
        if datagram.flows > 0 {
            router.last_rows(&mut rows);
        }
    });
    let totals = add_up(&rows);
    let share = |part: u64, low, high| {
        let percent = 100 * part / totals.all.flows;
        assert!((low..=high).contains(&percent), "{percent} % not in {low} to {high}");
    };
    share(totals.ipv6.flows, 12, 18);
    share(totals.tcp.flows, 55, 67);
    share(totals.udp.flows, 29, 39);
    share(totals.icmp.flows, 2, 4);
    share(totals.customers.iter().map(|sum| sum.flows).sum(), 95, 99);
    assert!((0..CUSTOMERS).all(|index| totals.customers[index].flows > 0));

    let distinct = |field: Field| {
        let mut values: Vec<_> = rows.as_slice().iter().map(|flow| flow.ip(field)).collect();
        values.sort();
        values.dedup();
        values.len()
    };
    assert!(distinct(Field::SrcAddr) > 1_000 && distinct(Field::DstAddr) > 1_000);
    let mut bytes: Vec<u64> =
        rows.as_slice().iter().map(|flow| flow.word_or_zero(Field::Bytes)).collect();
    bytes.sort_unstable();
    let top: u64 = bytes.iter().rev().take(bytes.len() / 100).sum();
    assert!(100 * top / totals.all.bytes > 50, "no heavy tail");
}

#[test]
fn conversations_do_not_repeat_with_the_pool() {
    let mut router = Router::new(Protocol::V9, 3, 5).with_refresh(u32::MAX, u64::MAX);
    let mut turns: Vec<Vec<Option<u64>>> = Vec::new();
    let mut rows = Rows::default();
    run(&mut router, 1 + 3 * 256, |router, datagram, _| {
        if datagram.flows > 0 && router.totals().datagrams % 256 == 2 {
            rows.clear();
            router.last_rows(&mut rows);
            let tcp = rows.as_slice().iter().filter(|flow| flow.word(Field::Proto) == Some(6));
            turns.push(tcp.map(|flow| flow.word(Field::SrcPort)).collect());
        }
    });
    assert_eq!(turns.len(), 3);
    assert!(turns[0] != turns[1] && turns[1] != turns[2] && turns[0] != turns[2], "{turns:?}");
}

#[test]
fn a_fleet_takes_turns_and_can_be_split_between_threads() {
    let fleet = || Fleet::new(&[Protocol::V9, Protocol::V5], 5, 9);
    let mut out = [0; DATAGRAM_BYTES_MAX];
    let mut whole = fleet();
    let ids: Vec<u32> = whole.routers().iter().map(Router::id).collect();
    assert_eq!(ids, [1, 2, 3, 4, 5]);
    for turn in 0..12 {
        assert_eq!(whole.datagram(NOW_NS, &mut out).0, turn % 5);
        assert_eq!(u16_at(&out, 0), if turn % 5 % 2 == 0 { 9 } else { 5 });
    }
    assert_eq!(whole.totals().datagrams, 12);

    let parts = fleet().split(2);
    let ids: Vec<Vec<u32>> =
        parts.iter().map(|part| part.routers().iter().map(Router::id).collect()).collect();
    assert_eq!(ids, [vec![1, 3, 5], vec![2, 4]]);
    // What a router sends does not depend on whom it shares a thread with.
    let mut part = parts.into_iter().nth(1).unwrap();
    let (_, datagram) = part.datagram(NOW_NS, &mut out);
    let mut same = [0; DATAGRAM_BYTES_MAX];
    assert_eq!(datagram, fleet().routers_mut()[1].datagram(NOW_NS, &mut same));
    assert!(out[..datagram.bytes] == same[..datagram.bytes]);
}
