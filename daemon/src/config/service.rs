//! What surrounds the data plane: http, state, the end.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `/metrics`, `/healthz` and the page.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address and port; empty for none. Loopback unless you say otherwise: the page shows who
    /// talks to whom.
    pub address: String,
    /// Exporters that have series of their own on `/metrics`, those that have sent most; 0 for none.
    pub exporters_shown_max: usize,
    /// Write the names of goflow's metrics, and `kafka_messages_total`, beside our own: existing
    /// boards read them.
    pub goflow_metrics: bool,
}

/// What survives a restart.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// Directory for templates and sampling tables; empty to forget them at the end.
    pub directory: PathBuf,
}

/// The end.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stop {
    /// Seconds that flows already received may take to be delivered.
    pub deadline_s: u64,
    /// Leave the sockets open with systemd (its file descriptor store) when stopping, so that what
    /// arrives during a restart waits for the successor. Needs `FileDescriptorStoreMax` in the unit;
    /// the one in `systemd/` has it and sets this key.
    pub keep_sockets: bool,
}

impl Default for Http {
    fn default() -> Self {
        Self { address: "127.0.0.1:8080".into(), exporters_shown_max: 100, goflow_metrics: true }
    }
}

impl Http {
    /// The address to bind, `None` if there is to be no server. Validated, so it parses.
    #[must_use]
    pub fn bind_address(&self) -> Option<SocketAddr> {
        self.address.parse().ok()
    }
}

impl Default for State {
    fn default() -> Self {
        Self { directory: PathBuf::new() }
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self { deadline_s: 30, keep_sockets: false }
    }
}
