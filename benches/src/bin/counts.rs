//! The hot rooms' work, to be counted in instructions by callgrind; `cargo xtask bench counts` runs
//! this, reads the counts and compares them with `benches/counts.json`.
//!
//! Without an argument it names the rooms, a line each; with a room's name it does that room's work
//! twice: once to grow and to warm up what the room keeps, then inside [`counted`], the only place
//! where callgrind counts. Then it says of how many flows. No clock, no randomness, no file: the
//! same compiler gives the same counts on every machine.

use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;

use neckar_decode::{Config, Datagram, Decoder, Shared};
use neckar_enrich::{Interface, Labels, Sources, Tables, sources, synthetic};
use neckar_export::{DATAGRAM_BYTES_MAX, Fleet, Protocol};
use neckar_filter::{Filter, Options};
use neckar_proto::encode::BWNETFLOW;
use neckar_proto::{Batch, Layout, Rows};

const NOW_NS: u64 = 1_700_000_000_000_000_000;
const EXPORTER: [u8; 4] = [192, 0, 2, 1];
/// Of one router: some thousand flows.
const DATAGRAMS: usize = 100;
/// Addresses to look up, and how many at a time.
const ADDRESSES: usize = 4096;
const CHUNK: usize = 128;
/// As long as operators write them.
const FILTER: &str = "(proto tcp and (tcpflags syn or tcpflags rst) and not dst port 80, 443) or \
    (proto udp and src port 53, 123 and packets >10) or (proto icmp and icmp type 3, 11) or \
    (address 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7 and incoming) or \
    (src asn 64500-64510 and iface 3 and not status dropped) or router 192.0.2.0/24";

/// Where callgrind counts: xtask knows this function by its name.
#[inline(never)]
fn counted(work: &mut dyn FnMut()) {
    work();
    // Keeps the call above from being the last thing, and so from becoming a jump.
    black_box(());
}

/// The room to count, if any.
struct Counter(Option<String>);

impl Counter {
    fn room(&self, room: &str, flows: u64, mut work: impl FnMut()) {
        match &self.0 {
            None => println!("{room}"),
            Some(wanted) if wanted == room => {
                work();
                counted(&mut work);
                println!("{flows}");
            }
            Some(_) => {}
        }
    }
}

fn main() {
    let counter = Counter(std::env::args().nth(1));
    let world = World::new();
    let tables = world.tables();
    look_up(&counter, &world, &tables);
    for protocol in Protocol::ALL {
        stages(&counter, protocol, &tables);
    }
}

/// What the tables are made of: small, since valgrind is slow and the way through a table is the
/// same in a large one.
struct World {
    sources: Sources,
    /// Addresses that have labels, IPv4 and IPv6.
    addresses: [Vec<IpAddr>; 2],
}

impl World {
    fn new() -> Self {
        let (v4, v6) = (synthetic::full_table_v4(4000, 1), synthetic::full_table_v6(1000, 1));
        let routes = synthetic::csv(v4.iter().copied()) + &synthetic::csv(v6.iter().copied());
        let customers = neckar_export::customers_csv();
        let mut sources = Sources::default();
        for source in [
            sources::customers::parse("customers".as_ref(), customers.as_bytes()),
            sources::asn::parse("routes".as_ref(), routes.as_bytes()),
            Ok(sources::list::bogons()),
        ] {
            sources.prefixes.push(Arc::new(source.expect("our own rows")));
        }
        sources.as_names = (1..=70_000).step_by(7).map(|asn| (asn, format!("AS {asn}"))).collect();
        for if_index in 1..1000 {
            let name = format!("xe-0/1/{if_index}");
            let interface = Interface { name, description: "Transit".into(), speed_mbps: 100_000 };
            sources.interfaces.insert(EXPORTER.into(), if_index, interface);
        }
        let nets = synthetic::customers(&v4, &v6, 1000, 1);
        let nets: Vec<_> = nets.into_iter().map(|(net, _)| net).collect();
        let addresses: Vec<IpAddr> = synthetic::addresses(&nets, 4 * ADDRESSES, true, 7).collect();
        let (v4, v6) = addresses.iter().partition(|address| address.is_ipv4());
        Self { sources, addresses: [v4, v6] }
    }

    fn tables(&self) -> Tables {
        Tables::build(&self.sources).expect("small tables")
    }
}

