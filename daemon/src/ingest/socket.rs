//! One UDP socket of one worker, and what the kernel granted it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use socket2::{Domain, Protocol, SockFilter, Type};

const UDP_GRO: i32 = 104;
/// Places in what `SO_MEMINFO` answers (linux/sock_diag.h): bytes booked for what is queued, the most
/// that may be, and datagrams dropped.
const MEMINFO_RMEM_ALLOC: usize = 0;
const MEMINFO_RCVBUF: usize = 1;
const MEMINFO_DROPS: usize = 8;
const MEMINFO_WORDS: usize = 9;

/// What to ask of a socket.
#[derive(Clone, Copy, Debug)]
pub struct SocketConfig {
    /// Bytes of receive buffer, payload and bookkeeping of the kernel together.
    pub receive_buffer_bytes: usize,
    /// Let the kernel put datagrams of one sender together.
    pub gro: bool,
}

/// What the kernel holds for sockets that a worker has not taken yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// Bytes now, the kernel's own bookkeeping included.
    pub queued: u64,
    /// The most that was seen.
    pub queued_peak: u64,
    /// Bytes that there is room for.
    pub size: u64,
    /// Datagrams for which there was none.
    pub drops: u64,
    /// How full the fullest socket is, in millionths.
    pub fullest_ppm: u64,
    /// The most that was seen of that.
    pub fullest_peak_ppm: u64,
}

/// A receive buffer: asked and granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveBuffer {
    /// Bytes asked for.
    pub asked: usize,
    /// Bytes granted.
    pub got: usize,
}

/// Descriptors that systemd passed to this process, with their names (sd_listen_fds(3)). Answers them
/// at the first call only: a descriptor has one owner.
///
/// # Errors
/// What was passed is not as the protocol says.
pub fn inherited() -> io::Result<Vec<(String, OwnedFd)>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Ok(Vec::new());
    }
    let fds = sd_notify::listen_fds_with_names()?;
    // SAFETY: systemd opened these descriptors for this process (LISTEN_PID is checked), and the flag
    // above makes this the only place that owns them.
    Ok(fds.map(|(fd, name)| (name, unsafe { OwnedFd::from_raw_fd(fd) })).collect())
}

/// A bound socket.
#[derive(Debug)]
pub struct Socket {
    socket: socket2::Socket,
    asked: usize,
    /// Drops that a predecessor has counted.
    drops_before: u64,
}

impl Socket {
    /// Binds `address` together with the other workers' sockets (`SO_REUSEPORT`). An IPv6 wildcard
    /// takes IPv4 too.
    ///
    /// # Errors
    /// The address is taken by somebody else or is not ours.
    pub fn bind(address: SocketAddr, config: &SocketConfig) -> io::Result<Self> {
        let socket =
            socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.set_reuse_port(true)?;
        let socket = Self { socket, asked: config.receive_buffer_bytes, drops_before: 0 };
        socket.ask_for_buffer();
        if config.gro {
            // An old kernel has none: then every datagram comes by itself.
            drop(socket.set_option(libc::SOL_UDP, UDP_GRO, 1));
        }
        socket.socket.bind(&address.into())?;
        Ok(socket)
    }

    /// Takes over a socket that is bound already: one that systemd kept for us. A predecessor may have
    /// told it to refuse everything.
    #[must_use]
    pub fn from_fd(fd: OwnedFd, config: &SocketConfig) -> Self {
        let asked = config.receive_buffer_bytes;
        let mut socket = Self { socket: fd.into(), asked, drops_before: 0 };
        // It has none if its last reader meant to leave it to us.
        drop(socket.socket.detach_filter());
        socket.drops_before = socket.drops();
        socket.ask_for_buffer();
        socket
    }

    /// Where it is bound.
    ///
    /// # Errors
    /// It is not bound to an IP address.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        let not_ip = || io::Error::other("not bound to an IP address");
        self.socket.local_addr()?.as_socket().ok_or_else(not_ip)
    }

    /// What receive buffer was asked for and granted. The kernel answers twice what it granted, the
    /// other half being for its own bookkeeping (socket(7)).
    #[must_use]
    pub fn receive_buffer(&self) -> ReceiveBuffer {
        let got = self.socket.recv_buffer_size().unwrap_or(0) / 2;
        ReceiveBuffer { asked: self.asked, got }
    }

    /// Datagrams dropped here since it was bound or taken over: the buffer was full, or they came after
    /// [`Socket::refuse`].
    #[must_use]
    pub fn drops(&self) -> u64 {
        self.queue().drops
    }

    /// What the kernel holds for it now.
    pub(super) fn queue(&self) -> Queue {
        let mut words = [0u32; MEMINFO_WORDS];
        let mut len = size_of_val(&words) as libc::socklen_t;
        // SAFETY: the descriptor is open as long as `self`; `words` has the `len` bytes that may be
        // written.
        let answer = unsafe {
            libc::getsockopt(
                self.fd(),
                libc::SOL_SOCKET,
                libc::SO_MEMINFO,
                words.as_mut_ptr().cast(),
                &raw mut len,
            )
        };
        if answer != 0 {
            return Queue::default();
        }
        let [queued, size, drops] = [MEMINFO_RMEM_ALLOC, MEMINFO_RCVBUF, MEMINFO_DROPS]
            .map(|place| u64::from(words[place]));
        let drops = drops.saturating_sub(self.drops_before);
        let ppm = (queued * 1_000_000).checked_div(size).unwrap_or(0).min(1_000_000);
        Queue { queued, queued_peak: queued, size, drops, fullest_ppm: ppm, fullest_peak_ppm: ppm }
    }

    /// Refuses every further datagram, so that what is queued can be taken in to the last one.
    ///
    /// # Errors
    /// The kernel takes no filter.
    pub fn refuse(&self) -> io::Result<()> {
        // A classic BPF program of one instruction: keep 0 bytes of the packet.
        let keep_nothing = SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, 0);
        self.socket.attach_filter(&[keep_nothing])
    }

    /// The descriptor, for whoever keeps it open when we are gone.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub(super) fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    fn ask_for_buffer(&self) {
        let bytes = i32::try_from(self.asked).unwrap_or(i32::MAX);
        // With CAP_NET_ADMIN beyond net.core.rmem_max, else up to it; `receive_buffer` tells what
        // came of it.
        if self.set_option(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes).is_err() {
            drop(self.socket.set_recv_buffer_size(self.asked));
        }
    }

    fn set_option(&self, level: i32, name: i32, value: i32) -> io::Result<()> {
        // SAFETY: the descriptor is open as long as `self`; `value` is an int and lives through the
        // call.
        let answer = unsafe {
            libc::setsockopt(
                self.fd(),
                level,
                name,
                (&raw const value).cast(),
                size_of::<i32>() as libc::socklen_t,
            )
        };
        if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
