//! Names of hosts, asked of the DNS.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;

/// Names of hosts, asked of the DNS off the flow path: `SrcHostName`, `DstHostName` and
/// `NextHopHostName`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReverseNames {
    /// Ask at all. Whoever runs the name server learns which addresses your network talks to.
    pub enabled: bool,
    /// Name servers, `address:port`; empty for those of `/etc/resolv.conf`.
    pub servers: Vec<String>,
    /// Addresses remembered at most, those without a name included.
    pub names_max: usize,
    /// Seconds after which a name is asked for again at the latest, whatever the DNS says.
    pub ttl_s: u64,
    /// Seconds that an address is left alone of which the DNS says that it has no name.
    pub negative_ttl_s: u64,
    /// Questions under way at a time.
    pub concurrency: usize,
    /// Addresses that may wait to be asked for; beyond, they are asked for when they come again.
    pub queue: usize,
    /// Milliseconds to wait for an answer.
    pub timeout_ms: u64,
}

impl Default for ReverseNames {
    fn default() -> Self {
        Self {
            enabled: false,
            servers: Vec::new(),
            names_max: 200_000,
            ttl_s: 3600,
            negative_ttl_s: 600,
            concurrency: 64,
            queue: 4096,
            timeout_ms: 2000,
        }
    }
}

impl ReverseNames {
    /// The servers as written; empty for the system's.
    ///
    /// # Errors
    /// The one that is no address and port.
    pub fn server_addresses(&self) -> Result<Vec<SocketAddr>, Problem> {
        let servers = self.servers.iter().enumerate();
        let parsed = servers.map(|(index, text)| {
            text.parse().map_err(|_| {
                let key = format!("reverse_names.servers[{index}]");
                let fix = "write it like 192.0.2.53:53 or [2001:db8::53]:53";
                Problem::new(&key, format!("{text:?}"), "not an IP address and port", fix)
            })
        });
        parsed.collect()
    }
}
