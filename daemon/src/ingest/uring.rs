//! io_uring: one multishot receive per socket, completions taken in batches.
//!
//! A multishot receive stays armed and posts a completion per datagram into a buffer of its own
//! choice. A batch is one system call: wait for `batch_datagrams` completions, or until
//! `batch_wait` is over and there is one.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use io_uring::types::{Fd, RecvMsgOut, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode};

use super::buffers::{Buffers, GROUP};
use super::socket::{Socket, SocketConfig};
use super::wire::{self, CONTROL_BYTES, NAME_BYTES};
use super::{ReceiveStats, Received, ReceiverConfig, hand_out};

/// Submissions at a time: one per socket, seldom. With more sockets they go in turns.
const SUBMISSIONS: u32 = 64;
/// Completions that may wait for us; more than there are buffers, so that the queue cannot
/// overflow.
const COMPLETIONS: u32 = 1024;

/// Marks the completion of a cancel; no socket has this number.
const CANCEL: u64 = u64::MAX;
/// A cancel takes effect at the next look of the kernel; this long is a kernel at fault.
const CANCEL_WAIT: Duration = Duration::from_secs(1);

/// A ring with its buffers. Field order matters: the ring goes first, then what the kernel may have
/// been writing to.
pub(super) struct Uring {
    ring: IoUring,
    buffers: Buffers,
    /// What a receive asks for: lengths of name and control message. The kernel reads it while a
    /// receive is armed.
    header: Box<libc::msghdr>,
    /// Which sockets have a receive armed.
    armed: Vec<bool>,
    /// Receives armed so far.
    arms: u64,
    batch: usize,
    batch_wait: Duration,
    min_wait: bool,
}

// SAFETY: the header holds null pointers and lengths only, and the rest is memory; a worker's
// thread makes it and keeps it.
unsafe impl Send for Uring {}

impl Uring {
    pub(super) fn new(sockets: &[Socket], config: &ReceiverConfig) -> io::Result<Self> {
        let ring = build()?;
        let mut buffers = Buffers::new()?;
        buffers.register(&ring)?;
        // SAFETY: all-zero is a valid msghdr: null pointers and zero lengths.
        let mut header: Box<libc::msghdr> = Box::new(unsafe { std::mem::zeroed() });
        header.msg_namelen = NAME_BYTES as libc::socklen_t;
        header.msg_controllen = CONTROL_BYTES;
        let min_wait = ring.params().is_feature_min_timeout();
        let mut uring = Self {
            ring,
            buffers,
            header,
            armed: vec![false; sockets.len()],
            arms: 0,
            batch: config.batch_datagrams,
            batch_wait: config.batch_wait,
            min_wait,
        };
        uring.arm(sockets)?;
        Ok(uring)
    }

    /// Does the kernel do what we need? Tried on a socket of our own: an old one says no only at
    /// the first datagram.
    pub(super) fn try_out(config: &ReceiverConfig) -> io::Result<()> {
        let trial = SocketConfig { receive_buffer_bytes: 4096, gro: true };
        let socket = Socket::bind((Ipv4Addr::LOCALHOST, 0).into(), &trial)?;
        let address = socket.local_address()?;
        let sockets = [socket];
        let mut uring = Self::new(&sockets, config)?;
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.send_to(b"neckar", address)?;
        let mut came = 0;
        let mut stats = ReceiveStats::default();
        uring.receive(&sockets, Duration::from_millis(500), &mut stats, &mut |_| came += 1)?;
        if came == 1 { Ok(()) } else { Err(io::Error::other("a datagram did not come back")) }
    }

