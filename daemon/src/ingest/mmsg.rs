//! recvmmsg(2): the fallback. One poll for all sockets, then as many datagrams per call as there
//! are slots.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use super::socket::Socket;
use super::wire::{self, CONTROL_BYTES, NAME_BYTES};
use super::{ReceiveStats, Received, ReceiverConfig, buffers, hand_out};

/// A slot's buffer, name and control message, each in a place of its own.
pub(super) struct Mmsg {
    /// What a poll waits for: something to read from any socket.
    waiting: Box<[libc::pollfd]>,
    slots: usize,
    payloads: Box<[u8]>,
    names: Box<[[u8; NAME_BYTES]]>,
    controls: Box<[Control]>,
}

/// Control messages are read by the kernel's alignment, that of a `usize`.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_BYTES]);

impl Mmsg {
    pub(super) fn new(sockets: &[Socket], config: &ReceiverConfig) -> Self {
        let slots = config.batch_datagrams.clamp(1, 64);
        let readable = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        Self {
            waiting: sockets.iter().map(|socket| readable(socket.fd())).collect(),
            slots,
            payloads: vec![0; slots * buffers::BYTES].into_boxed_slice(),
            names: vec![[0; NAME_BYTES]; slots].into_boxed_slice(),
            controls: vec![Control([0; CONTROL_BYTES]); slots].into_boxed_slice(),
        }
    }

    pub(super) fn receive(
        &mut self,
        sockets: &[Socket],
        timeout: Duration,
        stats: &mut ReceiveStats,
        take: &mut impl FnMut(Received<'_>),
    ) -> io::Result<()> {
        if !self.poll(timeout)? {
            return Ok(());
        }
        for socket in sockets {
            // Until a call brings fewer than it could: then the socket is empty for now.
            while self.receive_from(socket.fd(), stats, take)? == self.slots {}
        }
        Ok(())
    }

    fn receive_from(
        &mut self,
        fd: RawFd,
        stats: &mut ReceiveStats,
        take: &mut impl FnMut(Received<'_>),
    ) -> io::Result<usize> {
        let mut vectors = [EMPTY_VECTOR; 64];
        let mut messages = [EMPTY_MESSAGE; 64];
        let payloads = self.payloads.chunks_exact_mut(buffers::BYTES);
        let places = payloads.zip(&mut self.names).zip(&mut self.controls);
        for (index, ((payload, name), control)) in places.enumerate() {
            vectors[index].iov_base = payload.as_mut_ptr().cast();
            vectors[index].iov_len = payload.len();
            let header = &mut messages[index].msg_hdr;
            header.msg_name = name.as_mut_ptr().cast();
            header.msg_namelen = NAME_BYTES as libc::socklen_t;
            header.msg_iov = &raw mut vectors[index];
            header.msg_iovlen = 1;
            header.msg_control = control.0.as_mut_ptr().cast();
            header.msg_controllen = CONTROL_BYTES;
        }
        // SAFETY: the first `slots` messages point to buffers, names and controls that `self` owns
        // and that nothing else borrows during the call, with their true lengths.
        let count = unsafe {
            libc::recvmmsg(
                fd,
                messages.as_mut_ptr(),
                self.slots as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let Ok(count) = usize::try_from(count) else {
            return match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
                error if error.raw_os_error() == Some(libc::ECONNREFUSED) => Ok(0),
                error => Err(error),
            };
        };
        for (index, message) in messages[..count].iter().enumerate() {
            let header = &message.msg_hdr;
            let start = index * buffers::BYTES;
            let payload =
                &self.payloads[start..start + (message.msg_len as usize).min(buffers::BYTES)];
            let control = &self.controls[index].0[..header.msg_controllen.min(CONTROL_BYTES)];
            if let Some(source) = wire::source(&self.names[index]) {
                stats.truncated += u64::from(header.msg_flags & libc::MSG_TRUNC != 0);
                hand_out(source, payload, wire::segment_bytes(control), stats, take);
            }
        }
        Ok(count)
    }

    /// Waits until a socket has something to read; `false` if time ran out.
    fn poll(&mut self, timeout: Duration) -> io::Result<bool> {
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX).max(1);
        let count = self.waiting.len() as libc::nfds_t;
        // SAFETY: the slice holds `count` entries, and nothing else borrows it during the call.
        let ready = unsafe { libc::poll(self.waiting.as_mut_ptr(), count, timeout_ms) };
        match ready {
            0 => Ok(false),
            1.. => Ok(true),
            _ => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => Ok(false),
                error => Err(error),
            },
        }
    }
}

const EMPTY_VECTOR: libc::iovec = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
const EMPTY_MESSAGE: libc::mmsghdr = libc::mmsghdr {
    msg_hdr: libc::msghdr {
        msg_name: std::ptr::null_mut(),
        msg_namelen: 0,
        msg_iov: std::ptr::null_mut(),
        msg_iovlen: 0,
        msg_control: std::ptr::null_mut(),
        msg_controllen: 0,
        msg_flags: 0,
    },
    msg_len: 0,
};