fn look_up(counter: &Counter, world: &World, tables: &Tables) {
    let mut sets = [0; CHUNK];
    let numbers = |address: &IpAddr| match address {
        IpAddr::V4(v4) => (u32::from(*v4), 0),
        IpAddr::V6(v6) => (0, u128::from(*v6)),
    };
    let cycled = |addresses: &[IpAddr]| -> Vec<(u32, u128)> {
        addresses.iter().map(numbers).cycle().take(ADDRESSES).collect()
    };
    let [v4, v6] = world.addresses.each_ref().map(|addresses| cycled(addresses));
    let v4: Vec<u32> = v4.into_iter().map(|(v4, _)| v4).collect();
    counter.room("lookup v4", ADDRESSES as u64, || {
        for chunk in v4.chunks(CHUNK) {
            tables.find_v4(black_box(chunk), &mut sets);
        }
    });
    let v6: Vec<u128> = v6.into_iter().map(|(_, v6)| v6).collect();
    counter.room("lookup v6", ADDRESSES as u64, || {
        for chunk in v6.chunks(CHUNK) {
            tables.find_v6(black_box(chunk), &mut sets);
        }
    });
}

/// A decoder and what it is to decode: the templates first, then flows.
struct Router {
    decoder: Decoder,
    datagrams: Vec<Vec<u8>>,
    flows: u64,
}

impl Router {
    fn new(protocol: Protocol) -> Self {
        let mut fleet = Fleet::new(&[protocol], 1, 1);
        let mut bytes = [0; DATAGRAM_BYTES_MAX];
        let datagrams = (0..DATAGRAMS).map(|_| {
            let (_, made) = fleet.datagram(NOW_NS, &mut bytes);
            bytes[..made.bytes].to_vec()
        });
        let datagrams = datagrams.collect();
        let decoder = Decoder::new(Config::default(), Arc::new(Shared::new(Config::default())));
        Self { decoder, datagrams, flows: fleet.totals().all.flows }
    }

    fn run(&mut self, mut sink: impl FnMut(&mut Rows)) {
        for bytes in &self.datagrams {
            let exporter = EXPORTER.into();
            let datagram = Datagram { exporter, port: 2055, received_ns: NOW_NS, bytes };
            self.decoder.decode(black_box(datagram), &mut sink);
        }
    }
}

/// A worker's stages on their own and together. The stages alone are counted for NetFlow v9 only:
/// they do not know what a row came by.
fn stages(counter: &Counter, protocol: Protocol, tables: &Tables) {
    let mut router = Router::new(protocol);
    let flows = router.flows;
    let name = protocol.name();
    counter.room(&format!("decode {name}"), flows, || router.run(|rows| _ = black_box(rows)));
    if matches!(protocol, Protocol::V9) {
        stages_alone(counter, &mut router, tables);
    }
    let (mut labels, mut batch) = (Labels::default(), batch());
    counter.room(&format!("decode+label+encode {name}"), flows, || {
        batch.clear();
        router.run(|rows| {
            tables.label(rows, &mut labels);
            encode(rows, &labels, &mut batch);
        });
        assert_eq!(batch.len() as u64, flows, "every flow of {name} came through");
    });
}

fn stages_alone(counter: &Counter, router: &mut Router, tables: &Tables) {
    let filter = Filter::parse(FILTER, &Options::default()).expect("a filter");
    let (mut labels, mut batch) = (Labels::default(), batch());
    let mut chunks = Vec::new();
    router.run(|rows| chunks.push(std::mem::take(rows)));
    let flows = chunks.iter().map(|rows| rows.len() as u64).sum();
    let mut matched = 0;
    counter.room("filter", flows, || {
        let all =
            chunks.iter().flat_map(|rows| rows.as_slice().iter().map(move |flow| (rows, flow)));
        matched += all.filter(|(rows, flow)| filter.matches(flow, *rows)).count();
        assert!(matched > 0, "the filter is not idle");
    });
    counter.room("label", flows, || {
        for rows in &mut chunks {
            tables.label(rows, &mut labels);
        }
    });
    counter.room("encode", flows, || {
        batch.clear();
        for rows in &chunks {
            for flow in rows.as_slice() {
                assert!(batch.push(&BWNETFLOW, flow, rows.texts(), &[]));
            }
        }
    });
}

fn batch() -> Batch {
    Batch::with_capacity(1 << 14, 8 << 20).laid_out(Layout::Records)
}

fn encode(rows: &Rows, labels: &Labels, batch: &mut Batch) {
    for (index, flow) in rows.as_slice().iter().enumerate() {
        assert!(batch.push(&BWNETFLOW, flow, rows.texts(), &labels.of(index)), "there is room");
    }
}
