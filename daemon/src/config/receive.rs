//! Threads, sockets, rings: how datagrams come in.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Threads of the data plane.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Workers {
    /// Cores to run on, one pinned worker a core: `auto` (every core this process may use) or a
    /// list like `2-5,8`.
    pub cores: String,
    /// Who gets a datagram: `hash` (the kernel's hash keeps an exporter on one worker) or `cpu`
    /// (the core whose NIC queue received it).
    pub steering: Steering,
}

/// See [`Workers::steering`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "documented at the key")]
pub enum Steering {
    Hash,
    Cpu,
}

/// One listening address.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Address and UDP port, for example `[::]:2055` (IPv6 and IPv4) or `192.0.2.1:2055`.
    pub address: String,
}

/// Sockets and rings.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Receive {
    /// How datagrams come in: `auto` (io_uring where the kernel has it, else recvmmsg), `uring` or
    /// `recvmmsg`.
    pub path: ReceivePath,
    /// Bytes of kernel buffer to ask for, per socket. `neckard check` says what the kernel grants
    /// and what to raise.
    pub buffer_bytes: usize,
    /// Let the kernel coalesce datagrams of one sender (UDP_GRO).
    pub gro: bool,
    /// Datagrams to wait for before waking up.
    pub batch_datagrams: usize,
    /// Microseconds after which fewer will do.
    pub batch_wait_us: u64,
}

/// See [`Receive::path`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "documented at the key")]
pub enum ReceivePath {
    Auto,
    Uring,
    Recvmmsg,
}

impl Default for Workers {
    fn default() -> Self {
        Self { cores: "auto".into(), steering: Steering::Hash }
    }
}

impl Listen {
    /// The address to bind. Validated, so it parses.
    #[must_use]
    pub fn socket_address(&self) -> Option<SocketAddr> {
        self.address.parse().ok()
    }
}

impl Default for Receive {
    fn default() -> Self {
        Self {
            path: ReceivePath::Auto,
            buffer_bytes: 32 << 20,
            gro: true,
            batch_datagrams: 64,
            batch_wait_us: 10_000,
        }
    }
}
