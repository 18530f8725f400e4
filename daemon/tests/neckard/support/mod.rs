//! What the end-to-end tests stand on: a running `neckard`, a real Kafka, and small clients of
//! both.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

pub mod agent;
pub mod audit;
pub mod browser;
pub mod capture;
pub mod counters;
pub mod datagrams;
pub mod elsewhere;
pub mod generator;
pub mod influxd;
pub mod process;
pub mod prometheus;
pub mod receiver;
pub mod recorder;
pub mod suite_boards;
pub mod systemd;
pub mod topic;
pub mod traffic;
pub mod witness;

use std::io::Write as _;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use xtask::kafka::Broker;

/// A broker for tests that do not stop it: the one that `cargo xtask test` runs, or one of our own.
pub enum SharedBroker {
    Given(String),
    Own(Broker),
}

impl SharedBroker {
    pub fn find() -> Self {
        match std::env::var("NECKAR_KAFKA") {
            Ok(address) => Self::Given(address),
            Err(_) => Self::Own(Broker::start().expect("Kafka starts; see cargo xtask kafka")),
        }
    }

    pub fn address(&self) -> String {
        match self {
            Self::Given(address) => address.clone(),
            Self::Own(broker) => broker.address().to_string(),
        }
    }
}

/// A topic name nobody else uses.
pub fn fresh_topic(subject: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("test-{subject}-{}-{number}", std::process::id())
}

/// A UDP port that was free a moment ago.
pub fn free_udp_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A folder of the test's own, emptied at the start.
pub fn scratch(subject: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(subject);
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A disk in memory, mounted until it is dropped.
pub struct Disk(PathBuf);

impl Disk {
    /// Of this size (`1m`), at the folder. `None` where nobody may mount one: the caller's test is skipped.
    pub fn mount(folder: &Path, size: &str) -> Option<Self> {
        if mount(folder, &format!("size={size}")) {
            return Some(Self(folder.into()));
        }
        assert!(std::env::var_os("CI").is_none(), "CI may mount a disk");
        let _ =
            writeln!(std::io::stderr(), "SKIPPED: a full disk, since nobody may mount one here");
        None
    }

    /// Gives it another size.
    pub fn resize(&self, size: &str) {
        assert!(mount(&self.0, &format!("remount,size={size}")));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(&self.0).status());
    }
}

fn mount(folder: &Path, options: &str) -> bool {
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder);
    mount.status().is_ok_and(|status| status.success())
}

/// Looks at something until it is so; fails with `what` when patience is over.
#[track_caller]
pub fn wait_until(what: &str, patience: Duration, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < patience, "not within {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The `neckar` binary beside `neckard`. Built by `cargo xtask test` before the tests, or now.
pub fn neckar() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_BIN_EXE_neckard")).with_file_name("neckar");
    if !path.exists() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--package", "neckar"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "neckar builds");
    }
    path
}
