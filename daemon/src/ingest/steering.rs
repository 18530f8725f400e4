//! `steering = "cpu"`: a datagram goes to the worker of the core whose NIC queue received it.

use std::io;

use super::socket::Socket;

/// Offset of the ancillary load that answers the current CPU (`SKF_AD_OFF + SKF_AD_CPU`,
/// linux/filter.h).
const CURRENT_CPU: u32 = (-0x1000i32 + 36) as u32;

/// Attaches a classic BPF program to the group of sockets that share `first`'s address: it answers
/// the CPU number modulo `workers`, which the kernel takes as the index of the socket, in the order
/// they were bound. Worker `i` must run on core `i` for that to be what one wants.
///
/// # Errors
/// The kernel takes no program.
pub fn steer_by_cpu(first: &Socket, workers: usize) -> io::Result<()> {
    let step = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let mut program = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, CURRENT_CPU),
        step(libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K, workers.max(1) as u32),
        step(libc::BPF_RET | libc::BPF_A, 0),
    ];
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the descriptor is open as long as `first`; the program and its instructions live
    // through the call, and the kernel copies them.
    let answer = unsafe {
        libc::setsockopt(
            first.fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
