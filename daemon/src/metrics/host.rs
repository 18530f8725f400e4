//! What the kernel counts before a datagram reaches our sockets: interfaces, its backlog, UDP. Read
//! when the page is asked for, by the thread that serves it.
//!
//! Of this network namespace; in a container that is the container's own.

use std::fs;
use std::path::Path;

use super::page::Kind::Counter;
use super::page::{CAUSE, Label, Metric, Page, fixed};

/// Interfaces that are shown, those with most packets.
const INTERFACES_MAX: usize = 32;

/// One interface's counters.
#[derive(Clone, Debug, Default)]
pub(super) struct Interface {
    name: String,
    packets: u64,
    dropped: u64,
    missed: u64,
    errors: u64,
}

/// One address family's UDP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Udp {
    datagrams: u64,
    errors: u64,
    buffer: u64,
    checksum: u64,
    no_port: u64,
}

/// What was read. What this kernel does not have is 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Host {
    interfaces: Vec<Interface>,
    softnet: Softnet,
    udp: [Udp; 2],
}

/// The kernel's backlog, all cores together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Softnet {
    packets: u64,
    dropped: u64,
    squeezed: u64,
}

const INTERFACE: Label = Label { name: "interface", bound: "32, the busiest first" };
const FAMILY: Label = fixed("family");
const FAMILIES: [&str; 2] = ["ipv4", "ipv6"];

const INTERFACES: &[Metric<Interface>] = &[
    Metric {
        name: "neckar_host_interface_received_packets_total",
        kind: Counter,
        help: "Packets that a network interface received, of any kind.",
        value: |interface| interface.packets,
    },
    Metric {
        name: "neckar_host_interface_dropped_total",
        kind: Counter,
        help: "Packets that the kernel dropped behind the interface, those of unknown protocols among them.",
        value: |interface| interface.dropped,
    },
    Metric {
        name: "neckar_host_interface_missed_total",
        kind: Counter,
        help: "Packets for which the interface's ring had no room.",
        value: |interface| interface.missed,
    },
    Metric {
        name: "neckar_host_interface_errors_total",
        kind: Counter,
        help: "Packets that came broken.",
        value: |interface| interface.errors,
    },
];

const SOFTNET: &[Metric<Softnet>] = &[
    Metric {
        name: "neckar_host_softnet_packets_total",
        kind: Counter,
        help: "Packets that went through the kernel's backlog, all cores together.",
        value: |softnet| softnet.packets,
    },
    Metric {
        name: "neckar_host_softnet_dropped_total",
        kind: Counter,
        help: "Packets for which the backlog of a core had no room (`net.core.netdev_max_backlog`).",
        value: |softnet| softnet.dropped,
    },
    Metric {
        name: "neckar_host_softnet_squeezed_total",
        kind: Counter,
        help: "Times that a core's time for packets was over with work left (`net.core.netdev_budget`); nothing is lost by it.",
        value: |softnet| softnet.squeezed,
    },
];

impl Host {
    pub(super) fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self {
            interfaces: interfaces("/sys/class/net".as_ref()),
            softnet: softnet(&text("/proc/net/softnet_stat")),
            udp: [udp_v4(&text("/proc/net/snmp")), udp_v6(&text("/proc/net/snmp6"))],
        }
    }

    pub(super) fn write(&self, page: &mut Page) {
        let rows: Vec<_> = self.interfaces.iter().map(|one| ([one.name.as_str()], one)).collect();
        page.table(INTERFACES, &[INTERFACE], &rows);
        page.table(SOFTNET, &[], &[([], &self.softnet)]);
        let name = ("neckar_host_udp_datagrams_total", Counter);
        let mut samples = page.family(name, &[FAMILY], "Datagrams that the host's UDP delivered.");
        for (family, udp) in FAMILIES.iter().zip(self.udp) {
            samples.add([family], udp.datagrams);
        }
        let help = "Datagrams that the host's UDP did not deliver, of all programs: no room in a socket's buffer, a wrong checksum, nobody listening at the port, or another reason.";
        let labels = &[FAMILY, CAUSE];
        let mut samples = page.family(("neckar_host_udp_errors_total", Counter), labels, help);
        for (family, udp) in FAMILIES.iter().zip(self.udp) {
            samples.add([family, "buffer"], udp.buffer);
            samples.add([family, "checksum"], udp.checksum);
            samples.add([family, "no_port"], udp.no_port);
            // The kernel's sum of errors has the first two in it.
            samples.add([family, "other"], udp.errors.saturating_sub(udp.buffer + udp.checksum));
        }
    }
}

