//! Longest prefix match on a full table (1.2 M IPv4 and 250 k IPv6 prefixes, 10,000 customers): our
//! tables beside the crates for it and beside a plain DIR-24-8. Every contender is asked the same
//! addresses: drawn evenly, and by Zipf's law.
//!
//! `cargo bench -p neckar-benches --bench lookup`

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use ip_network::{Ipv4Network, Ipv6Network};
use ip_network_table::IpNetworkTable;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use neckar_enrich::{Sources, Tables, sources, synthetic};
use poptrie::Poptrie;
use prefix_trie::PrefixMap;

/// Asked per iteration: so many that what they touch of any table exceeds the caches.
const ADDRESSES: usize = 1 << 20;
/// Looked up together, as a decoded chunk's are.
const CHUNK: usize = 128;

struct World {
    v4: Vec<(Ipv4Net, u32)>,
    v6: Vec<(Ipv6Net, u32)>,
    customers: Vec<(IpNet, u32)>,
}

fn world() -> World {
    let v4 = synthetic::full_table_v4(1_200_000, 1);
    let v6 = synthetic::full_table_v6(250_000, 1);
    let customers = synthetic::customers(&v4, &v6, 10_000, 1);
    World { v4, v6, customers }
}

/// Loads the whole table from text, as the daemon would, and says what that costs.
fn tables(world: &World) -> Tables {
    let routes = synthetic::csv(
        world
            .v4
            .iter()
            .map(|(net, asn)| (IpNet::V4(*net), *asn))
            .chain(world.v6.iter().map(|(net, asn)| (IpNet::V6(*net), *asn))),
    );
    let customers = synthetic::csv(world.customers.iter().copied());
    let started = Instant::now();
    let customers = sources::customers::parse(Path::new("customers"), customers.as_bytes())
        .expect("our own rows");
    let routes = sources::asn::parse(Path::new("routes"), routes.as_bytes()).expect("our own rows");
    let read = started.elapsed();
    let sources =
        Sources { prefixes: vec![Arc::new(customers), Arc::new(routes)], ..Sources::default() };
    let tables = Tables::build(&sources).expect("within bounds");
    println!(
        "{} + {} prefixes, {} customers: read in {:.2} s, flattened in {:.2} s, {} label sets, {:.1} MiB",
        world.v4.len(),
        world.v6.len(),
        world.customers.len(),
        read.as_secs_f64(),
        (started.elapsed() - read).as_secs_f64(),
        tables.label_sets(),
        tables.memory_bytes() as f64 / (1 << 20) as f64,
    );
    tables
}

/// The textbook table: an entry per /24, 256 more for each that is cut up. Values only, so the best
/// case for it.
struct PlainDir24 {
    top: Vec<u32>,
    deep: Vec<u32>,
}

impl PlainDir24 {
    fn new(prefixes: &[(Ipv4Net, u32)]) -> Self {
        let mut table = Self { top: vec![0; 1 << 24], deep: Vec::new() };
        // Sorted by start and length: an inner prefix comes after the one around it.
        for (net, value) in prefixes.iter().filter(|(net, _)| net.prefix_len() <= 24) {
            let first = u32::from(net.network()) as usize >> 8;
            table.top[first..first + (1 << (24 - net.prefix_len()))].fill(*value);
        }
        for (net, value) in prefixes.iter().filter(|(net, _)| net.prefix_len() > 24) {
            let entry = &mut table.top[u32::from(net.network()) as usize >> 8];
            if *entry >> 31 == 0 {
                let index = table.deep.len() as u32;
                table.deep.extend([*entry; 256]);
                *entry = 1 << 31 | index;
            }
            let first = (*entry & !(1 << 31)) as usize + (u32::from(net.network()) & 255) as usize;
            table.deep[first..first + (1 << (32 - net.prefix_len()))].fill(*value);
        }
        table
    }

    #[inline]
    fn look_up(&self, address: u32) -> u32 {
        let entry = self.top[(address >> 8) as usize];
        if entry >> 31 == 0 {
            entry
        } else {
            self.deep[((entry & !(1 << 31)) + (address & 255)) as usize]
        }
    }
}

fn sample<A>(nets: &[IpNet], skew: bool, address: impl Fn(IpAddr) -> Option<A>) -> Vec<A> {
    synthetic::addresses(nets, ADDRESSES, skew, 7).filter_map(address).collect()
}

fn one_by_one<A: Copy>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    addresses: &[A],
    mut look_up: impl FnMut(A) -> u32,
) {
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            addresses
                .iter()
                .fold(0_u32, |sum, address| sum.wrapping_add(look_up(*black_box(address))))
        });
    });
}

