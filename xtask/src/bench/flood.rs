//! `cargo xtask bench flood`: for a minute every flow is one that never was: other addresses, ports, AS,
//! protocol and interfaces. Half of the datagrams come from a thousand exporters, the others each from one of
//! its own, more than the daemon has room for. What becomes of its memory meanwhile, and what it counted,
//! refused and shed.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::{Daemon, build, release, stop, tables};
use crate::kafka::Broker;

/// Flows of a datagram: the most that fit into one of NetFlow v5.
pub const FLOWS: u32 = 30;
/// How often is told how it goes.
const TELL: Duration = Duration::from_secs(10);
/// What is told, by the daemon's own `/metrics`.
const TOLD: [(&str, &str); 6] = [
    ("neckar_traffic_counted_total", "counted"),
    ("neckar_dropped_total", "datagrams of exporters without a place"),
    ("neckar_traffic_missed_total", "missed by counting"),
    ("neckar_flows_shed_total", "shed"),
    ("neckar_receive_kernel_drops_total", "datagrams dropped by the kernel"),
    ("neckar_traffic_texts_unkept_total", "texts without room"),
];

/// Floods a daemon for so many seconds at this rate, and tells every ten.
///
/// # Errors
/// What could not be started.
pub fn flood(rate: u64, seconds: u64) -> io::Result<()> {
    let broker = Broker::start()?;
    build()?;
    let tables = tables()?;
    println!("{}", memory_sum(&tables)?);
    let topic = format!("bench-flood-{}", std::process::id());
    let settings = ["kafka.compression=lz4".to_string()];
    let mut daemon = Daemon::start(&broker.address(), &tables, &topic, &settings)?;
    tell(&daemon, 0, 0)?;
    let (started, mut sent, mut told) = (Instant::now(), 0, 0);
    while started.elapsed() < Duration::from_secs(seconds) {
        let due = (rate as f64 * started.elapsed().as_secs_f64()) as u64;
        while sent < due {
            send(daemon.port, sent as u32)?;
            sent += u64::from(FLOWS);
        }
        std::thread::sleep(Duration::from_millis(5));
        let tells = started.elapsed().as_secs() / TELL.as_secs();
        if tells > told {
            told = tells;
            tell(&daemon, told * TELL.as_secs(), sent)?;
        }
    }
    std::thread::sleep(Duration::from_secs(2));
    tell(&daemon, seconds + 2, sent)?;
    stop(&mut daemon.child)
}

/// Exporters that send again and again.
const STEADY: u32 = 1000;

/// Sends the flows from number `first` on, from an address of loopback that goes by that number.
fn send(port: u16, first: u32) -> io::Result<()> {
    let number = first / FLOWS;
    let exporter = if number.is_multiple_of(2) { number / 2 % STEADY } else { STEADY + number };
    let source = Ipv4Addr::from(0x7f00_0000 | (exporter + 2) & 0x00ff_ffff);
    let socket = UdpSocket::bind((source, 0))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
    // What the kernel has no room for, it counts.
    let _ = socket.send_to(&datagram(first, now.as_secs() as u32), (Ipv4Addr::LOCALHOST, port));
    Ok(())
}

/// NetFlow v5 with flows that end at `export_s`, number after number from `first` on: each between two other
/// addresses and ports than any before it, every second one towards a customer of the generator's address plan,
/// and of one of all AS, protocols and interfaces.
#[must_use]
pub fn datagram(first: u32, export_s: u32) -> Vec<u8> {
    const UPTIME_MS: [u8; 4] = [0, 0, 0x10, 0];
    let head = [&[0, 5, 0, FLOWS as u8][..], &UPTIME_MS, &export_s.to_be_bytes(), &[0; 4]].concat();
    let mut datagram = [&head[..], &first.to_be_bytes(), &[0; 4]].concat();
    for number in first..first.wrapping_add(FLOWS) {
        // Odd factors: every number another address.
        let source = number.wrapping_mul(0x9e37_79b1).to_be_bytes();
        let mut target = number.wrapping_mul(0x85eb_ca6b).to_be_bytes();
        if number % 2 == 0 {
            target[..2].copy_from_slice(&[10, 16 + (number / 2 % 16) as u8]);
        }
        let interfaces = [number % 500 + 1, number % 499 + 1].map(|one| (one as u16).to_be_bytes());
        let counts = [3_u32, 1 + number % 4000].map(u32::to_be_bytes);
        let ports = number.wrapping_mul(0xc2b2_ae35).to_be_bytes();
        let [_, proto, as_numbers @ ..] = number.wrapping_mul(0x27d4_eb2f).to_be_bytes();
        let mut record = [&source[..], &target, &[0; 4], &interfaces.concat()].concat();
        record.extend([&counts.concat()[..], &UPTIME_MS, &UPTIME_MS, &ports].concat());
        record.extend([&[0, 0, proto, 0][..], &as_numbers, &as_numbers, &[24, 24, 0, 0]].concat());
        datagram.extend(record);
    }
    datagram
}

/// What `neckard check` says may be needed of memory at most.
fn memory_sum(tables: &Path) -> io::Result<String> {
    let output =
        Command::new(release("neckard")).args(["check", "--config"]).arg(tables).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let is_memory = |line: &&str| line.contains("MiB") && line.starts_with("  ");
    Ok(text.lines().filter(is_memory).collect::<Vec<_>>().join("\n"))
}

fn tell(daemon: &Daemon, second: u64, sent: u64) -> io::Result<()> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.child.id()))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib: u64 = resident.trim_end_matches("kB").trim().parse().map_err(io::Error::other)?;
    let counts = counts(daemon.http)?;
    let counts =
        TOLD.iter().map(|(name, text)| format!("{} {text}", counts.get(*name).unwrap_or(&0)));
    let counts: Vec<String> = counts.collect();
    println!("{second:>3} s: {:>5} MiB resident; {sent} sent, {}", kib >> 10, counts.join(", "));
    Ok(())
}

/// Sums of the daemon's metrics by name.
fn counts(http: u16) -> io::Result<BTreeMap<String, u64>> {
    let address = format!("http://127.0.0.1:{http}/metrics");
    let page = Command::new("curl").args(["-s", &address]).output()?.stdout;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for line in String::from_utf8_lossy(&page).lines().filter(|line| !line.starts_with('#')) {
        let Some((series, value)) = line.rsplit_once(' ') else { continue };
        let name = series.split('{').next().unwrap_or_default();
        *counts.entry(name.to_string()).or_default() += value.parse::<u64>().unwrap_or(0);
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_has_its_flows() {
        let datagram = datagram(1000, 7);
        assert_eq!(datagram.len(), 24 + 48 * FLOWS as usize);
        assert_eq!(
            (&datagram[8..12], &datagram[16..20]),
            (&[0, 0, 0, 7][..], &1000_u32.to_be_bytes()[..])
        );
        let records: Vec<&[u8]> = datagram[24..].chunks(48).collect();
        assert_eq!(records[0][4..6], [10, 20], "towards a customer");
        let sources: std::collections::BTreeSet<&[u8]> =
            records.iter().map(|one| &one[..4]).collect();
        assert_eq!(sources.len(), FLOWS as usize);
    }
}