fn interfaces(folder: &Path) -> Vec<Interface> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<Interface> = entries
        .map(|entry| {
            let count = |name: &str| {
                let text = fs::read_to_string(entry.path().join("statistics").join(name));
                text.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
            };
            Interface {
                name: entry.file_name().to_string_lossy().into_owned(),
                packets: count("rx_packets"),
                dropped: count("rx_dropped"),
                missed: count("rx_missed_errors") + count("rx_fifo_errors"),
                errors: count("rx_errors"),
            }
        })
        .collect();
    found.sort_by(|one, other| {
        other.packets.cmp(&one.packets).then_with(|| one.name.cmp(&other.name))
    });
    found.truncate(INTERFACES_MAX);
    found
}

/// A line per core, hexadecimal: packets, drops, squeezes, and what we do not ask for.
fn softnet(text: &str) -> Softnet {
    let mut sum = Softnet::default();
    for line in text.lines() {
        let numbers =
            line.split_whitespace().map(|word| u64::from_str_radix(word, 16).unwrap_or(0));
        let numbers: Vec<u64> = numbers.take(3).collect();
        if let [packets, dropped, squeezed] = numbers[..] {
            sum.packets += packets;
            sum.dropped += dropped;
            sum.squeezed += squeezed;
        }
    }
    sum
}

/// Two lines begin with `Udp:`, of names and of numbers.
fn udp_v4(text: &str) -> Udp {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Udp: "));
    let (Some(names), Some(numbers)) = (lines.next(), lines.next()) else {
        return Udp::default();
    };
    udp(names.split_whitespace().zip(numbers.split_whitespace()))
}

/// A name and a number a line.
fn udp_v6(text: &str) -> Udp {
    let pairs = text.lines().filter_map(|line| {
        let (name, number) = line.strip_prefix("Udp6")?.split_once(char::is_whitespace)?;
        Some((name, number.trim()))
    });
    udp(pairs)
}

fn udp<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Udp {
    let mut udp = Udp::default();
    for (name, number) in pairs {
        let place = match name {
            "InDatagrams" => &mut udp.datagrams,
            "InErrors" => &mut udp.errors,
            "RcvbufErrors" => &mut udp.buffer,
            "InCsumErrors" => &mut udp.checksum,
            "NoPorts" => &mut udp.no_port,
            _ => continue,
        };
        *place = number.parse().unwrap_or(0);
    }
    udp
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_files_are_read() {
        let text = "00000a01 00000002 00000003 0 0\n000000ff 00000001 00000000 0 0\n";
        assert_eq!(softnet(text), Softnet { packets: 0xb00, dropped: 3, squeezed: 3 });
        let text = "Ip: A B\nIp: 1 2\nUdp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors InCsumErrors\nUdp: 100 7 6 5 4 1\nUdpLite: InDatagrams\nUdpLite: 9\n";
        let expected = Udp { datagrams: 100, errors: 6, buffer: 4, checksum: 1, no_port: 7 };
        assert_eq!(udp_v4(text), expected);
        let text = "Ip6InReceives      5\nUdp6InDatagrams\t100\nUdp6NoPorts 7\nUdp6InErrors  6\nUdp6RcvbufErrors 4\nUdp6InCsumErrors 1\nUdpLite6InErrors 3\n";
        assert_eq!(udp_v6(text), expected);
        assert_eq!((udp_v4(""), softnet("x")), Default::default());
    }

    #[test]
    fn this_host_has_a_loopback() {
        assert!(Host::read().interfaces.iter().any(|interface| interface.name == "lo"));
        assert!(interfaces("/nowhere".as_ref()).is_empty());
    }
}
