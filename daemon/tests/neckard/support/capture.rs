//! Captures written by the tests themselves: traffic for exporters to see, and datagrams on their
//! way to `neckard`.

use std::io::{BufWriter, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const LINKTYPE_ETHERNET: u32 = 1;
const LINKTYPE_RAW: u32 = 101;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;

/// Conversations of three protocols: `flows` five-tuples with one to five packets each.
pub fn write_traffic(path: &Path, flows: u32) {
    let mut file = BufWriter::new(std::fs::File::create(path).unwrap());
    write_header(&mut file, LINKTYPE_ETHERNET);
    let mut time_us = 1_700_000_000_000_000;
    for flow in 0..flows {
        for _ in 0..1 + flow % 5 {
            time_us += 1000;
            let mut frame = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0".to_vec();
            frame.extend(ip_packet(flow));
            write_packet(&mut file, time_us, &frame);
        }
    }
    file.flush().unwrap();
}

fn ip_packet(flow: u32) -> Vec<u8> {
    let source = [10, 0, (flow % 7) as u8, 1 + (flow % 200) as u8];
    let target = [192, 0, 2, 1 + (flow % 50) as u8];
    let (from, to) = (1024 + flow as u16, [80, 443, 53][flow as usize % 3]);
    let payload = vec![b'x'; 20 + flow as usize % 900];
    let (protocol, transport) = match flow % 3 {
        0 => (TCP, tcp_segment(from, to, &payload)),
        1 => (UDP, udp_datagram(from, to, &payload)),
        _ => (ICMP, [&[8, 0, 0, 0, 0, 1, 0, 1][..], &payload].concat()),
    };
    ipv4(source, target, protocol, &transport)
}

fn tcp_segment(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let mut segment = [from.to_be_bytes(), to.to_be_bytes()].concat();
    segment.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 3, 232, 0, 0, 0, 0]);
    segment.extend(payload);
    segment
}

fn udp_datagram(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let len = (8 + payload.len()) as u16;
    let header = [from, to, len, 0].map(u16::to_be_bytes).concat();
    [header.as_slice(), payload].concat()
}

fn ipv4(source: [u8; 4], target: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let len = ((20 + payload.len()) as u16).to_be_bytes();
    let mut packet = vec![0x45, 0, len[0], len[1], 0, 0, 0, 0, 64, protocol, 0, 0];
    packet.extend(source.iter().chain(&target));
    let sum: u32 = packet.chunks(2).map(|two| u32::from(two[0]) << 8 | u32::from(two[1])).sum();
    let checksum = !((sum & 0xffff) + (sum >> 16)) as u16;
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet.extend(payload);
    packet
}

fn write_header(file: &mut impl Write, link_type: u32) {
    let (major, minor) = (2u16, 4u16);
    file.write_all(&0xa1b2_c3d4u32.to_le_bytes()).unwrap();
    file.write_all(&[major.to_le_bytes(), minor.to_le_bytes()].concat()).unwrap();
    file.write_all(&[0, 0, 65535, link_type].map(u32::to_le_bytes).concat()).unwrap();
}

fn write_packet(file: &mut impl Write, time_us: u64, packet: &[u8]) {
    let (seconds, micros) = ((time_us / 1_000_000) as u32, (time_us % 1_000_000) as u32);
    let len = packet.len() as u32;
    file.write_all(&[seconds, micros, len, len].map(u32::to_le_bytes).concat()).unwrap();
    file.write_all(packet).unwrap();
}

/// tshark takes the count in a NetFlow v9 header for a bound on sets; softflowd 1.1.0 counts fewer
/// than it sends (22 for 28 in its first datagram). The copy for the witness gets a count that
/// bounds nothing.
fn for_tshark(datagram: &mut [u8]) {
    if datagram.starts_with(&[0, 9]) && datagram.len() >= 20 {
        datagram[2..4].copy_from_slice(&[0xff; 2]);
    }
}

/// Stands between an exporter and `neckard`: passes every datagram on and writes it down, so that a
/// witness sees exactly what `neckard` saw.
pub struct Relay {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Relay {
    pub fn start(target: SocketAddr, capture: &Path) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let address = socket.local_addr().unwrap();
        let mut file = BufWriter::new(std::fs::File::create(capture).unwrap());
        write_header(&mut file, LINKTYPE_RAW);
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut bytes = vec![0; 65_535];
            let mut passed = 0;
            loop {
                match socket.recv_from(&mut bytes) {
                    Ok((len, source)) => {
                        socket.send_to(&bytes[..len], target).unwrap();
                        passed += 1;
                        for_tshark(&mut bytes[..len]);
                        let datagram = udp_datagram(source.port(), address.port(), &bytes[..len]);
                        let loopback = [127, 0, 0, 1];
                        let time_us = 1_700_000_000_000_000 + passed;
                        write_packet(&mut file, time_us, &ipv4(loopback, loopback, UDP, &datagram));
                    }
                    // Time is up: nothing came for a while.
                    Err(_) if stopping.load(Ordering::Relaxed) => break,
                    Err(_) => {}
                }
            }
            file.flush().unwrap();
            passed
        });
        Self { address, stop, thread }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends once nothing comes any more; answers how many datagrams passed.
    pub fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}
