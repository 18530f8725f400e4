//! Sockets that outlive the process: systemd keeps them open while we restart (sd_notify(3)
//! `FDSTORE`), and hands them to the successor (sd_listen_fds(3)). What arrives in between waits in
//! the kernel's buffers.
//!
//! A socket is known by its name, made of address and worker, so that every worker gets its own
//! again and steering by core still holds. Without systemd all of this does nothing.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use sd_notify::NotifyState;

use crate::ingest::{Socket, SocketConfig, inherited};

/// What a predecessor, or a socket unit, left for us.
#[derive(Debug, Default)]
pub struct Handover {
    left: Vec<(String, SocketAddr, Socket)>,
    /// Names of those that were taken.
    taken: Vec<String>,
}

impl Handover {
    /// Looks at what was passed to this process. To be called once: descriptors have one owner.
    #[must_use]
    pub fn receive(config: &SocketConfig) -> Self {
        let fds = inherited().unwrap_or_else(|error| {
            log::warn!("descriptors passed by systemd cannot be read: {error}");
            Vec::new()
        });
        let adopt = |(name, fd): (String, OwnedFd)| {
            let socket = Socket::from_fd(fd, config);
            let address = socket.local_address().ok()?;
            Some((name, address, socket))
        };
        Self { left: fds.into_iter().filter_map(adopt).collect(), taken: Vec::new() }
    }

    /// The socket of this address for this worker: its own of before, else one that no worker
    /// claims by name, as a socket unit passes it.
    pub fn take(&mut self, address: SocketAddr, worker: usize) -> Option<Socket> {
        let name = name(address, worker);
        let ours = |(given, _, _): &(String, SocketAddr, Socket)| *given == name;
        let nobodys = |(given, bound, _): &(String, SocketAddr, Socket)| {
            *bound == address && !given.starts_with(PREFIX)
        };
        let place =
            self.left.iter().position(ours).or_else(|| self.left.iter().position(nobodys))?;
        let (name, _, socket) = self.left.swap_remove(place);
        self.taken.push(name);
        Some(socket)
    }

    /// The sockets of this address that belonged to workers which are no more. Somebody has to read
    /// them: there may be datagrams in them, and the kernel goes on to fill them.
    pub fn take_orphans(&mut self, address: SocketAddr) -> Vec<Socket> {
        let (orphans, left) =
            std::mem::take(&mut self.left).into_iter().partition(|(_, bound, _)| *bound == address);
        self.left = left;
        let orphans: Vec<_> = orphans;
        let of_each = orphans.into_iter().map(|(name, _, socket)| {
            self.taken.push(name);
            socket
        });
        of_each.collect()
    }

    /// Closes what nobody listens to any more, here and in the store. What was taken stays in the store
    /// if we `keep` sockets; else it would get what arrives while nobody is there to read it.
    pub fn close(self, keep: bool) {
        for (name, address, _) in &self.left {
            log::warn!("{address} is not listened to any more; its socket is closed");
            forget(name);
        }
        if !self.taken.is_empty() {
            log::info!("took over {} sockets with what is queued in them", self.taken.len());
        }
        if !keep {
            self.taken.iter().for_each(|name| forget(name));
        }
    }
}

/// Has systemd keep a socket for our successor.
pub fn keep(socket: &Socket, address: SocketAddr, worker: usize) {
    let name = name(address, worker);
    let states = [NotifyState::FdStore, NotifyState::FdName(&name)];
    if let Err(error) = sd_notify::notify_with_fds(&states, &[socket.as_fd()]) {
        log::warn!("systemd does not keep the socket of {address}: {error}");
    }
}

/// Has systemd close its copy of what it kept under this name.
fn forget(name: &str) {
    tell(&[NotifyState::FdStoreRemove, NotifyState::FdName(name)]);
}

/// Tells systemd, if it asked to be told.
pub fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::warn!("systemd cannot be told: {error}");
    }
}

const PREFIX: &str = "neckar/";

/// Names in the store have no colon.
fn name(address: SocketAddr, worker: usize) -> String {
    format!("{PREFIX}{}/{worker}", address.to_string().replace(':', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: SocketConfig = SocketConfig { receive_buffer_bytes: 4096, gro: false };

    fn bound() -> (SocketAddr, Socket) {
        let any = "127.0.0.1:0".parse().expect("an address");
        let socket = Socket::bind(any, &PLAIN).expect("binds");
        (socket.local_address().expect("is bound"), socket)
    }

    #[test]
    fn every_worker_gets_its_own_and_nobody_is_forgotten() {
        let (address, first) = bound();
        let sockets = [first, Socket::bind(address, &PLAIN).expect("a second one")];
        let own = sockets.each_ref().map(|socket| format!("{:?}", socket.as_fd()));
        let named = sockets.into_iter().enumerate();
        let mut handover = Handover {
            left: named.map(|(worker, one)| (name(address, worker), address, one)).collect(),
            taken: Vec::new(),
        };
        let (_, unit) = bound();
        let unit_address = unit.local_address().expect("is bound");
        handover.left.push(("neckard.socket".into(), unit_address, unit));
        let second = handover.take(address, 1).expect("worker 1 had one");
        assert_eq!(format!("{:?}", second.as_fd()), own[1]);
        assert!(handover.take(address, 1).is_none(), "it is given once");
        assert!(handover.take(unit_address, 0).is_some(), "a socket unit's is anybody's");
        let orphans = handover.take_orphans(address);
        assert_eq!(orphans.len(), 1);
        assert_eq!(format!("{:?}", orphans[0].as_fd()), own[0]);
        assert!(handover.left.is_empty());
    }

    #[test]
    fn names_have_no_colon() {
        let address = "[::]:2055".parse().expect("an address");
        assert_eq!(name(address, 3), "neckar/[--]-2055/3");
    }
}
