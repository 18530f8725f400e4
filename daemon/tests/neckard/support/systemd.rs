//! As much of systemd as a service with a file descriptor store sees: the notification socket, the
//! store, and how descriptors are passed at the next start (sd_notify(3), sd_listen_fds(3)).

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::process::Neckard;
use super::{scratch, wait_until};

/// The store, and where the service reports to.
pub struct Systemd {
    path: PathBuf,
    socket: UnixDatagram,
    store: Vec<(String, OwnedFd)>,
    states: Vec<String>,
}

impl Systemd {
    pub fn new(subject: &str) -> Self {
        let path = scratch(subject).join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { path, socket, store: Vec::new(), states: Vec::new() }
    }

    /// Starts the service with everything that is in the store, and waits until it is ready.
    pub fn start(&mut self, settings: &[&str]) -> Neckard {
        self.states.clear();
        // LISTEN_PID has to be the daemon's own, which only it knows: the shell becomes the daemon.
        let mut command = Command::new("sh");
        command.args(["-c", "LISTEN_PID=$$ exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_neckard")]);
        command.env("NOTIFY_SOCKET", &self.path);
        let names: Vec<&str> = self.store.iter().map(|(name, _)| name.as_str()).collect();
        command.env("LISTEN_FDS", names.len().to_string());
        command.env("LISTEN_FDNAMES", names.join(":"));
        let passed = self
            .store
            .iter()
            .zip(3..)
            .map(|((_, fd), child_fd)| FdMapping { parent_fd: fd.try_clone().unwrap(), child_fd });
        command.fd_mappings(passed.collect()).unwrap();
        let neckard = Neckard::launch(command, settings);
        wait_until("READY=1", Duration::from_secs(20), || {
            self.listen();
            self.states.iter().any(|state| state == "READY=1")
        });
        neckard
    }

    /// How many descriptors are in the store.
    pub fn stored(&mut self) -> usize {
        self.listen();
        self.store.len()
    }

    /// What is in the store, as somebody else has it who keeps it whatever the service says.
    pub fn copies(&self) -> Vec<(String, OwnedFd)> {
        let copy = |(name, fd): &(String, OwnedFd)| (name.clone(), fd.try_clone().unwrap());
        self.store.iter().map(copy).collect()
    }

    /// Puts them in, in place of what is there.
    pub fn put(&mut self, fds: Vec<(String, OwnedFd)>) {
        self.store = fds;
    }

    /// Reads what the service has told.
    fn listen(&mut self) {
        let mut text = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(16))];
        loop {
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let slices = &mut [IoSliceMut::new(&mut text)];
            let Ok(message) = recvmsg(&self.socket, slices, &mut control, RecvFlags::empty())
            else {
                return;
            };
            let fds = control.drain().filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(fds) => Some(fds),
                _ => None,
            });
            let fds: Vec<OwnedFd> = fds.flatten().collect();
            let states = String::from_utf8_lossy(&text[..message.bytes]).into_owned();
            self.take_in(&states, fds);
        }
    }

    fn take_in(&mut self, states: &str, fds: Vec<OwnedFd>) {
        let name = states.lines().find_map(|line| line.strip_prefix("FDNAME="));
        let has = |state: &str| states.lines().any(|line| line == state);
        if has("FDSTORE=1") {
            self.store.extend(fds.into_iter().map(|fd| (name.unwrap().to_string(), fd)));
        }
        if has("FDSTOREREMOVE=1") {
            self.store.retain(|(stored, _)| Some(stored.as_str()) != name);
        }
        self.states.extend(states.lines().map(str::to_string));
    }
}
