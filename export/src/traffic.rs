//! What happens on the network that the synthetic routers watch: a border with sixteen customers
//! behind it.
//!
//! Popularity of customers, hosts and remote networks is Zipf's, sizes have a heavy tail, services
//! and packet lengths come in the proportions usual on an access network. Remote networks are
//! spread over the whole unicast space, since prefix tables are measured with this traffic and
//! documentation prefixes would all lie in one cache line; nothing is ever sent to those addresses.

use neckar_proto::{Field, Flow};

use crate::address_plan::{self, CUSTOMERS};
use crate::random::{Random, mix};

/// Interfaces of a router: uplinks first, then one for each customer.
pub(crate) const INTERFACES: usize = UPLINKS + CUSTOMERS;
const UPLINKS: usize = 4;
const REMOTES_BITS: u32 = 11;
/// The share of IPv6 in flows.
const IPV6_PERCENT: u64 = 15;
/// The share of flows that no customer has a part in.
const TRANSIT_PERCENT: u64 = 3;
/// Client ports are 49152 and up (RFC 6335, 6).
pub(crate) const CLIENT_PORT_FIRST: u16 = 0xc000;

pub(crate) const ICMP: u64 = 1;
pub(crate) const TCP: u64 = 6;
pub(crate) const UDP: u64 = 17;
const GRE: u64 = 47;
const ESP: u64 = 50;
pub(crate) const ICMPV6: u64 = 58;
pub(crate) const IPV4: u64 = 0x0800;
pub(crate) const IPV6: u64 = 0x86dd;

/// The SNMP index of interface `index`.
pub(crate) const fn if_index(index: usize) -> u32 {
    if index < UPLINKS { 501 + index as u32 } else { 1 + (index - UPLINKS) as u32 }
}

/// Which side of a flow has the port that changes from conversation to conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Source,
    Destination,
    Nobody,
}

/// What is known of a drawn flow beside its row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drawn {
    /// From the flow's end to its export.
    pub(crate) age_ms: u32,
    pub(crate) duration_ms: u32,
    pub(crate) client: Client,
    /// Index of the interface that it came in by.
    pub(crate) interface: usize,
    /// Index of the customer that it belongs to.
    pub(crate) customer: Option<usize>,
}

/// A network at the far side.
#[derive(Debug)]
struct Remote {
    v4: u32,
    v4_len: u8,
    v6: u128,
    v6_len: u8,
    autonomous_system: u32,
    uplink: usize,
}

/// One end of a flow.
struct End {
    v4: [u8; 4],
    v6: [u8; 16],
    net: [u8; 2],
    autonomous_system: u32,
    interface: usize,
}

/// Protocol and server port. 0 is "any registered port".
#[derive(Clone, Copy)]
struct Service {
    proto: u64,
    port: u16,
}

const SERVICES: [(u64, Service); 13] = [
    (44, Service { proto: TCP, port: 443 }),
    (7, Service { proto: TCP, port: 80 }),
    (15, Service { proto: UDP, port: 443 }),
    (12, Service { proto: UDP, port: 53 }),
    (2, Service { proto: UDP, port: 123 }),
    (2, Service { proto: TCP, port: 22 }),
    (2, Service { proto: TCP, port: 25 }),
    (2, Service { proto: TCP, port: 993 }),
    (4, Service { proto: TCP, port: 0 }),
    (5, Service { proto: UDP, port: 0 }),
    (3, Service { proto: ICMP, port: 0 }),
    (1, Service { proto: GRE, port: 0 }),
    (1, Service { proto: ESP, port: 0 }),
];

/// The network's far side. Immutable; flows are drawn from it with a caller's random numbers.
#[derive(Debug)]
pub(crate) struct Traffic {
    remotes: Vec<Remote>,
}

