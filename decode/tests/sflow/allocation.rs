//! "No allocation … per flow": once warm, decoding sFlow allocates nothing, AS paths included.

use std::net::IpAddr;
use std::sync::Arc;

use neckar_decode::{Config, Datagram, Decoder, Shared};
use neckar_proto::Rows;

use crate::RECEIVED_NS;
use crate::layers::*;
use crate::wire::*;

/// Everything that an agent sends all day, more of it than rows that are lent at once.
fn datagrams() -> Vec<Vec<u8>> {
    let hop = [1, 0xc000_02c8];
    let path: Vec<u32> = (65_000..65_100).collect();
    let routed = [
        raw(1, 1000, &stack([ethernet(0x8100), tag(5, IPV4), ipv4(6), tcp()])),
        switch(10, 20),
        router(&hop, 24, 16),
        gateway(&hop, [65000, 0, 65002], &[(2, &path), (1, &path)]),
    ];
    let tunnel = [raw(1, 1000, &stack([ethernet(IPV6), ipv6(4), inner_ipv4(17), udp(1, 2)]))];
    let bare = [sampled_ethernet(100), sampled_ipv4(86, 6)];
    let samples = [flow(3, 4, &routed), expanded([0, 3], [0, 4], &tunnel), flow(3, 4, &bare)];
    let others = [counters(2), counters(5), opaque(99, &[0; 8]), opaque(1, &[])];
    let many: Vec<_> = samples.iter().cycle().take(210).cloned().collect();
    vec![datagram(&samples), datagram(&others), datagram(&many)]
}

fn play(decoder: &mut Decoder, datagrams: &[Vec<u8>], rounds: usize) -> u64 {
    let mut flows = 0;
    for _ in 0..rounds {
        for bytes in datagrams {
            let exporter = IpAddr::from([192, 0, 2, 1]);
            let datagram = Datagram { exporter, port: 6343, received_ns: RECEIVED_NS, bytes };
            decoder.decode(datagram, &mut |rows: &mut Rows| flows += rows.len() as u64);
        }
    }
    flows
}

#[test]
fn a_warm_decoder_allocates_nothing() {
    let config = Config { decapsulate: true, ..Config::default() };
    let mut decoder = Decoder::new(config.clone(), Arc::new(Shared::new(config)));
    let datagrams = datagrams();
    let mut per_round = 0;
    let cold = allocation_counter::measure(|| per_round = play(&mut decoder, &datagrams, 1));
    assert!(cold.count_total > 0, "the counter counts: {cold:?}");
    let mut flows = 0;
    let counted = allocation_counter::measure(|| flows = play(&mut decoder, &datagrams, 50));
    assert_eq!((counted.count_total, counted.bytes_total), (0, 0), "{counted:?}");
    assert!(per_round == 213 && flows == 50 * per_round, "{per_round} flows a round");
}
