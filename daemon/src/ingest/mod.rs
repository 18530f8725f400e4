//! Sockets and the ways datagrams come out of them: io_uring where the kernel has it, recvmmsg
//! where not.
//!
//! In: bound sockets. Out: each datagram once, lent as bytes with its source. A [`Receiver`]
//! belongs to one worker and stays on its thread. Deliberately absent: what a datagram means,
//! clocks, locks, allocation once made.
//!
//! This is the daemon's only unsafe room. The kernel writes into memory that the room owns; what
//! leaves it is ordinary borrowed slices.
//! Cost per datagram: benches/README.md, "Receive".

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

mod buffers;
mod mmsg;
mod probe;
mod socket;
mod steering;
mod uring;
mod wire;

pub use probe::{Path, Probe, probe};
pub use socket::{Queue, ReceiveBuffer, Socket, SocketConfig, inherited};
pub use steering::steer_by_cpu;

use mmsg::Mmsg;
use uring::Uring;

/// How a worker receives.
#[derive(Clone, Copy, Debug)]
pub struct ReceiverConfig {
    /// Which way, `None` for the best the kernel has.
    pub path: Option<Path>,
    /// Datagrams to wait for before waking up, at least 1.
    pub batch_datagrams: usize,
    /// How long to wait for them once one is there.
    pub batch_wait: Duration,
}

impl ReceiverConfig {
    /// Bytes of buffers that a receiver allocates.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        buffers::COUNT * buffers::BYTES
    }
}

/// One datagram as it came.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Who sent it, as the socket says: IPv4 on a dual-stack socket is IPv4-mapped IPv6.
    pub source: SocketAddr,
    /// The UDP payload.
    pub bytes: &'a [u8],
}

/// What a receiver counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiveStats {
    /// Datagrams handed out.
    pub datagrams: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Datagrams longer than a buffer, handed out cut off.
    pub truncated: u64,
    /// Wake-ups that brought at least one.
    pub batches: u64,
    /// Buffers that held several datagrams of one sender (UDP_GRO).
    pub coalesced: u64,
    /// Datagrams that came in these.
    pub segments: u64,
    /// Times that io_uring ran out of buffers and was armed anew; nothing is lost by it.
    pub starved: u64,
    /// Receives of io_uring that were armed anew, for whatever reason.
    pub rearmed: u64,
    /// Completions that found no room in io_uring's queue and came late.
    pub overflows: u64,
}

/// A worker's sockets and the way it reads them.
pub struct Receiver {
    sockets: Vec<Socket>,
    way: Way,
    probe: Probe,
    stats: ReceiveStats,
    /// What was seen of the queues at the most.
    queued_peak: u64,
    fullest_peak_ppm: u64,
}

enum Way {
    Uring(Box<Uring>),
    Mmsg(Mmsg),
}

impl Receiver {
    /// Prepares to read `sockets`. To be called on the thread that will receive.
    ///
    /// # Errors
    /// The kernel refuses the way that was asked for, or memory.
    pub fn new(sockets: Vec<Socket>, config: &ReceiverConfig) -> io::Result<Self> {
        let mut probe = probe();
        let wished = config.path.unwrap_or(probe.path);
        let way = match wished {
            Path::Uring => match Uring::try_out(config).and_then(|()| Uring::new(&sockets, config))
            {
                Ok(uring) => Way::Uring(Box::new(uring)),
                Err(error) if config.path.is_none() => {
                    probe = Probe { path: Path::Recvmmsg, why: format!("io_uring: {error}") };
                    Way::Mmsg(Mmsg::new(&sockets, config))
                }
                Err(error) => return Err(error),
            },
            Path::Recvmmsg => {
                if config.path.is_some() {
                    probe = Probe { path: Path::Recvmmsg, why: "configured".into() };
                }
                Way::Mmsg(Mmsg::new(&sockets, config))
            }
        };
        let stats = ReceiveStats::default();
        Ok(Self { sockets, way, probe, stats, queued_peak: 0, fullest_peak_ppm: 0 })
    }

    /// Which way is taken, and why.
    #[must_use]
    pub fn probe(&self) -> &Probe {
        &self.probe
    }