impl Traffic {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        Self { remotes: (0..1 << REMOTES_BITS).map(|_| Remote::draw(&mut random)).collect() }
    }

    /// Draws the next flow into `flow`, of IPv4 unless `with_ipv6`. Times are left to the caller.
    pub(crate) fn draw(&self, random: &mut Random, with_ipv6: bool, flow: &mut Flow) -> Drawn {
        flow.restart(Default::default());
        let ipv6 = with_ipv6 && random.percent(IPV6_PERCENT);
        let customer = (!random.percent(TRANSIT_PERCENT)).then(|| random.zipf(4) as usize);
        let near = match customer {
            Some(index) => near_end(random, index),
            None => self.far_end(random),
        };
        let far = self.far_end(random);
        let download = random.percent(60);
        let (source, destination) = if download { (&far, &near) } else { (&near, &far) };
        set_ends(flow, source, destination, ipv6);
        flow.set(Field::FlowDirection, u64::from(!download));
        let hop = 1 + (mix(u64::from(destination.autonomous_system)) % 200) as u8;
        set_next_hop(flow, hop, ipv6);

        let service = random.weighted(&SERVICES);
        // Customers mostly ask, and sometimes serve.
        let near_asks = random.percent(85);
        let client = set_service(flow, random, service, near_asks != download, ipv6);
        set_sizes(flow, random, service, near_asks == download);
        set_marks(flow, random, ipv6);
        let packets = flow.word_or_zero(Field::Packets);
        let duration_ms = if packets == 1 { 0 } else { random.zipf(16).min(60_000) as u32 };
        Drawn {
            age_ms: random.below(15_000) as u32,
            duration_ms,
            client,
            interface: source.interface,
            customer,
        }
    }

    fn far_end(&self, random: &mut Random) -> End {
        let remote = &self.remotes[random.zipf(REMOTES_BITS) as usize];
        let host = mix(1 + random.zipf(8));
        let v4_hosts = u32::MAX >> remote.v4_len;
        End {
            v4: (remote.v4 | host as u32 & v4_hosts).to_be_bytes(),
            v6: (remote.v6 | u128::from(host)).to_be_bytes(),
            net: [remote.v4_len, remote.v6_len],
            autonomous_system: remote.autonomous_system,
            interface: remote.uplink,
        }
    }
}

impl Remote {
    fn draw(random: &mut Random) -> Self {
        let v4_len = random.weighted(&[(60, 24), (25, 22), (10, 20), (5, 16)]);
        let v4 = loop {
            let network = random.next() as u32 & !(u32::MAX >> v4_len);
            if is_public(network) {
                break network;
            }
        };
        let v6_len = random.weighted(&[(60, 48), (40, 32)]);
        // Within 2400::/8: never a customer's 2001:db8::/32.
        let v6 = (0x24 << 120 | u128::from(random.next()) << 56) & !(u128::MAX >> v6_len);
        // Two bytes and four, without what is reserved.
        let (low, high) = random.weighted(&[(70, (1, 23_455)), (30, (131_072, 402_332))]);
        Self {
            v4,
            v4_len,
            v6,
            v6_len,
            autonomous_system: random.within(low, high) as u32,
            uplink: random.below(UPLINKS as u64) as usize,
        }
    }
}

/// Could the network be anybody's on the Internet? (RFC 6890, coarsely.)
fn is_public(network: u32) -> bool {
    let [a, b, c, _] = network.to_be_bytes();
    let special = match a {
        0 | 10 | 127 | 224.. => true,
        100 => b & 0xc0 == 64,
        169 => b == 254,
        172 => b & 0xf0 == 16,
        192 => b == 168 || (b == 0 && (c == 0 || c == 2)),
        198 => b & 0xfe == 18 || (b == 51 && c == 100),
        203 => b == 0 && c == 113,
        _ => false,
    };
    !special
}

fn near_end(random: &mut Random, customer: usize) -> End {
    // Popular hosts lie anywhere in the prefix, not at its start.
    let host = mix((1 + random.zipf(10)) << 8 | customer as u64) as u16;
    let carved = random.percent(25);
    End {
        v4: address_plan::v4_host(customer, host, carved),
        v6: address_plan::v6_host(customer, host, carved),
        net: [if carved { 24 } else { 16 }, if carved { 56 } else { 48 }],
        // Private use (RFC 6996).
        autonomous_system: 64_512 + customer as u32,
        interface: UPLINKS + customer,
    }
}

fn set_ends(flow: &mut Flow, source: &End, destination: &End, ipv6: bool) {
    if ipv6 {
        flow.set_v6(Field::SrcAddr, source.v6);
        flow.set_v6(Field::DstAddr, destination.v6);
    } else {
        flow.set_v4(Field::SrcAddr, source.v4);
        flow.set_v4(Field::DstAddr, destination.v4);
    }
    flow.set(Field::Etype, if ipv6 { IPV6 } else { IPV4 });
    flow.set(Field::SrcNet, u64::from(source.net[usize::from(ipv6)]));
    flow.set(Field::DstNet, u64::from(destination.net[usize::from(ipv6)]));
    flow.set(Field::SrcAS, u64::from(source.autonomous_system));
    flow.set(Field::DstAS, u64::from(destination.autonomous_system));
    flow.set(Field::InIf, u64::from(if_index(source.interface)));
    flow.set(Field::OutIf, u64::from(if_index(destination.interface)));
}

