//! A warm router makes datagrams without touching the allocator. In a program of its own, since the
//! counter replaces the allocator.
#![allow(missing_docs, reason = "a test")]

use neckar_export::{DATAGRAM_BYTES_MAX, Fleet, Protocol};

#[test]
fn datagrams_allocate_nothing() {
    let mut fleet = Fleet::new(&Protocol::ALL, 8, 1);
    let mut out = [0; DATAGRAM_BYTES_MAX];
    let mut flows = 0;
    let counted = allocation_counter::measure(|| {
        for step in 0..10_000u64 {
            flows += fleet.datagram(1_700_000_000_000_000_000 + step * 1_000_000, &mut out).1.flows;
        }
    });
    assert!(flows > 100_000, "only {flows} flows: nothing was measured");
    assert_eq!((counted.count_total, counted.bytes_total), (0, 0));
}

#[test]
fn the_counter_counts() {
    let counted = allocation_counter::measure(|| drop(std::hint::black_box(Box::new(1))));
    assert_eq!(counted.count_total, 1);
}