fn in_chunks<A>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    addresses: &[A],
    look_up: impl Fn(&[A], &mut [u32]),
) {
    let mut sets = [0; CHUNK];
    group.bench_function("neckar", |bencher| {
        bencher.iter(|| {
            for chunk in addresses.chunks(CHUNK) {
                look_up(black_box(chunk), &mut sets[..chunk.len()]);
                black_box(&sets);
            }
        });
    });
}

fn v4(criterion: &mut Criterion, world: &World, tables: &Tables) {
    let mut prefixes = world.v4.clone();
    prefixes.extend(world.customers.iter().filter_map(|(net, cid)| match net {
        IpNet::V4(net) => Some((*net, *cid)),
        IpNet::V6(_) => None,
    }));
    prefixes.sort_unstable();
    let plain = PlainDir24::new(&prefixes);
    let mut poptrie = Poptrie::<(u32, u8), u32>::new();
    let mut treebitmap = IpNetworkTable::new();
    let mut trie = PrefixMap::<Ipv4Net, u32>::new();
    for (net, value) in &prefixes {
        poptrie.insert((net.network().into(), net.prefix_len()), *value);
        treebitmap
            .insert(Ipv4Network::new(net.network(), net.prefix_len()).expect("valid"), *value);
        trie.insert(*net, *value);
    }
    let nets: Vec<IpNet> = prefixes.iter().map(|(net, _)| IpNet::V4(*net)).collect();
    for (name, skew) in [("v4_even", false), ("v4_zipf", true)] {
        let addresses = sample(&nets, skew, |address| match address {
            IpAddr::V4(address) => Some(u32::from(address)),
            IpAddr::V6(_) => None,
        });
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(addresses.len() as u64));
        in_chunks(&mut group, &addresses, |addresses, sets| tables.find_v4(addresses, sets));
        one_by_one(&mut group, "plain_dir24", &addresses, |address| plain.look_up(address));
        one_by_one(&mut group, "poptrie", &addresses, |address| {
            poptrie.lookup(address).copied().unwrap_or(0)
        });
        one_by_one(&mut group, "ip_network_table", &addresses, |address| {
            treebitmap.longest_match_ipv4(Ipv4Addr::from(address)).map_or(0, |(_, value)| *value)
        });
        one_by_one(&mut group, "prefix-trie", &addresses, |address| {
            let host = Ipv4Net::new(address.into(), 32).expect("32 is valid");
            trie.get_lpm(&host).map_or(0, |(_, value)| *value)
        });
        group.finish();
    }
}

fn v6(criterion: &mut Criterion, world: &World, tables: &Tables) {
    let mut prefixes = world.v6.clone();
    prefixes.extend(world.customers.iter().filter_map(|(net, cid)| match net {
        IpNet::V6(net) => Some((*net, *cid)),
        IpNet::V4(_) => None,
    }));
    prefixes.sort_unstable();
    let mut poptrie = Poptrie::<(u128, u8), u32>::new();
    let mut treebitmap = IpNetworkTable::new();
    let mut trie = PrefixMap::<Ipv6Net, u32>::new();
    for (net, value) in &prefixes {
        poptrie.insert((net.network().into(), net.prefix_len()), *value);
        treebitmap
            .insert(Ipv6Network::new(net.network(), net.prefix_len()).expect("valid"), *value);
        trie.insert(*net, *value);
    }
    let nets: Vec<IpNet> = prefixes.iter().map(|(net, _)| IpNet::V6(*net)).collect();
    for (name, skew) in [("v6_even", false), ("v6_zipf", true)] {
        let addresses = sample(&nets, skew, |address| match address {
            IpAddr::V6(address) => Some(u128::from(address)),
            IpAddr::V4(_) => None,
        });
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(addresses.len() as u64));
        in_chunks(&mut group, &addresses, |addresses, sets| tables.find_v6(addresses, sets));
        one_by_one(&mut group, "poptrie", &addresses, |address| {
            poptrie.lookup(address).copied().unwrap_or(0)
        });
        one_by_one(&mut group, "ip_network_table", &addresses, |address| {
            treebitmap.longest_match_ipv6(Ipv6Addr::from(address)).map_or(0, |(_, value)| *value)
        });
        one_by_one(&mut group, "prefix-trie", &addresses, |address| {
            let host = Ipv6Net::new(address.into(), 128).expect("128 is valid");
            trie.get_lpm(&host).map_or(0, |(_, value)| *value)
        });
        group.finish();
    }
}

fn benches(criterion: &mut Criterion) {
    let world = world();
    let tables = tables(&world);
    v4(criterion, &world, &tables);
    v6(criterion, &world, &tables);
}

criterion_group! {
    name = lookup;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = benches
}
criterion_main!(lookup);