    /// Waits for datagrams, at most `timeout`, and gives each to `take`; answers how many.
    ///
    /// # Errors
    /// A socket failed for good.
    pub fn receive(
        &mut self,
        timeout: Duration,
        take: &mut impl FnMut(Received<'_>),
    ) -> io::Result<usize> {
        let before = self.stats.datagrams;
        match &mut self.way {
            Way::Uring(uring) => uring.receive(&self.sockets, timeout, &mut self.stats, take)?,
            Way::Mmsg(mmsg) => mmsg.receive(&self.sockets, timeout, &mut self.stats, take)?,
        }
        let taken = self.stats.datagrams - before;
        self.stats.batches += u64::from(taken > 0);
        Ok(taken as usize)
    }

    /// The end: closes the sockets to new datagrams and takes in everything that the kernel had
    /// queued. What arrives after counts among the kernel's drops.
    ///
    /// # Errors
    /// A socket failed for good.
    pub fn drain(&mut self, take: &mut impl FnMut(Received<'_>)) -> io::Result<usize> {
        for socket in &self.sockets {
            socket.refuse()?;
        }
        let mut taken = 0;
        // One empty round may be a ring that was just armed anew; two in a row are the end.
        let mut empty = 0;
        while empty < 2 {
            match self.receive(Duration::from_millis(5), take)? {
                0 => empty += 1,
                some => {
                    taken += some;
                    empty = 0;
                }
            }
        }
        Ok(taken)
    }

    /// The end of our part: takes in what is queued, for `time` at most, and leaves what comes after
    /// in the sockets, for whoever reads them next.
    ///
    /// # Errors
    /// A socket failed for good.
    pub fn release(
        &mut self,
        time: Duration,
        take: &mut impl FnMut(Received<'_>),
    ) -> io::Result<()> {
        let started = Instant::now();
        while started.elapsed() < time && self.receive(Duration::from_millis(5), take)? > 0 {}
        match &mut self.way {
            Way::Uring(uring) => uring.release(&mut self.stats, take),
            // Nothing is under way between two calls.
            Way::Mmsg(_) => Ok(()),
        }
    }

    /// Datagrams that the kernel dropped at these sockets, since they were bound.
    #[must_use]
    pub fn kernel_drops(&self) -> u64 {
        self.sockets.iter().map(Socket::drops).sum()
    }

    /// What the kernel holds for these sockets: a system call each.
    pub fn queue(&mut self) -> Queue {
        let mut sum = Queue::default();
        for socket in &self.sockets {
            let Queue { queued, size, drops, fullest_ppm, .. } = socket.queue();
            sum.queued += queued;
            sum.size += size;
            sum.drops += drops;
            // Not the share of the sum: one socket overflows while the others are empty.
            sum.fullest_ppm = sum.fullest_ppm.max(fullest_ppm);
        }
        self.queued_peak = self.queued_peak.max(sum.queued);
        self.fullest_peak_ppm = self.fullest_peak_ppm.max(sum.fullest_ppm);
        let (queued_peak, fullest_peak_ppm) = (self.queued_peak, self.fullest_peak_ppm);
        Queue { queued_peak, fullest_peak_ppm, ..sum }
    }

    /// What was counted so far.
    #[must_use]
    pub fn stats(&self) -> &ReceiveStats {
        &self.stats
    }
}

/// Hands out one buffer's content: one datagram, or several that the kernel put together, `segment`
/// bytes each.
#[inline]
fn hand_out(
    source: SocketAddr,
    content: &[u8],
    segment: Option<usize>,
    stats: &mut ReceiveStats,
    take: &mut impl FnMut(Received<'_>),
) {
    stats.bytes += content.len() as u64;
    match segment.filter(|segment| *segment > 0 && *segment < content.len()) {
        None => {
            stats.datagrams += 1;
            take(Received { source, bytes: content });
        }
        Some(segment) => {
            stats.coalesced += 1;
            stats.segments += content.len().div_ceil(segment) as u64;
            for bytes in content.chunks(segment) {
                stats.datagrams += 1;
                take(Received { source, bytes });
            }
        }
    }
}

#[cfg(test)]
mod tests;