fn set_next_hop(flow: &mut Flow, hop: u8, ipv6: bool) {
    for field in [Field::NextHop, Field::BgpNextHop] {
        if ipv6 {
            let mut address = [0; 16];
            address[..2].copy_from_slice(&[0xfc, 0x00]);
            address[15] = hop;
            flow.set_v6(field, address);
        } else {
            flow.set_v4(field, [172, 31, 255, hop]);
        }
    }
}

/// Protocol and ports; says whose port is the client's.
fn set_service(
    flow: &mut Flow,
    random: &mut Random,
    service: Service,
    source_asks: bool,
    ipv6: bool,
) -> Client {
    let proto = if service.proto == ICMP && ipv6 { ICMPV6 } else { service.proto };
    flow.set(Field::Proto, proto);
    let (mut src_port, mut dst_port, mut client) = (0, 0, Client::Nobody);
    if proto == TCP || proto == UDP {
        let client_port = u64::from(CLIENT_PORT_FIRST) + random.below(1 << 14);
        let server_port = match service.port {
            0 => random.within(1024, 49_151),
            port => u64::from(port),
        };
        (src_port, dst_port, client) = match source_asks {
            true => (client_port, server_port, Client::Source),
            false => (server_port, client_port, Client::Destination),
        };
    } else if service.proto == ICMP {
        let echo = if ipv6 { [129, 128] } else { [0, 8] };
        let icmp_type = echo[usize::from(source_asks)];
        flow.set(Field::IcmpType, icmp_type);
        flow.set(Field::IcmpCode, 0);
        // Routers put type and code where the destination port would be.
        dst_port = icmp_type << 8;
    }
    flow.set(Field::SrcPort, src_port);
    flow.set(Field::DstPort, dst_port);
    client
}

fn set_sizes(flow: &mut Flow, random: &mut Random, service: Service, answers: bool) {
    let (packets, packet_bytes) = match (service.proto, service.port) {
        (UDP, 53) => (random.pareto(3), random.within(60, 400)),
        (UDP, 123) => (1, 76),
        (ICMP, _) => (random.pareto(6), 84),
        // Answers fill packets, questions and acknowledgements do not.
        _ if answers && random.percent(60) => (random.pareto(17), random.within(900, 1_480)),
        _ => (random.pareto(16), random.within(52, 260)),
    };
    flow.set(Field::Packets, packets);
    flow.set(Field::Bytes, packets * packet_bytes + random.below(packets));
}

fn set_marks(flow: &mut Flow, random: &mut Random, ipv6: bool) {
    let one_packet = flow.word_or_zero(Field::Packets) == 1;
    if flow.word_or_zero(Field::Proto) == TCP {
        // SYN, ACK, RST alone; then whole connections, pieces of them, and broken ones.
        let flags = if one_packet {
            random.weighted(&[(45, 0x02), (40, 0x10), (15, 0x04)])
        } else {
            random.weighted(&[(50, 0x1b), (30, 0x18), (15, 0x10), (5, 0x1f)])
        };
        flow.set(Field::TCPFlags, flags);
    } else {
        flow.set(Field::TCPFlags, 0);
    }
    flow.set(Field::IPTos, random.weighted(&[(80, 0), (8, 0x20), (6, 0x28), (4, 0xb8), (2, 0x02)]));
    // Forwarded; of the rest most are denied by an access list (IE 89: status in the top two bits).
    flow.set(Field::ForwardingStatus, random.weighted(&[(97, 0x40), (2, 0x82), (1, 0xc0)]));
    flow.set(Field::IngressVrfID, random.weighted(&[(90, 0x6000_0000), (10, 0x6000_0001)]));
    flow.set(Field::EgressVrfID, random.weighted(&[(90, 0x6000_0000), (10, 0x6000_0001)]));
    flow.set(Field::IPTTL, random.weighted(&[(50, 64), (25, 128), (15, 255), (10, 57)]));
    if ipv6 {
        flow.set(Field::IPv6FlowLabel, random.below(1 << 20));
    }
}
