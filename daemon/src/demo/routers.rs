//! The synthetic routers: a thread that sends at a steady rate, each router from an address of its
//! own.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use neckar_export::{DATAGRAM_BYTES_MAX, Fleet, Protocol};

use crate::clock;

/// How often the pace is looked at.
const TICK: Duration = Duration::from_millis(2);

/// What was sent, by the routers' own books.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    pub(super) flows: u64,
    /// What the flows reported as `Bytes`, summed up.
    pub(super) bytes: u64,
}

/// The running routers.
pub(super) struct Routers {
    stop: Arc<AtomicBool>,
    flows: Arc<AtomicU64>,
    thread: JoinHandle<Sent>,
}

impl Routers {
    /// Starts `exporters` routers that send `rate` flows a second to `target`, until told to stop.
    pub(super) fn start(
        target: SocketAddr,
        exporters: usize,
        rate: u64,
        interrupted: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let fleet = Fleet::new(&Protocol::ALL, exporters, 1);
        let sockets = (0..exporters)
            .map(|index| {
                // All of 127.0.0.0/8 is ours on Linux: an address for each router.
                let source = Ipv4Addr::new(127, 1, (index >> 8) as u8, 1 + index as u8);
                let socket = UdpSocket::bind((IpAddr::V4(source), 0))?;
                socket.connect(target)?;
                Ok(socket)
            })
            .collect::<io::Result<Vec<_>>>()?;
        let stop = Arc::new(AtomicBool::new(false));
        let flows = Arc::new(AtomicU64::new(0));
        let (stopping, counted) = (Arc::clone(&stop), Arc::clone(&flows));
        let thread = std::thread::Builder::new().name("routers".into()).spawn(move || {
            let stopped =
                || stopping.load(Ordering::Relaxed) || interrupted.load(Ordering::Relaxed);
            send(fleet, &sockets, rate, stopped, &counted)
        })?;
        Ok(Self { stop, flows, thread })
    }

    pub(super) fn flows_so_far(&self) -> u64 {
        self.flows.load(Ordering::Relaxed)
    }

    pub(super) fn stop(self) -> Sent {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

fn send(
    mut fleet: Fleet,
    sockets: &[UdpSocket],
    rate: u64,
    stopped: impl Fn() -> bool,
    counted: &AtomicU64,
) -> Sent {
    let mut datagram = [0; DATAGRAM_BYTES_MAX];
    let started = Instant::now();
    let mut flows = 0;
    while !stopped() {
        let due = started.elapsed().as_micros() as u64 * rate / 1_000_000;
        while flows < due {
            let (router, made) = fleet.datagram(clock::unix_ns(), &mut datagram);
            send_one(&sockets[router], &datagram[..made.bytes]);
            flows += made.flows as u64;
        }
        counted.store(flows, Ordering::Relaxed);
        std::thread::sleep(TICK);
    }
    let totals = fleet.totals();
    Sent { flows: totals.all.flows, bytes: totals.all.bytes }
}

/// Sends, and tries again while the kernel has no buffer: what is not sent must not be in the
/// books.
fn send_one(socket: &UdpSocket, bytes: &[u8]) {
    while socket.send(bytes).is_err() {
        std::thread::sleep(Duration::from_micros(100));
    }
}