    pub(super) fn receive(
        &mut self,
        sockets: &[Socket],
        timeout: Duration,
        stats: &mut ReceiveStats,
        take: &mut impl FnMut(Received<'_>),
    ) -> io::Result<()> {
        self.arm(sockets)?;
        stats.rearmed = self.arms - sockets.len() as u64;
        self.wait(timeout)?;
        self.complete(stats, take)
    }

    /// Takes the armed receives back and hands out what they had taken; what is still queued in the
    /// sockets stays there.
    pub(super) fn release(
        &mut self,
        stats: &mut ReceiveStats,
        take: &mut impl FnMut(Received<'_>),
    ) -> io::Result<()> {
        for index in 0..self.armed.len() {
            if !self.armed[index] {
                continue;
            }
            self.make_room()?;
            let cancel = opcode::AsyncCancel::new(index as u64).build().user_data(CANCEL);
            // SAFETY: a cancel refers to no memory of ours.
            let pushed = unsafe { self.ring.submission().push(&cancel) };
            pushed.map_err(|_| io::Error::other("the submission queue is full"))?;
        }
        // The last completion of a receive says that there are no more.
        let started = Instant::now();
        while self.armed.contains(&true) && started.elapsed() < CANCEL_WAIT {
            self.enter(1, Duration::from_millis(5), 0)?;
            self.complete(stats, take)?;
        }
        Ok(())
    }

    /// Arms a receive on every socket that has none.
    fn arm(&mut self, sockets: &[Socket]) -> io::Result<()> {
        for (index, socket) in sockets.iter().enumerate() {
            if self.armed[index] {
                continue;
            }
            self.make_room()?;
            let receive =
                opcode::RecvMsgMulti::new(Fd(socket.fd()), &raw const *self.header, GROUP)
                    .build()
                    .user_data(index as u64);
            // SAFETY: the descriptor stays open as long as the receiver that owns socket and ring;
            // the header is boxed and dropped after the ring.
            let pushed = unsafe { self.ring.submission().push(&receive) };
            pushed.map_err(|_| io::Error::other("the submission queue is full"))?;
            self.armed[index] = true;
            self.arms += 1;
        }
        Ok(())
    }

    /// Gives the kernel what is to be submitted if there is no room for one more.
    fn make_room(&mut self) -> io::Result<()> {
        if self.ring.submission().is_full() { self.enter(0, Duration::ZERO, 0) } else { Ok(()) }
    }

    fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        let started = Instant::now();
        if self.min_wait {
            let wait_us = u32::try_from(self.batch_wait.min(timeout).as_micros()).unwrap_or(0);
            return self.enter(self.batch, timeout, wait_us.max(1));
        }
        // Older kernels: one, then a batch.
        self.enter(1, timeout, 0)?;
        let ready = self.ring.completion().len();
        if (1..self.batch).contains(&ready) {
            let left = self.batch_wait.min(timeout.saturating_sub(started.elapsed()));
            self.enter(self.batch, left, 0)?;
        }
        Ok(())
    }

    fn enter(&mut self, want: usize, timeout: Duration, min_wait_us: u32) -> io::Result<()> {
        let timeout = Timespec::from(timeout.min(Duration::from_secs(3600)));
        let args = SubmitArgs::new().timespec(&timeout).min_wait_usec(min_wait_us);
        match self.ring.submitter().submit_with_args(want, &args) {
            Ok(_) => Ok(()),
            Err(error) => match error.raw_os_error() {
                // Time is up, a signal came, or completions wait to be taken: all are reasons to
                // look.
                Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// Hands out every completion, and gives its buffer back to the kernel.
    fn complete(
        &mut self,
        stats: &mut ReceiveStats,
        take: &mut impl FnMut(Received<'_>),
    ) -> io::Result<()> {
        let Self { ring, buffers, header, armed, .. } = self;
        let completions = ring.completion();
        stats.overflows = u64::from(completions.overflow());
        for completion in completions {
            if completion.user_data() == CANCEL {
                continue;
            }
            if !cqueue::more(completion.flags()) {
                armed[completion.user_data() as usize] = false;
            }
            let result = completion.result();
            let Some(id) = cqueue::buffer_select(completion.flags()) else {
                match -result {
                    // All buffers are out: armed anew once they are back. Nothing is lost, the
                    // socket has its own buffer.
                    libc::ENOBUFS => stats.starved += 1,
                    // Errors of earlier sends through this socket do not concern receiving.
                    libc::ECONNREFUSED | libc::EINTR | libc::EAGAIN | libc::ECANCELED => {}
                    error if error > 0 => return Err(io::Error::from_raw_os_error(error)),
                    _ => {}
                }
                continue;
            };
            let content = buffers.content(id, result.max(0) as usize);
            if let Ok(message) = RecvMsgOut::parse(content, header)
                && let Some(source) = wire::source(message.name_data())
            {
                stats.truncated += u64::from(message.is_payload_truncated());
                let segment = wire::segment_bytes(message.control_data());
                hand_out(source, message.payload_data(), segment, stats, take);
            }
            buffers.give(id);
        }
        Ok(())
    }
}

/// A ring of one thread where the kernel knows such, which spares it interrupts and locks.
fn build() -> io::Result<IoUring> {
    let best = IoUring::builder()
        .setup_cqsize(COMPLETIONS)
        .setup_single_issuer()
        .setup_defer_taskrun()
        .build(SUBMISSIONS);
    best.or_else(|_| IoUring::builder().setup_cqsize(COMPLETIONS).build(SUBMISSIONS))
}
